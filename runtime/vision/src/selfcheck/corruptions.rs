//! Natural checks of one answer: the eye found a little beside its place, the picture brighter,
//! darker or softer. An answer that these change hangs on an accident.

use crate::{
    classify::{
        StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    locate::crop::{Roi, sample_gray},
};
use image::GrayImage;
use serde::Serialize;

/// A change that means nothing for the eye's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The crop is cut this much beside its place.
    ShiftLeft,
    /// See [`Change::ShiftLeft`].
    ShiftRight,
    /// See [`Change::ShiftLeft`].
    ShiftUp,
    /// See [`Change::ShiftLeft`].
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

/// Share of the side by which a crop is shifted: the 90 % error of the locator (9-10 % of the eye
/// distance) is larger, so these are everyday.
const SHIFT: f32 = 0.05;

/// Change of the side; face boxes breathe as much.
const SCALE: f32 = 0.1;

/// Gain of [`Change::Brighter`].
const GAIN: f32 = 1.5;

/// Exponent of [`Change::Darker`].
const GAMMA: f32 = 1.5;

impl Change {
    /// All changes.
    pub const ALL: [Self; 9] = [
        Self::ShiftLeft,
        Self::ShiftRight,
        Self::ShiftUp,
        Self::ShiftDown,
        Self::Closer,
        Self::Farther,
        Self::Brighter,
        Self::Darker,
        Self::Blurred,
    ];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShiftLeft => "shift_left",
            Self::ShiftRight => "shift_right",
            Self::ShiftUp => "shift_up",
            Self::ShiftDown => "shift_down",
            Self::Closer => "closer",
            Self::Farther => "farther",
            Self::Brighter => "brighter",
            Self::Darker => "darker",
            Self::Blurred => "blurred",
        }
    }

    /// The crop of `square` with this change.
    pub fn apply(
        self,
        luma: &GrayImage,
        square: &Roi,
        crop: &StandardisedCrop,
    ) -> StandardisedCrop {
        let gray = || crop.values.map(|value| crop.mean + crop.contrast * value);
        match self {
            Self::ShiftLeft => cut(luma, &moved(square, [-SHIFT, 0.0], 1.0)),
            Self::ShiftRight => cut(luma, &moved(square, [SHIFT, 0.0], 1.0)),
            Self::ShiftUp => cut(luma, &moved(square, [0.0, -SHIFT], 1.0)),
            Self::ShiftDown => cut(luma, &moved(square, [0.0, SHIFT], 1.0)),
            Self::Closer => cut(luma, &moved(square, [0.0; 2], 1.0 - SCALE)),
            Self::Farther => cut(luma, &moved(square, [0.0; 2], 1.0 + SCALE)),
            Self::Brighter => StandardisedCrop::new(&gray().map(|v| (v * GAIN).min(255.0))),
            Self::Darker => StandardisedCrop::new(
                &gray().map(|v| 255.0 * (v.clamp(0.0, 255.0) / 255.0).powf(GAMMA)),
            ),
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

/// The standardised crop of a square.
pub fn cut(luma: &GrayImage, square: &Roi) -> StandardisedCrop {
    let mut gray = [0.0; PIXELS];
    sample_gray(luma, square, SIDE, &mut gray);
    StandardisedCrop::new(&gray)
}

/// Twice the binomial filter [1 2 1] / 4 along both axes: a sigma of one pixel.
fn blurred(gray: &[f32; PIXELS]) -> [f32; PIXELS] {
    let mut picture = *gray;
    for (_, by_row) in [(0, true), (0, false), (1, true), (1, false)] {
        let last = picture;
        for (index, value) in picture.iter_mut().enumerate() {
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
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn every_change_changes_an_edge_and_leaves_the_rest_alone() {
        let picture = GrayImage::from_fn(100, 100, |x, y| {
            let edge = if (x / 7 + y / 5) % 2 == 0 { 60 } else { 180 };
            Luma([edge + (x % 7) as u8])
        });
        let square = Roi {
            centre: [50.0, 50.0],
            side: 48.0,
            angle: 0.1,
        };
        let crop = cut(&picture, &square);
        for change in Change::ALL {
            let other = change.apply(&picture, &square, &crop);
            assert_ne!(other.values, crop.values, "{change:?}");
            let like: f32 = other
                .values
                .iter()
                .zip(&crop.values)
                .map(|(a, b)| a * b)
                .sum();
            assert!(like / PIXELS as f32 > -0.9, "{change:?}");
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
