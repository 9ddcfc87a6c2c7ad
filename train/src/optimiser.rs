//! Stochastic gradient descent with Nesterov momentum and weight decay.
//!
//! libtorch has one, but tch cannot save its momentum, and a run that resumes must go on as if it
//! had never stopped.

use crate::network::{
    TensorError,
    module::{Network, overwrite},
};
use std::collections::BTreeMap;
use tch::Tensor;

/// Nesterov SGD over a network's parameters.
#[derive(Debug)]
pub struct Sgd {
    /// Share of the velocity that is kept at each step.
    pub momentum: f64,
    /// Pull of weights towards zero; batch norms and biases are left alone.
    pub weight_decay: f64,
    velocity: BTreeMap<String, Tensor>,
}

impl Sgd {
    /// An optimiser at rest.
    pub fn new(network: &Network, momentum: f64, weight_decay: f64) -> Self {
        let parameters = network.parameters();
        let at_rest = parameters
            .iter()
            .map(|(name, p)| ((*name).to_owned(), p.zeros_like().detach()));
        Self {
            momentum,
            weight_decay,
            velocity: at_rest.collect(),
        }
    }

    /// Velocities by parameter name, to save.
    pub fn velocity(&self) -> &BTreeMap<String, Tensor> {
        &self.velocity
    }

    /// Overwrites the velocities with saved ones.
    ///
    /// # Errors
    /// Names a velocity that is missing or of another shape.
    pub fn load(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        for (name, velocity) in &self.velocity {
            overwrite(name, velocity, saved.get(name))?;
        }
        Ok(())
    }

    /// One step down `gradients`, as [`gradients`] returns them:
    /// g <- grad + decay w; v <- momentum v + g; w <- w - rate (g + momentum v).
    pub(crate) fn step(&mut self, network: &Network, gradients: Vec<Tensor>, rate: f64) {
        tch::no_grad(|| {
            for ((name, parameter), gradient) in network.parameters().iter().zip(gradients) {
                let Some(velocity) = self.velocity.get_mut(*name) else {
                    continue;
                };
                let mut weight = parameter.shallow_clone();
                // Weights have two dimensions or more; scales and biases have one.
                let gradient = if weight.dim() > 1 && self.weight_decay > 0.0 {
                    gradient + &weight * self.weight_decay
                } else {
                    gradient
                };
                *velocity *= self.momentum;
                *velocity += &gradient;
                weight -= (gradient + &*velocity * self.momentum) * rate;
            }
        });
    }
}

/// Gradients of `loss` by the network's parameters, in their order.
///
/// # Errors
/// When the device cannot hold them.
pub fn gradients(network: &Network, loss: &Tensor) -> Result<Vec<Tensor>, tch::TchError> {
    let parameters = network.parameters();
    let tensors: Vec<&Tensor> = parameters.iter().map(|(_, tensor)| *tensor).collect();
    Tensor::f_run_backward(&[loss], &tensors, false, false)
}
