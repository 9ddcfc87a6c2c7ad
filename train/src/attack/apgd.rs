//! APGD-CE (Croce and Hein 2020): Auto-PGD on the cross-entropy.

use super::{
    Attack, Classifier,
    ascent::climb,
    budget::Budget,
    loss::Objective,
    random::Draws,
    strongest::{Strongest, select},
};
use crate::data::batch::Batch;
use tch::Tensor;

/// Iterations of the standard attack (Croce and Hein 2020, section 5).
pub(crate) const ITERATIONS: u32 = 100;

/// Auto-PGD on the cross-entropy from random starts; each restart works on the images that are still
/// classified correctly.
#[derive(Clone, Debug)]
pub(crate) struct ApgdCe {
    name: String,
    iterations: u32,
    restarts: u32,
}

impl ApgdCe {
    /// At least one iteration and one restart; zeros count as one. [`ITERATIONS`] and one restart
    /// are the standard.
    pub fn new(iterations: u32, restarts: u32) -> Self {
        let (iterations, restarts) = (iterations.max(1), restarts.max(1));
        let name = match (iterations, restarts) {
            (ITERATIONS, 1) => "apgd-ce".into(),
            (_, 1) => format!("apgd-ce-{iterations}"),
            _ => format!("apgd-ce-{iterations}x{restarts}"),
        };
        Self {
            name,
            iterations,
            restarts,
        }
    }
}

impl Default for ApgdCe {
    fn default() -> Self {
        Self::new(ITERATIONS, 1)
    }
}

impl Attack for ApgdCe {
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
        let mut strongest = Strongest::new(target, batch);
        for restart in 0..self.restarts {
            let still_correct = strongest.still_correct();
            if still_correct.size()[0] == 0 {
                break;
            }
            let part = select(batch, &still_correct);
            let start = Draws::new(seed, u64::from(restart)).start(budget, &part)?;
            let found = climb(
                target,
                &part,
                &start,
                budget,
                self.iterations,
                &Objective::CrossEntropy,
            )?;
            strongest.offer(&still_correct, &found);
        }
        Ok(strongest.images)
    }
}
