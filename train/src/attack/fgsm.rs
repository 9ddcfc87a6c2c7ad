//! The fast gradient sign method (Goodfellow et al. 2015): one step that uses up the budget, in
//! the direction that raises the loss fastest.

use super::{Attack, Classifier, budget::Budget, gradient};
use crate::data::batch::Batch;
use tch::Tensor;

/// x + epsilon sign(grad_x J), clipped to what an 8-bit pixel can hold; for an L2 budget the step
/// goes along the gradient itself.
#[derive(Clone, Copy, Debug)]
pub struct Fgsm;

impl Attack for Fgsm {
    fn name(&self) -> &str {
        "fgsm"
    }

    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        _seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let gradient = gradient::of_cross_entropy(target, &batch.images, &batch.labels)?;
        let step = budget.steepest(&gradient) * budget.epsilon;
        Ok(batch.clip(&(&batch.images + step)).detach())
    }
}
