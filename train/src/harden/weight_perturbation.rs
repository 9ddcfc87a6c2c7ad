//! Adversarial weight perturbation (Wu et al. 2020): the gradient is taken where the loss is worst
//! within a small step of the weights, so that training ends in a flat valley.

use crate::network::module::Network;
use tch::Tensor;

/// Calls `gradients` with the weights moved up the slope `slope`, each by `gamma` times its own
/// norm, and puts them back. Batch norms and biases, of one dimension, are left alone.
///
/// # Errors
/// Those of `gradients`; the weights are put back first.
pub(crate) fn at_worst_weights<T>(
    network: &Network,
    slope: &[Tensor],
    gamma: f64,
    gradients: impl FnOnce() -> Result<T, tch::TchError>,
) -> Result<T, tch::TchError> {
    let weights: Vec<(Tensor, Tensor)> = network
        .parameters()
        .iter()
        .zip(slope)
        .filter(|((_, weight), _)| weight.dim() > 1)
        .map(|((_, weight), slope)| {
            let before = weight.detach().copy();
            tch::no_grad(|| {
                let length = slope.norm().clamp_min(f64::from(f32::MIN_POSITIVE));
                let step = slope * (before.norm() / length * gamma);
                let mut weight = weight.shallow_clone();
                weight += step;
            });
            (weight.shallow_clone(), before)
        })
        .collect();
    let result = gradients();
    tch::no_grad(|| {
        for (mut weight, before) in weights {
            weight.copy_(&before);
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{self, module::Precision};
    use tch::{Device, Kind};

    #[test]
    fn weights_move_by_gamma_of_their_norm_and_come_back_exactly() {
        let spec = network::by_name("wrn-10-1").unwrap();
        let network = Network::new(&spec, Precision::F32, Device::Cpu, 1).unwrap();
        let slope: Vec<Tensor> = network
            .parameters()
            .iter()
            .map(|(_, p)| Tensor::randn(p.size(), (Kind::Float, Device::Cpu)))
            .collect();
        let copies: Vec<Tensor> = network
            .parameters()
            .iter()
            .map(|(_, p)| p.detach().copy())
            .collect();
        at_worst_weights(&network, &slope, 0.01, || {
            for ((_, now), before) in network.parameters().iter().zip(&copies) {
                let moved = (*now - before).norm().double_value(&[]);
                let expected = if now.dim() > 1 {
                    0.01 * before.norm().double_value(&[])
                } else {
                    0.0
                };
                assert!(
                    (moved - expected).abs() < 1e-3 * expected.max(1e-6),
                    "{moved} {expected}"
                );
            }
            Ok(())
        })
        .unwrap();
        for ((_, now), before) in network.parameters().iter().zip(&copies) {
            assert!(now.equal(before));
        }
    }
}
