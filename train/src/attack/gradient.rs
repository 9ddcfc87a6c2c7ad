//! Gradients of a classifier's loss with respect to the images.

use super::Classifier;
use tch::{Kind, Reduction, Tensor};

/// Cross-entropy f32 `[N]` of each image's logits `[N,4]` with labels i64 `[N]`.
pub(crate) fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, 0.0)
}

/// Logits `[N,4]` and the gradient f32 `[N,1,32,32]` of each image's own loss, where `loss` maps
/// logits to `[N]`. Images do not mix, so the gradient of the sum holds each one's gradient.
///
/// # Errors
/// When the device cannot hold the computation.
pub(crate) fn of_loss(
    target: &dyn Classifier,
    images: &Tensor,
    loss: impl Fn(&Tensor) -> Tensor,
) -> Result<(Tensor, Tensor), tch::TchError> {
    let images = images.detach().set_requires_grad(true);
    let logits = target.logits(&images);
    let total = loss(&logits).sum(Kind::Float);
    let mut gradients = Tensor::f_run_backward(&[total], &[&images], false, false)?;
    let gradient = gradients.pop().unwrap_or_else(|| images.zeros_like());
    Ok((logits.detach(), gradient.to_kind(Kind::Float)))
}

/// The gradient of the cross-entropy: see [`of_loss`].
///
/// # Errors
/// As [`of_loss`].
pub fn of_cross_entropy(
    target: &dyn Classifier,
    images: &Tensor,
    labels: &Tensor,
) -> Result<Tensor, tch::TchError> {
    let (_, gradient) = of_loss(target, images, |logits| cross_entropy(logits, labels))?;
    Ok(gradient)
}
