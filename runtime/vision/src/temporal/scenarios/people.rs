//! Minutes with people as scripts of readings: each event at its time, to the frame.

use super::{FPS, Scene, eyes, measured};
use crate::{
    eye_state::{Eye, PerEye},
    locate::{Face, crop::Roi},
    reading::{EyeReading, FrameReading},
    temporal::{
        AlertKind, AlertPhase, ClosureKind, Laterality, TemporalSettings, TemporalTracker,
        TemporalUpdate,
    },
};
use ClosureKind::{Blink, LongClosure, PartialBlink};
use std::time::Duration;

/// What a person's minutes brought.
struct Seen {
    /// (start in s, duration in s, what, whose, wink).
    closures: Vec<(f64, f64, ClosureKind, Laterality, bool)>,
    /// (time in s, what, what became of it).
    alerts: Vec<(f64, AlertKind, AlertPhase)>,
    /// (time in s, whose, reference).
    baselines: Vec<(f64, Eye, f64)>,
    tracker: TemporalTracker,
}

/// Steps through runs of (seconds, eyes) at [`FPS`].
fn watch_eyes(script: &[(f64, PerEye<EyeReading>)]) -> Seen {
    let mut seen = Seen {
        closures: Vec::new(),
        alerts: Vec::new(),
        baselines: Vec::new(),
        tracker: TemporalTracker::new(&TemporalSettings::default()),
    };
    let mut frame = 0_u64;
    for (seconds, eyes) in script {
        for _ in 0..(seconds * FPS).round() as u64 {
            let time = Duration::from_secs_f64(frame as f64 / FPS);
            let TemporalUpdate {
                ended,
                alerts,
                baselines,
                ..
            } = seen.tracker.update(&FrameReading {
                frame,
                time,
                face: None,
                eyes: *eyes,
            });
            seen.closures.extend(ended.iter().map(|c| {
                let (start, duration) = (c.start.as_secs_f64(), c.duration().as_secs_f64());
                (start, duration, c.kind, c.eye, c.wink)
            }));
            let at = time.as_secs_f64();
            seen.alerts
                .extend(alerts.iter().map(|a| (at, a.kind, a.phase)));
            seen.baselines
                .extend(baselines.iter().map(|b| (at, b.eye, b.reference)));
            frame += 1;
        }
    }
    seen
}

fn watch(script: &[(f64, Scene)]) -> Seen {
    let script: Vec<_> = script.iter().map(|(s, scene)| (*s, eyes(*scene))).collect();
    watch_eyes(&script)
}

impl Seen {
    /// Starts and durations of one kind of one stream, rounded to 0.01 s.
    fn of(&self, kind: ClosureKind, eye: Laterality) -> Vec<(f64, f64)> {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        self.closures
            .iter()
            .filter(|(_, _, k, e, _)| *k == kind && *e == eye)
            .map(|(start, duration, ..)| (rounded(*start), rounded(*duration)))
            .collect()
    }

    fn winks(&self) -> Vec<(Laterality, ClosureKind)> {
        let winks = self.closures.iter().filter(|(.., wink)| *wink);
        winks.map(|(_, _, kind, eye, _)| (*eye, *kind)).collect()
    }
}

#[test]
fn an_alert_reader_blinks_fifteen_times_a_minute_and_nothing_else_is_said() {
    let mut script = vec![(2.0, Scene::Open)];
    for _ in 0..75 {
        // A blink closes over a partially open frame and opens over two.
        script.extend([
            (1.0 / FPS, Scene::Partial(0.9)),
            (0.1, Scene::Closed),
            (2.0 / FPS, Scene::Partial(0.9)),
            (3.8, Scene::Open),
        ]);
    }
    let seen = watch(&script);
    for eye in Laterality::ALL {
        let blinks = seen.of(Blink, eye);
        assert_eq!(blinks.len(), 75);
        assert_eq!(blinks[0], (2.03, 0.1));
        assert_eq!(blinks[74], (298.03, 0.1));
        assert_eq!(
            seen.of(PartialBlink, eye),
            [],
            "a blink is no partial blink"
        );
    }
    assert_eq!(seen.alerts, []);
    let rate = seen.tracker.blinks_per_minute().unwrap();
    assert!((rate - 15.0).abs() < 0.2, "{rate}");
    assert_eq!(seen.tracker.perclos(), Some(0.0));
    // Baselines: found once for each eye, and no different from the usual eye.
    assert_eq!(seen.baselines.len(), 2);
    assert!(
        seen.baselines
            .iter()
            .all(|(at, _, reference)| { (60.0..70.0).contains(at) && *reference > 0.95 })
    );
}

#[test]
fn half_of_a_person_s_blinks_are_partial_and_are_counted_apart() {
    let mut script = vec![(5.0, Scene::Open)];
    for _ in 0..10 {
        script.extend([
            (0.2, Scene::Closed),
            (2.8, Scene::Open),
            (0.2, Scene::Partial(0.8)),
            (2.8, Scene::Open),
        ]);
    }
    let seen = watch(&script);
    for eye in Laterality::ALL {
        assert_eq!(seen.of(Blink, eye).len(), 10);
        assert_eq!(seen.of(PartialBlink, eye).len(), 10);
        assert_eq!(seen.of(PartialBlink, eye)[0], (8.0, 0.2));
    }
    let rate = seen.tracker.blinks_per_minute().unwrap();
    assert!((rate - 10.0).abs() < 0.3, "only whole blinks count: {rate}");
}

#[test]
fn lids_that_droop_are_no_partial_blink_and_no_closure() {
    let seen = watch(&[
        (10.0, Scene::Open),
        (5.0, Scene::Partial(0.9)),
        (10.0, Scene::Open),
    ]);
    assert_eq!(seen.closures, []);
    assert_eq!(seen.alerts, []);
}

#[test]
fn a_slow_blinker_has_blinks_of_their_true_length() {
    let seen = watch(&[
        (10.0, Scene::Open),
        (0.8, Scene::Closed),
        (10.0, Scene::Open),
        (1.2, Scene::Closed),
        (10.0, Scene::Open),
    ]);
    for eye in Laterality::ALL {
        assert_eq!(seen.of(Blink, eye), [(10.0, 0.8)]);
        assert_eq!(seen.of(LongClosure, eye), [(20.8, 1.2)]);
    }
}

#[test]
fn a_microsleep_that_ends_over_partially_open_lids_raises_no_late_alarm() {
    use AlertKind::LongClosureWarning;
    use AlertPhase::*;
    // Closed for 1.45 s: at 1.5 s the lids are on their way up.
    let seen = watch(&[
        (30.0, Scene::Open),
        (1.4 + 1.0 / FPS, Scene::Closed),
        (0.1, Scene::Partial(0.95)),
        (30.0, Scene::Open),
    ]);
    let kinds: Vec<_> = seen.alerts.iter().map(|(_, k, p)| (*k, *p)).collect();
    assert_eq!(
        kinds,
        [(LongClosureWarning, Raised), (LongClosureWarning, Cleared)]
    );
    assert_eq!(seen.of(LongClosure, Laterality::Both), [(30.0, 1.43)]);
}

#[test]
fn a_microsleep_with_fluttering_lids_is_one_closure_with_one_alarm() {
    use AlertKind::*;
    use AlertPhase::*;
    let mut script = vec![(30.0, Scene::Open)];
    for _ in 0..30 {
        script.extend([
            (1.0 / FPS, Scene::Closed),
            (1.0 / FPS, Scene::Partial(0.95)),
        ]);
    }
    script.extend([(1.0 / FPS, Scene::Closed), (10.0, Scene::Open)]);
    let seen = watch(&script);
    for eye in Laterality::ALL {
        assert_eq!(seen.of(LongClosure, eye), [(30.0, 2.03)]);
        assert_eq!(seen.of(Blink, eye), []);
    }
    let raised = seen.alerts.iter().filter(|(.., phase)| *phase == Raised);
    let raised: Vec<_> = raised.map(|(_, kind, _)| *kind).collect();
    assert_eq!(raised, [LongClosureWarning, LongClosureAlarm]);
    let perclos = seen.tracker.perclos().unwrap();
    assert!(
        (perclos - 61.0 / FPS / (40.0 + 60.0 / FPS)).abs() < 1e-3,
        "{perclos}"
    );
}

#[test]
fn a_winker_winks_with_each_eye_and_never_with_both() {
    let wink = |left, right| PerEye {
        left: measured(left, 0.0),
        right: measured(right, 0.0),
    };
    // The open eye's P(closed) is not quite nothing, so that the mean is above a half.
    let (open, left, right) = (wink(0.02, 0.02), wink(0.99, 0.05), wink(0.05, 0.99));
    let seen = watch_eyes(&[
        (30.0, open),
        (0.3, left),
        (30.0, open),
        (0.3, right),
        (30.0, open),
        (3.0, left),
        (30.0, open),
    ]);
    assert_eq!(seen.of(Blink, Laterality::Left), [(30.0, 0.3)]);
    assert_eq!(seen.of(Blink, Laterality::Right), [(60.3, 0.3)]);
    assert_eq!(seen.of(LongClosure, Laterality::Left), [(90.6, 3.0)]);
    assert!(
        seen.closures
            .iter()
            .all(|(_, _, _, eye, _)| *eye != Laterality::Both)
    );
    assert_eq!(
        seen.winks(),
        [
            (Laterality::Left, Blink),
            (Laterality::Right, Blink),
            (Laterality::Left, LongClosure)
        ]
    );
    assert_eq!(seen.alerts, []);
}

#[test]
fn the_far_eye_of_a_turned_head_does_not_wink() {
    let of = |left, right| PerEye {
        left: measured(left, 0.0),
        right: measured(right, 0.0),
    };
    // Half closed and half hidden: more closed than open, but nothing is sure.
    let doubtful = PerEye {
        left: measured(0.4, 0.35),
        right: measured(0.02, 0.0),
    };
    let seen = watch_eyes(&[
        (30.0, of(0.02, 0.02)),
        (0.5, doubtful),
        (30.0, of(0.02, 0.02)),
        (0.5, of(0.65, 0.02)),
        (30.0, of(0.02, 0.02)),
        // Sure in a single frame.
        (0.2, of(0.6, 0.02)),
        (1.0 / FPS, of(0.95, 0.02)),
        (0.2, of(0.6, 0.02)),
        (30.0, of(0.02, 0.02)),
    ]);
    assert_eq!(seen.of(Blink, Laterality::Left).len(), 3, "it read closed");
    assert_eq!(seen.winks(), []);
}

/// A face whose eyes are this share of its side apart.
fn face(frontality: f32) -> Face {
    Face {
        confidence: 0.9,
        square: Roi {
            centre: [0.0; 2],
            side: 100.0,
            angle: 0.0,
        },
        eyes: PerEye {
            left: [100.0 * frontality, 0.0],
            right: [0.0; 2],
        },
    }
}

#[test]
fn a_wink_needs_a_head_that_faces_the_camera() {
    for (frontality, winks) in [(0.42, 1), (0.36, 1), (0.32, 0)] {
        let mut tracker = TemporalTracker::new(&TemporalSettings::default());
        let mut seen = 0;
        for frame in 0..60_u64 {
            let left = if (30..40).contains(&frame) {
                0.98
            } else {
                0.02
            };
            let update = tracker.update(&FrameReading {
                frame,
                time: Duration::from_secs_f64(frame as f64 / FPS),
                face: Some(face(frontality)),
                eyes: PerEye {
                    left: measured(left, 0.0),
                    right: measured(0.02, 0.0),
                },
            });
            seen += update.ended.iter().filter(|closure| closure.wink).count();
        }
        assert_eq!(seen, winks, "{frontality}");
    }
}

#[test]
fn another_person_begins_without_the_first_one_s_alerts_closures_and_baseline() {
    let mut tracker = TemporalTracker::new(&TemporalSettings::default());
    let mut frame = 0_u64;
    let mut play = |tracker: &mut TemporalTracker, seconds: f64, scene: Scene| {
        let mut updates = Vec::new();
        for _ in 0..(seconds * FPS).round() as u64 {
            updates.push(tracker.update(&FrameReading {
                frame,
                time: Duration::from_secs_f64(frame as f64 / FPS),
                face: None,
                eyes: eyes(scene),
            }));
            frame += 1;
        }
        updates
    };
    play(&mut tracker, 61.0, Scene::Of(0.3));
    play(&mut tracker, 2.0, Scene::Closed);
    assert!(tracker.references().left < 1.0);
    let lost: Vec<_> = tracker
        .start_anew()
        .iter()
        .map(|alert| (alert.kind, alert.phase))
        .collect();
    use AlertKind::*;
    assert_eq!(
        lost,
        [
            (LongClosureWarning, AlertPhase::Lost),
            (LongClosureAlarm, AlertPhase::Lost)
        ]
    );
    assert_eq!(tracker.references().left, 1.0);
    assert_eq!(tracker.perclos_of_last_minute(), None);
    // Their eyes are closed from the first frame on: the warning comes 0.5 s after that, not at once.
    let updates = play(&mut tracker, 1.0, Scene::Closed);
    let raised = updates.iter().position(|update| !update.alerts.is_empty());
    assert_eq!(raised, Some(15));
    // The beginning of that closure was not seen.
    let updates = play(&mut tracker, 1.0, Scene::Open);
    assert!(updates.iter().all(|update| update.ended.is_empty()));
}

#[test]
fn blinks_whose_eyes_are_not_quite_together_are_no_winks() {
    let of = |left, right| PerEye {
        left: measured(left, 0.0),
        right: measured(right, 0.0),
    };
    let frame = 1.0 / FPS;
    let seen = watch_eyes(&[
        (10.0, of(0.0, 0.0)),
        // The left eye closes a frame before the right one and opens a frame before it.
        (frame, of(0.9, 0.0)),
        (4.0 * frame, of(0.9, 0.9)),
        (frame, of(0.0, 0.9)),
        (10.0, of(0.0, 0.0)),
        // A single frame in which only one eye reads closed.
        (frame, of(0.8, 0.1)),
        (10.0, of(0.0, 0.0)),
        // The other eye cannot be seen: nobody knows what it does.
        (0.3, eyes(Scene::LeftCovered { right_closed: true })),
        (10.0, of(0.0, 0.0)),
    ]);
    assert_eq!(seen.winks(), []);
    assert_eq!(seen.of(Blink, Laterality::Both)[0], (10.03, 0.13));
}

#[test]
fn sunglasses_put_on_stop_all_counting_until_they_are_taken_off() {
    let mut script = vec![
        (20.0, Scene::Open),
        (0.2, Scene::Closed),
        (20.0, Scene::Open),
    ];
    // Now and then the glass looks like a closed eye.
    for _ in 0..20 {
        script.extend([(2.9, Scene::Hidden), (0.1, Scene::Closed)]);
    }
    script.extend([
        (20.0, Scene::Open),
        (0.2, Scene::Closed),
        (20.0, Scene::Open),
    ]);
    let seen = watch(&script);
    assert_eq!(
        seen.of(Blink, Laterality::Both),
        [(20.0, 0.2), (120.2, 0.2)],
        "what is hidden on either side is no blink"
    );
    assert_eq!(seen.alerts, []);
    assert_eq!(seen.tracker.perclos(), Some(0.0));
    let (known, _) = seen.tracker.known_and_closed();
    assert!(known < Duration::from_secs(83), "{known:?}");
}

#[test]
fn a_head_turned_away_is_neither_open_nor_closed() {
    for scene in [Scene::Profile, Scene::NoFace] {
        let seen = watch(&[(30.0, Scene::Open), (60.0, scene), (30.0, Scene::Open)]);
        assert_eq!(seen.closures, []);
        assert_eq!(seen.alerts, []);
        let (known, closed) = seen.tracker.known_and_closed();
        assert!((known.as_secs_f64() - 60.0).abs() < 0.1, "{known:?}");
        assert_eq!(closed, Duration::ZERO);
    }
}

#[test]
fn a_face_lost_while_the_eyes_are_closed_ends_no_blink() {
    let seen = watch(&[
        (30.0, Scene::Open),
        (0.3, Scene::Closed),
        (10.0, Scene::NoFace),
        (0.3, Scene::Closed),
        (30.0, Scene::Open),
    ]);
    assert_eq!(seen.closures, []);
    assert_eq!(seen.tracker.perclos(), Some(0.0));
}

#[test]
fn a_sleeper_with_one_eye_covered_is_warned_of() {
    use AlertKind::*;
    use AlertPhase::*;
    let covered = |right_closed| Scene::LeftCovered { right_closed };
    let seen = watch(&[
        (60.0, covered(false)),
        (0.2, covered(true)),
        (20.0, covered(false)),
        (2.0, covered(true)),
        (20.0, covered(false)),
    ]);
    assert_eq!(seen.of(Blink, Laterality::Left), []);
    assert_eq!(seen.of(Blink, Laterality::Both), [(60.0, 0.2)]);
    assert_eq!(seen.of(LongClosure, Laterality::Both), [(80.2, 2.0)]);
    let reported: Vec<_> = seen.alerts.iter().map(|(_, k, p)| (*k, *p)).collect();
    assert_eq!(
        reported,
        [
            (LongClosureWarning, Raised),
            (LongClosureAlarm, Raised),
            (LongClosureWarning, Cleared),
            (LongClosureAlarm, Cleared)
        ]
    );
    assert!((seen.alerts[1].0 - 81.7).abs() < 1.0 / FPS);
}

#[test]
fn a_flicker_at_every_frame_is_counted_as_it_is_and_alarms_nobody() {
    let frame = 1.0 / FPS;
    let flicker = std::iter::repeat_n([(frame, Scene::Open), (frame, Scene::Closed)], 900);
    let seen = watch(&flicker.flatten().collect::<Vec<_>>());
    // The last closed frame has no frame after it.
    assert_eq!(seen.of(Blink, Laterality::Both).len(), 899);
    assert!(seen.alerts.is_empty() && seen.tracker.perclos() == Some(0.0));
}

/// Eyes that the network calls partially open, and at times nearly closed, though they are as open
/// as they get.
fn narrow(closed: f32) -> PerEye<EyeReading> {
    let EyeReading::Measured {
        mut probabilities,
        lids: None,
        square,
    } = measured(closed, 0.0)
    else {
        unreachable!("measured");
    };
    probabilities[0] = 0.2;
    probabilities[1] = 1.0 - 0.2 - closed;
    let eye = EyeReading::Measured {
        probabilities,
        lids: None,
        square,
    };
    PerEye {
        left: eye,
        right: eye,
    }
}

#[test]
fn a_narrow_eyed_person_is_known_after_a_minute_and_no_longer_taken_for_a_blinker() {
    // Openness 0.6; once a second it reads more closed than open for a frame.
    let frame = 1.0 / FPS;
    let second = [(1.0 - frame, narrow(0.0)), (frame, narrow(0.55))];
    let mut script: Vec<_> = std::iter::repeat_n(second, 90).flatten().collect();
    script.push((0.2, eyes(Scene::Closed)));
    script.extend(std::iter::repeat_n(second, 30).flatten());
    script.push((1.6, eyes(Scene::Closed)));
    script.push((5.0, narrow(0.0)));
    let seen = watch_eyes(&script);
    assert_eq!(seen.baselines.len(), 2);
    let (at, _, reference) = seen.baselines[0];
    assert!((60.0..63.0).contains(&at) && (0.59..0.62).contains(&reference));
    let blinks = seen.of(Blink, Laterality::Both);
    let (before, after): (Vec<_>, Vec<_>) = blinks.into_iter().partition(|(start, _)| *start < at);
    assert!(before.len() > 55, "the defaults take the dips for blinks");
    assert_eq!(after, [(90.0, 0.2)], "the true blink");
    assert_eq!(seen.of(LongClosure, Laterality::Both), [(120.2, 1.6)]);
    let alarm = |(_, kind, phase): &&(f64, AlertKind, AlertPhase)| {
        *kind == AlertKind::LongClosureAlarm && *phase == AlertPhase::Raised
    };
    let alarm = seen.alerts.iter().find(alarm).unwrap();
    assert!((alarm.0 - 121.7).abs() < 1.0 / FPS, "{alarm:?}");
}

#[test]
fn a_sleeper_from_the_first_moment_on_is_reported_at_every_repetition() {
    // Asleep with lids that do not always meet: no baseline may make this a waking person.
    let mut script = Vec::new();
    for _ in 0..60 {
        script.extend([(2.5, Scene::Closed), (0.5, Scene::Partial(0.95))]);
    }
    script.push((2.5, Scene::Closed));
    let seen = watch(&script);
    let alarms = seen.alerts.iter().filter(|(_, kind, phase)| {
        *kind == AlertKind::LongClosureAlarm && *phase == AlertPhase::Raised
    });
    assert_eq!(alarms.count(), 61, "at every closure");
    assert!(
        seen.alerts
            .iter()
            .any(|(_, kind, _)| *kind == AlertKind::Drowsiness)
    );
}
