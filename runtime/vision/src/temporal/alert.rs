//! When somebody should be warned: a closure that lasts too long, and a minute with too much of it.
//!
//! A function of time-stamped readings, like the rest of [`super`]; what an alert sets off (a bell, a
//! command) is left to the program.

use super::{TemporalSettings, closure::LidState};
use crate::seconds;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Reason of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Both eyes have been closed for [`TemporalSettings::warn_after_s`].
    LongClosureWarning,
    /// Both eyes have been closed for [`TemporalSettings::alarm_after_s`].
    LongClosureAlarm,
    /// PERCLOS of the last minute is above [`TemporalSettings::drowsy_above`].
    Drowsiness,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [
        Self::LongClosureWarning,
        Self::LongClosureAlarm,
        Self::Drowsiness,
    ];

    /// Name used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LongClosureWarning => "long_closure_warning",
            Self::LongClosureAlarm => "long_closure_alarm",
            Self::Drowsiness => "drowsiness",
        }
    }
}

/// Whether an alert begins, goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertPhase {
    /// It begins.
    Raised,
    /// It goes on, [`TemporalSettings::repeat_after_s`] after it was last reported.
    Repeated,
    /// The eyes opened, or PERCLOS fell.
    Cleared,
    /// The eyes cannot be seen any more, so that nobody knows whether it goes on: no face, a
    /// turned head, hidden eyes, a long gap. Not the same as [`AlertPhase::Cleared`]: a head that
    /// falls forward takes closed eyes out of sight.
    Lost,
}

/// An alert, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert {
    /// What is wrong.
    pub kind: AlertKind,
    /// What became of it.
    pub phase: AlertPhase,
    /// Time of the reading that showed it.
    pub time: Duration,
    /// Since when: the first closed frame, or the reading that raised the drowsiness.
    pub since: Duration,
    /// PERCLOS of the last minute at this time, where any time of it is known.
    pub perclos: Option<f64>,
}

/// Decides on alerts from what the lids do.
#[derive(Clone, Debug)]
pub(super) struct Alerter {
    warn_after: Duration,
    alarm_after: Duration,
    repeat_after: Duration,
    drowsy_above: f64,
    drowsy_until: f64,
    drowsy_known: Duration,
    warning: Running,
    alarm: Running,
    drowsiness: Running,
}

/// An alert that may be on.
#[derive(Clone, Copy, Debug)]
enum Running {
    Off,
    On { since: Duration, reported: Duration },
}

impl Alerter {
    /// Starts with nothing to warn of.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            warn_after: seconds::duration(settings.warn_after_s),
            alarm_after: seconds::duration(settings.alarm_after_s),
            repeat_after: seconds::duration(settings.repeat_after_s),
            drowsy_above: settings.drowsy_above,
            drowsy_until: settings.drowsy_until,
            drowsy_known: seconds::duration(settings.drowsy_known_s),
            warning: Running::Off,
            alarm: Running::Off,
            drowsiness: Running::Off,
        }
    }

    /// Takes what is known of both lids from the reading at `time` on, and PERCLOS of the last
    /// minute with the known time that it rests on.
    pub(super) fn update(
        &mut self,
        time: Duration,
        lids: LidState,
        perclos: Option<f64>,
        known: Duration,
    ) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let mut report = |kind, phase, since| {
            alerts.push(Alert {
                kind,
                phase,
                time,
                since,
                perclos,
            });
        };
        for (kind, after, running) in [
            (
                AlertKind::LongClosureWarning,
                self.warn_after,
                &mut self.warning,
            ),
            (
                AlertKind::LongClosureAlarm,
                self.alarm_after,
                &mut self.alarm,
            ),
        ] {
            let due = match lids {
                LidState::Closed { since } if time.saturating_sub(since) >= after => Due::On(since),
                // It may go on or not: nothing is raised, and nothing ends.
                LidState::Reopening { since } => match running {
                    Running::On { since: running, .. } if *running == since => Due::On(since),
                    _ => Due::Off,
                },
                // A new closure after a gap: the one that was reported cannot be followed.
                LidState::Closed { .. } | LidState::Unknown => Due::Lost,
                LidState::NotClosed => Due::Off,
            };
            running.follow(due, time, self.repeat_after, |phase, since| {
                report(kind, phase, since);
            });
        }
        let due = match (perclos, self.drowsiness) {
            (Some(share), Running::Off)
                if share > self.drowsy_above && known >= self.drowsy_known =>
            {
                Due::On(time)
            }
            (Some(share), Running::On { since, .. }) if share > self.drowsy_until => Due::On(since),
            (Some(_), _) => Due::Off,
            (None, _) => Due::Lost,
        };
        // A minute's share moves slowly: reporting it once is enough.
        self.drowsiness
            .follow(due, time, Duration::MAX, |phase, since| {
                report(AlertKind::Drowsiness, phase, since);
            });
        alerts
    }
}

/// What an alert should be at this reading.
#[derive(Clone, Copy, Debug)]
enum Due {
    On(Duration),
    Off,
    Lost,
}

impl Running {
    fn follow(
        &mut self,
        due: Due,
        time: Duration,
        repeat_after: Duration,
        mut report: impl FnMut(AlertPhase, Duration),
    ) {
        *self = match (*self, due) {
            (Self::Off, Due::On(since)) => {
                report(AlertPhase::Raised, since);
                Self::On {
                    since,
                    reported: time,
                }
            }
            (Self::On { since, reported }, Due::On(now)) if since == now => {
                if time.saturating_sub(reported) >= repeat_after {
                    report(AlertPhase::Repeated, since);
                    Self::On {
                        since,
                        reported: time,
                    }
                } else {
                    Self::On { since, reported }
                }
            }
            // Another closure that is long already: the reported one was lost from sight.
            (Self::On { since, .. }, Due::On(now)) => {
                report(AlertPhase::Lost, since);
                report(AlertPhase::Raised, now);
                Self::On {
                    since: now,
                    reported: time,
                }
            }
            (Self::On { since, .. }, Due::Off) => {
                report(AlertPhase::Cleared, since);
                Self::Off
            }
            (Self::On { since, .. }, Due::Lost) => {
                report(AlertPhase::Lost, since);
                Self::Off
            }
            (Self::Off, Due::Off | Due::Lost) => Self::Off,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(value: f64) -> Duration {
        Duration::from_secs_f64(value)
    }

    /// Alerts of lids over time at 10 readings a second: (time in s, kind, phase).
    fn alerts(lids: impl Fn(f64) -> LidState, until: f64) -> Vec<(f64, AlertKind, AlertPhase)> {
        let mut alerter = Alerter::new(&TemporalSettings::default());
        let mut reported = Vec::new();
        for tenth in 0..=(until * 10.0) as u32 {
            let time = f64::from(tenth) / 10.0;
            let step = alerter.update(seconds(time), lids(time), None, Duration::ZERO);
            reported.extend(step.iter().map(|alert| (time, alert.kind, alert.phase)));
        }
        reported
    }

    fn closed_between(from: f64, to: f64) -> impl Fn(f64) -> LidState {
        move |time| {
            if (from..to).contains(&time) {
                LidState::Closed {
                    since: seconds(from),
                }
            } else {
                LidState::NotClosed
            }
        }
    }

    #[test]
    fn a_closure_of_1_4_s_warns_and_one_of_1_6_s_alarms() {
        use AlertKind::*;
        use AlertPhase::*;
        assert_eq!(
            alerts(closed_between(10.0, 11.4), 20.0),
            [
                (10.5, LongClosureWarning, Raised),
                (11.4, LongClosureWarning, Cleared)
            ]
        );
        assert_eq!(
            alerts(closed_between(10.0, 11.6), 20.0),
            [
                (10.5, LongClosureWarning, Raised),
                (11.5, LongClosureAlarm, Raised),
                (11.6, LongClosureWarning, Cleared),
                (11.6, LongClosureAlarm, Cleared),
            ]
        );
        assert_eq!(alerts(closed_between(10.0, 10.4), 20.0), []);
    }

    #[test]
    fn a_lasting_alarm_is_repeated_at_its_rate() {
        let all = alerts(closed_between(0.0, 60.0), 14.0);
        let times: Vec<f64> = all
            .iter()
            .filter(|(_, kind, _)| *kind == AlertKind::LongClosureAlarm)
            .map(|(time, ..)| *time)
            .collect();
        assert_eq!(times, [1.5, 6.5, 11.5]);
    }

    #[test]
    fn eyes_lost_from_sight_end_an_alarm_without_clearing_it() {
        let lids = |time: f64| {
            if time < 2.0 {
                LidState::Closed {
                    since: Duration::ZERO,
                }
            } else {
                LidState::Unknown
            }
        };
        let all = alerts(lids, 4.0);
        assert!(all.contains(&(2.0, AlertKind::LongClosureAlarm, AlertPhase::Lost)));
        assert!(!all.iter().any(|(.., phase)| *phase == AlertPhase::Cleared));
    }

    #[test]
    fn drowsiness_needs_enough_known_time_and_falls_with_hysteresis() {
        let mut alerter = Alerter::new(&TemporalSettings::default());
        let mut phase = |time: f64, perclos: f64, known: f64| {
            let step = alerter.update(
                seconds(time),
                LidState::NotClosed,
                Some(perclos),
                seconds(known),
            );
            step.first().map(|alert| (alert.kind, alert.phase))
        };
        let of = |phase| Some((AlertKind::Drowsiness, phase));
        assert_eq!(phase(1.0, 0.9, 1.0), None);
        assert_eq!(phase(40.0, 0.2, 40.0), of(AlertPhase::Raised));
        assert_eq!(phase(41.0, 0.13, 41.0), None);
        assert_eq!(phase(42.0, 0.09, 42.0), of(AlertPhase::Cleared));
    }

    proptest! {
        #[test]
        fn every_alert_that_begins_ends_at_most_once_before_the_next(
            phases in prop::collection::vec((0_u8..3, 1_u32..40), 1..40),
        ) {
            let mut alerter = Alerter::new(&TemporalSettings::default());
            let mut time = Duration::ZERO;
            let mut on = [false; 3];
            for (phase, readings) in phases {
                let since = time;
                for _ in 0..readings {
                    let lids = match phase {
                        0 => LidState::NotClosed,
                        1 => LidState::Unknown,
                        _ => LidState::Closed { since },
                    };
                    for alert in alerter.update(time, lids, None, Duration::ZERO) {
                        let kind = AlertKind::ALL.iter().position(|kind| *kind == alert.kind);
                        let on = &mut on[kind.unwrap()];
                        prop_assert!(alert.since <= alert.time);
                        match alert.phase {
                            AlertPhase::Raised => {
                                prop_assert!(!*on && phase == 2);
                                *on = true;
                            }
                            AlertPhase::Repeated => prop_assert!(*on && phase == 2),
                            AlertPhase::Cleared | AlertPhase::Lost => {
                                prop_assert!(*on);
                                *on = false;
                            }
                        }
                    }
                    time += Duration::from_millis(100);
                }
                if phase == 0 {
                    prop_assert_eq!(on, [false; 3]);
                }
            }
        }
    }
}
