//! Blinks, partial blinks, winks and long closures.

use crate::{
    event::ClosureEvent,
    per_laterality::PerLaterality,
    rounding::millionths,
    session::{listed::Listed, quantiles::QuantileAccumulator, statistics::BlinkStatistics},
};

/// Known seconds below which a rate per minute would be a matter of chance.
const LEAST_KNOWN_S: f64 = 10.0;

/// Blinks that last longer than this many seconds count as lasting that long.
const LONGEST_BLINK_S: u64 = 3600;

/// Significant digits of a blink's duration.
const DURATION_DIGITS: u8 = 3;

/// Accumulates closures.
#[derive(Debug)]
pub(super) struct ClosureAccumulator {
    blinks: PerLaterality<QuantileAccumulator>,
    partial_blinks: PerLaterality<u64>,
    winks: u64,
    long_closure_counts: PerLaterality<u64>,
    long_closures: Listed<ClosureEvent>,
}

/// What closures came to.
pub(super) struct ClosureStatistics {
    pub(super) blinks: PerLaterality<BlinkStatistics>,
    pub(super) partial_blinks: PerLaterality<u64>,
    pub(super) winks: u64,
    pub(super) long_closure_counts: PerLaterality<u64>,
    pub(super) long_closures: Listed<ClosureEvent>,
}

impl ClosureAccumulator {
    /// Creates an empty one.
    pub(super) fn new() -> Self {
        Self {
            blinks: PerLaterality::from_fn(|_| {
                QuantileAccumulator::new(LONGEST_BLINK_S, DURATION_DIGITS)
            }),
            partial_blinks: PerLaterality::default(),
            winks: 0,
            long_closure_counts: PerLaterality::default(),
            long_closures: Listed::default(),
        }
    }

    pub(super) fn add_blink(&mut self, blink: &ClosureEvent) {
        self.blinks.get_mut(blink.eye).add(blink.duration);
        self.winks += u64::from(blink.wink);
    }

    pub(super) fn add_partial_blink(&mut self, blink: &ClosureEvent) {
        *self.partial_blinks.get_mut(blink.eye) += 1;
    }

    pub(super) fn add_long_closure(&mut self, closure: ClosureEvent) {
        *self.long_closure_counts.get_mut(closure.eye) += 1;
        self.long_closures.push(closure);
    }

    /// Returns the statistics, rates over this many seconds of known time.
    pub(super) fn finish(self, known_s: f64) -> ClosureStatistics {
        let blinks = PerLaterality::from_fn(|eye| {
            let blinks = self.blinks.get(eye);
            let count = blinks.count();
            BlinkStatistics {
                count,
                per_minute: (known_s >= LEAST_KNOWN_S)
                    .then(|| millionths(60.0 * count as f64 / known_s)),
                duration_s: blinks.quantiles(),
            }
        });
        ClosureStatistics {
            blinks,
            partial_blinks: self.partial_blinks,
            winks: self.winks,
            long_closure_counts: self.long_closure_counts,
            long_closures: self.long_closures,
        }
    }
}
