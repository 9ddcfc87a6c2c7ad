//! Blinks a minute, over the last minute of known time.

use super::TemporalSettings;
use crate::{
    frame::MAX_FRAME_RATE,
    seconds,
    timed_window::{TimedWindow, capacity_for},
};
use std::time::Duration;

/// Counts blinks within a sliding window.
#[derive(Clone, Debug)]
pub(super) struct BlinkRate {
    least_known: Duration,
    /// When the blinks within the window ended. Each ends with a frame of its own, so that the greatest
    /// frame rate bounds their number.
    ends: TimedWindow<Duration>,
}

impl BlinkRate {
    /// Starts without blinks.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        let window = seconds::duration(settings.perclos_window_s);
        Self {
            least_known: seconds::duration(settings.rate_known_s),
            ends: TimedWindow::new(window, capacity_for(MAX_FRAME_RATE, window)),
        }
    }

    /// Takes the next reading's time, and whether it ended a blink.
    pub(super) fn update(&mut self, time: Duration, blinked: bool) {
        if blinked {
            self.ends.push(time);
        }
        self.ends.expire(time);
    }

    /// Blinks a minute, where enough of the window is known; `None` also while more blinks came than the
    /// greatest frame rate allows, since some of them are not counted.
    pub(super) fn per_minute(&self, known: Duration) -> Option<f64> {
        (known >= self.least_known && !known.is_zero() && self.ends.is_complete())
            .then(|| 60.0 * self.ends.len() as f64 / known.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_blinks_than_frames_can_come_give_no_rate() {
        let settings = TemporalSettings {
            perclos_window_s: 1.0,
            rate_known_s: 1.0,
            ..TemporalSettings::default()
        };
        let mut rate = BlinkRate::new(&settings);
        let second = Duration::from_secs(1);
        for count in 1..=1001 {
            rate.update(Duration::from_micros(count * 900), true);
        }
        assert_eq!(rate.per_minute(second), Some(60.0 * 1001.0));
        rate.update(Duration::from_micros(1002 * 900), true);
        assert_eq!(rate.per_minute(second), None);
        rate.update(Duration::from_secs(4), false);
        assert_eq!(rate.per_minute(second), Some(0.0));
    }
}
