//! Random noise: what a bad camera adds, and the yardstick that attacks are compared with.

use super::{
    Access, Attack, Classifier,
    budget::{Budget, Norm},
    random::Draws,
};
use crate::data::batch::Batch;
use tch::Tensor;

/// Gaussian noise within an L-inf budget has a sigma of this share of it, so that the cut at the
/// budget meets one pixel in twenty.
const GAUSSIAN_SIGMA: f64 = 0.5;

/// Noise that is independent from pixel to pixel.
///
/// An L2 budget is used up exactly, before pixels are clipped to 8 bits, so that the noise has the
/// SNR that is set. Within an L-inf budget the noise is milder than its name says: uniform
/// noise has `epsilon / sqrt(3)` root mean square, 4.8 dB less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// U(-epsilon, epsilon), the study's noise; for L2, scaled to the budget.
    Uniform,
    /// Of sigma epsilon / 2, cut off at epsilon; for L2, scaled to the budget.
    Gaussian,
}

impl Noise {
    /// The batch's images with this noise: it does not depend on any classifier.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub(crate) fn added_to(
        self,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let (shape, device) = (batch.images.size(), batch.images.device());
        let mut draws = Draws::new(seed, 0);
        let noise = match self {
            Self::Uniform => draws.uniform(&shape, device)?,
            Self::Gaussian => draws.gaussian(&shape, device)?,
        };
        let perturbation = match (budget.norm, self) {
            // The steepest step along the noise is the noise itself at unit size.
            (Norm::L2, _) => budget.steepest(&noise) * budget.epsilon,
            (Norm::Linf, Self::Uniform) => noise * budget.epsilon,
            (Norm::Linf, Self::Gaussian) => {
                budget.project(&(noise * (GAUSSIAN_SIGMA * budget.epsilon)))
            }
        };
        Ok(batch.clip(&(&batch.images + perturbation)))
    }
}

impl Attack for Noise {
    fn name(&self) -> &str {
        match self {
            Self::Uniform => "uniform",
            Self::Gaussian => "gaussian",
        }
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn perturb(
        &self,
        _target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        self.added_to(batch, budget, seed)
    }
}
