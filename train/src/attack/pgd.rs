//! Projected gradient descent (Madry et al. 2018): several small steps, each projected back on the
//! budget.

use super::{
    Attack, Classifier,
    budget::Budget,
    gradient::{self, cross_entropy},
    random::Draws,
    strongest::Strongest,
};
use crate::data::batch::Batch;
use tch::{Kind, Tensor};

/// Length of all steps together, in epsilons: 2.5 epsilon / k for each of k steps lets the attack
/// cross the ball from any start and still turn at its edge (Madry et al. 2018, section 5).
pub(crate) const PATH: f64 = 2.5;

/// Point of its path that the attack returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPoint {
    /// For each image the strongest point of all restarts and steps, or the image itself where
    /// none is stronger. Costs two forward passes more.
    Best,
    /// The last point of the last restart, as adversarial training takes it.
    Last,
}

/// K steps of 2.5 epsilon / k along the steepest direction of the cross-entropy, from R starts.
///
/// A single start is drawn evenly from the ball of the budget. Of several, the first is the image
/// itself, which a random start can miss where the ball is large, and the others are drawn.
#[derive(Clone, Debug)]
pub struct Pgd {
    name: String,
    steps: u32,
    restarts: u32,
    keep: KeptPoint,
}

impl Pgd {
    /// At least one step and one restart; zeros count as one.
    pub fn new(steps: u32, restarts: u32, keep: KeptPoint) -> Self {
        let (steps, restarts) = (steps.max(1), restarts.max(1));
        let name = if restarts == 1 {
            format!("pgd-{steps}")
        } else {
            format!("pgd-{steps}x{restarts}")
        };
        Self {
            name,
            steps,
            restarts,
            keep,
        }
    }
}

impl Attack for Pgd {
    fn name(&self) -> &str {
        &self.name
    }

    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let rows = Tensor::arange(batch.len(), (Kind::Int64, batch.images.device()));
        let mut strongest = (self.keep == KeptPoint::Best).then(|| Strongest::new(target, batch));
        let mut point = batch.images.copy();
        for restart in 0..self.restarts {
            point = if restart == 0 && self.restarts > 1 {
                batch.images.copy()
            } else {
                Draws::new(seed, u64::from(restart)).start(budget, batch)?
            };
            for _ in 0..self.steps {
                let (logits, gradient) = gradient::of_loss(target, &point, |logits| {
                    cross_entropy(logits, &batch.labels)
                })?;
                if let Some(strongest) = &mut strongest {
                    strongest.offer_with_logits(&rows, &point, &logits);
                }
                let step =
                    budget.steepest(&gradient) * (PATH * budget.epsilon / f64::from(self.steps));
                let perturbation = budget.project(&(point + step - &batch.images));
                point = batch.clip(&(&batch.images + perturbation));
            }
            if let Some(strongest) = &mut strongest {
                strongest.offer(&rows, &point);
            }
        }
        Ok(strongest.map_or(point, |strongest| strongest.images))
    }
}
