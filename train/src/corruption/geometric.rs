//! Errors of the face detector: the square around the eye is turned, moved or of the wrong size. The
//! image is cut anew at native resolution, as it would be.

use super::{Gray, SEVERITIES, cut};
use crate::crop::Crop;
use parseye_vision::locate::crop::Roi;
use rand::{Rng, RngExt};

/// Degrees, either way. Training varies the roll by 10; 30 is a head laid on the shoulder that the
/// face detector failed to level.
pub(crate) const DEGREES: [f32; SEVERITIES] = [5.0, 10.0, 15.0, 20.0, 30.0];

/// Shares of the crop's side, in any direction. Nine in ten of the face detector's eye centres are within
/// 10 % of the eye distance, which is 12 % of the crop's side; training varies by 15 % each way.
pub(crate) const SHIFTS: [f32; SEVERITIES] = [0.05, 0.10, 0.15, 0.20, 0.25];

/// Factors of the eye's size, larger or smaller. Training varies it by 20 %; a face detector that takes
/// the brow for the lid errs by half.
pub(crate) const FACTORS: [f32; SEVERITIES] = [1.1, 1.2, 1.3, 1.4, 1.6];

pub(super) fn rotation(crop: &Crop, level: usize, side: usize, rng: &mut impl Rng) -> Gray {
    let angle = DEGREES[level].to_radians() * either_sign(rng);
    let square = Roi {
        angle,
        ..crop.whole()
    };
    cut(crop, &square, side)
}

pub(super) fn shift(crop: &Crop, level: usize, side: usize, rng: &mut impl Rng) -> Gray {
    let whole = crop.whole();
    let distance = SHIFTS[level] * whole.side;
    let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
    let centre = [
        whole.centre[0] + distance * cos,
        whole.centre[1] + distance * sin,
    ];
    cut(crop, &Roi { centre, ..whole }, side)
}

pub(super) fn scale(crop: &Crop, level: usize, side: usize, rng: &mut impl Rng) -> Gray {
    let whole = crop.whole();
    let factor = FACTORS[level].powf(either_sign(rng));
    let square = Roi {
        side: whole.side * factor,
        ..whole
    };
    cut(crop, &square, side)
}

/// 1 or -1.
pub(super) fn either_sign(rng: &mut impl Rng) -> f32 {
    if rng.random::<bool>() { 1.0 } else { -1.0 }
}
