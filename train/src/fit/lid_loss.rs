//! The loss of the output that says how far the lids are apart and whether the eye looks down.
//!
//! With o the openness that is said, b its error and t the target:
//!
//! ```text
//! |t - o| / b + ln(b / least)      the Laplace distribution's, over crops whose openness is known
//! + cross-entropy of looking down  over crops of which that is known
//! ```
//!
//! so that b is learnt as well: the mean error that the network has to expect (Kendall & Gal 2017, "What uncertainties
//! do we need in Bayesian deep learning for computer vision?").

use crate::data::lids::LidTarget;
use parseye_vision::lids::SPREADS;
use tch::{Device, Kind, Reduction, Tensor};

/// Targets of a batch; each with weights of 0 where nothing is known.
#[derive(Debug)]
pub(crate) struct LidBatch {
    openness: Tensor,
    openness_known: Tensor,
    looking_down: Tensor,
    looking_down_known: Tensor,
}

impl LidBatch {
    /// Copies targets to a device.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub(crate) fn new(targets: &[LidTarget], device: Device) -> Result<Self, tch::TchError> {
        let column = |value: &dyn Fn(&LidTarget) -> f32| {
            let values: Vec<f32> = targets.iter().map(value).collect();
            Tensor::f_from_slice(&values)?.f_to_device(device)
        };
        let known = |is_known: bool| f32::from(u8::from(is_known));
        Ok(Self {
            openness: column(&|target| target.openness.unwrap_or_default())?,
            openness_known: column(&|target| known(target.openness.is_some()))?,
            looking_down: column(&|target| known(target.looking_down == Some(true)))?,
            looking_down_known: column(&|target| known(target.looking_down.is_some()))?,
        })
    }

    /// The loss of outputs f32 `[N,3]`.
    pub(crate) fn loss(&self, outputs: &Tensor) -> Tensor {
        let output = |index: i64| outputs.select(1, index);
        let [least, most] = SPREADS.map(f64::from);
        let spread = output(1).sigmoid() * (most - least) + least;
        let off = (output(0).sigmoid() - &self.openness).abs();
        let openness = off / &spread + (spread / least).log();
        let looking_down = output(2).binary_cross_entropy_with_logits::<Tensor>(
            &self.looking_down,
            None,
            None,
            Reduction::None,
        );
        mean_of_known(&openness, &self.openness_known)
            + mean_of_known(&looking_down, &self.looking_down_known)
    }
}

fn mean_of_known(losses: &Tensor, known: &Tensor) -> Tensor {
    let count = known.sum(Kind::Float).clamp_min(1.0);
    (losses * known).sum(Kind::Float) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(outputs: &[f32], targets: &[LidTarget]) -> f64 {
        let outputs = Tensor::from_slice(outputs).reshape([-1, 3]);
        let batch = LidBatch::new(targets, Device::Cpu).unwrap();
        batch.loss(&outputs).double_value(&[])
    }

    #[test]
    fn what_is_unknown_costs_nothing() {
        let unknown = LidTarget::default();
        assert_eq!(loss(&[1.0, 2.0, 3.0], &[unknown]), 0.0);
        let open = LidTarget {
            openness: Some(1.0),
            looking_down: Some(false),
        };
        let one = loss(&[1.0, 2.0, 3.0], &[open]);
        let two = loss(&[1.0, 2.0, 3.0, 9.0, -9.0, 9.0], &[open, unknown]);
        assert!(one > 0.0 && (one - two).abs() < 1e-6);
    }

    #[test]
    fn the_error_that_is_said_pays_when_it_is_the_true_one() {
        let half = LidTarget {
            openness: Some(0.5),
            looking_down: None,
        };
        // Off by 0.231: an error of 0.26 is said at a logit of 0; surer and vaguer ones cost more.
        let of = |spread: f32| loss(&[1.0, spread, 0.0], &[half]);
        assert!(of(0.0) < of(-3.0) && of(0.0) < of(5.0));
    }
}
