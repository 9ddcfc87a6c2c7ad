//! The network's input: a standardised 32x32 crop, and for models of others the same crop in their own size.
//!
//! Training uses this very function, so there is one definition of preprocessing. How a model of others is fed
//! is left to `input_format`.

use std::sync::Arc;

/// Side of the network's input in pixels.
pub const SIDE: usize = 32;

/// Number of input values.
pub const PIXELS: usize = SIDE * SIDE;

/// Smallest standard deviation that a crop is divided by, in 8-bit gray levels. A flatter crop
/// holds hardly more than rounding noise (a uniform quantiser's is 0.29 gray levels), which must
/// not be blown up to look like an eye.
pub const CONTRAST_FLOOR: f32 = 1.0;

/// A crop less its mean, over its standard deviation: root mean square 1 unless it is flatter than
/// [`CONTRAST_FLOOR`].
#[derive(Clone, Debug, PartialEq)]
pub struct StandardisedCrop {
    /// Row by row, in units of the crop's contrast.
    pub values: [f32; PIXELS],
    /// Mean gray level of the crop, 0 to 255.
    pub mean: f32,
    /// What the crop was divided by: its standard deviation in gray levels, at least
    /// [`CONTRAST_FLOOR`]. One standardised unit is this many gray levels.
    pub contrast: f32,
    /// What 32x32 pixels leave out, where the model's input has another size.
    pub detail: Option<Detail>,
}

/// The gray levels of a crop in another size less those of the 32x32 pixels resized to it. Whatever perturbs the
/// 32x32 pixels then perturbs the input of a model of any size, and where nothing does, that input is the crop as
/// it was sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    side: usize,
    residual: Arc<[f32]>,
}

impl Detail {
    /// Rows and columns.
    pub const fn side(&self) -> usize {
        self.side
    }
}

impl StandardisedCrop {
    /// Standardises gray levels, 0 to 255, row by row.
    pub fn new(gray: &[f32; PIXELS]) -> Self {
        let count = PIXELS as f64;
        let mean = gray.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = gray
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / count;
        let contrast = (variance.sqrt() as f32).max(CONTRAST_FLOOR);
        let mean = mean as f32;
        let mut values = [0.0; PIXELS];
        for (value, level) in values.iter_mut().zip(gray) {
            *value = (level - mean) / contrast;
        }
        Self {
            values,
            mean,
            contrast,
            detail: None,
        }
    }

    /// Adds what the same crop shows in another size: `gray` has `side` rows of `side` gray levels.
    #[must_use]
    pub fn with_detail(mut self, gray: &[f32], side: usize) -> Self {
        let coarse = resized(&self.gray(), side);
        let residual = gray.iter().zip(coarse).map(|(fine, coarse)| fine - coarse);
        let residual: Arc<[f32]> = residual.collect();
        self.detail = (residual.len() == side * side).then_some(Detail { side, residual });
        self
    }

    /// Takes over the detail of the crop that this one was made from by a change of its 32x32 pixels, times `gain`.
    #[must_use]
    pub fn with_detail_of(mut self, other: &Self, gain: f32) -> Self {
        self.detail = other.detail.clone().map(|detail| Detail {
            residual: match gain == 1.0 {
                true => detail.residual,
                false => detail.residual.iter().map(|value| value * gain).collect(),
            },
            side: detail.side,
        });
        self
    }

    /// The gray levels of the 32x32 pixels, 0 to 255.
    pub fn gray(&self) -> [f32; PIXELS] {
        self.values.map(|value| self.mean + self.contrast * value)
    }

    /// The gray levels, 0 to 255, in `side` rows of `side` pixels.
    pub fn gray_of_side(&self, side: usize) -> Vec<f32> {
        let mut gray = resized(&self.gray(), side);
        if let Some(detail) = self.detail.as_ref().filter(|detail| detail.side == side) {
            for (level, residual) in gray.iter_mut().zip(detail.residual.iter()) {
                *level += residual;
            }
        }
        for level in &mut gray {
            *level = level.clamp(0.0, 255.0);
        }
        gray
    }

    /// The standardised values that an 8-bit pixel can take: those of gray 0 and gray 255.
    /// Every attack stays within them.
    pub fn range(&self) -> (f32, f32) {
        (
            (0.0 - self.mean) / self.contrast,
            (255.0 - self.mean) / self.contrast,
        )
    }
}

/// 32x32 pixels in another size, bilinear between the centres of pixels: linear, and the pixels themselves where
/// the size is the same.
fn resized(gray: &[f32; PIXELS], side: usize) -> Vec<f32> {
    let last = SIDE - 1;
    let places: Vec<(usize, usize, f32)> = (0..side)
        .map(|index| {
            let at = (index as f32 + 0.5) * SIDE as f32 / side as f32 - 0.5;
            let at = at.clamp(0.0, last as f32);
            let before = (at as usize).min(last);
            (before, (before + 1).min(last), at - before as f32)
        })
        .collect();
    let between = |a: f32, b: f32, share: f32| a + (b - a) * share;
    let mut resized = Vec::with_capacity(side * side);
    for &(above, below, down) in &places {
        for &(left, right, along) in &places {
            let row =
                |row: usize| between(gray[row * SIDE + left], gray[row * SIDE + right], along);
            resized.push(between(row(above), row(below), down));
        }
    }
    resized
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_crop_of_another_size_comes_back_as_it_was_sampled() {
        let gray = std::array::from_fn(|i| (i * 7 % 256) as f32);
        for side in [16, 24, 32, 64, 128] {
            let fine: Vec<f32> = (0..side * side).map(|i| (i * 13 % 256) as f32).collect();
            let crop = StandardisedCrop::new(&gray).with_detail(&fine, side);
            for (found, expected) in crop.gray_of_side(side).iter().zip(&fine) {
                assert!((found - expected).abs() < 1e-3, "{side}");
            }
            // A change of the 32x32 pixels reaches every size: all of them brighter by one gray level.
            let mut brighter = crop.clone();
            brighter.mean += 1.0;
            let change = brighter.gray_of_side(side).iter().sum::<f32>() - fine.iter().sum::<f32>();
            let change = change / (side * side) as f32;
            assert!((0.9..=1.001).contains(&change), "{side}: {change}");
        }
    }

    #[test]
    fn the_same_size_is_the_same_crop() {
        let gray: [f32; PIXELS] = std::array::from_fn(|i| (i % 200) as f32);
        assert_eq!(resized(&gray, SIDE), gray);
        assert_eq!(resized(&[9.0; PIXELS], 21), vec![9.0; 21 * 21]);
    }

    #[test]
    fn a_flat_crop_becomes_zeros() {
        let crop = StandardisedCrop::new(&[77.0; PIXELS]);
        assert_eq!(crop.values, [0.0; PIXELS]);
        assert_eq!(crop.contrast, CONTRAST_FLOOR);
    }

    proptest! {
        #[test]
        fn mean_zero_and_root_mean_square_one(
            levels in prop::collection::vec(0.0_f32..=255.0, PIXELS),
        ) {
            let gray: [f32; PIXELS] = levels.try_into().unwrap();
            let crop = StandardisedCrop::new(&gray);
            let mean = crop.values.iter().sum::<f32>() / PIXELS as f32;
            let square = crop.values.iter().map(|v| v * v).sum::<f32>() / PIXELS as f32;
            prop_assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
        }

        #[test]
        fn brightness_and_contrast_do_not_matter(
            levels in prop::collection::vec(0.0_f32..=100.0, PIXELS),
            gain in 0.5_f32..2.0, offset in 0.0_f32..50.0,
        ) {
            let gray: [f32; PIXELS] = levels.try_into().unwrap();
            let other = gray.map(|v| v * gain + offset);
            let (a, b) = (StandardisedCrop::new(&gray), StandardisedCrop::new(&other));
            for (x, y) in a.values.iter().zip(&b.values) {
                prop_assert!((x - y).abs() < 1e-3);
            }
        }

        #[test]
        fn the_range_is_that_of_eight_bits(
            levels in prop::collection::vec(0.0_f32..=255.0, PIXELS),
        ) {
            let gray: [f32; PIXELS] = levels.try_into().unwrap();
            let crop = StandardisedCrop::new(&gray);
            let (low, high) = crop.range();
            prop_assert!(crop.values.iter().all(|v| *v >= low - 1e-4 && *v <= high + 1e-4));
        }
    }
}
