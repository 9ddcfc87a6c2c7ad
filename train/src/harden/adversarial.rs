//! The study's second approach: half of each mini-batch is replaced by adversarial examples made
//! from the network as it stands.

use crate::{
    attack::{Attack, Classifier, budget::Budget},
    data::batch::Batch,
};
use tch::Tensor;

/// The batch's pictures with the first half attacked. Batches are drawn in random order, so the
/// first half is a random half.
///
/// # Errors
/// When the device cannot hold what the attack needs.
pub fn half_attacked(
    network: &dyn Classifier,
    batch: &Batch,
    attack: &dyn Attack,
    budget: Budget,
    seed: u64,
) -> Result<Tensor, tch::TchError> {
    let half = batch.len() / 2;
    if half == 0 {
        return Ok(batch.images.shallow_clone());
    }
    let attacked = attack.perturb(network, &batch.part(0, half), budget, seed)?;
    let clean = batch.images.narrow(0, half, batch.len() - half);
    Tensor::f_cat(&[attacked, clean], 0)
}
