//! Minutes with people who should be warned and people who should not: each alert at its second.

use super::{FPS, Scene, eyes};
use crate::{
    reading::FrameReading,
    temporal::{AlertKind, AlertPhase, TemporalSettings, TemporalTracker},
};
use AlertKind::{Drowsiness, LongClosureAlarm, LongClosureWarning};
use AlertPhase::{Cleared, Raised, Repeated};
use std::time::Duration;

/// An alert and the second at which it was reported, to the frame.
pub(super) type Reported = (f64, AlertKind, AlertPhase);

/// Alerts of runs of (seconds, scene) at [`FPS`].
fn alerts(script: &[(f64, Scene)]) -> Vec<Reported> {
    alerts_with(&TemporalSettings::default(), script)
}

/// The same with other settings.
fn alerts_with(settings: &TemporalSettings, script: &[(f64, Scene)]) -> Vec<Reported> {
    let mut tracker = TemporalTracker::new(settings);
    let mut reported = Vec::new();
    let mut frame = 0_u64;
    for (seconds, scene) in script {
        for _ in 0..(seconds * FPS).round() as u64 {
            let time = frame as f64 / FPS;
            let step = tracker.update(&FrameReading {
                frame,
                time: Duration::from_secs_f64(time),
                face: None,
                eyes: eyes(*scene),
            });
            reported.extend(
                step.alerts
                    .iter()
                    .map(|alert| (time, alert.kind, alert.phase)),
            );
            frame += 1;
        }
    }
    reported
}

/// Asserts alerts at their seconds, to within a frame.
pub(super) fn expect(script: &[(f64, Scene)], expected: &[Reported]) {
    expect_with(&TemporalSettings::default(), script, expected);
}

/// The same with other settings.
pub(super) fn expect_with(
    settings: &TemporalSettings,
    script: &[(f64, Scene)],
    expected: &[Reported],
) {
    let reported = alerts_with(settings, script);
    let kinds = |all: &[Reported]| -> Vec<_> { all.iter().map(|(_, k, p)| (*k, *p)).collect() };
    assert_eq!(kinds(&reported), kinds(expected), "{reported:?}");
    for ((time, ..), (due, ..)) in reported.iter().zip(expected) {
        assert!((time - due).abs() <= 1.0 / FPS + 1e-9, "{reported:?}");
    }
}

/// Blinks of `closed` seconds, one every `every` seconds, for `minutes`.
pub(super) fn blinking(closed: f64, every: f64, minutes: f64) -> Vec<(f64, Scene)> {
    let count = (minutes * 60.0 / every) as usize;
    let blink = [(every - closed, Scene::Open), (closed, Scene::Closed)];
    std::iter::repeat_n(blink, count).flatten().collect()
}

#[test]
fn an_alert_reader_is_left_in_peace_for_five_minutes() {
    expect(&blinking(0.2, 4.0, 5.0), &[]);
}

#[test]
fn a_slow_blinker_is_warned_at_each_blink_beyond_half_a_second_only() {
    expect(&blinking(0.4, 6.0, 3.0), &[]);
    let script = [
        (20.0, Scene::Open),
        (0.7, Scene::Closed),
        (20.0, Scene::Open),
    ];
    expect(
        &script,
        &[
            (20.5, LongClosureWarning, Raised),
            (20.7, LongClosureWarning, Cleared),
        ],
    );
}

#[test]
fn a_microsleep_of_1_4_s_warns_and_one_of_1_6_s_alarms() {
    let script = [
        (60.0, Scene::Open),
        (1.4, Scene::Closed),
        (38.6, Scene::Open),
        (1.6, Scene::Closed),
        (18.4, Scene::Open),
    ];
    expect(
        &script,
        &[
            (60.5, LongClosureWarning, Raised),
            (61.4, LongClosureWarning, Cleared),
            (100.5, LongClosureWarning, Raised),
            (101.5, LongClosureAlarm, Raised),
            (101.6, LongClosureWarning, Cleared),
            (101.6, LongClosureAlarm, Cleared),
        ],
    );
}

#[test]
fn a_winker_is_never_taken_for_a_sleeper() {
    expect(
        &[
            (30.0, Scene::Open),
            (3.0, Scene::WinkLeft),
            (30.0, Scene::Open),
        ],
        &[],
    );
}

#[test]
fn sunglasses_and_a_turned_head_raise_nothing() {
    for hidden in [Scene::Hidden, Scene::Profile, Scene::NoFace] {
        expect(
            &[(30.0, Scene::Open), (60.0, hidden), (30.0, Scene::Open)],
            &[],
        );
    }
}

#[test]
fn one_covered_eye_leaves_the_other_one_to_be_warned_of() {
    let script = [
        (
            10.0,
            Scene::LeftHidden {
                right_closed: false,
            },
        ),
        (2.0, Scene::LeftHidden { right_closed: true }),
        (
            10.0,
            Scene::LeftHidden {
                right_closed: false,
            },
        ),
    ];
    expect(
        &script,
        &[
            (10.5, LongClosureWarning, Raised),
            (11.5, LongClosureAlarm, Raised),
            (12.0, LongClosureWarning, Cleared),
            (12.0, LongClosureAlarm, Cleared),
        ],
    );
}

#[test]
fn a_flicker_at_every_frame_is_no_long_closure() {
    let frame = 1.0 / FPS;
    let flicker = std::iter::repeat_n([(frame, Scene::Closed), (frame, Scene::Open)], 600);
    expect(&flicker.flatten().collect::<Vec<_>>(), &[]);
}

#[test]
fn a_sleeper_is_reported_every_five_seconds_and_as_drowsy_after_half_a_minute_is_known() {
    let reported = alerts(&[
        (25.0, Scene::Open),
        (15.0, Scene::Closed),
        (60.0, Scene::Open),
    ]);
    let of = |kind| -> Vec<(f64, AlertPhase)> {
        let mine = reported.iter().filter(|(_, k, _)| *k == kind);
        mine.map(|(time, _, phase)| ((time * 10.0).round() / 10.0, *phase))
            .collect()
    };
    assert_eq!(
        of(LongClosureAlarm),
        [
            (26.5, Raised),
            (31.5, Repeated),
            (36.5, Repeated),
            (40.0, Cleared)
        ]
    );
    // 5 of 30 known seconds are 17 %, above 15 % from the first moment that decides. It falls below
    // 10 % when less than 6 of the 15 s are within the last minute: at 25 + 60 + 9 s.
    assert_eq!(of(Drowsiness), [(30.0, Raised), (94.0, Cleared)]);
}
