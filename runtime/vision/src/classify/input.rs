//! The network's input: a standardised 32x32 crop.
//!
//! Training uses this very function, so there is one definition of preprocessing.

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
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
