//! When somebody should be warned: a closure that lasts too long, a sleeper who is lost from sight, and a
//! minute with too much of it.
//!
//! A function of time-stamped readings, like the rest of [`super`]; what an alert sets off (a bell, a
//! command) is left to the program. Reminders, which are alerts too, are [`super::reminders`]'.

use super::{
    TemporalSettings,
    closure::{Lasting, LidState},
};
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
    /// The eyes were lost from sight while a [`Self::LongClosureAlarm`] was on, for longer than
    /// [`TemporalSettings::longest_unseen_s`], and have not been seen since.
    FaceLostAsleep,
    /// PERCLOS of the last minute is above [`TemporalSettings::drowsy_above`].
    Drowsiness,
    /// A reminder: fewer blinks than [`TemporalSettings::remind_below_blinks`].
    LowBlinkRate,
    /// A reminder: no break for [`TemporalSettings::remind_screen_s`].
    ScreenTime,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::LongClosureWarning,
        Self::LongClosureAlarm,
        Self::FaceLostAsleep,
        Self::Drowsiness,
        Self::LowBlinkRate,
        Self::ScreenTime,
    ];

    /// Name used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LongClosureWarning => "long_closure_warning",
            Self::LongClosureAlarm => "long_closure_alarm",
            Self::FaceLostAsleep => "face_lost_asleep",
            Self::Drowsiness => "drowsiness",
            Self::LowBlinkRate => "low_blink_rate",
            Self::ScreenTime => "screen_time",
        }
    }

    /// Whether it says that the eyes are closed now, as far as anybody knows.
    pub const fn is_of_closed_eyes(self) -> bool {
        matches!(
            self,
            Self::LongClosureWarning | Self::LongClosureAlarm | Self::FaceLostAsleep
        )
    }
}

/// Whether an alert begins, goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertPhase {
    /// It begins.
    Raised,
    /// It goes on, [`TemporalSettings::repeat_after_s`] after it was last reported, or a reminder
    /// [`TemporalSettings::remind_again_s`] after.
    Repeated,
    /// The eyes opened, a lost face was seen again, PERCLOS fell, or a reminder was followed.
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
    /// Since when: the first closed frame, the first frame without the lost face, the reading that raised
    /// the drowsiness or showed too few blinks, or the beginning of the time without a break.
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
    warning: AlertState,
    alarm: AlertState,
    face_lost: AlertState,
    drowsiness: AlertState,
    /// Since when the lids cannot be seen; `None` while they can.
    unseen_since: Option<Duration>,
}

/// An alert that may be on.
#[derive(Clone, Copy, Debug)]
pub(super) enum AlertState {
    /// It is not.
    Off,
    /// It is.
    On {
        /// Since when.
        since: Duration,
        /// When it was last reported.
        reported: Duration,
    },
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
            warning: AlertState::Off,
            alarm: AlertState::Off,
            face_lost: AlertState::Off,
            drowsiness: AlertState::Off,
            unseen_since: None,
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
        self.unseen_since = match lids {
            LidState::Unknown | LidState::Unseen(_) => self.unseen_since.or(Some(time)),
            LidState::NotClosed | LidState::Closed(_) | LidState::Reopening(_) => None,
        };
        let was_asleep = self.alarm.is_on();
        let due = self.due_of_closure(time, lids, self.warn_after, self.warning, true);
        let mut report = AlertReport::new(&mut alerts, time, perclos);
        let mut follow = |running: &mut AlertState, kind, due, repeat_after| {
            running.follow(due, repeat_after, kind, &mut report);
        };
        let (warning, repeat_after) = (AlertKind::LongClosureWarning, self.repeat_after);
        follow(&mut self.warning, warning, due, repeat_after);
        // Out of sight, an alarm is due only after the warning was: a blink before the face was lost is
        // nobody's sleep.
        let warned = self.warning.is_on();
        let due = self.due_of_closure(time, lids, self.alarm_after, self.alarm, !warned);
        let alarm = AlertKind::LongClosureAlarm;
        follow(&mut self.alarm, alarm, due, repeat_after);
        let due = self.due_of_lost_face(time, lids, was_asleep);
        let lost = AlertKind::FaceLostAsleep;
        follow(&mut self.face_lost, lost, due, repeat_after);
        let due = self.due_of_drowsiness(time, perclos, known);
        // A minute's share moves slowly: reporting it once is enough.
        let drowsiness = AlertKind::Drowsiness;
        follow(&mut self.drowsiness, drowsiness, due, Duration::MAX);
        alerts
    }

    /// Takes that nothing can be known of the eyes from `time` on, since no frame comes: alerts that say that
    /// they are closed are lost.
    pub(super) fn interrupt(&mut self, time: Duration, perclos: Option<f64>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let mut report = AlertReport::new(&mut alerts, time, perclos);
        for (kind, running) in [
            (AlertKind::LongClosureWarning, &mut self.warning),
            (AlertKind::LongClosureAlarm, &mut self.alarm),
            (AlertKind::FaceLostAsleep, &mut self.face_lost),
        ] {
            running.follow(Due::Lost, Duration::MAX, kind, &mut report);
        }
        self.unseen_since = None;
        alerts
    }

    /// What an alert of a closure should be that is due `after` its beginning. `in_sight_only` is whether it
    /// is raised only while the lids can be seen.
    fn due_of_closure(
        &self,
        time: Duration,
        lids: LidState,
        after: Duration,
        running: AlertState,
        in_sight_only: bool,
    ) -> Due {
        let is_due = |lasting: Lasting| lasting.is_sure() && lasting.length_at(time) >= after;
        let goes_on = |lasting: Lasting| match running {
            AlertState::On { since, .. } if since == lasting.since => Due::On(since),
            _ => Due::Off,
        };
        match lids {
            LidState::Closed(lasting) if is_due(lasting) => Due::On(lasting.since),
            LidState::Unseen(lasting) if is_due(lasting) && !in_sight_only => {
                Due::On(lasting.since)
            }
            // It may go on or not: nothing is raised, and nothing ends.
            LidState::Reopening(lasting) | LidState::Unseen(lasting) => goes_on(lasting),
            // A new closure after a gap: the one that was reported cannot be followed.
            LidState::Closed(_) | LidState::Unknown => Due::Lost,
            LidState::NotClosed => Due::Off,
        }
    }

    /// What the alert of a sleeper who is out of sight should be; `was_asleep` is whether the alarm was on at
    /// the last reading. Closed eyes that are seen again keep it on until their own alarm takes over.
    fn due_of_lost_face(&self, time: Duration, lids: LidState, was_asleep: bool) -> Due {
        match (self.face_lost, lids) {
            (AlertState::Off, LidState::Unknown) if was_asleep => {
                Due::On(self.unseen_since.unwrap_or(time))
            }
            (AlertState::Off, _) | (_, LidState::NotClosed) => Due::Off,
            (AlertState::On { .. }, _) if self.alarm.is_on() => Due::Off,
            (AlertState::On { since, .. }, _) => Due::On(since),
        }
    }

    fn due_of_drowsiness(&self, time: Duration, perclos: Option<f64>, known: Duration) -> Due {
        match (perclos, self.drowsiness) {
            (Some(share), AlertState::Off)
                if share > self.drowsy_above && known >= self.drowsy_known =>
            {
                Due::On(time)
            }
            (Some(share), AlertState::On { since, .. }) if share > self.drowsy_until => {
                Due::On(since)
            }
            (Some(_), _) => Due::Off,
            (None, _) => Due::Lost,
        }
    }
}

/// The alerts of one reading, while they are gathered.
pub(super) struct AlertReport<'a> {
    alerts: &'a mut Vec<Alert>,
    time: Duration,
    perclos: Option<f64>,
}

impl<'a> AlertReport<'a> {
    /// Starts a report at the time of a reading, with PERCLOS of the last minute.
    pub(super) fn new(alerts: &'a mut Vec<Alert>, time: Duration, perclos: Option<f64>) -> Self {
        Self {
            alerts,
            time,
            perclos,
        }
    }

    fn add(&mut self, kind: AlertKind, phase: AlertPhase, since: Duration) {
        self.alerts.push(Alert {
            kind,
            phase,
            time: self.time,
            since,
            perclos: self.perclos,
        });
    }
}

/// What an alert should be at this reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// On, since then.
    On(Duration),
    /// Off.
    Off,
    /// Nobody knows.
    Lost,
}

impl AlertState {
    /// Whether it is on.
    pub(super) const fn is_on(self) -> bool {
        matches!(self, Self::On { .. })
    }

    /// Brings it to what it should be and reports what that changes; one that stays on is reported again
    /// after `repeat_after`.
    pub(super) fn follow(
        &mut self,
        due: Due,
        repeat_after: Duration,
        kind: AlertKind,
        report: &mut AlertReport<'_>,
    ) {
        let time = report.time;
        let mut report = |phase, since| report.add(kind, phase, since);
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

    fn lasting(since: f64) -> Lasting {
        Lasting {
            since: seconds(since),
            surely_since: seconds(since),
            frames: 10,
        }
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
                LidState::Closed(lasting(from))
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
    fn eyes_lost_from_sight_end_an_alarm_without_clearing_it_and_the_sleeper_is_not_forgotten() {
        let lids = |time: f64| {
            if time < 2.0 {
                LidState::Closed(lasting(0.0))
            } else {
                LidState::Unknown
            }
        };
        let all = alerts(lids, 4.0);
        assert!(all.contains(&(2.0, AlertKind::LongClosureAlarm, AlertPhase::Lost)));
        assert!(all.contains(&(2.0, AlertKind::FaceLostAsleep, AlertPhase::Raised)));
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
            let mut on = [false; AlertKind::ALL.len()];
            for (phase, readings) in phases {
                let since = time;
                for _ in 0..readings {
                    let lids = match phase {
                        0 => LidState::NotClosed,
                        1 => LidState::Unknown,
                        _ => LidState::Closed(Lasting {
                            since,
                            surely_since: since,
                            frames: 9,
                        }),
                    };
                    for alert in alerter.update(time, lids, None, Duration::ZERO) {
                        let kind = AlertKind::ALL.iter().position(|kind| *kind == alert.kind);
                        let on = &mut on[kind.unwrap()];
                        prop_assert!(alert.since <= alert.time);
                        let fits = match alert.kind {
                            AlertKind::FaceLostAsleep => phase != 0,
                            _ => phase == 2,
                        };
                        match alert.phase {
                            AlertPhase::Raised => {
                                prop_assert!(!*on && fits);
                                *on = true;
                            }
                            AlertPhase::Repeated => prop_assert!(*on && fits),
                            AlertPhase::Cleared | AlertPhase::Lost => {
                                prop_assert!(*on);
                                *on = false;
                            }
                        }
                    }
                    time += Duration::from_millis(100);
                }
                if phase == 0 {
                    prop_assert_eq!(on, [false; AlertKind::ALL.len()]);
                }
            }
        }
    }
}
