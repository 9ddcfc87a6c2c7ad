//! Blinks a minute, over the last minute of known time.

use super::TemporalSettings;
use std::{collections::VecDeque, time::Duration};

/// Counts blinks within a sliding window.
#[derive(Clone, Debug)]
pub struct BlinkRate {
    window: Duration,
    least_known: Duration,
    /// When the blinks within the window ended. Bounded: a blink lasts a frame at least.
    ends: VecDeque<Duration>,
}

impl BlinkRate {
    /// Starts without blinks.
    pub fn new(settings: &TemporalSettings) -> Self {
        Self {
            window: settings.perclos_window(),
            least_known: settings.rate_known(),
            ends: VecDeque::new(),
        }
    }

    /// Takes the next reading, and whether it ended a blink.
    pub fn step(&mut self, time: Duration, blinked: bool) {
        if blinked {
            self.ends.push_back(time);
        }
        let oldest = time.saturating_sub(self.window);
        while self.ends.front().is_some_and(|end| *end < oldest) {
            self.ends.pop_front();
        }
    }

    /// Blinks a minute, where enough of the window is known.
    pub fn per_minute(&self, known: Duration) -> Option<f64> {
        (known >= self.least_known && !known.is_zero())
            .then(|| 60.0 * self.ends.len() as f64 / known.as_secs_f64())
    }
}
