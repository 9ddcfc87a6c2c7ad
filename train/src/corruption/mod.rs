//! Corruptions: what a camera, a lens, a face detector or the world does to an eye without
//! meaning harm, in five severities each (after Hendrycks & Dietterich 2019, "Benchmarking neural
//! network robustness to common corruptions and perturbations", whose constants are taken over
//! where the transformation is theirs).
//!
//! What a camera does before the eye is cut out ([`geometric`], [`resolution`] and motion blur) is
//! done on the crop at native resolution, the rest on the gray levels of the crop in the network's size before it
//! is standardised. Either way what follows is what an 8-bit image can hold. How the predictions are
//! counted is left to [`crate::robustness`].

pub mod exposure;
pub mod geometric;
pub mod noise;
pub mod obstruction;
pub mod resolution;
pub mod softness;

use crate::crop::Crop;
use parseye_vision::{
    classify::{StandardisedCrop, input::USUAL_SIDE},
    locate::crop::{Roi, sample_gray},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use strum::VariantArray;

/// Number of severities of each family.
pub const SEVERITIES: usize = 5;

/// The severities: 1 is mild, 5 is where a person begins to hesitate.
pub(crate) const SEVERITY_RANGE: RangeInclusive<u8> = 1..=SEVERITIES as u8;

/// Gray levels of a square crop, 0 to 255, row by row.
pub type Gray = Vec<f32>;

/// One kind of corruption.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Family {
    /// The eye line was not levelled.
    Rotation,
    /// The eye's centre was missed.
    Shift,
    /// The eye's size was misjudged.
    Scale,
    /// Out of focus.
    Blur,
    /// The head moved during the exposure.
    MotionBlur,
    /// Light added, beyond what 8 bits hold.
    Brightness,
    /// Little contrast, so that few gray levels are left.
    Contrast,
    /// A tone curve applied twice or not at all.
    Gamma,
    /// A sensor's read noise.
    GaussianNoise,
    /// The noise of few photons.
    ShotNoise,
    /// Lossy compression.
    Jpeg,
    /// A bar before the eye: a strand of hair, a rim of glasses, a finger.
    OcclusionBar,
    /// A reflection on glasses.
    Glare,
    /// A face far away.
    LowResolution,
}

/// Why a crop cannot be corrupted.
#[derive(Debug, thiserror::Error)]
pub enum CorruptionError {
    /// No such severity.
    #[error("severity {0} does not exist; give 1 to {SEVERITIES}")]
    Severity(u8),
    /// The image cannot be compressed.
    #[error("{path}: cannot be compressed as JPEG ({reason}); remove its row from the manifest")]
    Jpeg {
        /// The image, relative to the manifest.
        path: String,
        /// The encoder's message.
        reason: String,
    },
}

/// A crop as a network with an input of `side` pixels sees it after a corruption. What is random in it (a direction, a
/// place, noise) comes from `seed` alone, and is the same at every severity, so that a severer one
/// only goes further.
///
/// # Errors
/// When the severity is not 1 to 5, or an image is too large for JPEG (65,535 pixels a side).
pub(crate) fn apply(
    family: Family,
    severity: u8,
    crop: &Crop,
    side: usize,
    seed: u64,
) -> Result<StandardisedCrop, CorruptionError> {
    let gray = corrupted(family, severity, crop, side, seed)?;
    Ok(StandardisedCrop::new(&gray))
}

/// The gray levels behind [`apply`], 0 to 255, for looking at.
///
/// # Errors
/// As [`apply`].
pub fn corrupted(
    family: Family,
    severity: u8,
    crop: &Crop,
    side: usize,
    seed: u64,
) -> Result<Gray, CorruptionError> {
    if !SEVERITY_RANGE.contains(&severity) {
        return Err(CorruptionError::Severity(severity));
    }
    let level = usize::from(severity - 1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(family as u64);
    let rng = &mut rng;
    let clean = || cut(crop, &crop.whole(), side);
    Ok(match family {
        Family::Rotation => geometric::rotation(crop, level, side, rng),
        Family::Shift => geometric::shift(crop, level, side, rng),
        Family::Scale => geometric::scale(crop, level, side, rng),
        Family::Blur => softness::blur(clean(), level),
        Family::MotionBlur => softness::motion_blur(crop, level, side, rng),
        Family::Brightness => exposure::brightness(clean(), level),
        Family::Contrast => exposure::contrast(clean(), level),
        Family::Gamma => exposure::gamma(clean(), level, rng),
        Family::GaussianNoise => noise::gaussian(clean(), level, rng),
        Family::ShotNoise => noise::shot(clean(), level, rng),
        Family::Jpeg => resolution::jpeg(crop, level, side)?,
        Family::OcclusionBar => obstruction::bar(clean(), level, rng),
        Family::Glare => obstruction::glare(clean(), level, rng),
        Family::LowResolution => resolution::low_resolution(crop, level, side),
    })
}

/// A crop after one corruption of a random family and severity, mirrored or not: what training
/// sees. A left eye mirrored is a right eye.
///
/// # Errors
/// When an image is too large for JPEG (65,535 pixels a side).
pub fn random(
    crop: &Crop,
    side: usize,
    rng: &mut impl Rng,
) -> Result<StandardisedCrop, CorruptionError> {
    let family = Family::VARIANTS[rng.random_range(0..Family::VARIANTS.len())];
    let severity = rng.random_range(SEVERITY_RANGE);
    let mut gray = corrupted(family, severity, crop, side, rng.random())?;
    if rng.random_bool(0.5) {
        gray.chunks_exact_mut(side).for_each(<[f32]>::reverse);
    }
    Ok(StandardisedCrop::new(&gray))
}

/// Samples a region of a crop's image as the runtime does, in rows and columns of `side` pixels.
fn cut(crop: &Crop, square: &Roi, side: usize) -> Gray {
    let mut gray = vec![0.0; side * side];
    sample_gray(&crop.image, square, side, &mut gray);
    gray
}

/// Side of a crop in pixels over that of the 32 pixels in which widths of blur are given.
fn magnified(side: usize) -> f32 {
    side as f32 / USUAL_SIDE as f32
}

fn each(mut gray: Gray, mut change: impl FnMut(f32) -> f32) -> Gray {
    for level in &mut gray {
        *level = change(*level);
    }
    gray
}

/// Rounds and clips to whole gray levels from 0 to 255, as a sensor delivers.
fn eight_bit(gray: Gray) -> Gray {
    each(gray, |level| level.round().clamp(0.0, 255.0))
}

#[cfg(test)]
mod tests;
