//! Random tensors from a seed alone: the same on every device and after every other computation.

use super::budget::{Budget, Norm, pixels};
use crate::data::batch::Batch;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tch::{Device, Tensor};

/// A source of random tensors.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The draws of a `seed`; each `stream` of it is independent of the others.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    fn tensor(
        &mut self,
        shape: &[i64],
        device: Device,
        mut draw: impl FnMut(&mut ChaCha8Rng) -> f32,
    ) -> Result<Tensor, tch::TchError> {
        let count = shape.iter().product::<i64>();
        let values: Vec<f32> = (0..count).map(|_| draw(&mut self.0)).collect();
        Tensor::f_from_slice(&values)?
            .f_reshape(shape)?
            .f_to_device(device)
    }

    /// Values f32 spread evenly over -1 to 1.
    pub(super) fn uniform(
        &mut self,
        shape: &[i64],
        device: Device,
    ) -> Result<Tensor, tch::TchError> {
        self.tensor(shape, device, |rng| rng.random::<f32>() * 2.0 - 1.0)
    }

    /// Values f32 of the standard normal distribution.
    pub(super) fn gaussian(
        &mut self,
        shape: &[i64],
        device: Device,
    ) -> Result<Tensor, tch::TchError> {
        self.tensor(shape, device, |rng| rng.sample(StandardNormal))
    }

    /// Values f32 that are -1 or 1, each half of the time.
    pub(super) fn signs(&mut self, shape: &[i64], device: Device) -> Result<Tensor, tch::TchError> {
        self.tensor(shape, device, |rng| if rng.random() { 1.0 } else { -1.0 })
    }

    /// A whole number from 0 to `last`, both included.
    pub(super) fn up_to(&mut self, last: i64) -> i64 {
        self.0.random_range(0..=last)
    }

    /// True half of the time.
    pub(super) fn coin(&mut self) -> bool {
        self.0.random()
    }

    /// The batch's images f32 `[N,1,32,32]`, each perturbed at random within the budget and the
    /// range of 8 bits: where an attack starts.
    pub(super) fn start(&mut self, budget: Budget, batch: &Batch) -> Result<Tensor, tch::TchError> {
        Ok(batch.clip(&(&batch.images + self.within(budget, batch)?)))
    }

    /// Perturbations f32 `[N,1,32,32]` spread evenly over the ball of the budget.
    fn within(&mut self, budget: Budget, batch: &Batch) -> Result<Tensor, tch::TchError> {
        let (shape, device) = (batch.images.size(), batch.images.device());
        match budget.norm {
            Norm::Linf => Ok(self.uniform(&shape, device)? * budget.epsilon),
            Norm::L2 => {
                let directions = budget.steepest(&self.gaussian(&shape, device)?);
                // The volume within a radius grows with its power of as many pixels: the 1,024th for 32x32.
                let power = 1.0 / pixels(&batch.images) as f32;
                let radii = self.tensor(&[batch.len(), 1, 1, 1], device, |rng| {
                    rng.random::<f32>().powf(power)
                })?;
                Ok(directions * radii * budget.epsilon)
            }
        }
    }
}
