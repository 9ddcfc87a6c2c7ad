//! Metrics that events, summaries and dashboards share: percentiles of times, frames lost by cause.

use crate::rounding::milliseconds;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// One frame of twenty takes longer.
    pub p95: f64,
    /// One frame of a hundred takes longer.
    pub p99: f64,
}

impl Percentiles {
    /// Returns the percentiles of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u32>) -> Self {
        let ms = |quantile| {
            let nanoseconds = histogram.value_at_quantile(quantile);
            milliseconds(Duration::from_nanos(nanoseconds))
        };
        Self {
            p50: ms(0.5),
            p95: ms(0.95),
            p99: ms(0.99),
        }
    }
}

/// Frames that were captured or announced but never processed, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameLoss {
    /// Lost by the driver before they could be read, by its own numbering.
    pub driver: u64,
    /// Dropped because a newer one came while another was processed.
    #[serde(alias = "hand_over")]
    pub dropped: u64,
    /// Whole, but not decodable.
    pub decode: u64,
    /// Marked damaged by the driver, or of the wrong length.
    pub corrupt: u64,
}

impl FrameLoss {
    /// Returns the number of lost frames, all causes together.
    pub const fn total(&self) -> u64 {
        self.driver + self.dropped + self.decode + self.corrupt
    }
}

impl fmt::Display for FrameLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() == 0 {
            return f.write_str("no frame lost");
        }
        write!(f, "{} frames lost (", self.total())?;
        let causes = [
            (self.driver, "by the driver"),
            (self.dropped, "dropped for newer ones"),
            (self.corrupt, "damaged"),
            (self.decode, "not decodable"),
        ];
        let mut separator = "";
        for (count, cause) in causes.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {cause}")?;
            separator = ", ";
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_named_by_cause() {
        assert_eq!(FrameLoss::default().to_string(), "no frame lost");
        let lost = FrameLoss {
            driver: 2,
            corrupt: 1,
            ..FrameLoss::default()
        };
        assert_eq!(
            lost.to_string(),
            "3 frames lost (2 by the driver, 1 damaged)"
        );
    }
}
