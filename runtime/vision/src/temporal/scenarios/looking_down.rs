//! People who look down, whose lids hang low over eyes that are awake, and sleepers whose head has dropped: told apart
//! by a model with an output for the lids.

use super::{Scene, alerts::expect, watch};
use crate::temporal::{
    AlertKind::{LongClosureAlarm, LongClosureWarning},
    AlertPhase::Raised,
    ClosureKind,
};

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

#[test]
fn a_reader_who_falls_asleep_is_alarmed_as_anybody_is() {
    let states_alone = Scene::Closed;
    for sleeper in [ASLEEP, states_alone] {
        expect(
            &[(5.0, AWAKE), (20.0, READING), (3.0, sleeper)],
            &[
                (25.5, LongClosureWarning, Raised),
                (26.5, LongClosureAlarm, Raised),
            ],
        );
    }
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
