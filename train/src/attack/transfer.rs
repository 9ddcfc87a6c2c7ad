//! Attacks made on another classifier: those of an attacker who has a model of the kind but not the
//! one in use.

use super::{Access, Attack, Classifier, budget::Budget};
use crate::data::batch::Batch;
use tch::Tensor;

/// An attack crafted on `from`, whatever it is used against.
///
/// Attacks that stop at the first error stop as soon as `from` errs, which carries over badly: take
/// one that spends its whole effort, such as PGD (see [`super`]). A restart or a step is chosen by
/// what it does to `from`; the attacked classifier is never run.
pub struct Transfer<'a> {
    /// The classifier whose gradients are used; on the same device as the images.
    pub from: &'a dyn Classifier,
    /// The attack on it.
    pub attack: Box<dyn Attack>,
}

impl Attack for Transfer<'_> {
    fn name(&self) -> &str {
        self.attack.name()
    }

    fn access(&self) -> Access {
        Access::Transfer
    }

    fn perturb(
        &self,
        _target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        self.attack.perturb(self.from, batch, budget, seed)
    }
}
