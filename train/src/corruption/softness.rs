//! Blur: out of focus, or moved during the exposure.

use super::{Gray, SEVERITIES, cut, eight_bit, magnified};
use crate::crop::Crop;
use image::{ImageBuffer, Luma};
use parseye_vision::{classify::input::USUAL_SIDE, locate::crop::Roi};
use rand::{Rng, RngExt};

/// Sigma of the Gaussian in pixels of the 32-pixel crop. Training blurs by up to 1.5; at 3 the
/// blur is 7 pixels wide at half its height, more than the lids of most open eyes are apart.
pub(crate) const SIGMAS: [f32; SEVERITIES] = [0.5, 1.0, 1.5, 2.0, 3.0];

/// Length of the smear in pixels of the 32-pixel crop. A head that turns at 100 degrees a second
/// moves an eye (10 cm from the axis) by 6 mm in an exposure of 33 ms, which is a tenth of a crop
/// 55 mm wide: the second severity. A nod while driving over a kerb goes several times as far.
pub(crate) const SMEARS: [f32; SEVERITIES] = [2.0, 3.5, 5.0, 8.0, 12.0];

/// Exposures averaged for a smear, two for each pixel of the longest.
const EXPOSURES: usize = 25;

/// Blurs by a Gaussian whose sigma is given in pixels of the 32-pixel crop.
pub(crate) fn gaussian(gray: Gray, sigma: f32) -> Gray {
    // Below this the kernel is a single pixel; imageproc wants a sigma above 0.
    const LEAST_SIGMA: f32 = 0.05;
    if sigma <= LEAST_SIGMA {
        return gray;
    }
    let side = gray.len().isqrt();
    let pixels = side as u32;
    // A square has as many levels as it says, so the image is there.
    let image = ImageBuffer::<Luma<f32>, _>::from_raw(pixels, pixels, gray).unwrap_or_default();
    imageproc::filter::gaussian_blur_f32(&image, sigma * magnified(side)).into_raw()
}

pub(super) fn blur(gray: Gray, level: usize) -> Gray {
    eight_bit(gaussian(gray, SIGMAS[level]))
}

/// The mean of the images along a straight line in a random direction.
pub(super) fn motion_blur(crop: &Crop, level: usize, side: usize, rng: &mut impl Rng) -> Gray {
    let whole = crop.whole();
    let length = SMEARS[level] / USUAL_SIDE as f32 * whole.side;
    // Opposite directions smear alike.
    let (sin, cos) = (std::f32::consts::PI * rng.random::<f32>()).sin_cos();
    let mut mean = vec![0.0; side * side];
    for exposure in 0..EXPOSURES {
        let along = length * ((exposure as f32 + 0.5) / EXPOSURES as f32 - 0.5);
        let centre = [whole.centre[0] + along * cos, whole.centre[1] + along * sin];
        let gray = cut(crop, &Roi { centre, ..whole }, side);
        for (sum, value) in mean.iter_mut().zip(gray) {
            *sum += value / EXPOSURES as f32;
        }
    }
    eight_bit(mean)
}
