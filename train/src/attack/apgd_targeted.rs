//! APGD-T (Croce and Hein 2020): Auto-PGD towards each other class in turn, on the targeted
//! difference of logits ratio, which a network cannot saturate as it can the cross-entropy.

use super::{
    Attack, Classifier,
    apgd::ITERATIONS,
    ascent::climb,
    budget::Budget,
    loss::{Objective, other_classes},
    random::Draws,
    strongest::{Strongest, select},
};
use crate::data::batch::Batch;
use parseye_vision::eye_state::EyeState;
use tch::Tensor;

/// Every class but the right one is a target.
const TARGETS: usize = EyeState::ALL.len() - 1;

/// Auto-PGD towards the three other classes, the most likely first, each from a random start; each
/// works on the images that are still classified correctly.
#[derive(Clone, Debug)]
pub(crate) struct ApgdTargeted {
    name: String,
    iterations: u32,
}

impl ApgdTargeted {
    /// At least one iteration for each target; zero counts as one. [`ITERATIONS`] is the standard.
    pub fn new(iterations: u32) -> Self {
        let iterations = iterations.max(1);
        let name = if iterations == ITERATIONS {
            "apgd-t".into()
        } else {
            format!("apgd-t-{iterations}")
        };
        Self { name, iterations }
    }
}

impl Default for ApgdTargeted {
    fn default() -> Self {
        Self::new(ITERATIONS)
    }
}

impl Attack for ApgdTargeted {
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
        let logits = tch::no_grad(|| target.logits(&batch.images));
        let classes = other_classes(&logits, &batch.labels);
        let mut strongest = Strongest::new(target, batch);
        for rank in 0..TARGETS {
            let still_correct = strongest.still_correct();
            if still_correct.size()[0] == 0 {
                break;
            }
            let part = select(batch, &still_correct);
            let towards = classes
                .select(1, rank as i64)
                .index_select(0, &still_correct);
            let start = Draws::new(seed, rank as u64).start(budget, &part)?;
            let found = climb(
                target,
                &part,
                &start,
                budget,
                self.iterations,
                &Objective::TargetedDlr(towards),
            )?;
            strongest.offer(&still_correct, &found);
        }
        Ok(strongest.images)
    }
}
