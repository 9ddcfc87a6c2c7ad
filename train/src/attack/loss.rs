//! Objectives of attacks: functions of logits f32 `[N,4]` and labels i64 `[N]` that give one
//! f32 for each image, `[N]`. Cross-entropy is in [`super::gradient`].

use super::gradient::cross_entropy;
use tch::{Kind, Tensor};

/// Keeps the ratios finite where all logits are equal, as in the reference code of `AutoAttack`.
const TINY: f64 = 1e-12;

/// The label's logit, `[N]`.
fn of_class(logits: &Tensor, classes: &Tensor) -> Tensor {
    logits
        .gather(1, &classes.unsqueeze(1), false)
        .squeeze_dim(1)
}

/// Logits with the label's at minus infinity.
fn without(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.scatter_value(1, &labels.unsqueeze(1), f64::NEG_INFINITY)
}

/// The label's logit minus the largest other one. Below zero the image is misclassified, at
/// zero it is a tie, which attacks do not count as an error.
pub fn margin(logits: &Tensor, labels: &Tensor) -> Tensor {
    of_class(logits, labels) - without(logits, labels).amax([1_i64].as_slice(), false)
}

/// Whether each image is surely misclassified: bool `[N]`, true where [`margin`] is below 0.
pub fn errs(logits: &Tensor, labels: &Tensor) -> Tensor {
    margin(logits, labels).lt(0.0)
}

/// The three classes other than the label, most likely first: i64 `[N,3]`.
pub(crate) fn other_classes(logits: &Tensor, labels: &Tensor) -> Tensor {
    without(logits, labels)
        .topk(logits.size()[1] - 1, 1, true, true)
        .1
}

/// Difference of logits ratio: -(z_y - max z_i) / (z_(1) - z_(3)), i other than y and z_(k) the
/// k-th largest logit (Croce and Hein 2020, equation 6). Above zero exactly where the prediction is
/// wrong, and the same when all logits are shifted or multiplied, so no network can hide behind
/// large logits.
pub fn dlr(logits: &Tensor, labels: &Tensor) -> Tensor {
    let ranked = logits.sort(1, true).0;
    -margin(logits, labels) / (ranked.select(1, 0) - ranked.select(1, 2) + TINY)
}

/// Targeted difference of logits ratio towards classes `targets` i64 `[N]`:
/// -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2) (Croce and Hein 2020, equation 7), which needs
/// four classes.
pub fn targeted_dlr(logits: &Tensor, labels: &Tensor, targets: &Tensor) -> Tensor {
    let ranked = logits.sort(1, true).0;
    let low = (ranked.select(1, 2) + ranked.select(1, 3)) / 2.0;
    (of_class(logits, targets) - of_class(logits, labels)) / (ranked.select(1, 0) - low + TINY)
}

/// Objective of an ascent.
#[derive(Debug)]
pub(crate) enum Objective {
    /// The cross-entropy.
    CrossEntropy,
    /// [`targeted_dlr`] towards these classes, i64 `[N]`.
    TargetedDlr(Tensor),
}

impl Objective {
    /// Its value f32 `[N]`.
    pub fn of(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        let logits = logits.to_kind(Kind::Float);
        match self {
            Self::CrossEntropy => cross_entropy(&logits, labels),
            Self::TargetedDlr(targets) => targeted_dlr(&logits, labels, targets),
        }
    }

    /// The same for some of the images, at positions `rows` i64 `[n]`.
    pub(crate) fn select(&self, rows: &Tensor) -> Self {
        match self {
            Self::CrossEntropy => Self::CrossEntropy,
            Self::TargetedDlr(targets) => Self::TargetedDlr(targets.index_select(0, rows)),
        }
    }
}
