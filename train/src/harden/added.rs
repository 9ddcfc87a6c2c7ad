//! The study's first approach: examples made from a base model, or noise, are added to the training
//! set.
//!
//! A fraction F of additional examples among N + F N is a share F / (1 + F) of each batch. They are
//! made from each epoch's augmented crops, always against the same base model, so that the added
//! set is as varied as the crops themselves.

use crate::{
    attack::{Attack, Classifier, budget::Budget, fgsm::Fgsm, noise::Noise},
    data::batch::Batch,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Kind of the added examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AddedKind {
    /// One step of epsilon against a base model.
    Fgsm,
    /// Noise spread evenly over -epsilon to epsilon.
    Noise,
}

/// Examples that are added to the training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddedExamples {
    /// Kind of the examples.
    pub kind: AddedKind,
    /// Step on every pixel, in standardised units.
    pub epsilon: f64,
    /// Their number over that of the clean examples, above 0 and at most 1.
    pub fraction: f64,
    /// Hash of the base model's file; none for noise.
    pub base_sha256: Option<String>,
}

impl AddedExamples {
    /// The batch's images with its share of added examples. Batches are drawn in random order, so
    /// the first ones are random ones.
    ///
    /// # Errors
    /// When the device cannot hold what the attack needs.
    pub fn mixed(
        &self,
        base: Option<&dyn Classifier>,
        batch: &Batch,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let share = self.fraction / (1.0 + self.fraction);
        let count = (batch.len() as f64 * share).round() as i64;
        if count == 0 {
            return Ok(batch.images.shallow_clone());
        }
        let part = batch.part(0, count);
        let budget = Budget::linf(self.epsilon);
        let added = match (self.kind, base) {
            (AddedKind::Fgsm, Some(base)) => Fgsm.perturb(base, &part, budget, seed)?,
            (AddedKind::Fgsm, None) => {
                return Err(tch::TchError::Convert("no base model was given".into()));
            }
            (AddedKind::Noise, _) => Noise::Uniform.added_to(&part, budget, seed)?,
        };
        let clean = batch.images.narrow(0, count, batch.len() - count);
        Tensor::f_cat(&[added, clean], 0)
    }
}
