//! Attacks: ways to disturb pictures within a budget so that a classifier errs.
//!
//! Every attack is called the same way, [`Attack::perturb`], and keeps the same promises, which
//! [`verify`] checks: no disturbance exceeds the budget, every pixel stays one that 8 bits can
//! hold, the same seed gives the same pictures, and a white-box attack uses the gradient of the
//! very classifier it attacks. How the results are counted is left to [`crate::robustness`].

pub mod budget;
pub mod fgsm;
pub mod gradient;

use crate::data::batch::Batch;
use budget::Budget;
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

/// What an attack knows of the classifier that it is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing: random noise.
    Random,
    /// Its gradient.
    WhiteBox,
    /// Its answers only.
    BlackBox,
    /// The gradient of another classifier.
    Transfer,
}

/// A way to disturb pictures.
pub trait Attack {
    /// Name in tables, cards and on the command line.
    fn name(&self) -> &'static str;

    /// What it knows of the classifier it attacks.
    fn access(&self) -> Access {
        Access::WhiteBox
    }

    /// Disturbed copies of the batch's pictures, within `budget` and the range of 8 bits. What is
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

/// Checks an attack's promises on pictures that it made: their disturbance is within the budget
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
