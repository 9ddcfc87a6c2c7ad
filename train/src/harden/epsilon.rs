//! The budget of adversarial training: one epsilon, or a range drawn from for every batch.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Epsilons from `low` to `high`, in standardised units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpsilonRange {
    /// Smallest step on a pixel.
    pub low: f64,
    /// Largest step on a pixel.
    pub high: f64,
}

/// Largest epsilon accepted: the perturbation is then as strong as the image (0 dB), and what it
/// teaches is not the eye's state.
pub(crate) const MAX_EPSILON: f64 = 1.0;

impl EpsilonRange {
    /// An epsilon drawn evenly from the range.
    pub(crate) fn draw(self, rng: &mut impl Rng) -> f64 {
        self.low + (self.high - self.low) * rng.random::<f64>()
    }
}

/// Why a text is no range of epsilons.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EpsilonError {
    /// A number is not within (0, [`MAX_EPSILON`]].
    #[error(
        "epsilon '{0}' is not a number above 0 and at most {MAX_EPSILON} (standardised units: 0.03 is 30.5 dB); give one such as 0.03, or a range such as 0.001..0.03"
    )]
    Number(String),
    /// The range starts above its end.
    #[error("the range {high}..{low} starts above its end; give {low}..{high}")]
    Reversed {
        /// The smaller number.
        low: f64,
        /// The larger number.
        high: f64,
    },
}

impl FromStr for EpsilonRange {
    type Err = EpsilonError;

    fn from_str(text: &str) -> Result<Self, EpsilonError> {
        let number = |part: &str| match part.trim().parse::<f64>() {
            Ok(value) if value > 0.0 && value <= MAX_EPSILON => Ok(value),
            _ => Err(EpsilonError::Number(part.into())),
        };
        let (low, high) = match text.split_once("..") {
            Some((low, high)) => (number(low)?, number(high)?),
            None => (number(text)?, number(text)?),
        };
        if low > high {
            return Err(EpsilonError::Reversed {
                low: high,
                high: low,
            });
        }
        Ok(Self { low, high })
    }
}

impl fmt::Display for EpsilonRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}..{}", self.low, self.high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn one_number_or_a_range() {
        let range: EpsilonRange = "0.001..0.03".parse().unwrap();
        assert_eq!((range.low, range.high), (0.001, 0.03));
        assert_eq!(range.to_string(), "0.001..0.03");
        assert_eq!("0.03".parse::<EpsilonRange>().unwrap().to_string(), "0.03");
    }

    #[test]
    fn slips_are_refused_with_an_example() {
        for slip in ["-0.03", "nan", "inf", "x", "", "2", "0", "0.1..x"] {
            let error = slip.parse::<EpsilonRange>().unwrap_err().to_string();
            assert!(error.contains("0.001..0.03"), "{slip}: {error}");
        }
        assert!(
            "0.03..0.001"
                .parse::<EpsilonRange>()
                .unwrap_err()
                .to_string()
                .contains("give 0.001..0.03")
        );
    }

    #[test]
    fn draws_stay_within() {
        let range = EpsilonRange {
            low: 0.001,
            high: 0.03,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let draws: Vec<f64> = (0..1000).map(|_| range.draw(&mut rng)).collect();
        assert!(draws.iter().all(|e| (0.001..=0.03).contains(e)));
        let mean = draws.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.0155).abs() < 0.0016);
    }
}
