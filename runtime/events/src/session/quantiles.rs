//! Quantiles of any number of values in bounded memory. Those of few values are
//! [`parseye_vision::statistics`]'s.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Histogram values per unit: it holds whole numbers.
const PER_UNIT: f64 = 1e6;

/// Quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// One value of twenty is lower.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// One value of twenty is higher.
    pub p95: f64,
}

/// Takes values and returns their quantiles.
#[derive(Clone, Debug)]
pub(super) struct QuantileAccumulator {
    /// Of millionths; `None` never, since its bounds are valid ones.
    histogram: Option<Histogram<u64>>,
}

impl QuantileAccumulator {
    /// Creates an empty one for values up to `most`, kept to this many significant digits; greater values
    /// count as `most`.
    pub(super) fn new(most: u64, digits: u8) -> Self {
        Self {
            histogram: Histogram::new_with_max(most * PER_UNIT as u64, digits).ok(),
        }
    }

    /// Adds a value, rounded to a millionth.
    pub(super) fn add(&mut self, value: f64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record((value * PER_UNIT).round() as u64);
        }
    }

    /// Returns the number of values.
    pub(super) fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// Returns the quantiles to four decimals; `None` without values.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let histogram = self
            .histogram
            .as_ref()
            .filter(|histogram| !histogram.is_empty())?;
        let value = |quantile| {
            let millionths = histogram.lowest_equivalent(histogram.value_at_quantile(quantile));
            // In whole numbers, which decide halves exactly.
            ((millionths + 50) / 100) as f64 / 1e4
        };
        Some(Quantiles {
            p05: value(0.05),
            p50: value(0.5),
            p95: value(0.95),
        })
    }
}
