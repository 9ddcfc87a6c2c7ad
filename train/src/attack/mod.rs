//! Attacks: ways to perturb images within a budget so that a classifier errs.
//!
//! Every attack is called the same way, [`Attack::perturb`], and keeps the same promises, which
//! [`verify`] checks: no perturbation exceeds the budget, every pixel stays one that 8 bits can
//! hold, the same seed gives the same images, and a white-box attack uses the gradient of the
//! very classifier it attacks. [`registry`] has them by name and [`sanity`] checks whether their
//! results on a classifier are reliable. Counting results is left to the callers.
//!
//! # What an image that already errs gets
//! An attack on accuracy is done with an image once it is misclassified. [`apgd`],
//! [`apgd_targeted`], [`square`] and [`worst`] therefore leave images alone that err unattacked,
//! and stop at the first error they find: right for counting errors and several times cheaper, but
//! not the place for metrics of confidence beyond the error, nor for training or transfer, where
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

pub use registry::{AttackNameError, by_name};

use crate::data::batch::Batch;
use budget::{Budget, Norm};
use tch::{Device, Tensor};

/// A classifier that can be attacked: it computes logits through which a gradient flows.
pub trait Classifier {
    /// Name in tables.
    fn name(&self) -> &str;

    /// Its device.
    fn device(&self) -> Device;

    /// Rows and columns S of its images.
    fn side(&self) -> usize;

    /// Logits f32 `[N,4]` of standardised images f32 `[N,1,S,S]`, as the classifier in use
    /// gives them: the prediction for one image does not depend on the others.
    fn logits(&self, images: &Tensor) -> Tensor;
}

/// Knowledge that an attack has of the classifier that it perturbs images for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    strum::Display,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "kebab-case")]
pub enum Access {
    /// Nothing: noise.
    Random,
    /// Everything: the gradient of the attacked classifier itself.
    WhiteBox,
    /// Its predictions only.
    BlackBox,
    /// Nothing, but another classifier that it may resemble.
    Transfer,
}

impl Access {
    /// Norm of the budget of an attack with this access, where `wanted` is the user's choice. Random
    /// noise is always measured in L2: only then is the SNR its true one (uniform noise within an
    /// L-inf budget is 4.8 dB weaker).
    pub fn norm(self, wanted: Norm) -> Norm {
        match self {
            Self::Random => Norm::L2,
            _ => wanted,
        }
    }
}

/// A way to perturb images.
pub trait Attack {
    /// Name in tables, cards and on the command line.
    fn name(&self) -> &str;

    /// Its knowledge of the classifier it attacks.
    fn access(&self) -> Access {
        Access::WhiteBox
    }

    /// Perturbed copies of the batch's images, within `budget` and the range of 8 bits. What is
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

/// Checks an attack's promises on images that it made: their perturbation is within the budget
/// and every pixel within the range of 8 bits.
///
/// # Errors
/// Names which promise was broken and by how much; a defect of the attack.
pub(crate) fn verify(
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
        return Err(broken(format!("made images {:?}", perturbed.size())));
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
            "perturbed an image by {size} where {} was allowed",
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
    /// The promise that was broken.
    pub reason: String,
}
