//! The network's input: a standardised square crop of as many pixels as the model's card asks for.
//!
//! Training uses this very function, so there is one definition of preprocessing. What else the pixels of an adopted
//! model go through is left to `input_format`.

/// Side in pixels of a network's input unless it says otherwise: that of the study's networks.
pub const USUAL_SIDE: usize = 32;

/// Sides in pixels that the input of a model may have.
pub const SIDES: std::ops::RangeInclusive<usize> = 16..=128;

/// Smallest standard deviation that a crop is divided by, in 8-bit gray levels. A flatter crop
/// holds hardly more than rounding noise (a uniform quantiser's is 0.29 gray levels), which must
/// not be blown up to look like an eye.
pub const CONTRAST_FLOOR: f32 = 1.0;

/// A crop less its mean, over its standard deviation: root mean square 1 unless it is flatter than
/// [`CONTRAST_FLOOR`].
#[derive(Clone, Debug, PartialEq)]
pub struct StandardisedCrop {
    /// Row by row, in units of the crop's contrast: `side * side` values.
    pub values: Vec<f32>,
    /// Mean gray level of the crop, 0 to 255.
    pub mean: f32,
    /// What the crop was divided by: its standard deviation in gray levels, at least
    /// [`CONTRAST_FLOOR`]. One standardised unit is this many gray levels.
    pub contrast: f32,
}

impl StandardisedCrop {
    /// Standardises the gray levels of a square, 0 to 255, row by row.
    pub fn new(gray: &[f32]) -> Self {
        debug_assert_eq!(gray.len(), gray.len().isqrt().pow(2), "a crop is a square");
        let count = gray.len() as f64;
        let mean = gray.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = gray
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / count;
        let contrast = (variance.sqrt() as f32).max(CONTRAST_FLOOR);
        let mean = mean as f32;
        Self {
            values: gray.iter().map(|level| (level - mean) / contrast).collect(),
            mean,
            contrast,
        }
    }

    /// Rows and columns.
    pub const fn side(&self) -> usize {
        self.values.len().isqrt()
    }

    /// The gray levels, 0 to 255, row by row.
    pub fn gray(&self) -> Vec<f32> {
        let gray = |value: &f32| self.mean + self.contrast * value;
        self.values.iter().map(gray).collect()
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

    /// Gray levels of squares of several sides.
    fn squares(brightest: f32) -> impl Strategy<Value = Vec<f32>> {
        prop::sample::select(vec![16_usize, 32, 64])
            .prop_flat_map(move |side| prop::collection::vec(0.0_f32..=brightest, side * side))
    }

    #[test]
    fn a_flat_crop_becomes_zeros() {
        let crop = StandardisedCrop::new(&[77.0; 32 * 32]);
        assert_eq!(crop.values, [0.0; 32 * 32]);
        assert_eq!((crop.contrast, crop.side()), (CONTRAST_FLOOR, 32));
    }

    proptest! {
        #[test]
        fn mean_zero_and_root_mean_square_one(gray in squares(255.0)) {
            let crop = StandardisedCrop::new(&gray);
            let count = gray.len() as f32;
            let mean = crop.values.iter().sum::<f32>() / count;
            let square = crop.values.iter().map(|v| v * v).sum::<f32>() / count;
            prop_assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
            prop_assert_eq!(crop.side().pow(2), gray.len());
            for (level, back) in gray.iter().zip(crop.gray()) {
                prop_assert!((level - back).abs() < 1e-3);
            }
        }

        #[test]
        fn brightness_and_contrast_do_not_matter(
            gray in squares(100.0), gain in 0.5_f32..2.0, offset in 0.0_f32..50.0,
        ) {
            let other: Vec<f32> = gray.iter().map(|v| v * gain + offset).collect();
            let (a, b) = (StandardisedCrop::new(&gray), StandardisedCrop::new(&other));
            for (x, y) in a.values.iter().zip(&b.values) {
                prop_assert!((x - y).abs() < 1e-3);
            }
        }

        #[test]
        fn the_range_is_that_of_eight_bits(gray in squares(255.0)) {
            let crop = StandardisedCrop::new(&gray);
            let (low, high) = crop.range();
            prop_assert!(crop.values.iter().all(|v| *v >= low - 1e-4 && *v <= high + 1e-4));
        }
    }
}
