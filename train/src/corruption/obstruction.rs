//! Things between the eye and the camera: a bar, and a reflection on glasses.

use super::{Gray, SEVERITIES, eight_bit};
use rand::{Rng, RngExt};

/// Width of the bar as a share of the crop's side. A rim of glasses is 3 to 5 mm of about 55; a
/// finger is 15 mm.
pub(crate) const BAR_WIDTHS: [f32; SEVERITIES] = [0.06, 0.10, 0.15, 0.20, 0.28];

/// Farthest that the middle of a bar or a reflection passes the crop's centre, as a share of its
/// side: beyond, lids and iris of a centred eye are out of reach.
const REACH: f32 = 0.2;

/// Brightest level of a bar: hair, rims and fingers against the light are darker than skin.
const BRIGHTEST_BAR: f32 = 100.0;

/// Sigma of the reflection as a share of the crop's side: from a street lamp's point to a window
/// that hides the iris. What is larger hides the whole eye, which then is not visible.
pub(crate) const GLARE_SIGMAS: [f32; SEVERITIES] = [0.03, 0.045, 0.06, 0.08, 0.10];

/// Peak of the reflection in gray levels: light enough to saturate a disc of one sigma's radius
/// whatever is below it (255 at `exp(-1/2)` of the peak).
const GLARE_PEAK: f32 = 420.0;

/// A bar or a reflection of any severity over gray levels 0 to 255.
pub(crate) fn random(gray: Gray, rng: &mut impl Rng) -> Gray {
    let level = rng.random_range(0..SEVERITIES);
    if rng.random_bool(0.5) {
        bar(gray, level, rng)
    } else {
        glare(gray, level, rng)
    }
}

pub(super) fn bar(mut gray: Gray, level: usize, rng: &mut impl Rng) -> Gray {
    let side = gray.len().isqrt();
    let width = BAR_WIDTHS[level] * side as f32;
    let (sin, cos) = (std::f32::consts::PI * rng.random::<f32>()).sin_cos();
    let offset = REACH * side as f32 * (2.0 * rng.random::<f32>() - 1.0);
    let shade = BRIGHTEST_BAR * rng.random::<f32>();
    for (index, value) in gray.iter_mut().enumerate() {
        let [x, y] = from_centre(index, side);
        let distance = (cos * x + sin * y - offset).abs();
        // Share of the pixel that lies under the bar, by its distance from the bar's edge.
        let covered = (width / 2.0 - distance + 0.5).clamp(0.0, 1.0);
        *value += covered * (shade - *value);
    }
    eight_bit(gray)
}

pub(super) fn glare(mut gray: Gray, level: usize, rng: &mut impl Rng) -> Gray {
    let side = gray.len().isqrt();
    let sigma = GLARE_SIGMAS[level] * side as f32;
    let mut place = || REACH * side as f32 * (2.0 * rng.random::<f32>() - 1.0);
    let centre = [place(), place()];
    for (index, value) in gray.iter_mut().enumerate() {
        let [x, y] = from_centre(index, side);
        let square = (x - centre[0]).powi(2) + (y - centre[1]).powi(2);
        // Light adds up until the pixel is full.
        *value += GLARE_PEAK * (-square / (2.0 * sigma * sigma)).exp();
    }
    eight_bit(gray)
}

/// The middle of a pixel, in pixels from the centre of a crop of this side.
pub(crate) fn from_centre(index: usize, side: usize) -> [f32; 2] {
    let half = (side as f32 - 1.0) / 2.0;
    [(index % side) as f32 - half, (index / side) as f32 - half]
}
