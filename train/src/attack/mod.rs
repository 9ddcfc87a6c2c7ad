//! Attacks: ways to perturb pictures within a budget so that a classifier errs.
//!
//! Every attack is called the same way, [`Attack::perturb`], and keeps the same promises, which
//! [`verify`] checks: no perturbation exceeds the budget, every pixel stays one that 8 bits can
//! hold, the same seed gives the same pictures, and a white-box attack uses the gradient of the
//! very classifier it attacks. [`registry`] knows them by name and [`sanity`] tells whether their
//! results on a classifier can be believed. How results are counted is left to those who call.
//!
//! # What a picture that already errs gets
//! An attack on accuracy is done with a picture once it is answered wrongly. [`apgd`],
//! [`apgd_targeted`], [`square`] and [`worst`] therefore leave pictures alone that err unattacked,
//! and stop at the first error they find: right for counting errors and several times cheaper, but
//! not the place for figures of confidence beyond the error, nor for training or transfer, where
//! the loss is to rise as far as it goes. [`fgsm`], [`fgsm_random`] and [`pgd`] always spend the
//! whole effort.

pub mod apgd;
pub mod apgd_targeted;
mod ascent;
pub mod budget;
pub mod fgsm;
pub mod fgsm_random;
pub mod gradient;
pub mod loss;
pub mod noise;
pub mod pgd;
mod random;
pub mod registry;
pub mod sanity;
pub mod square;
mod strongest;
pub mod transfer;
pub mod worst;

pub use registry::{KNOWN, by_name};

use crate::data::batch::Batch;
use budget::{Budget, Norm};
use tch::{Device, Tensor};

/// What can be attacked: anything that gives logits through which a gradient flows.
pub trait Classifier {
    /// Name in tables.
    fn name(&self) -> &str;

    /// Where it computes.
    fn device(&self) -> Device;

    /// Logits f32 `[N,4]` of standardised pictures f32 `[N,1,32,32]`, as the classifier in use
    /// gives them: the answer for one picture does not depend on the others.
    fn logits(&self, images: &Tensor) -> Tensor;
}

/// What an attack knows of the classifier that it disturbs pictures for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing: noise.
    Random,
    /// Everything: the gradient of the attacked classifier itself.
    WhiteBox,
    /// Its answers only.
    BlackBox,
    /// Nothing, but another classifier that it may resemble.
    Transfer,
}

impl Access {
    /// What it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::WhiteBox => "white-box",
            Self::BlackBox => "black-box",
            Self::Transfer => "transfer",
        }
    }

    /// How a budget is measured for an attack with this access, where `asked` was asked for. Random
    /// noise is always measured in L2: only then is the SNR its true one (uniform noise within an
    /// L-inf budget is 4.8 dB weaker).
    pub fn norm(self, asked: Norm) -> Norm {
        match self {
            Self::Random => Norm::L2,
            _ => asked,
        }
    }
}

/// A way to perturb pictures.
pub trait Attack {
    /// Name in tables, cards and on the command line.
    fn name(&self) -> &str;

    /// What it knows of the classifier it attacks.
    fn access(&self) -> Access {
        Access::WhiteBox
    }

    /// Perturbed copies of the batch's pictures, within `budget` and the range of 8 bits. What is
    /// random in the attack comes from `seed` alone.
    ///
    /// # Errors
    /// When the device cannot hold what the attack needs.
    fn perturb(
        &self,
        target: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError>;
}

/// Checks an attack's promises on pictures that it made: their perturbation is within the budget
/// and every pixel within the range of 8 bits.
///
/// # Errors
/// A sentence that says which promise was broken and by how much; a defect of the attack.
pub fn verify(
    name: &str,
    batch: &Batch,
    perturbed: &Tensor,
    budget: Budget,
) -> Result<(), AttackError> {
    let broken = |reason: String| AttackError {
        attack: name.into(),
        reason,
    };
    if perturbed.size() != batch.images.size() {
        return Err(broken(format!("made pictures {:?}", perturbed.size())));
    }
    if batch.is_empty() {
        return Ok(());
    }
    let finite = perturbed.isfinite().all().f_int64_value(&[]);
    if finite.map_err(|error| broken(error.to_string()))? == 0 {
        return Err(broken("made pixels that are not finite".into()));
    }
    let number = |tensor: Tensor| {
        tensor
            .f_double_value(&[])
            .map_err(|error| broken(error.to_string()))
    };
    let size = number(budget.size_of(&(perturbed - &batch.images)).max())?;
    let allowed = budget.epsilon * (1.0 + budget::ROUNDING) + budget::ROUNDING;
    if size > allowed {
        return Err(broken(format!(
            "disturbed a picture by {size} where {} was allowed",
            budget.epsilon
        )));
    }
    let below = number((&batch.lowest - perturbed).max())?;
    let above = number((perturbed - &batch.highest).max())?;
    if below.max(above) > budget::ROUNDING {
        return Err(broken("left the range of 8-bit pixels".into()));
    }
    Ok(())
}

/// A broken promise of an attack.
#[derive(Debug, thiserror::Error)]
#[error("attack '{attack}' {reason}; this is a defect of the attack, please report it")]
pub struct AttackError {
    /// Name of the attack.
    pub attack: String,
    /// Which promise was broken.
    pub reason: String,
}
