//! Layers compute what their definition gives, and fused graphs predict what tract does with the same.

mod graphs;
mod layers;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Farthest that two ways of computing one number may be apart: the order of summation differs.
const ROUNDING: f32 = 2e-5;

fn random(count: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// `NaN` where a pair holds one.
fn farthest(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .fold(0.0, |most: f32, (left, right)| {
            let apart = (left - right).abs();
            if apart > most || apart.is_nan() {
                apart
            } else {
                most
            }
        })
}
