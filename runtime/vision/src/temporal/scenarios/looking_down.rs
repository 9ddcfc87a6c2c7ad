//! People who look down, whose lids hang low over eyes that are awake, and sleepers whose head has dropped: told apart
//! by a model with an output for the lids.

use super::{FPS, Scene, alerts::expect, eyes, watch};
use crate::{
    reading::FrameReading,
    temporal::{
        AlertKind::{LongClosureAlarm, LongClosureWarning},
        AlertPhase::{Cleared, Raised},
        ClosureKind, TemporalSettings, TemporalTracker,
    },
};
use std::time::Duration;

/// Frames of a script of (frames, scene) at [`FPS`] in which both eyes are uncertain.
fn uncertain(script: &[(usize, Scene)]) -> Vec<usize> {
    let mut tracker = TemporalTracker::new(&TemporalSettings::default());
    let scenes = script
        .iter()
        .flat_map(|(frames, scene)| std::iter::repeat_n(*scene, *frames));
    let mut is_uncertain = |(frame, scene): (usize, Scene)| {
        let update = tracker.update(&FrameReading {
            frame: frame as u64,
            time: Duration::from_secs_f64(frame as f64 / FPS),
            face: None,
            eyes: eyes(scene),
        });
        update.uncertain.then_some(frame)
    };
    scenes.enumerate().filter_map(&mut is_uncertain).collect()
}

const AWAKE: Scene = Scene::Lids {
    closed: 0.02,
    openness: 0.97,
    looking_down: 0.02,
};
/// A lid so low that the states alone say closed.
const READING: Scene = Scene::Lids {
    closed: 0.85,
    openness: 0.25,
    looking_down: 0.95,
};
const ASLEEP: Scene = Scene::Lids {
    closed: 0.95,
    openness: 0.02,
    looking_down: 0.03,
};

#[test]
fn minutes_with_a_book_on_the_table_raise_nothing_and_are_no_closed_time() {
    expect(&[(5.0, AWAKE), (120.0, READING), (5.0, AWAKE)], &[]);
    let (closures, tracker) = watch(&[(60, AWAKE), (900, READING), (60, AWAKE)]);
    assert!(closures.is_empty(), "{closures:?}");
    assert_eq!(tracker.perclos(), Some(0.0));
}

#[test]
fn a_blink_over_the_book_is_a_blink() {
    let (closures, _) = watch(&[
        (60, AWAKE),
        (60, READING),
        (5, ASLEEP),
        (60, READING),
        (30, AWAKE),
    ]);
    let blinks = closures
        .iter()
        .filter(|closure| closure.kind == ClosureKind::Blink);
    // Each eye's, and that of both.
    assert_eq!(blinks.count(), 3, "{closures:?}");
}

/// Shut lids of somebody who has just looked down may be a reader's: for a second nobody knows. Then they are closed.
#[test]
fn a_reader_who_falls_asleep_is_alarmed_a_second_later_than_anybody() {
    expect(
        &[(5.0, AWAKE), (20.0, READING), (4.0, ASLEEP)],
        &[
            (26.5, LongClosureWarning, Raised),
            (27.5, LongClosureAlarm, Raised),
        ],
    );
}

/// Lids that hide the gaze for a second and a half, as of somebody who looks at the table before the chair.
const HIDDEN_GAZE: Scene = ASLEEP;

#[test]
fn a_glance_at_the_table_that_hides_the_iris_is_no_closure_and_says_that_it_is_uncertain() {
    let script = [(60, AWAKE), (6, READING), (36, HIDDEN_GAZE), (60, AWAKE)];
    let (closures, tracker) = watch(&script);
    assert!(closures.is_empty(), "{closures:?}");
    assert_eq!(tracker.perclos(), Some(0.0));
    expect(
        &[
            (2.0, AWAKE),
            (0.2, READING),
            (1.2, HIDDEN_GAZE),
            (2.0, AWAKE),
        ],
        &[],
    );
    let uncertain: Vec<usize> = uncertain(&script);
    // From its first frame for a second: then lids so long shut are closed.
    assert_eq!(uncertain, (66..96).collect::<Vec<_>>());
}

#[test]
fn the_same_lids_of_somebody_who_looked_ahead_are_closed() {
    expect(
        &[(5.0, AWAKE), (1.2, HIDDEN_GAZE), (2.0, AWAKE)],
        &[
            (5.5, LongClosureWarning, Raised),
            (6.2, LongClosureWarning, Cleared),
        ],
    );
    assert!(uncertain(&[(60, AWAKE), (36, HIDDEN_GAZE)]).is_empty());
}

#[test]
fn lids_that_come_near_each_other_are_a_partial_blink_by_their_openness() {
    let low = |openness| Scene::Lids {
        closed: 0.1,
        openness,
        looking_down: 0.02,
    };
    let partial = |scene| {
        let (closures, _) = watch(&[(60, AWAKE), (4, scene), (60, AWAKE)]);
        let partial = closures
            .iter()
            .filter(|c| c.kind == ClosureKind::PartialBlink);
        partial.count()
    };
    assert_eq!(partial(low(0.3)), 3);
    assert_eq!(partial(low(0.9)), 0);
}

/// Lids that come to a quarter of what is usual for a moment have blinked; lids that stay there are low, not shut.
#[test]
fn lids_at_a_quarter_blink_but_do_not_sleep() {
    let low = Scene::Lids {
        closed: 0.4,
        openness: 0.25,
        looking_down: 0.02,
    };
    let (closures, _) = watch(&[(60, AWAKE), (4, low), (60, AWAKE)]);
    // Each eye's, and that of both; nothing is told twice.
    assert_eq!(closures.len(), 3, "{closures:?}");
    assert!(closures.iter().all(|closure| {
        closure.kind == ClosureKind::Blink && (closure.first_frame, closure.last_frame) == (60, 63)
    }));
    expect(&[(5.0, AWAKE), (10.0, low), (2.0, AWAKE)], &[]);
    let (closures, tracker) = watch(&[(60, AWAKE), (90, low), (60, AWAKE)]);
    assert!(closures.is_empty(), "{closures:?}");
    assert_eq!(tracker.perclos(), Some(0.0));
    // A lid that goes on falling counts from where it is shut.
    expect(
        &[(5.0, AWAKE), (2.0, low), (2.0, ASLEEP)],
        &[
            (7.5, LongClosureWarning, Raised),
            (8.5, LongClosureAlarm, Raised),
        ],
    );
}

/// Lids that part only by a little after a blink are low: the blink is as long as the lids were shut.
#[test]
fn a_blink_that_ends_with_low_lids_is_one_blink_of_its_own_length() {
    let low = Scene::Lids {
        closed: 0.4,
        openness: 0.26,
        looking_down: 0.05,
    };
    let (closures, _) = watch(&[(60, AWAKE), (8, ASLEEP), (30, low), (60, AWAKE)]);
    assert_eq!(closures.len(), 3, "{closures:?}");
    assert!(closures.iter().all(|closure| {
        closure.kind == ClosureKind::Blink && (closure.first_frame, closure.last_frame) == (60, 67)
    }));
}
