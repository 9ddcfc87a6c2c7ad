//! Clocks that are set while somebody is monitored: times that leap by hours or go back must make no
//! closure, no alert and no minute of what never happened, and must not hide what happens next.

use super::{FPS, Scene, any_scene, eyes};
use crate::{
    reading::FrameReading,
    temporal::{
        Alert, AlertKind, AlertPhase, Closure, ClosureKind, Laterality, TemporalSettings,
        TemporalTracker,
    },
};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: f64 = 3600.0;

/// Somebody who is monitored by a clock that can be set.
struct Viewer {
    tracker: TemporalTracker,
    time: f64,
    frame: u64,
    closures: Vec<Closure>,
    alerts: Vec<Alert>,
}

impl Viewer {
    fn new() -> Self {
        Self {
            tracker: TemporalTracker::new(&TemporalSettings::default()),
            // Late enough to be set back.
            time: 10.0 * HOUR,
            frame: 0,
            closures: Vec::new(),
            alerts: Vec::new(),
        }
    }

    fn show(&mut self, scene: Scene) {
        let step = self.tracker.update(&FrameReading {
            frame: self.frame,
            time: Duration::from_secs_f64(self.time),
            face: None,
            eyes: eyes(scene),
        });
        self.closures.extend(step.ended);
        self.alerts.extend(step.alerts);
        self.frame += 1;
    }

    /// Shows a scene for some seconds.
    fn sees(&mut self, seconds: f64, scene: Scene) -> &mut Self {
        for _ in 0..(seconds * FPS).round() as usize {
            self.show(scene);
            self.time += 1.0 / FPS;
        }
        self
    }

    /// Sets the clock ahead, or back.
    fn set(&mut self, seconds: f64) -> &mut Self {
        self.time += seconds;
        self
    }

    fn of_both(&self, kind: ClosureKind) -> usize {
        let of_both = |closure: &&Closure| closure.eye == Laterality::Both && closure.kind == kind;
        self.closures.iter().filter(of_both).count()
    }

    fn phases(&self, kind: AlertKind) -> Vec<AlertPhase> {
        let alerts = self.alerts.iter().filter(|alert| alert.kind == kind);
        alerts.map(|alert| alert.phase).collect()
    }
}

const JUMPS: [f64; 4] = [HOUR, -HOUR, 3.0, -3.0];

#[test]
fn a_clock_set_during_a_blink_makes_no_long_closure_and_no_alarm() {
    for jump in JUMPS {
        let mut watch = Viewer::new();
        watch.sees(5.0, Scene::Open).sees(0.1, Scene::Closed);
        watch.set(jump);
        watch.sees(0.1, Scene::Closed).sees(5.0, Scene::Open);
        assert_eq!(watch.of_both(ClosureKind::LongClosure), 0, "{jump}");
        assert_eq!(watch.alerts, [], "{jump}");
        assert_eq!(watch.tracker.perclos(), Some(0.0), "{jump}");
    }
}

#[test]
fn whoever_falls_asleep_after_the_clock_was_set_is_warned_in_time() {
    use AlertPhase::Raised;
    for jump in JUMPS {
        let mut watch = Viewer::new();
        watch
            .sees(5.0, Scene::Open)
            .set(jump)
            .sees(1.0, Scene::Open);
        watch.sees(1.7, Scene::Closed);
        for kind in [AlertKind::LongClosureWarning, AlertKind::LongClosureAlarm] {
            assert_eq!(watch.phases(kind), [Raised], "{jump}");
        }
        watch.sees(1.0, Scene::Open);
        assert_eq!(watch.of_both(ClosureKind::LongClosure), 1, "{jump}");
    }
}

#[test]
fn an_alarm_that_is_on_when_the_clock_is_set_is_lost_and_comes_again() {
    use AlertPhase::{Lost, Raised};
    for jump in JUMPS {
        let mut watch = Viewer::new();
        watch.sees(5.0, Scene::Open).sees(2.0, Scene::Closed);
        watch.set(jump).sees(2.0, Scene::Closed);
        let reported = watch.phases(AlertKind::LongClosureAlarm);
        assert_eq!(reported, [Raised, Lost, Raised], "{jump}");
        for alert in &watch.alerts {
            assert!(alert.since <= alert.time, "{alert:?}");
        }
    }
}

#[test]
fn the_last_minute_holds_nothing_of_before_the_clock_was_set() {
    for jump in [HOUR, -HOUR] {
        let mut watch = Viewer::new();
        watch.sees(1.0, Scene::Open).sees(50.0, Scene::Closed);
        watch.sees(1.0, Scene::Open);
        assert!(watch.tracker.perclos_of_last_minute().unwrap() > 0.9);
        watch.set(jump).sees(20.0, Scene::Open);
        let last_minute = watch.tracker.perclos_of_last_minute();
        assert_eq!(last_minute, Some(0.0), "{jump}");
        // The session's sum is one of lengths, and stays.
        let (known, closed) = watch.tracker.known_and_closed();
        assert!((closed.as_secs_f64() - 50.0).abs() < 0.1, "{jump}");
        assert!((known.as_secs_f64() - 72.0).abs() < 0.2, "{jump}");
    }
}

proptest! {
    #[test]
    fn no_closure_and_no_minute_is_longer_than_what_was_seen_without_a_jump(
        steps in prop::collection::vec(
            (prop_oneof![20 => 0.001_f64..0.4, 1 => -9.0 * HOUR..9.0 * HOUR], any_scene()),
            1..200,
        ),
    ) {
        let longest_gap = TemporalSettings::default().longest_gap_s;
        let mut watch = Viewer::new();
        let (mut seen_s, mut longest) = (0.0, 0.0_f64);
        for (step, scene) in steps {
            // Within a day of the beginning, so that time is never negative.
            let step = if watch.time + step < 0.0 { 0.1 } else { step };
            watch.set(step);
            seen_s = if (0.0..=longest_gap).contains(&step) { seen_s + step } else { 0.0 };
            longest = longest.max(seen_s);
            watch.show(scene);
            let (known, closed) = watch.tracker.last_minute.known_and_closed();
            prop_assert!(closed <= known && known <= Duration::from_secs(60));
        }
        for closure in &watch.closures {
            prop_assert!(closure.start < closure.end);
            prop_assert!(closure.duration().as_secs_f64() <= longest + 1e-6);
        }
        for alert in &watch.alerts {
            prop_assert!(alert.since <= alert.time);
        }
    }
}
