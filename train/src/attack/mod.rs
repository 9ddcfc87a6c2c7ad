//! Attacks: ways to disturb pictures within a budget so that a network errs.
//!
//! Every attack is called the same way and keeps the same promises: the step on no pixel is larger
//! than epsilon, every pixel stays one that 8 bits can hold, and a white-box attack uses the
//! gradient of the very network it attacks.

pub mod fgsm;

use crate::{data::batch::Batch, network::module::Network};
use tch::Tensor;

/// A way to disturb pictures.
pub trait Attack {
    /// Name in tables and cards.
    fn name(&self) -> &'static str;

    /// Disturbed copies of the batch's pictures, no pixel moved by more than `epsilon`
    /// standardised units.
    fn perturb(&self, network: &Network, batch: &Batch, epsilon: f64) -> Tensor;
}
