//! The pace of a video at a steady rate: the rate of frames with times of their own, and how often each of
//! them is shown.

use std::time::Duration;

/// Usual frame rates of cameras and films; a rate measured from rounded times is replaced by the nearest of
/// these within [`SAME_RATE`].
const USUAL_RATES: [f64; 9] = [
    15.0,
    24_000.0 / 1001.0,
    24.0,
    25.0,
    30_000.0 / 1001.0,
    30.0,
    50.0,
    60_000.0 / 1001.0,
    60.0,
];

/// Containers that round times to milliseconds are off by up to 1.5 % at 30 frames a second.
const SAME_RATE: f64 = 0.016;

/// Rate of a video of a single frame, and the range of rates that players show.
const SINGLE_FRAME_RATE: f64 = 25.0;
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// A frame is held on screen for at most this long; a longer gap in the recording is shortened, so
/// that a broken time cannot fill the disk.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// A longer time between two frames is a gap, which says nothing about the rate.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// The pace of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// Frames a second.
    rate: f64,
    /// When the video begins; later by what was left out of gaps.
    begin: Duration,
    last: Duration,
    /// Frames shown so far.
    shown: u64,
}

impl Pace {
    /// Begins a video at this rate with a frame of this time.
    pub(super) fn new(rate: f64, begin: Duration) -> Self {
        Self {
            rate,
            begin,
            last: begin,
            shown: 0,
        }
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Returns how often the last frame is shown until the next comes at `time`: at least once.
    pub(super) fn shown_until(&mut self, time: Duration) -> u64 {
        let gap = time.saturating_sub(self.last);
        self.begin += gap.saturating_sub(LONGEST_HOLD);
        self.last = time;
        let due = time.saturating_sub(self.begin).as_secs_f64() * self.rate;
        let times = (due.round() as u64).saturating_sub(self.shown).max(1);
        self.shown += times;
        times
    }
}

/// Returns the rate of frames with these times, from the shortest step between two of them.
pub(super) fn rate_of(times: impl IntoIterator<Item = Duration>) -> f64 {
    let mut times = times.into_iter();
    let mut last = times.next();
    let mut shortest: Option<Duration> = None;
    for time in times {
        let step = time.saturating_sub(last.replace(time).unwrap_or_default());
        if !step.is_zero() && step <= LONGEST_STEP {
            shortest = Some(shortest.map_or(step, |shortest| shortest.min(step)));
        }
    }
    shortest.map_or(SINGLE_FRAME_RATE, |step| {
        usual_rate(1.0 / step.as_secs_f64())
    })
}

/// Returns the usual rate near `measured`, or that rate within [`RATES`].
fn usual_rate(measured: f64) -> f64 {
    let off = |rate: &f64| (measured / rate - 1.0).abs();
    USUAL_RATES
        .into_iter()
        .filter(|rate| off(rate) < SAME_RATE)
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .unwrap_or_else(|| measured.clamp(*RATES.start(), *RATES.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn rates_from_rounded_times_become_the_usual_ones() {
        assert_eq!(rate_of(ms(&[0, 33, 67, 100])), 30.0);
        assert_eq!(rate_of(ms(&[5000, 5040])), 25.0);
        assert_eq!(
            rate_of([Duration::ZERO, Duration::from_micros(33_367)]),
            30_000.0 / 1001.0
        );
        assert_eq!(rate_of(ms(&[0, 80])), 12.5);
        assert_eq!(rate_of(ms(&[7])), SINGLE_FRAME_RATE);
        assert_eq!(rate_of(ms(&[0, 0, 0])), SINGLE_FRAME_RATE);
        // Neither a leap at the beginning nor a frame that came late is the rate.
        assert_eq!(rate_of(ms(&[0, 10_800_000, 10_800_040])), 25.0);
        assert_eq!(rate_of(ms(&[0, 500, 540, 580])), 25.0);
    }

    #[test]
    fn after_a_leap_the_pace_is_as_before() {
        let times = ms(&[0, 40, 80, 10_800_080, 10_800_120, 10_800_160]);
        let mut pace = Pace::new(25.0, times[0]);
        let shown: Vec<u64> = times[1..]
            .iter()
            .map(|time| pace.shown_until(*time))
            .collect();
        assert_eq!(shown, [1, 1, 250, 1, 1]);
    }

    #[test]
    fn over_a_short_gap_the_last_frame_is_held_and_none_is_left_out() {
        let times = ms(&[0, 40, 1040, 1041, 1080, 1120]);
        let mut pace = Pace::new(25.0, times[0]);
        let shown: Vec<u64> = times[1..]
            .iter()
            .map(|time| pace.shown_until(*time))
            .collect();
        assert_eq!(shown, [1, 25, 1, 1, 1]);
    }
}
