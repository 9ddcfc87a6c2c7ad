//! Natural corruptions of one crop: the eye found a little beside its place, the image brighter, darker or
//! softer. A prediction that these change is not robust.

use crate::{
    classify::{
        StandardisedCrop,
        input::{Detail, PIXELS, SIDE},
    },
    eye_crop::eye_crop,
    locate::crop::Roi,
    names,
};
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
        let gray = || crop.gray();
        let detail_side = crop.detail.as_ref().map(Detail::side);
        let cut = |luma, square: &Roi| eye_crop(luma, square, detail_side);
        match self {
            Self::ShiftLeft => cut(luma, &moved(square, [-SHIFT, 0.0], 1.0)),
            Self::ShiftRight => cut(luma, &moved(square, [SHIFT, 0.0], 1.0)),
            Self::ShiftUp => cut(luma, &moved(square, [0.0, -SHIFT], 1.0)),
            Self::ShiftDown => cut(luma, &moved(square, [0.0, SHIFT], 1.0)),
            Self::Closer => cut(luma, &moved(square, [0.0; 2], 1.0 - SCALE)),
            Self::Farther => cut(luma, &moved(square, [0.0; 2], 1.0 + SCALE)),
            Self::Brighter => StandardisedCrop::new(&gray().map(|v| (v * GAIN).min(255.0)))
                .with_detail_of(crop, GAIN),
            Self::Darker => StandardisedCrop::new(
                &gray().map(|v| 255.0 * (v.clamp(0.0, 255.0) / 255.0).powf(GAMMA)),
            )
            .with_detail_of(crop, 1.0),
            // What 32x32 pixels do not show is blurred away.
            Self::Blurred => StandardisedCrop::new(&blurred(&gray())),
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

/// Cuts and standardises the crop of a square for a model of `train`, see [`eye_crop`].
pub fn cut(luma: &GrayImage, square: &Roi) -> StandardisedCrop {
    eye_crop(luma, square, None)
}

/// Applies twice the binomial filter [1 2 1] / 4 along both axes: a sigma of one pixel.
fn blurred(gray: &[f32; PIXELS]) -> [f32; PIXELS] {
    let mut blurred = *gray;
    for (_, by_row) in [(0, true), (0, false), (1, true), (1, false)] {
        let last = blurred;
        for (index, value) in blurred.iter_mut().enumerate() {
            let (row, column) = (index / SIDE, index % SIDE);
            let along = if by_row { column } else { row };
            let at = |along: usize| match by_row {
                true => last[row * SIDE + along],
                false => last[along * SIDE + column],
            };
            *value =
                (at(along.saturating_sub(1)) + 2.0 * at(along) + at((along + 1).min(SIDE - 1)))
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
        let crop = cut(&image, &square);
        for corruption in Corruption::ALL {
            let other = corruption.apply(&image, &square, &crop);
            assert_ne!(other.values, crop.values, "{corruption:?}");
            let like: f32 = other
                .values
                .iter()
                .zip(&crop.values)
                .map(|(a, b)| a * b)
                .sum();
            assert!(like / PIXELS as f32 > -0.9, "{corruption:?}");
        }
    }

    #[test]
    fn a_blur_keeps_flat_parts_and_widens_a_point_to_sigma_one() {
        assert!(
            blurred(&[90.0; PIXELS])
                .iter()
                .all(|v| (v - 90.0).abs() < 1e-4)
        );
        let mut point = [0.0; PIXELS];
        point[16 * SIDE + 16] = 1.0;
        let spread = blurred(&point);
        let moment: f32 = spread
            .iter()
            .enumerate()
            .map(|(i, v)| v * ((i % SIDE) as f32 - 16.0).powi(2))
            .sum();
        assert!((moment - 1.0).abs() < 1e-5);
    }
}
