//! The fast gradient sign method (Goodfellow et al. 2015): one step of epsilon on every pixel in
//! the direction that raises the loss.

use super::Attack;
use crate::{
    data::batch::Batch,
    network::module::{Mode, Network},
};
use tch::{Kind, Tensor};

/// x + epsilon sign(grad_x J), clipped to what an 8-bit pixel can hold.
#[derive(Clone, Copy, Debug)]
pub struct Fgsm;

/// Gradient of the summed cross-entropy with respect to the pictures; batch norms as in use, so
/// that the attack meets the network that will answer.
pub fn input_gradient(network: &Network, images: &Tensor, labels: &Tensor) -> Tensor {
    let images = images.detach().set_requires_grad(true);
    let logits = network.forward(&images, Mode::Eval);
    let loss = logits.cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Sum, -100, 0.0);
    let mut gradients = Tensor::run_backward(&[loss], &[&images], false, false);
    gradients
        .pop()
        .unwrap_or_else(|| images.zeros_like())
        .to_kind(Kind::Float)
}

impl Attack for Fgsm {
    fn name(&self) -> &'static str {
        "fgsm"
    }

    fn perturb(&self, network: &Network, batch: &Batch, epsilon: f64) -> Tensor {
        let gradient = input_gradient(network, &batch.images, &batch.labels);
        batch
            .clip(&(&batch.images + gradient.sign() * epsilon))
            .detach()
    }
}
