//! Natural corruptions of one crop: the eye found a little beside its place, the image brighter, darker or
//! softer. A prediction that these change is not robust.

use crate::{classify::StandardisedCrop, eye_crop::eye_crop, locate::crop::Roi, names};
use image::GrayImage;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

/// A corruption that leaves the eye's state as it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Corruption {
    /// The crop is cut this much beside its place.
    ShiftLeft,
    /// See [`Corruption::ShiftLeft`].
    ShiftRight,
    /// See [`Corruption::ShiftLeft`].
    ShiftUp,
    /// See [`Corruption::ShiftLeft`].
    ShiftDown,
    /// The crop is cut a tenth smaller.
    Closer,
    /// The crop is cut a tenth larger.
    Farther,
    /// Half as much light again, cut off at white.
    Brighter,
    /// A tone curve that darkens the middle.
    Darker,
    /// A slight blur.
    Blurred,
}

/// Share of the side by which a crop is shifted: the 90 % error of the face detector (9-10 % of the eye
/// distance) is larger, so these are everyday.
const SHIFT: f32 = 0.05;

/// Change of the side; face boxes breathe as much.
const SCALE: f32 = 0.1;

/// Gain of [`Corruption::Brighter`].
const GAIN: f32 = 1.5;

/// Exponent of [`Corruption::Darker`].
const GAMMA: f32 = 1.5;

impl Corruption {
    /// All corruptions.
    pub const ALL: [Self; 9] = names::all(Self::VARIANTS);

    /// Name in reports.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the crop of `square` with this corruption; `crop` is the one without.
    pub fn apply(
        self,
        luma: &GrayImage,
        square: &Roi,
        crop: &StandardisedCrop,
    ) -> StandardisedCrop {
        let cut = |luma, square: &Roi| eye_crop(luma, square, crop.side());
        let toned = |tone: fn(f32) -> f32| {
            let gray: Vec<f32> = crop.gray().into_iter().map(tone).collect();
            StandardisedCrop::new(&gray)
        };
        match self {
            Self::ShiftLeft => cut(luma, &moved(square, [-SHIFT, 0.0], 1.0)),
            Self::ShiftRight => cut(luma, &moved(square, [SHIFT, 0.0], 1.0)),
            Self::ShiftUp => cut(luma, &moved(square, [0.0, -SHIFT], 1.0)),
            Self::ShiftDown => cut(luma, &moved(square, [0.0, SHIFT], 1.0)),
            Self::Closer => cut(luma, &moved(square, [0.0; 2], 1.0 - SCALE)),
            Self::Farther => cut(luma, &moved(square, [0.0; 2], 1.0 + SCALE)),
            Self::Brighter => toned(|v| (v * GAIN).min(255.0)),
            Self::Darker => toned(|v| 255.0 * (v.clamp(0.0, 255.0) / 255.0).powf(GAMMA)),
            Self::Blurred => StandardisedCrop::new(&blurred(crop.gray(), crop.side())),
        }
    }
}

fn moved(square: &Roi, by: [f32; 2], scale: f32) -> Roi {
    Roi {
        centre: square.to_image([0.5 + by[0], 0.5 + by[1]]),
        side: square.side * scale,
        angle: square.angle,
    }
}

/// Side in pixels of the crop in which [`Corruption::Blurred`] has a sigma of one pixel.
const BLURRED_AT: usize = 32;

/// Applies the binomial filter [1 2 1] / 4 along both axes so often that the sigma is a 32nd of the side: its variance
/// is half a squared pixel each time.
fn blurred(gray: Vec<f32>, side: usize) -> Vec<f32> {
    let sigma = side as f32 / BLURRED_AT as f32;
    let times = (2.0 * sigma * sigma).round().max(1.0) as usize;
    let mut blurred = gray;
    for by_row in [true, false].into_iter().cycle().take(2 * times) {
        let last = blurred.clone();
        for (index, value) in blurred.iter_mut().enumerate() {
            let (row, column) = (index / side, index % side);
            let along = if by_row { column } else { row };
            let at = |along: usize| match by_row {
                true => last[row * side + along],
                false => last[along * side + column],
            };
            *value =
                (at(along.saturating_sub(1)) + 2.0 * at(along) + at((along + 1).min(side - 1)))
                    / 4.0;
        }
    }
    blurred
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn every_corruption_changes_an_edge_and_leaves_the_rest_alone() {
        let image = GrayImage::from_fn(100, 100, |x, y| {
            let edge = if (x / 7 + y / 5) % 2 == 0 { 60 } else { 180 };
            Luma([edge + (x % 7) as u8])
        });
        let square = Roi {
            centre: [50.0, 50.0],
            side: 48.0,
            angle: 0.1,
        };
        let crop = eye_crop(&image, &square, 32);
        for corruption in Corruption::ALL {
            let other = corruption.apply(&image, &square, &crop);
            assert_ne!(other.values, crop.values, "{corruption:?}");
            let like: f32 = other
                .values
                .iter()
                .zip(&crop.values)
                .map(|(a, b)| a * b)
                .sum();
            assert!(like / crop.values.len() as f32 > -0.9, "{corruption:?}");
        }
    }

    #[test]
    fn a_blur_keeps_flat_parts_and_widens_a_point_to_a_32nd_of_the_side() {
        for side in [32, 64] {
            let flat = blurred(vec![90.0; side * side], side);
            assert!(flat.iter().all(|v| (v - 90.0).abs() < 1e-4));
            let middle = side / 2;
            let mut point = vec![0.0; side * side];
            point[middle * side + middle] = 1.0;
            let spread = blurred(point, side);
            let moment: f32 = spread
                .iter()
                .enumerate()
                .map(|(i, v)| v * ((i % side) as f32 - middle as f32).powi(2))
                .sum();
            assert!((moment - (side as f32 / 32.0).powi(2)).abs() < 1e-4);
        }
    }
}
