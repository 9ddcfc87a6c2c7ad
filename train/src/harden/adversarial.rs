//! The study's second approach: adversarial examples of the network in training take the
//! place of half of each mini-batch, or of all of it.

use super::{
    epsilon::EpsilonRange,
    loss::{Loss, TrainingAttack},
};
use crate::{
    attack::{Classifier, budget::Budget},
    data::batch::Batch,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Share of each batch that is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AttackedShare {
    /// The study's half.
    Half,
    /// All of it.
    All,
}

/// Settings of adversarial training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adversarial {
    /// Budget of the attack: fixed, or drawn for each batch.
    pub epsilon: EpsilonRange,
    /// Attack that makes the examples.
    pub attack: TrainingAttack,
    /// Share of each batch that is attacked.
    pub share: AttackedShare,
    /// Loss that is minimised.
    pub loss: Loss,
    /// Weight of the divergence in TRADES; 6 in Zhang et al. 2019.
    pub trades_weight: f64,
    /// Size of the adversarial weight perturbation, as a share of a weight's norm; 0 for none, 0.005
    /// in Wu et al. 2020.
    pub weight_perturbation: f64,
}

impl Adversarial {
    /// The batch's images, its share of them attacked. Batches are drawn in random order, so the
    /// first half is a random half.
    ///
    /// # Errors
    /// When the device cannot hold what the attack needs.
    pub fn attacked(
        &self,
        network: &dyn Classifier,
        batch: &Batch,
        epsilon: f64,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let budget = Budget::linf(epsilon);
        if self.loss == Loss::Trades {
            return self.attack.diverging_examples(network, batch, budget, seed);
        }
        match self.share {
            AttackedShare::All => self.attack.examples(network, batch, budget, seed),
            AttackedShare::Half => {
                let half = batch.len() / 2;
                if half == 0 {
                    return Ok(batch.images.shallow_clone());
                }
                let part = batch.part(0, half);
                let attacked = self.attack.examples(network, &part, budget, seed)?;
                let clean = batch.images.narrow(0, half, batch.len() - half);
                Tensor::f_cat(&[attacked, clean], 0)
            }
        }
    }
}
