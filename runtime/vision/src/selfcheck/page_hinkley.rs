//! Page-Hinkley test for a change of the mean of a stream, two-sided and in standard deviations of a
//! reference, so that one setting fits every quantity.
//!
//! For standardised values z_t, an allowance d and a threshold h, the test for a rise keeps
//!
//! ```text
//! m_t = sum_{i <= t} (z_i - d),     alarm when m_t - min_{s <= t} m_s > h
//! ```
//!
//! and equally for a fall with -z. The difference from the minimum is computed as the sum that is kept from
//! falling below 0: `S_t = max(0, S_{t-1} + z_t - d)`. The change began where S was 0 last. Sources: Page,
//! "Continuous inspection schemes" (Biometrika 41, 1954); Hinkley, "Inference about the change-point from
//! cumulative sum tests" (Biometrika 58, 1971).

use serde::{Deserialize, Serialize};

/// Direction of a change of a mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// It fell.
    Down,
    /// It rose.
    Up,
}

/// A change that was detected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ChangePoint {
    /// Its direction.
    pub shift: Shift,
    /// Values ago that the change began, by the turning point of the sum: 1 is the newest value.
    pub values_ago: u64,
}

/// Tests standardised values, which have mean 0 and standard deviation 1 while nothing changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageHinkley {
    allowance: f64,
    threshold: f64,
    up: Side,
    down: Side,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    sum: f64,
    length: u64,
}

impl Side {
    fn add(&mut self, excess: f64) {
        self.sum += excess;
        self.length += 1;
        if self.sum <= 0.0 {
            *self = Self::default();
        }
    }
}

impl PageHinkley {
    /// Starts the test. It does not see changes smaller than twice `allowance`; a higher `threshold` gives
    /// fewer false alarms and later ones.
    pub(super) fn new(allowance: f64, threshold: f64) -> Self {
        Self {
            allowance,
            threshold,
            up: Side::default(),
            down: Side::default(),
        }
    }

    /// Takes the next value; returns a change that it completes. Afterwards the test begins anew.
    pub(super) fn add(&mut self, value: f64) -> Option<ChangePoint> {
        if !value.is_finite() {
            return None;
        }
        self.up.add(value - self.allowance);
        self.down.add(-value - self.allowance);
        let found = if self.up.sum > self.threshold {
            Some((Shift::Up, self.up))
        } else if self.down.sum > self.threshold {
            Some((Shift::Down, self.down))
        } else {
            None
        };
        let (shift, side) = found?;
        (self.up, self.down) = (Side::default(), Side::default());
        Some(ChangePoint {
            shift,
            values_ago: side.length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selfcheck::noise::Normal;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn run_length(mean: f64, seed: u64, most: u64) -> u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut test = PageHinkley::new(0.5, 4.0);
        (1..=most)
            .find(|_| test.add(mean + Normal.draw(&mut rng)).is_some())
            .unwrap_or(most)
    }

    #[test]
    fn average_run_lengths_are_the_published_ones() {
        // Two-sided, allowance 0.5, threshold 4, standard normal values: 168 without a change, 8.38
        // after one of one standard deviation, 3.34 after two (Lucas and Crosier 1982, table 1;
        // Montgomery, Statistical Quality Control, table 9.3).
        for (mean, published, tolerance) in [(0.0, 168.0, 8.0), (1.0, 8.38, 0.25), (2.0, 3.34, 0.1)]
        {
            let n = 2000;
            let total: u64 = (0..n).map(|seed| run_length(mean, seed, 100_000)).sum();
            let average = total as f64 / n as f64;
            assert!(
                (average - published).abs() < tolerance * 1.5,
                "{mean}: {average}"
            );
        }
    }

    #[test]
    fn the_beginning_of_a_change_is_found() {
        let mut test = PageHinkley::new(0.5, 10.0);
        for _ in 0..100 {
            assert_eq!(test.add(0.0), None);
        }
        let change = (0..20).find_map(|_| test.add(-2.0)).unwrap();
        assert_eq!(change.shift, Shift::Down);
        assert_eq!(change.values_ago, 7);
        assert_eq!(test.add(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn small_changes_pass(value in -0.5_f64..0.5) {
            let mut test = PageHinkley::new(0.5, 4.0);
            prop_assert!((0..1000).all(|_| test.add(value).is_none()));
        }
    }
}
