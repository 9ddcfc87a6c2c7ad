//! Natural transformations: what a camera, a lens, a locator or the world does to an eye without
//! meaning harm, in five severities each (after Hendrycks & Dietterich 2019, "Benchmarking neural
//! network robustness to common corruptions and perturbations", whose constants are taken over
//! where the transformation is theirs).
//!
//! What a camera does before the eye is cut out ([`geometric`], [`resolution`] and motion blur) is
//! done on the crop at native resolution, the rest on the gray levels of the 32x32 crop before it
//! is standardised. Either way what follows is what an 8-bit picture can hold. How the answers are
//! counted is left to [`crate::robustness`].

pub mod exposure;
pub mod geometric;
pub mod noise;
pub mod obstruction;
pub mod resolution;
pub mod softness;

use crate::data::crops::Crop;
use parseye_vision::{
    classify::input::{PIXELS, SIDE, StandardisedCrop},
    locate::crop::{Roi, sample_gray},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive};

/// Number of severities of each family.
pub const SEVERITIES: usize = 5;

/// The severities: 1 is mild, 5 is where a person begins to hesitate.
pub const SEVERITY_RANGE: RangeInclusive<u8> = 1..=SEVERITIES as u8;

/// Gray levels of a crop, 0 to 255, row by row.
pub(crate) type Gray = [f32; PIXELS];

/// One kind of natural transformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

impl Family {
    /// All families.
    pub const ALL: [Self; 14] = [
        Self::Rotation,
        Self::Shift,
        Self::Scale,
        Self::Blur,
        Self::MotionBlur,
        Self::Brightness,
        Self::Contrast,
        Self::Gamma,
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::Jpeg,
        Self::OcclusionBar,
        Self::Glare,
        Self::LowResolution,
    ];

    /// Name in tables and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Shift => "shift",
            Self::Scale => "scale",
            Self::Blur => "blur",
            Self::MotionBlur => "motion_blur",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::Gamma => "gamma",
            Self::GaussianNoise => "gaussian_noise",
            Self::ShotNoise => "shot_noise",
            Self::Jpeg => "jpeg",
            Self::OcclusionBar => "occlusion_bar",
            Self::Glare => "glare",
            Self::LowResolution => "low_resolution",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a crop cannot be transformed.
#[derive(Debug, thiserror::Error)]
pub enum CorruptionError {
    /// No such severity.
    #[error("severity {0} does not exist; give 1 to {SEVERITIES}")]
    Severity(u8),
    /// The picture cannot be compressed.
    #[error("{path}: cannot be compressed as JPEG ({reason}); remove its row from the manifest")]
    Jpeg {
        /// The picture, relative to the manifest.
        path: String,
        /// The encoder's words.
        reason: String,
    },
}

/// A crop as the network sees it after a transformation. What is random in it (a direction, a
/// place, noise) comes from `seed` alone, and is the same at every severity, so that a severer one
/// only goes further.
///
/// # Errors
/// When the severity is not 1 to 5, or a picture is too large for JPEG (65,535 pixels a side).
pub fn apply(
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

/// A crop after one transformation of a random family and severity, mirrored or not: what training
/// sees. A left eye mirrored is a right eye.
///
/// # Errors
/// When a picture is too large for JPEG (65,535 pixels a side).
pub fn any(crop: &Crop, rng: &mut impl Rng) -> Result<StandardisedCrop, CorruptionError> {
    let family = Family::ALL[rng.random_range(0..Family::ALL.len())];
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

/// What the runtime's sampler sees of a crop's picture in a square.
fn cut(crop: &Crop, square: &Roi) -> Gray {
    let mut gray = [0.0; PIXELS];
    sample_gray(&crop.picture, square, SIDE, &mut gray);
    gray
}

/// What a sensor delivers: whole gray levels from 0 to 255.
fn eight_bit(mut gray: Gray) -> Gray {
    for level in &mut gray {
        *level = level.round().clamp(0.0, 255.0);
    }
    gray
}

#[cfg(test)]
mod tests;
