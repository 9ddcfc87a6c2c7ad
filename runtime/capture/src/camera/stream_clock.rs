//! When a stream's frames were captured, on this machine's clock: its timestamps say how far apart they are,
//! and the one that came soonest after its timestamp says where the timestamps stand.
//!
//! Frames that a network delays or bundles so keep their true distances. What is not known is the least delay
//! itself: a frame counts as captured when the quickest of its neighbours arrived.

use std::time::Duration;

/// The least delay is that of the last one to two such times, since clocks drift apart.
const WINDOW: Duration = Duration::from_secs(20);

/// A change of the delay by more than this is a stream that began anew, or whose clock was set.
const LEAP: i128 = 5_000_000_000;

/// The relation between a stream's timestamps and this machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamClock {
    /// Least delay of the window before, and of the present one, in nanoseconds.
    before: Option<i128>,
    present: Option<i128>,
    /// When the present window began.
    since: Duration,
    last: Duration,
}

impl StreamClock {
    /// Returns when a frame was captured that has this timestamp, in nanoseconds, and arrived at a time; both
    /// count from any moment. It is never after its arrival, and never before the last one.
    pub(super) fn captured(&mut self, timestamp: i128, arrived: Duration) -> Duration {
        let arrival = i128::try_from(arrived.as_nanos()).unwrap_or(i128::MAX);
        let delay = arrival.saturating_sub(timestamp);
        let least = [self.before, self.present].into_iter().flatten().min();
        if least.is_some_and(|least| delay.saturating_sub(least).abs() > LEAP) {
            (self.before, self.present) = (None, None);
        }
        if arrived.saturating_sub(self.since) > WINDOW {
            self.before = self.present.take();
            self.since = arrived;
        }
        self.present = Some(self.present.map_or(delay, |present| present.min(delay)));
        let least = self.before.into_iter().chain(self.present).min();
        let captured = timestamp.saturating_add(least.unwrap_or(delay)).max(0);
        let captured = Duration::from_nanos(u64::try_from(captured).unwrap_or(u64::MAX));
        self.last = captured.min(arrived).max(self.last);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i128 = 1_000_000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn frames_that_were_held_back_keep_their_distances() {
        let mut clock = StreamClock::default();
        for number in 0..30 {
            let due = 40 * number;
            assert_eq!(
                clock.captured(due as i128 * MS, ms(100 + due)),
                ms(100 + due)
            );
        }
        // 1.2 s of silence, then all at once.
        for number in 30..60 {
            let due = 40 * number;
            let captured = clock.captured(due as i128 * MS, ms(2460));
            assert_eq!(captured, ms((100 + due).min(2460)));
        }
    }

    #[test]
    fn a_quicker_frame_moves_the_clock_and_a_leap_sets_it() {
        let mut clock = StreamClock::default();
        assert_eq!(clock.captured(0, ms(500)), ms(500));
        // 300 ms quicker than the first: not before that one, and then on its own scale.
        assert_eq!(clock.captured(40 * MS, ms(240)), ms(500));
        assert_eq!(clock.captured(400 * MS, ms(700)), ms(600));
        // The stream's clock is set ahead by a day.
        assert_eq!(clock.captured(86_400_000 * MS, ms(900)), ms(900));
        assert_eq!(clock.captured(86_400_040 * MS, ms(999)), ms(940));
    }

    #[test]
    fn a_drift_of_the_clocks_is_followed() {
        let mut clock = StreamClock::default();
        let mut age = Duration::ZERO;
        // A camera whose clock is 0.1 % slow, for ten minutes.
        for number in 0..15_000_u64 {
            let arrived = Duration::from_micros(40_040 * number);
            let captured = clock.captured(i128::from(40 * number) * MS, arrived);
            age = arrived - captured;
        }
        assert!(age < ms(50), "{age:?}");
    }

    proptest! {
        #[test]
        fn time_never_goes_back_and_never_runs_ahead(
            frames in prop::collection::vec((any::<i64>(), 0_u64..100_000), 1..50),
        ) {
            let (mut clock, mut now, mut last) = (StreamClock::default(), 0, Duration::ZERO);
            for (timestamp, step) in frames {
                now += step;
                let captured = clock.captured(i128::from(timestamp), ms(now));
                prop_assert!(captured <= ms(now) && captured >= last);
                last = captured;
            }
        }
    }
}
