//! Corruptions: what a camera, a lens, a face detector or the world does to an eye without
//! meaning harm, in five severities each (after Hendrycks & Dietterich 2019, "Benchmarking neural
//! network robustness to common corruptions and perturbations", whose constants are taken over
//! where the transformation is theirs).
//!
//! What a camera does before the eye is cut out ([`geometric`], [`resolution`] and motion blur) is
//! done on the crop at native resolution, the rest on the gray levels of the 32x32 crop before it
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
    classify::input::{PIXELS, SIDE, StandardisedCrop},
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

/// Gray levels of a crop, 0 to 255, row by row.
pub type Gray = [f32; PIXELS];

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

/// A crop as the network sees it after a corruption. What is random in it (a direction, a
/// place, noise) comes from `seed` alone, and is the same at every severity, so that a severer one
/// only goes further.
///
/// # Errors
/// When the severity is not 1 to 5, or an image is too large for JPEG (65,535 pixels a side).
pub(crate) fn apply(
    family: Family,
    severity: u8,
    crop: &Crop,
    seed: u64,
) -> Result<StandardisedCrop, CorruptionError> {
    let gray = corrupted(family, severity, crop, seed)?;
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
    seed: u64,
) -> Result<[f32; PIXELS], CorruptionError> {
    if !SEVERITY_RANGE.contains(&severity) {
        return Err(CorruptionError::Severity(severity));
    }
    let level = usize::from(severity - 1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(family as u64);
    let rng = &mut rng;
    Ok(match family {
        Family::Rotation => geometric::rotation(crop, level, rng),
        Family::Shift => geometric::shift(crop, level, rng),
        Family::Scale => geometric::scale(crop, level, rng),
        Family::Blur => softness::blur(clean(crop), level),
        Family::MotionBlur => softness::motion_blur(crop, level, rng),
        Family::Brightness => exposure::brightness(clean(crop), level),
        Family::Contrast => exposure::contrast(clean(crop), level),
        Family::Gamma => exposure::gamma(clean(crop), level, rng),
        Family::GaussianNoise => noise::gaussian(clean(crop), level, rng),
        Family::ShotNoise => noise::shot(clean(crop), level, rng),
        Family::Jpeg => resolution::jpeg(crop, level)?,
        Family::OcclusionBar => obstruction::bar(clean(crop), level, rng),
        Family::Glare => obstruction::glare(clean(crop), level, rng),
        Family::LowResolution => resolution::low_resolution(crop, level),
    })
}

/// A crop after one corruption of a random family and severity, mirrored or not: what training
/// sees. A left eye mirrored is a right eye.
///
/// # Errors
/// When an image is too large for JPEG (65,535 pixels a side).
pub fn random(crop: &Crop, rng: &mut impl Rng) -> Result<StandardisedCrop, CorruptionError> {
    let family = Family::VARIANTS[rng.random_range(0..Family::VARIANTS.len())];
    let severity = rng.random_range(SEVERITY_RANGE);
    let mut gray = corrupted(family, severity, crop, rng.random())?;
    if rng.random_bool(0.5) {
        gray.chunks_exact_mut(SIDE).for_each(<[f32]>::reverse);
    }
    Ok(StandardisedCrop::new(&gray))
}

fn clean(crop: &Crop) -> Gray {
    cut(crop, &crop.whole())
}

/// Samples a region of a crop's image as the runtime does.
fn cut(crop: &Crop, square: &Roi) -> Gray {
    let mut gray = [0.0; PIXELS];
    sample_gray(&crop.image, square, SIDE, &mut gray);
    gray
}

/// Rounds and clips to whole gray levels from 0 to 255, as a sensor delivers.
fn eight_bit(mut gray: Gray) -> Gray {
    for level in &mut gray {
        *level = level.round().clamp(0.0, 255.0);
    }
    gray
}

#[cfg(test)]
mod tests;
