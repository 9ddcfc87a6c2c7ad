//! The rhythm in which a source delivers, and the frames that break it: those that come at once after a
//! silence were held back on their way.

use std::time::{Duration, Instant};

/// Intervals until the rhythm is known.
const KNOWN_AFTER: u32 = 8;

/// A silence is this many periods long, and at least [`SHORTEST_SILENCE`].
const SILENT_PERIODS: u32 = 4;
const SHORTEST_SILENCE: Duration = Duration::from_millis(250);

/// Weight of the newest interval in the period: the mean of some sixteen.
const NEWEST: f64 = 1.0 / 16.0;

/// Longest wait for a further frame that was held back.
const LONGEST_SETTLING: Duration = Duration::from_millis(50);

/// The rhythm of arrivals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rhythm {
    last: Option<Instant>,
    period: Duration,
    intervals: u32,
    late: Option<Late>,
}

/// A frame that came after a silence, or at once after such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    /// Length of the silence before the first of them.
    pub(super) silence: Duration,
    /// Number of the first of them.
    pub(super) first: u64,
    /// When no further one comes for this long, it was the last.
    pub(super) settles_in: Duration,
}

impl Rhythm {
    /// Takes the arrival of a frame; returns what it is if it was held back.
    pub(super) fn arrival(&mut self, arrived: Instant, sequence: u64) -> Option<Late> {
        let interval = self
            .last
            .replace(arrived)
            .map(|last| arrived.saturating_duration_since(last))?;
        let is_known = self.intervals >= KNOWN_AFTER;
        let silence = SHORTEST_SILENCE.max(self.period * SILENT_PERIODS);
        self.late = match self.late {
            _ if is_known && interval > silence => Some(Late {
                silence: interval,
                first: sequence,
                settles_in: settling(self.period).min(LONGEST_SETTLING),
            }),
            Some(late) if interval < settling(self.period) => Some(late),
            _ => None,
        };
        if self.late.is_none() {
            self.intervals = self.intervals.saturating_add(1);
            // The first ones count in full.
            let weight = NEWEST.max(1.0 / f64::from(self.intervals));
            self.period = self.period.mul_f64(1.0 - weight) + interval.mul_f64(weight);
        }
        self.late
    }
}

/// Returns how soon after another a frame comes that was held back: sooner than it could have been captured.
fn settling(period: Duration) -> Duration {
    period.mul_f64(0.75)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the frames that count as held back, for intervals in milliseconds.
    fn late(intervals: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let (mut rhythm, mut now) = (Rhythm::default(), Instant::now());
        rhythm.arrival(now, 0);
        let arrivals = intervals.into_iter().enumerate();
        arrivals
            .filter_map(|(index, interval)| {
                now += Duration::from_millis(interval);
                let sequence = index as u64 + 1;
                rhythm.arrival(now, sequence).map(|_| sequence)
            })
            .collect()
    }

    #[test]
    fn only_what_comes_at_once_after_a_silence_was_held_back() {
        let steady = || [33; 20].into_iter();
        assert_eq!(
            late(steady().chain([1800, 1, 0, 2, 33, 33])),
            [21, 22, 23, 24]
        );
        // A pause is not a burst: its first frame alone waits for others.
        assert_eq!(late(steady().chain([1800, 33, 33])), [21]);
        // Jitter, and programs that write three frames at a time.
        assert_eq!(late(steady().chain([90, 1, 1, 60, 5, 33])), [0; 0]);
        assert_eq!(late([0, 0, 100].repeat(20)), [0; 0]);
        // A slow source, and one that has only begun.
        assert_eq!(late([500; 20].into_iter().chain([900, 100, 500])), [0; 0]);
        assert_eq!(late([33, 1800, 1, 1]), [0; 0]);
    }
}
