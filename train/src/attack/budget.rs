//! Budgets: the largest perturbation of an image by an attack.

use parseye_vision::snr::{db_of_epsilon, epsilon_of_db};
use tch::{Kind, Tensor};

/// Slack for the rounding of f32 when budgets are checked: pixels reach about 4, of which f32
/// keeps seven digits.
pub(crate) const ROUNDING: f64 = 1e-5;

/// Norm of a perturbation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Norm {
    /// The largest change of any pixel.
    Linf,
    /// The root mean square change over the pixels.
    L2,
}

/// The largest perturbation of an image, in standardised units.
///
/// Both norms are scaled so that the same epsilon is the same SNR: an image has root mean square
/// 1, so a perturbation that uses up its budget has an SNR of `-20 log10(epsilon)` dB either way
/// (an L-inf attack that leaves some pixels alone has a higher one). The L2 ball's radius is
/// therefore `epsilon * sqrt(1024)`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Budget {
    /// Norm of the perturbation.
    pub norm: Norm,
    /// Largest size of the perturbation.
    pub epsilon: f64,
}

impl Budget {
    /// At most `epsilon` on every pixel.
    pub fn linf(epsilon: f64) -> Self {
        Self {
            norm: Norm::Linf,
            epsilon,
        }
    }

    /// At most `epsilon` root mean square.
    pub fn l2(epsilon: f64) -> Self {
        Self {
            norm: Norm::L2,
            epsilon,
        }
    }

    /// The budget of a perturbation SNR.
    pub(crate) fn of_snr(norm: Norm, snr_db: f64) -> Self {
        Self {
            norm,
            epsilon: epsilon_of_db(snr_db),
        }
    }

    /// The SNR of a perturbation that uses up the budget, in dB.
    pub fn snr_db(self) -> f64 {
        db_of_epsilon(self.epsilon)
    }

    /// Size `[N,1,1,1]` of each image's perturbation `[N,1,32,32]` in this budget's norm.
    pub(crate) fn size_of(self, perturbation: &Tensor) -> Tensor {
        let dims = [1_i64, 2, 3];
        match self.norm {
            Norm::Linf => perturbation.abs().amax(dims.as_slice(), true),
            Norm::L2 => root_mean_square(perturbation),
        }
    }

    /// Shrinks perturbations `[N,1,32,32]` that are too large onto the budget, exactly: pixels are
    /// cut off for L-inf, the whole is scaled for L2.
    pub(crate) fn project(self, perturbation: &Tensor) -> Tensor {
        match self.norm {
            Norm::Linf => perturbation.clamp(-self.epsilon, self.epsilon),
            Norm::L2 => {
                let size = root_mean_square(perturbation).clamp_min(f64::from(f32::MIN_POSITIVE));
                perturbation * (size.reciprocal() * self.epsilon).clamp_max(1.0)
            }
        }
    }

    /// The perturbation `[N,1,32,32]` of unit size that raises a loss with this `gradient` fastest:
    /// its sign for L-inf, the gradient scaled to root mean square 1 for L2.
    pub(crate) fn steepest(self, gradient: &Tensor) -> Tensor {
        match self.norm {
            Norm::Linf => gradient.sign(),
            Norm::L2 => {
                // Gradients of a saturated network can be smaller than f32's squares reach.
                let peak = gradient
                    .abs()
                    .amax([1_i64, 2, 3].as_slice(), true)
                    .clamp_min(f64::from(f32::MIN_POSITIVE));
                let scaled = gradient / peak;
                let size = root_mean_square(&scaled).clamp_min(f64::from(f32::MIN_POSITIVE));
                scaled / size
            }
        }
    }
}

/// Pixels of each image of a batch.
pub(super) fn pixels(images: &Tensor) -> f64 {
    images.size().iter().skip(1).product::<i64>() as f64
}

fn root_mean_square(perturbation: &Tensor) -> Tensor {
    let squares =
        (perturbation * perturbation).sum_dim_intlist([1_i64, 2, 3].as_slice(), true, Kind::Float);
    (squares / pixels(perturbation)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn noise(seed: i64) -> Tensor {
        tch::manual_seed(seed);
        Tensor::randn([3, 1, 32, 32], (Kind::Float, Device::Cpu))
    }

    fn largest(tensor: &Tensor) -> f64 {
        tensor.max().double_value(&[])
    }

    #[test]
    fn projections_reach_the_budget_and_leave_what_is_within() {
        for budget in [Budget::linf(0.1), Budget::l2(0.1)] {
            let far = budget.project(&noise(1));
            assert!(
                (largest(&budget.size_of(&far)) - 0.1).abs() < 1e-6,
                "{budget:?}"
            );
            let near = noise(2) * 1e-3;
            assert!(largest(&(budget.project(&near) - &near).abs()) < 1e-9);
        }
    }

    #[test]
    fn the_steepest_step_has_unit_size_and_raises_a_linear_loss_most() {
        let gradient = noise(3) * 1e-25;
        for budget in [Budget::linf(1.0), Budget::l2(1.0)] {
            let steepest = budget.steepest(&gradient);
            assert!((largest(&budget.size_of(&steepest)) - 1.0).abs() < 1e-5);
            let gain = |step: &Tensor| (step * &gradient * 1e25).sum(Kind::Float).double_value(&[]);
            for seed in 4..20 {
                assert!(gain(&steepest) >= gain(&budget.project(&noise(seed))));
            }
        }
    }

    #[test]
    fn a_budget_of_thirty_decibels() {
        let budget = Budget::of_snr(Norm::L2, 30.0);
        assert!((budget.epsilon - 0.031_623).abs() < 1e-6);
        assert!((budget.snr_db() - 30.0).abs() < 1e-9);
    }
}
