//! Normal numbers, drawn alike by augmentation and corruptions.

use rand::{Rng, RngExt};

/// A standard normal number by Box and Muller's transform.
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    // 1 - u lies in (0, 1], so its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let draws: Vec<f32> = (0..40_000).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        let variance = draws.iter().map(|v| v * v).sum::<f32>() / draws.len() as f32;
        // Six standard errors.
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.043);
    }
}
