//! FGSM from a random start (Tramer et al. 2018, RAND+FGSM; in the form of Wong et al. 2020, "Fast
//! is better than free", section 4): a network that only resists a step from the image itself,
//! by bending its loss there, is found out.

use super::{Attack, Classifier, budget::Budget, gradient, random::Draws};
use crate::data::batch::Batch;
use tch::Tensor;

/// Step in epsilons: 1.25 is the best of those tried by Wong et al. (figure 2); with the projection
/// it reaches the budget's edge from almost any start.
const STEP: f64 = 1.25;

/// A start drawn evenly from the ball of the budget, one step of 1.25 epsilon, and the projection
/// back on the ball.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FgsmRandomStart;

impl Attack for FgsmRandomStart {
    fn name(&self) -> &str {
        "fgsm-rs"
    }

    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let start = Draws::new(seed, 0).start(budget, batch)?;
        let gradient = gradient::of_cross_entropy(target, &start, &batch.labels)?;
        let step = budget.steepest(&gradient) * (STEP * budget.epsilon);
        let perturbation = budget.project(&(start + step - &batch.images));
        Ok(batch.clip(&(&batch.images + perturbation)).detach())
    }
}
