//! The study's second approach: half of each mini-batch is replaced by adversarial examples made
//! from the network as it stands.

use crate::{attack::Attack, data::batch::Batch, network::module::Network};
use tch::Tensor;

/// The batch's pictures with the first half attacked. Batches are drawn in random order, so the
/// first half is a random half.
pub fn half_attacked(
    network: &Network,
    batch: &Batch,
    attack: &dyn Attack,
    epsilon: f64,
) -> Tensor {
    let half = batch.len() / 2;
    if half == 0 {
        return batch.images.shallow_clone();
    }
    let attacked = attack.perturb(network, &batch.part(0, half), epsilon);
    let clean = batch.images.narrow(0, half, batch.len() - half);
    Tensor::cat(&[attacked, clean], 0)
}
