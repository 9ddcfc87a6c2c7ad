//! How much noise the camera adds: a noise curve over the gray level, measured on the frame at its
//! own resolution, and from it the camera SNR of an eye crop.
//!
//! # Which noise
//! Sigma is measured on the frame and then carried to the 32x32 crop ([`super::carry`]), so that the
//! camera SNR is a perturbation SNR of the network's input: it can be compared with every other
//! decibel of Parseye, and the headroom is a plain difference. The noise includes the rounding to
//! whole gray levels (variance 1/12), which limits dark and flat pictures; [`CameraSnr::sigma_frame`]
//! is what was there before rounding.
//!
//! # What cannot be seen
//! A recording that was compressed from frame to frame repeats its still parts, noise included: there
//! the noise is underestimated, and injected or live noise alone shows.

use super::{
    Missing,
    carry::{Alikeness, Averaging},
    patches::{BLOCK_SIDES, LEVEL_BINS, PatchNoise, level_bin, smooth_patches, still_patches},
    rounding::{ROUNDING_VARIANCE, unrounded_variance},
};
use crate::{
    classify::{StandardisedCrop, input::CONTRAST_FLOOR},
    locate::Square,
};
use image::GrayImage;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Seconds after which an older patch counts half: noise changes with the gain, which cameras settle
/// within a few seconds.
const HALF_LIFE_S: f64 = 5.0;

/// Frames further apart than this are not compared: a scene holds still for a moment only.
const LONGEST_GAP: Duration = Duration::from_millis(500);

/// Patches that must have held still lately for their differences to be believed.
const LEAST_PATCHES: f64 = 24.0;

/// Patches that a range of gray levels needs to be a point of the curve.
const LEAST_PATCHES_OF_LEVEL: f64 = 4.0;

/// Gray levels that the curve's outermost points must be apart for a slope; closer ones make a
/// constant.
const LEAST_SPREAD: f64 = 24.0;

/// A lone picture's texture can pass for noise, by this many decibels on real faces.
const SPATIAL_ERROR_DB: f64 = 2.0;

/// How noise was told from the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseMethod {
    /// By the difference of two frames where they hold still.
    Temporal,
    /// By the roughness of the smoothest parts of one frame (Immerkaer 1996): texture may count as
    /// noise.
    Spatial,
}

/// Variance of the noise over the gray level, a straight line as photon and read noise give
/// (Foi et al. 2008), held constant beyond the levels that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NoiseCurve {
    /// Variance at gray 0 if the line went on, in squared gray levels, before rounding.
    pub intercept: f64,
    /// Squared gray levels for each gray level. A camera's tone curve can make it negative.
    pub slope: f64,
    /// Darkest and brightest level of the line.
    pub levels: [f64; 2],
}

impl NoiseCurve {
    /// Variance of a frame's pixel at a gray level, in squared gray levels, before rounding.
    pub fn variance(&self, level: f64) -> f64 {
        let level = level.clamp(self.levels[0], self.levels[1]);
        (self.intercept + self.slope * level).max(0.0)
    }
}

/// The noise of a camera as lately seen.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameNoise {
    /// Over the gray level.
    pub curve: NoiseCurve,
    /// How far neighbours are alike.
    pub alikeness: Alikeness,
    /// Standard error of a variance, as a share of it.
    pub relative_error: f64,
    /// How it was measured.
    pub method: NoiseMethod,
}

/// The camera SNR of one crop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CameraSnr {
    /// `20 log10(contrast / sigma_crop)`, the contrast being what is left without the noise.
    pub db: f64,
    /// Its standard error in dB.
    pub standard_error_db: f64,
    /// Sigma of a frame's pixel at the crop's mean gray level, in gray levels, before rounding.
    pub sigma_frame: f64,
    /// Sigma of a crop's pixel in gray levels, rounding included.
    pub sigma_crop: f64,
    /// Correlation of the noise of neighbouring pixels of the crop.
    pub neighbours: f64,
    /// How the noise was measured.
    pub method: NoiseMethod,
}

/// Sums over the patches of a range of gray levels, older ones weighing less.
#[derive(Clone, Copy, Debug, Default)]
struct LevelSums {
    n: f64,
    level: f64,
    variance: f64,
    square: f64,
}

/// Follows the noise of a camera.
#[derive(Debug, Default)]
pub struct CameraNoise {
    last: Option<(Arc<GrayImage>, Duration)>,
    turn: usize,
    sums: Sums,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    levels: [LevelSums; LEVEL_BINS],
    blocks: [f64; BLOCK_SIDES.len()],
}

impl CameraNoise {
    /// No frame seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next frame: compared with the one before where that is at most half a second old.
    pub fn observe(&mut self, luma: &Arc<GrayImage>, time: Duration) {
        let last = self.last.replace((Arc::clone(luma), time));
        let Some((before, then)) = last else { return };
        // A recording that begins anew, or another one: nothing of the past holds.
        let Some(gap) = time.checked_sub(then) else {
            self.sums = Sums::default();
            return;
        };
        self.sums
            .fade(0.5_f64.powf(gap.as_secs_f64() / HALF_LIFE_S));
        if gap <= LONGEST_GAP {
            self.turn += 1;
            for patch in still_patches(&before, luma, self.turn) {
                self.sums.add(&patch);
            }
        }
    }

    /// The noise as seen lately; from the newest frame alone where too little held still.
    ///
    /// # Errors
    /// [`Missing::NoNoiseEstimate`] before the first frame, and where every patch is cut off at
    /// black or white.
    pub fn frame_noise(&self) -> Result<FrameNoise, Missing> {
        if self.sums.n() >= LEAST_PATCHES {
            return self.sums.noise(NoiseMethod::Temporal);
        }
        let (newest, _) = self.last.as_ref().ok_or(Missing::NoNoiseEstimate)?;
        let mut sums = Sums::default();
        for patch in smooth_patches(newest) {
            sums.add(&patch);
        }
        sums.noise(NoiseMethod::Spatial)
    }
}

impl Sums {
    fn fade(&mut self, factor: f64) {
        for level in &mut self.levels {
            level.n *= factor;
            level.level *= factor;
            level.variance *= factor;
            level.square *= factor;
        }
        self.blocks = self.blocks.map(|sum| sum * factor);
    }

    fn add(&mut self, patch: &PatchNoise) {
        let level = &mut self.levels[level_bin(patch.level)];
        level.n += 1.0;
        level.level += patch.level;
        level.variance += patch.variance;
        level.square += patch.variance * patch.variance;
        for (sum, variance) in self.blocks.iter_mut().zip(patch.block_variances) {
            *sum += variance;
        }
    }

    fn n(&self) -> f64 {
        self.levels.iter().map(|level| level.n).sum()
    }

    fn noise(&self, method: NoiseMethod) -> Result<FrameNoise, Missing> {
        let unrounded = |seen: f64| match method {
            NoiseMethod::Temporal => unrounded_variance(seen),
            // Within one picture rounding shows as a twelfth wherever gray changes.
            NoiseMethod::Spatial => (seen - ROUNDING_VARIANCE).max(0.0),
        };
        let mut points = Vec::new();
        let (mut n, mut scatter) = (0.0, 0.0);
        for sums in self.levels.iter().filter(|sums| sums.n > 0.0) {
            let seen = sums.variance / sums.n;
            if seen > 0.0 {
                let spread = (sums.square / sums.n - seen * seen).max(0.0);
                scatter += sums.n * spread / (seen * seen);
            }
            n += sums.n;
            points.push(Point {
                weight: sums.n,
                level: sums.level / sums.n,
                variance: unrounded(seen),
                seen,
            });
        }
        let enough: Vec<Point> = points
            .iter()
            .copied()
            .filter(|point| point.weight >= LEAST_PATCHES_OF_LEVEL)
            .collect();
        let points = if enough.is_empty() { points } else { enough };
        let curve = fit(&points).ok_or(Missing::NoNoiseEstimate)?;
        // A straight line's ends are less certain than a mean: both of its numbers are estimated.
        let of_line = if curve.slope == 0.0 { 1.0 } else { 2.0 };
        Ok(FrameNoise {
            curve,
            alikeness: Alikeness::of_sums(self.blocks),
            relative_error: (of_line * scatter / n / n).sqrt(),
            method,
        })
    }
}

/// A point of the noise curve.
#[derive(Clone, Copy, Debug)]
struct Point {
    weight: f64,
    level: f64,
    variance: f64,
    seen: f64,
}

/// Weighted least squares: a variance scatters in proportion to itself, so its square divides the
/// weight, with rounding's share as the floor.
fn fit(points: &[Point]) -> Option<NoiseCurve> {
    let darkest = points.iter().map(|p| p.level).reduce(f64::min)?;
    let brightest = points.iter().map(|p| p.level).reduce(f64::max)?;
    let weight = |p: &Point| p.weight / p.seen.max(ROUNDING_VARIANCE).powi(2);
    let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(|p| weight(p) * of(p)).sum::<f64>();
    let total = sum(&|_| 1.0);
    if brightest - darkest < LEAST_SPREAD {
        // Without a slope every patch counts the same.
        let n: f64 = points.iter().map(|p| p.weight).sum();
        let mean = points.iter().map(|p| p.weight * p.variance).sum::<f64>() / n;
        return Some(NoiseCurve {
            intercept: mean,
            slope: 0.0,
            levels: [darkest, brightest],
        });
    }
    let level = sum(&|p| p.level) / total;
    let variance = sum(&|p| p.variance) / total;
    let across = sum(&|p| (p.level - level).powi(2));
    let slope = sum(&|p| (p.level - level) * (p.variance - variance)) / across;
    Some(NoiseCurve {
        intercept: variance - slope * level,
        slope,
        levels: [darkest, brightest],
    })
}

impl FrameNoise {
    /// The camera SNR of a crop that was cut from `square`.
    ///
    /// # Errors
    /// [`Missing::ConstantCrop`] where the crop is flatter than the contrast floor, and
    /// [`Missing::NoiseOnly`] where it holds no more contrast than its noise makes.
    pub fn camera_snr(
        &self,
        square: &Square,
        crop: &StandardisedCrop,
    ) -> Result<CameraSnr, Missing> {
        if crop.contrast <= CONTRAST_FLOOR {
            return Err(Missing::ConstantCrop);
        }
        let averaging = Averaging::of_square(square.side);
        let block = averaging.block_side();
        let frame = self.curve.variance(f64::from(crop.mean));
        let weakened = averaging.energy.powi(2);
        let variance = weakened * (self.alikeness.at(block) * frame + ROUNDING_VARIANCE);
        let signal = f64::from(crop.contrast).powi(2) - variance;
        if signal <= 0.0 {
            return Err(Missing::NoiseOnly);
        }
        let error = DB_OF_SHARE * self.relative_error;
        Ok(CameraSnr {
            db: 10.0 * (signal / variance).log10(),
            standard_error_db: match self.method {
                NoiseMethod::Temporal => error,
                NoiseMethod::Spatial => error.hypot(SPATIAL_ERROR_DB),
            },
            sigma_frame: frame.sqrt(),
            sigma_crop: variance.sqrt(),
            neighbours: averaging
                .neighbours
                .max(self.alikeness.neighbours(block))
                .clamp(0.0, 1.0),
            method: self.method,
        })
    }
}

/// Decibels for a small relative change of a variance: `10 / ln 10`.
const DB_OF_SHARE: f64 = 4.342_944_819;

#[cfg(test)]
mod tests;
