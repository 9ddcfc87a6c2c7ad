//! When an alert sets off an alarm, and when that is silenced: pure steps, without a clock.

use super::AlarmSettings;
use parseye_events::event::AlertEvent;
use parseye_vision::temporal::{AlertKind, AlertPhase};
use std::{collections::BTreeSet, time::Duration};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Nothing.
    Nothing,
    /// Give an alarm for this alert.
    Alarm(AlertEvent),
    /// The eyes are open: stop what sounds.
    Silence,
}

/// Decides on actions from alerts. Times are those of one clock that never goes back.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    kinds: BTreeSet<AlertKind>,
    least_between: Duration,
    last_alarm: Option<Duration>,
    /// The newest alert that is on and waits for its alarm, because of the rate.
    waiting: Option<AlertEvent>,
    /// Kinds of alerts on closures that last, whether they set anything off or not.
    closures: BTreeSet<AlertKind>,
}

impl Policy {
    /// Creates a policy without any alert.
    pub(super) fn new(settings: &AlarmSettings) -> Self {
        Self {
            kinds: settings.on.iter().copied().collect(),
            least_between: settings.least_between(),
            last_alarm: None,
            waiting: None,
            closures: BTreeSet::new(),
        }
    }

    /// Takes an alert's event and returns what to do.
    pub(super) fn take(&mut self, now: Duration, alert: &AlertEvent) -> Action {
        match alert.phase {
            AlertPhase::Raised | AlertPhase::Repeated => {
                if alert.kind.is_of_closed_eyes() {
                    self.closures.insert(alert.kind);
                }
                if self.kinds.contains(&alert.kind) {
                    self.waiting = Some(alert.clone());
                }
                self.poll(now)
            }
            AlertPhase::Cleared => {
                self.forget(alert.kind);
                // Drowsiness ends when PERCLOS falls, which may be while the eyes are closed again; and a
                // reminder that set nothing off has nothing to silence.
                let is_alarm = alert.kind.is_of_closed_eyes() || self.kinds.contains(&alert.kind);
                if is_alarm && self.closures.is_empty() {
                    Action::Silence
                } else {
                    Action::Nothing
                }
            }
            // Nobody knows whether the eyes are open: what was set off comes to its own end.
            AlertPhase::Lost => {
                self.forget(alert.kind);
                Action::Nothing
            }
        }
    }

    /// Returns the alarm of an alert that had to wait, once it is due.
    pub(super) fn poll(&mut self, now: Duration) -> Action {
        let early = self
            .last_alarm
            .is_some_and(|last| now.saturating_sub(last) < self.least_between);
        match self.waiting.take_if(|_| !early) {
            Some(alert) => {
                self.last_alarm = Some(now);
                Action::Alarm(alert)
            }
            None => Action::Nothing,
        }
    }

    fn forget(&mut self, kind: AlertKind) {
        self.closures.remove(&kind);
        self.waiting.take_if(|waiting| waiting.kind == kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AlertKind::{Drowsiness, LongClosureAlarm, LongClosureWarning};
    use AlertPhase::{Cleared, Lost, Raised, Repeated};
    use proptest::prelude::*;

    fn alert(kind: AlertKind, phase: AlertPhase) -> AlertEvent {
        AlertEvent {
            clip: "a".into(),
            kind,
            phase,
            time: 0.0,
            since: 0.0,
            perclos: None,
            unix_time: None,
        }
    }

    fn seconds(value: u64) -> Duration {
        Duration::from_secs(value)
    }

    #[test]
    fn an_alarm_keeps_its_rate_and_is_silenced_when_the_eyes_open() {
        let mut policy = Policy::new(&AlarmSettings::default());
        let mut at = |second, kind, phase| policy.take(seconds(second), &alert(kind, phase));
        let alarm = |phase| Action::Alarm(alert(LongClosureAlarm, phase));
        assert_eq!(at(0, LongClosureWarning, Raised), Action::Nothing);
        assert_eq!(at(1, LongClosureAlarm, Raised), alarm(Raised));
        assert_eq!(at(6, LongClosureAlarm, Repeated), alarm(Repeated));
        assert_eq!(at(7, LongClosureWarning, Cleared), Action::Nothing);
        assert_eq!(at(7, LongClosureAlarm, Cleared), Action::Silence);
    }

    #[test]
    fn an_alarm_that_comes_too_soon_waits_and_is_dropped_when_the_eyes_open() {
        let mut policy = Policy::new(&AlarmSettings::default());
        let raised = alert(LongClosureAlarm, Raised);
        let cleared = alert(LongClosureAlarm, Cleared);
        assert_ne!(policy.take(seconds(0), &raised), Action::Nothing);
        assert_eq!(policy.take(seconds(1), &cleared), Action::Silence);
        assert_eq!(policy.take(seconds(2), &raised), Action::Nothing);
        assert_eq!(policy.poll(seconds(4)), Action::Nothing);
        assert_eq!(policy.poll(seconds(5)), Action::Alarm(raised.clone()));
        assert_eq!(policy.take(seconds(6), &cleared), Action::Silence);
        assert_eq!(policy.take(seconds(7), &raised), Action::Nothing);
        assert_eq!(policy.take(seconds(8), &cleared), Action::Silence);
        assert_eq!(policy.poll(seconds(20)), Action::Nothing);
    }

    #[test]
    fn eyes_lost_from_sight_silence_nothing_and_neither_does_perclos_while_they_are_closed() {
        let mut policy = Policy::new(&AlarmSettings::default());
        let mut at = |second, kind, phase| policy.take(seconds(second), &alert(kind, phase));
        assert_ne!(at(0, Drowsiness, Raised), Action::Nothing);
        at(6, LongClosureAlarm, Raised);
        assert_eq!(at(7, Drowsiness, Cleared), Action::Nothing);
        assert_eq!(at(8, LongClosureAlarm, Lost), Action::Nothing);
    }

    #[test]
    fn a_sleeper_who_is_out_of_sight_is_alarmed_of_until_seen() {
        use AlertKind::FaceLostAsleep;
        let mut policy = Policy::new(&AlarmSettings::default());
        let mut at = |second, kind, phase| policy.take(seconds(second), &alert(kind, phase));
        let alarm = |kind, phase| Action::Alarm(alert(kind, phase));
        assert_eq!(
            at(1, LongClosureAlarm, Raised),
            alarm(LongClosureAlarm, Raised)
        );
        assert_eq!(at(2, LongClosureAlarm, Lost), Action::Nothing);
        assert_eq!(at(2, FaceLostAsleep, Raised), Action::Nothing);
        assert_eq!(
            at(7, FaceLostAsleep, Repeated),
            alarm(FaceLostAsleep, Repeated)
        );
        // Found asleep: the alarm goes on under its other name.
        assert_eq!(at(9, LongClosureAlarm, Raised), Action::Nothing);
        assert_eq!(at(9, FaceLostAsleep, Cleared), Action::Nothing);
        assert_eq!(at(10, LongClosureAlarm, Cleared), Action::Silence);
    }

    proptest! {
        #[test]
        fn alarms_are_never_closer_than_the_rate(
            steps in prop::collection::vec((0_u64..4000, 0..AlertKind::ALL.len(), 0_u8..4), 1..100),
        ) {
            let mut policy = Policy::new(&AlarmSettings::default());
            let (mut now, mut last) = (Duration::ZERO, None);
            for (gap, kind, phase) in steps {
                now += Duration::from_millis(gap);
                let phase = [Raised, Repeated, Cleared, Lost][usize::from(phase)];
                let taken = policy.take(now, &alert(AlertKind::ALL[kind], phase));
                for action in [taken, policy.poll(now)] {
                    if let Action::Alarm(alert) = action {
                        prop_assert!(AlarmSettings::default().on.contains(&alert.kind));
                        prop_assert!(last.is_none_or(|last| now - last >= seconds(5)));
                        last = Some(now);
                    }
                }
            }
        }
    }
}
