//! Times from capture to prediction of all frames of a run, in buckets.

#[cfg(feature = "web")]
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// Bounds of the frame age's histogram in seconds: one, two and three frame intervals at 60, 30,
/// 25 and 15 frames per second lie in different buckets, and so does what a person would call late.
#[cfg(feature = "web")]
const AGE_BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.017, 0.025, 0.034, 0.05, 0.067, 0.1, 0.134, 0.2, 0.5, 1.0, 2.0, 5.0,
];

/// Histogram of the times from capture to prediction of all frames of a run; clones share it. Without the
/// feature `web` nobody reads it, and it keeps nothing.
#[derive(Clone, Debug)]
pub struct FrameAges {
    #[cfg(feature = "web")]
    histogram: Histogram,
}

impl Default for FrameAges {
    fn default() -> Self {
        Self {
            #[cfg(feature = "web")]
            histogram: Histogram::new(AGE_BOUNDS),
        }
    }
}

impl FrameAges {
    /// Shares the histogram with a registry of metrics.
    #[cfg(feature = "web")]
    pub(crate) fn histogram(&self) -> Histogram {
        self.histogram.clone()
    }

    /// Adds the age of a frame that was processed now.
    pub fn observe(&self, age: Duration) {
        #[cfg(feature = "web")]
        self.histogram.observe(age.as_secs_f64());
        #[cfg(not(feature = "web"))]
        let _ = age;
    }
}
