//! Histograms of how long the stages of a frame took.

use hdrhistogram::Histogram;
use parseye_vision::eye_monitor::StageTimes;
use std::time::Duration;

/// Significant digits of a time's percentiles.
const TIMING_DIGITS: u8 = 3;

/// Times longer than this many nanoseconds, a minute, count as that.
const LONGEST_TIME_NS: u64 = 60_000_000_000;

/// A histogram for each stage, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct StageHistograms {
    pub(super) decode_wait: Histogram<u32>,
    pub(super) locate: Histogram<u32>,
    pub(super) crop: Histogram<u32>,
    pub(super) classify: Histogram<u32>,
    pub(super) total: Histogram<u32>,
}

impl StageHistograms {
    /// Creates empty histograms; `None` never, since their bounds are valid ones.
    pub(super) fn new() -> Option<Self> {
        let empty = histogram_of_times()?;
        Some(Self {
            decode_wait: empty.clone(),
            locate: empty.clone(),
            crop: empty.clone(),
            classify: empty.clone(),
            total: empty,
        })
    }

    pub(super) fn record(&mut self, times: &StageTimes) {
        record(&mut self.decode_wait, times.decode_wait);
        record(&mut self.locate, times.locate);
        record(&mut self.crop, times.crop);
        record(&mut self.classify, times.classify);
        record(&mut self.total, times.total);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.decode_wait, &other.decode_wait),
            (&mut self.locate, &other.locate),
            (&mut self.crop, &other.crop),
            (&mut self.classify, &other.classify),
            (&mut self.total, &other.total),
        ] {
            // Both have the same bounds, so adding cannot fail.
            let _ = mine.add(others);
        }
    }
}

/// Creates a histogram of times in nanoseconds; `None` never, since its bounds are valid ones.
pub(super) fn histogram_of_times() -> Option<Histogram<u32>> {
    Histogram::new_with_max(LONGEST_TIME_NS, TIMING_DIGITS).ok()
}

/// Records a time in a histogram of nanoseconds.
pub(super) fn record(histogram: &mut Histogram<u32>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}
