//! Frames that come too rarely, and frames that do not come: what is still told, what is not, and that
//! nothing is made up of a pause.

use super::{Scene, eyes};
use crate::{
    reading::FrameReading,
    temporal::{
        AlertKind::{self, LongClosureAlarm, LongClosureWarning},
        AlertPhase::{self, Cleared, Raised},
        Closure, ClosureKind, Gap, Laterality, TemporalSettings, TemporalTracker, Untold,
    },
};
use std::time::Duration;

/// What came of a script.
#[derive(Debug, Default)]
struct Told {
    closures: Vec<Closure>,
    alerts: Vec<(f64, AlertKind, AlertPhase)>,
    gaps: Vec<Gap>,
    untold: Vec<(f64, Vec<Untold>)>,
}

impl Told {
    fn of_both(&self) -> Vec<ClosureKind> {
        let both = |closure: &&Closure| closure.eye == Laterality::Both;
        self.closures.iter().filter(both).map(|c| c.kind).collect()
    }

    fn raised(&self, kind: AlertKind) -> Vec<f64> {
        let mine = |(_, k, phase): &&(f64, AlertKind, AlertPhase)| *k == kind && *phase == Raised;
        self.alerts
            .iter()
            .filter(mine)
            .map(|(at, ..)| *at)
            .collect()
    }
}

/// Steps through runs of (seconds, seconds between frames, scene).
fn watch(script: &[(f64, f64, Scene)]) -> (Told, TemporalTracker) {
    let mut tracker = TemporalTracker::new(&TemporalSettings::default());
    let mut told = Told::default();
    let (mut time, mut until, mut frame) = (0.0, 0.0, 0);
    for (seconds, step, scene) in script {
        until += seconds;
        while time < until - 1e-6 {
            let update = tracker.update(&FrameReading {
                frame,
                time: Duration::from_secs_f64(time),
                face: None,
                eyes: eyes(*scene),
            });
            told.closures.extend(update.ended);
            let alerts = update.alerts.iter();
            told.alerts
                .extend(alerts.map(|alert| (time, alert.kind, alert.phase)));
            told.gaps.extend(update.gap);
            let change = update.frame_rate.iter();
            told.untold
                .extend(change.map(|change| (time, change.untold.to_vec())));
            frame += 1;
            time += step;
        }
    }
    (told, tracker)
}

#[test]
fn eyes_closed_for_eleven_seconds_at_1_8_frames_a_second_are_alarmed_of() {
    let step = 1.0 / 1.8;
    let open = 40.0 * step;
    let (told, tracker) = watch(&[
        (open, step, Scene::Open),
        (11.0, step, Scene::Closed),
        (20.0, step, Scene::Open),
    ]);
    // The third and the fourth closed frame.
    let near = |all: Vec<f64>, after: f64| {
        assert!(
            all.len() == 1 && (all[0] - open - after).abs() < 0.01,
            "{all:?}"
        );
    };
    near(told.raised(LongClosureWarning), 2.0 * step);
    near(told.raised(LongClosureAlarm), 3.0 * step);
    let cleared = told.alerts.iter().filter(|(.., phase)| *phase == Cleared);
    assert_eq!(cleared.count(), 2);
    assert_eq!(told.of_both(), [ClosureKind::LongClosure]);
    assert_eq!(told.gaps, []);
    assert_eq!(told.untold.len(), 1);
    let (at, untold) = &told.untold[0];
    assert!((2.0..6.0).contains(at) && *untold == [Untold::Blinks]);
    assert_eq!(tracker.blinks_per_minute(), None, "nobody knows");
}

#[test]
fn eyes_that_are_closed_from_the_first_frame_are_alarmed_of_too() {
    for step in [1.0 / 1.8, 1.0, 1.4] {
        let (told, _) = watch(&[(12.0, step, Scene::Closed)]);
        let alarms = told.raised(LongClosureAlarm);
        assert_eq!(alarms.len(), 1, "every {step} s");
        assert!(alarms[0] < 6.0 * step, "{alarms:?}");
    }
}

#[test]
fn blinks_that_meet_frames_by_chance_make_no_event_and_no_alert() {
    // Every third frame is one of a blink, and now and then two in a row are.
    let step = 0.8;
    let mut script = vec![(10.0 * step, step, Scene::Open)];
    for _ in 0..50 {
        script.extend([
            (step, step, Scene::Closed),
            (2.0 * step, step, Scene::Open),
            (2.0 * step, step, Scene::Closed),
            (4.0 * step, step, Scene::Open),
        ]);
    }
    let (told, tracker) = watch(&script);
    assert_eq!(told.closures, []);
    assert_eq!(told.alerts, []);
    assert_eq!(tracker.perclos(), Some(0.0));
}

#[test]
fn below_two_frames_in_three_seconds_nothing_is_told_and_that_is() {
    let (told, tracker) = watch(&[(60.0, 2.0, Scene::Open), (120.0, 2.0, Scene::Closed)]);
    assert_eq!(told.alerts, []);
    assert_eq!(told.closures, []);
    assert_eq!(told.gaps, []);
    let untold: Vec<_> = told
        .untold
        .iter()
        .map(|(_, untold)| untold.clone())
        .collect();
    assert_eq!(untold, [vec![Untold::Blinks, Untold::Closures]]);
    assert_eq!(tracker.untold(), [Untold::Blinks, Untold::Closures]);
}

#[test]
fn a_camera_that_slows_down_in_the_dark_is_followed_and_told_of_once_each_way() {
    let (fast, slow) = (1.0 / 30.0, 0.4);
    let (told, _) = watch(&[
        (60.0, fast, Scene::Open),
        (60.0, slow, Scene::Open),
        (4.0, slow, Scene::Closed),
        (60.0, slow, Scene::Open),
        (60.0, fast, Scene::Open),
    ]);
    assert_eq!(told.gaps, []);
    assert_eq!(told.raised(LongClosureAlarm).len(), 1);
    let untold: Vec<_> = told
        .untold
        .iter()
        .map(|(_, untold)| untold.clone())
        .collect();
    assert_eq!(untold, [vec![Untold::Blinks], vec![]]);
}

#[test]
fn no_event_spans_a_pause_and_the_pause_is_told() {
    let fast = 1.0 / 30.0;
    for before in [Scene::Open, Scene::Closed, Scene::Partial(0.9)] {
        for after in [Scene::Open, Scene::Closed, Scene::Partial(0.9)] {
            for pause in [0.6, 4.0, 3600.0] {
                let (told, _) = watch(&[
                    (10.0, fast, Scene::Open),
                    (0.2, fast, before),
                    (pause, pause, before),
                    (0.2, fast, after),
                    (10.0, fast, Scene::Open),
                ]);
                let [gap] = told.gaps[..] else {
                    panic!("{before:?} {after:?} {:?}", told.gaps);
                };
                assert!((gap.to.as_secs_f64() - gap.from.as_secs_f64() - pause).abs() < 1e-6);
                for closure in &told.closures {
                    assert!(
                        closure.duration().as_secs_f64() > fast - 1e-6,
                        "{closure:?}"
                    );
                    assert!(
                        closure.end <= gap.from || closure.start >= gap.to,
                        "{closure:?} {gap:?}"
                    );
                }
                assert_eq!(told.alerts, []);
            }
        }
    }
}

#[test]
fn a_sleeper_is_alarmed_of_after_a_pause() {
    let fast = 1.0 / 30.0;
    let (told, _) = watch(&[
        (10.0, fast, Scene::Open),
        (1.0, fast, Scene::Closed),
        (4.0, 4.0, Scene::Closed),
        (4.0, fast, Scene::Closed),
        (10.0, fast, Scene::Open),
    ]);
    let alarms = told.raised(LongClosureAlarm);
    assert_eq!(alarms.len(), 1);
    // The frame before the pause is the last of the first closure.
    assert!((alarms[0] - 16.5).abs() < 0.1, "{alarms:?}");
}
