//! From a pixel's noise on the frame to the noise of a crop's pixel: area averaging weakens it, less
//! so where the noise of neighbours is correlated, as after JPEG.
//!
//! A crop's pixel is a weighted mean of frame pixels, with weights w along each axis that sum to 1. For white
//! noise of variance sigma^2:
//!
//! ```text
//! E             = sum_i w_i^2                        (one axis, mean over the positions of the grid)
//! sigma_crop^2  = E^2 sigma^2                        (both axes)
//! rho           = sum_i w_i w'_i / E                 (w' the weights of the next pixel of the crop)
//! ```
//!
//! Noise of correlated neighbours is averaged less: the mean of a block of side s has c(s) times the variance
//! that white noise would give it, and the area average acts like a block of side 1/E.
//!
//! The sampler itself is [`crate::locate::crop::sample_gray`]; this is its effect on noise.

use super::patches::BLOCK_SIDES;
use crate::locate::crop::samples_per_side;

/// Positions of a crop's pixel relative to the frame's pixels that are averaged over.
const PHASES: usize = 16;

/// Effect of the sampler on white noise, along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseAveraging {
    /// Sum of the squared weights: variance of the crop's noise over that of the frame's. Both axes
    /// together multiply by its square.
    pub energy: f64,
    /// Correlation of the noise of two neighbouring pixels of the crop.
    pub neighbours: f64,
}

impl NoiseAveraging {
    /// Computes the effect for a square with sides of `square_side` pixels, cut into a crop of `crop_side` rows and
    /// columns, not turned (a turn changes little, see the tests).
    pub fn of_square(square_side: f32, crop_side: usize) -> Self {
        let scale = f64::from(square_side) / crop_side as f64;
        let samples = samples_per_side(square_side / crop_side as f32);
        let (mut energy, mut shared) = (0.0, 0.0);
        for phase in 0..PHASES {
            let start = phase as f64 / PHASES as f64;
            let this = Weights::new(start, scale, samples);
            let next = Weights::new(start + scale, scale, samples);
            energy += this.product(&this);
            shared += this.product(&next);
        }
        Self {
            energy: energy / PHASES as f64,
            neighbours: shared / energy,
        }
    }

    /// Side in pixels of the block whose mean has the same noise.
    pub(super) fn block_side(&self) -> f64 {
        1.0 / self.energy
    }
}

/// Weights of the frame's pixels in one pixel of the crop, along one axis.
struct Weights(Vec<(i64, f64)>);

impl Weights {
    fn new(start: f64, scale: f64, samples: usize) -> Self {
        let mut weights: Vec<(i64, f64)> = Vec::new();
        let mut add = |pixel: i64, weight: f64| match weights.iter_mut().find(|w| w.0 == pixel) {
            Some(known) => known.1 += weight,
            None => weights.push((pixel, weight)),
        };
        for sample in 0..samples {
            let at = start + scale * (sample as f64 + 0.5) / samples as f64;
            let pixel = at.floor();
            let across = at - pixel;
            add(pixel as i64, (1.0 - across) / samples as f64);
            add(pixel as i64 + 1, across / samples as f64);
        }
        Self(weights)
    }

    fn product(&self, other: &Self) -> f64 {
        let of = |pixel: i64| other.0.iter().find(|w| w.0 == pixel).map_or(0.0, |w| w.1);
        self.0
            .iter()
            .map(|(pixel, weight)| weight * of(*pixel))
            .sum()
    }
}

/// Variance of the means of blocks over that of white noise, for blocks with sides of 1, 2 and 4 pixels; the
/// first is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation(pub [f64; BLOCK_SIDES.len()]);

impl Correlation {
    /// Noise that is independent from pixel to pixel.
    pub const WHITE: Self = Self([1.0; BLOCK_SIDES.len()]);

    /// Computes it from block variances; white where there is no noise to compare.
    pub(super) fn of_variances(variances: [f64; BLOCK_SIDES.len()]) -> Self {
        if variances[0] > 0.0 {
            Self(variances.map(|variance| variance / variances[0]))
        } else {
            Self::WHITE
        }
    }

    /// Interpolates for blocks of any side: between those measured on a logarithmic scale; larger ones are as the
    /// largest.
    pub fn at(&self, side: f64) -> f64 {
        let last = BLOCK_SIDES.len() - 1;
        let place = side.max(1.0).log2().min(last as f64);
        let below = (place as usize).min(last - 1);
        let across = place - below as f64;
        let log = |index: usize| self.0[index].max(f64::MIN_POSITIVE).ln();
        (log(below) * (1.0 - across) + log(below + 1) * across).exp()
    }

    /// Correlation of the means of two neighbouring blocks of this side: a block of twice the side
    /// has `(1 + correlation)^2` times the noise that independent ones would give.
    pub(super) fn neighbours(&self, side: f64) -> f64 {
        (self.at(2.0 * side) / self.at(side)).sqrt() - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::crop::{Roi, sample_gray};
    use image::{GrayImage, Luma};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const SIDE: usize = 32;
    const PIXELS: usize = SIDE * SIDE;

    /// Variance of the crop's pixels, and the correlation of neighbours, over many noise images of
    /// variance `(2 * 40 + 1)^2 / 12`.
    fn measured(side: f32, angle: f32) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut squares, mut products) = (0.0, 0.0);
        for _ in 0..12 {
            let image = GrayImage::from_fn(220, 220, |_, _| Luma([rng.random_range(88_u8..=168)]));
            let square = Roi {
                centre: [110.3, 109.6],
                side,
                angle,
            };
            let mut gray = [0.0_f32; PIXELS];
            sample_gray(&image, &square, SIDE, &mut gray);
            for (index, value) in gray.iter().enumerate() {
                let value = f64::from(*value) - 128.0;
                squares += value * value;
                if index % SIDE > 0 {
                    products += value * (f64::from(gray[index - 1]) - 128.0);
                }
            }
        }
        let native = (81.0 * 81.0 - 1.0) / 12.0;
        let n = (12 * PIXELS) as f64;
        let variance = squares / n;
        let neighbours = products / (n * 31.0 / 32.0) / variance;
        (variance / native, neighbours)
    }

    #[test]
    fn white_noise_is_weakened_as_the_sampler_weakens_it() {
        for (side, angle) in [
            (32.0, 0.0),
            (25.0, 0.2),
            (47.0, 0.0),
            (70.0, -0.3),
            (96.0, 0.1),
            (150.0, 0.0),
        ] {
            let averaging = NoiseAveraging::of_square(side, SIDE);
            let (ratio, neighbours) = measured(side, angle);
            let off_db = 10.0 * (averaging.energy.powi(2) / ratio).log10();
            // A square of 32 pixels sits at one phase; the model is the mean of all.
            let most = if side == 32.0 { 2.5 } else { 0.5 };
            assert!(off_db.abs() < most, "side {side}: {off_db} dB");
            assert!(
                (averaging.neighbours - neighbours).abs() < 0.12 || side == 32.0,
                "side {side}: {} against {neighbours}",
                averaging.neighbours
            );
        }
    }

    #[test]
    fn noise_in_blocks_of_four_does_not_average() {
        let blocks = Correlation([1.0, 4.0, 16.0]);
        for side in [1.0, 1.7, 4.0, 8.0, 20.0] {
            let expected = f64::min(side, 4.0).powi(2);
            assert!((blocks.at(side) - expected).abs() < 1e-6);
        }
        assert!((blocks.neighbours(2.0) - 1.0).abs() < 1e-6);
        assert!(Correlation::WHITE.neighbours(3.0).abs() < 1e-9);
        assert_eq!(
            Correlation::of_variances([0.0; BLOCK_SIDES.len()]),
            Correlation::WHITE
        );
    }

    proptest! {
        #[test]
        fn larger_squares_never_hold_more_noise(side in 8.0_f32..300.0) {
            let (small, large) = (NoiseAveraging::of_square(side, SIDE), NoiseAveraging::of_square(side * 1.5, SIDE));
            prop_assert!(small.energy <= 1.0 + 1e-9 && small.energy > 0.0);
            // Below one frame pixel for each of the crop nothing is averaged; sixteen phases give
            // that to a hundredth.
            prop_assert!(large.energy <= small.energy + 0.01);
            prop_assert!((-1e-9..=1.0).contains(&small.neighbours));
        }
    }
}
