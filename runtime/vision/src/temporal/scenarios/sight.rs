//! Faces that are lost from sight, eyes closed: for a moment, for ever, and at every turn of the head.

use super::{FPS, Scene, alerts::expect, blinks, watch};
use crate::temporal::{
    AlertKind::{FaceLostAsleep, LongClosureAlarm, LongClosureWarning},
    AlertPhase::{Cleared, Lost, Raised, Repeated},
    ClosureKind, Laterality, TemporalSettings,
    scenarios::{alerts::expect_with, of},
};

const OUT_OF_SIGHT: [Scene; 3] = [Scene::NoFace, Scene::Profile, Scene::Hidden];

#[test]
fn a_face_lost_for_a_moment_does_not_start_the_clock_anew() {
    for lost in OUT_OF_SIGHT {
        for (closed_before, lost_for) in [(0.6, 0.3), (0.7, 0.9), (1.2, 0.1)] {
            let script = [
                (10.0, Scene::Open),
                (closed_before, Scene::Closed),
                (lost_for, lost),
                (3.0 - closed_before - lost_for, Scene::Closed),
                (5.0, Scene::Open),
            ];
            expect(
                &script,
                &[
                    (10.5, LongClosureWarning, Raised),
                    (11.5, LongClosureAlarm, Raised),
                    (13.0, LongClosureWarning, Cleared),
                    (13.0, LongClosureAlarm, Cleared),
                ],
            );
        }
    }
}

#[test]
fn the_alarm_comes_when_it_would_have_although_the_face_is_gone() {
    let script = [
        (10.0, Scene::Open),
        (0.8, Scene::Closed),
        (30.0, Scene::NoFace),
        (5.0, Scene::Open),
    ];
    expect(
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.5, LongClosureAlarm, Raised),
            // Out of sight for a second: nobody knows any more, and nobody is forgotten.
            (11.83, LongClosureWarning, Lost),
            (11.83, LongClosureAlarm, Lost),
            (11.83, FaceLostAsleep, Raised),
            (16.83, FaceLostAsleep, Repeated),
            (21.83, FaceLostAsleep, Repeated),
            (26.83, FaceLostAsleep, Repeated),
            (31.83, FaceLostAsleep, Repeated),
            (36.83, FaceLostAsleep, Repeated),
            (40.8, FaceLostAsleep, Cleared),
        ],
    );
}

#[test]
fn a_sleeper_who_is_found_asleep_is_alarmed_of_without_a_pause() {
    let script = [
        (10.0, Scene::Open),
        (2.0, Scene::Closed),
        (4.0, Scene::NoFace),
        (3.0, Scene::Closed),
        (5.0, Scene::Open),
    ];
    expect(
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.5, LongClosureAlarm, Raised),
            (13.03, LongClosureWarning, Lost),
            (13.03, LongClosureAlarm, Lost),
            (13.03, FaceLostAsleep, Raised),
            (16.5, LongClosureWarning, Raised),
            (17.5, LongClosureAlarm, Raised),
            (17.5, FaceLostAsleep, Cleared),
            (19.0, LongClosureWarning, Cleared),
            (19.0, LongClosureAlarm, Cleared),
        ],
    );
}

#[test]
fn who_blinks_and_turns_away_is_not_asleep() {
    for lost in OUT_OF_SIGHT {
        for closed in [1.0 / FPS, 0.2, 0.45] {
            let script = [(10.0, Scene::Open), (closed, Scene::Closed), (20.0, lost)];
            expect(&script, &[]);
        }
    }
    // Beyond the warning they are warned of, and no more.
    let script = [
        (10.0, Scene::Open),
        (0.52, Scene::Closed),
        (0.8, Scene::Profile),
        (10.0, Scene::Open),
    ];
    expect(
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.33, LongClosureWarning, Cleared),
        ],
    );
}

#[test]
fn eyes_seen_open_again_end_everything() {
    let script = [
        (10.0, Scene::Open),
        (2.0, Scene::Closed),
        (0.5, Scene::NoFace),
        (5.0, Scene::Open),
    ];
    expect(
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.5, LongClosureAlarm, Raised),
            (12.5, LongClosureWarning, Cleared),
            (12.5, LongClosureAlarm, Cleared),
        ],
    );
}

#[test]
fn the_second_can_be_another_and_none() {
    let script = [
        (10.0, Scene::Open),
        (1.2, Scene::Closed),
        (6.0, Scene::NoFace),
        (5.0, Scene::Open),
    ];
    let with = |longest_unseen_s| TemporalSettings {
        longest_unseen_s,
        ..TemporalSettings::default()
    };
    expect_with(
        &with(0.0),
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.2, LongClosureWarning, Lost),
        ],
    );
    expect_with(
        &with(3.0),
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.5, LongClosureAlarm, Raised),
            (14.23, LongClosureWarning, Lost),
            (14.23, LongClosureAlarm, Lost),
            (14.23, FaceLostAsleep, Raised),
            (17.2, FaceLostAsleep, Cleared),
        ],
    );
}

#[test]
fn a_closure_out_of_sight_for_a_moment_is_one_and_says_so() {
    let (closures, tracker) = watch(&[
        (30, Scene::Open),
        (3, Scene::Closed),
        (2, Scene::NoFace),
        (4, Scene::Closed),
        (30, Scene::Open),
        (30, Scene::Closed),
        (12, Scene::NoFace),
        (30, Scene::Closed),
        (30, Scene::Open),
    ]);
    for eye in Laterality::ALL {
        assert_eq!(blinks(&closures, eye), [(30, 38)]);
        let long = of(&closures, eye, ClosureKind::LongClosure);
        assert_eq!(long, [(69, 140)]);
    }
    let unseen: Vec<f64> = closures.iter().map(|c| c.unseen.as_secs_f64()).collect();
    for (unseen, frames) in unseen.iter().zip([2.0, 2.0, 2.0, 12.0, 12.0, 12.0]) {
        assert!((unseen - frames / FPS).abs() < 1e-6, "{unseen}");
    }
    let (known, closed) = tracker.known_and_closed();
    assert!((closed.as_secs_f64() - 72.0 / FPS).abs() < 1e-6);
    assert!((known.as_secs_f64() - 170.0 / FPS).abs() < 1e-6);
}

#[test]
fn eyes_of_which_nobody_saw_how_they_opened_make_no_event() {
    for lost in OUT_OF_SIGHT {
        for script in [
            vec![(4, lost), (10, Scene::Open)],
            vec![(4, lost), (1, Scene::Partial(0.9)), (10, Scene::Open)],
            // Closed in one frame and seen again closed much later: two blinks are as likely.
            vec![(25, lost), (1, Scene::Closed), (10, Scene::Open)],
            vec![(45, lost), (3, Scene::Closed), (10, Scene::Open)],
        ] {
            let mut whole = vec![(10, Scene::Open), (3, Scene::Closed)];
            whole.extend(script);
            let (closures, _) = watch(&whole);
            assert_eq!(closures, [], "{whole:?}");
        }
    }
}
