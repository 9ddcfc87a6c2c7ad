//! Reminders of healthy habits at a screen: to blink, and to take a break. They are alerts of their own
//! kinds and off unless asked for.

use super::{
    TemporalSettings,
    alert::{Alert, AlertKind, AlertReport, AlertState, Due},
};
use crate::seconds;
use std::time::Duration;

/// Share of the blink rate's window that must be known before a low rate is one; and before it is forgotten
/// again.
const KNOWN_TO_RAISE: f64 = 0.8;
const KNOWN_TO_KEEP: f64 = 0.5;

/// A low blink rate has ended when it is more than the limit by this factor, for it moves in whole blinks.
const RECOVERED: f64 = 1.25;

/// Decides on reminders.
#[derive(Clone, Debug)]
pub(super) struct Reminders {
    below_blinks: f64,
    window: Duration,
    longest_at_screen: Option<Duration>,
    shortest_break: Duration,
    again_after: Duration,
    low_blink_rate: AlertState,
    screen_time: AlertState,
    /// Since when somebody has been there without a break, and was last seen.
    there: Option<(Duration, Duration)>,
}

/// What reminders depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// Whether an eye can be seen.
    pub(super) seen: bool,
    /// Blinks a minute over the last minute; `None` where nobody knows.
    pub(super) blinks_per_minute: Option<f64>,
    /// How much of that minute is known.
    pub(super) known: Duration,
}

impl Reminders {
    /// Starts with nobody there.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            below_blinks: settings.remind_below_blinks,
            window: seconds::duration(settings.perclos_window_s),
            longest_at_screen: (settings.remind_screen_s > 0.0)
                .then(|| seconds::duration(settings.remind_screen_s)),
            shortest_break: seconds::duration(settings.screen_break_s),
            again_after: seconds::duration(settings.remind_again_s),
            low_blink_rate: AlertState::Off,
            screen_time: AlertState::Off,
            there: None,
        }
    }

    /// Takes what is known from the reading at `time` on; `perclos` is what alerts carry.
    pub(super) fn update(
        &mut self,
        time: Duration,
        habits: Habits,
        perclos: Option<f64>,
    ) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let mut report = AlertReport::new(&mut alerts, time, perclos);
        let due = self.due_of_blinks(time, habits);
        let kind = AlertKind::LowBlinkRate;
        self.low_blink_rate
            .follow(due, self.again_after, kind, &mut report);
        let due = self.due_of_break(time, habits.seen);
        let kind = AlertKind::ScreenTime;
        self.screen_time
            .follow(due, self.again_after, kind, &mut report);
        alerts
    }

    /// Takes that nothing is known any more: what is on is lost.
    pub(super) fn interrupt(&mut self, time: Duration) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let mut report = AlertReport::new(&mut alerts, time, None);
        for (kind, running) in [
            (AlertKind::LowBlinkRate, &mut self.low_blink_rate),
            (AlertKind::ScreenTime, &mut self.screen_time),
        ] {
            running.follow(Due::Lost, Duration::MAX, kind, &mut report);
        }
        self.there = None;
        alerts
    }

    fn due_of_blinks(&self, time: Duration, habits: Habits) -> Due {
        let is_known = |share: f64| habits.known >= self.window.mul_f64(share);
        match (habits.blinks_per_minute, self.low_blink_rate) {
            _ if self.below_blinks <= 0.0 => Due::Off,
            (Some(rate), AlertState::Off) => match rate < self.below_blinks {
                true if is_known(KNOWN_TO_RAISE) => Due::On(time),
                _ => Due::Off,
            },
            (Some(rate), AlertState::On { .. }) if rate >= self.below_blinks * RECOVERED => {
                Due::Off
            }
            (Some(_), AlertState::On { since, .. }) if is_known(KNOWN_TO_KEEP) => Due::On(since),
            _ => Due::Lost,
        }
    }

    fn due_of_break(&mut self, time: Duration, seen: bool) -> Due {
        let Some(longest) = self.longest_at_screen else {
            return Due::Off;
        };
        let there = self
            .there
            .filter(|(_, last)| time.saturating_sub(*last) < self.shortest_break);
        self.there = match (there, seen) {
            (Some((since, _)), true) => Some((since, time)),
            (None, true) => Some((time, time)),
            (there, false) => there,
        };
        match self.there {
            Some((since, _)) if time.saturating_sub(since) >= longest => Due::On(since),
            _ => Due::Off,
        }
    }
}
