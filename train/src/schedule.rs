//! Learning rate over the epochs.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate's course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// A fifth from 30 %, a twenty-fifth from 60 %, a hundred-and-twenty-fifth from 80 % of the
    /// epochs: Zagoruyko & Komodakis 2016 (60, 120 and 160 of 200), and the eye-state study.
    Step,
    /// Half a cosine from the full rate to zero.
    Cosine,
}

impl Schedule {
    /// Learning rate at `progress`, the share of all steps done, 0 to 1.
    pub fn rate(self, initial: f64, progress: f64) -> f64 {
        match self {
            Self::Step => {
                let drops = [0.3, 0.6, 0.8].iter().filter(|at| progress >= **at).count();
                initial * 0.2_f64.powi(drops as i32)
            }
            Self::Cosine => initial * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_schedule_is_the_studys() {
        // Epochs 0, 59, 60, 120, 160 of 200 at an initial rate of 0.1.
        let rate = |epoch: f64| Schedule::Step.rate(0.1, epoch / 200.0);
        for (epoch, expected) in [
            (0.0, 0.1),
            (59.0, 0.1),
            (60.0, 0.02),
            (120.0, 0.004),
            (160.0, 0.0008),
        ] {
            assert!((rate(epoch) - expected).abs() < 1e-9, "epoch {epoch}");
        }
    }

    #[test]
    fn the_cosine_goes_from_the_full_rate_to_zero() {
        assert_eq!(Schedule::Cosine.rate(0.1, 0.0), 0.1);
        assert!((Schedule::Cosine.rate(0.1, 0.5) - 0.05).abs() < 1e-12);
        assert!(Schedule::Cosine.rate(0.1, 1.0).abs() < 1e-12);
    }
}
