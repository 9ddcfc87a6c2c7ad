//! How much noise the camera adds: a noise curve over the gray level, measured on the frame at its
//! own resolution, and from it the camera SNR of an eye crop.
//!
//! # Which noise
//! Sigma is measured on the frame and then propagated to the crop as the network is fed it ([`super::noise_propagation`]), so
//! that the camera SNR is a perturbation SNR of the network's input: it can be compared with every other
//! decibel of Parseye, and the headroom is a plain difference:
//!
//! ```text
//! sigma_frame^2(g) = intercept + slope g                             g: gray level, before rounding
//! sigma_crop^2     = E^2 (c(1/E) sigma_frame^2(mean gray) + 1/12)
//! camera SNR       = 10 log10((contrast^2 - sigma_crop^2) / sigma_crop^2)
//! ```
//!
//! with E the sum of squared weights of the area average along one axis and c the correlation factor of
//! blocks of side 1/E. The line over the gray level is that of photon and read noise (Foi, Trimeche,
//! Katkovnik and Egiazarian, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw
//! data", IEEE Trans. Image Processing 17, 2008). The noise includes the rounding to whole gray levels
//! (variance 1/12), which limits dark and flat images; [`CameraSnr::sigma_frame`] is the one before
//! rounding.
//!
//! # Where it is measured
//! In the half of the patches that moved least, and of them in those with as much texture as an eye has,
//! if enough of that holds still: a compressed frame (MJPEG) wipes the noise off its smooth parts
//! and leaves it on its textured ones. Medians over many patches keep out what moves a little. Where
//! nothing but smooth parts holds still, little noise is underestimated after compression, by several
//! decibels at a true SNR above 32 dB; [`CameraSnr::standard_error_db`] says so.
//!
//! # What cannot be seen
//! A recording that was compressed from frame to frame repeats its still parts, noise included: there
//! the noise is underestimated; injected and live noise are not.

use super::{
    Missing,
    noise_propagation::{Correlation, NoiseAveraging},
    patches::{
        BLOCK_SIDES, LEVEL_BINS, PatchNoise, UNCLIPPED_SHARE, level_bin, smooth_patches,
        still_patches,
    },
    quantisation::{QUANTISATION_VARIANCE, unrounded_variance},
};
use crate::{
    classify::{StandardisedCrop, input::CONTRAST_FLOOR},
    locate::Roi,
    statistics,
    timed_window::TimedWindow,
};
use image::GrayImage;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use strum::IntoStaticStr;

/// Patches are remembered for this long: noise changes with the gain, which cameras settle within a
/// few seconds.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Most patches that are remembered, the newest: more would only take time.
const MOST_REMEMBERED: usize = 12_000;

/// Texture in squared gray levels a pixel from which a patch is like an eye, and like its
/// surroundings: walls and cheeks have less. The first with enough patches is taken.
const TEXTURED: [f64; 2] = [36.0, 9.0];

/// Noise whose means over blocks of 2x2 have this many times the variance that white noise would give has
/// been compressed.
const COMPRESSED: f64 = 1.3;

/// Compression leaves more noise on an eye than elsewhere where there is little, by this many
/// decibels at a camera SNR above 35 dB.
const COMPRESSED_ERROR_DB: f64 = 3.0;

/// Frames further apart than this are not compared: a scene holds still for a moment only.
const LONGEST_GAP: Duration = Duration::from_millis(500);

/// Patches that must have held still lately for their differences to be an estimate.
const LEAST_PATCHES: usize = 24;

/// Patches that a range of gray levels needs to be a point of the curve.
const LEAST_PATCHES_OF_LEVEL: usize = 4;

/// Gray levels that the curve's outermost points must be apart for a slope; closer ones make a
/// constant.
const LEAST_SPREAD: f64 = 24.0;

/// A single frame's texture can pass for noise, by this many decibels on real faces.
const SPATIAL_ERROR_DB: f64 = 2.0;

/// Method by which noise was separated from the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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

/// The noise of a camera as lately measured.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameNoise {
    /// Over the gray level.
    pub curve: NoiseCurve,
    /// Correlation of neighbouring pixels.
    pub correlation: Correlation,
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

/// Follows the noise of a camera.
#[derive(Debug)]
pub struct CameraNoise {
    last: Option<(Arc<GrayImage>, Duration)>,
    turn: usize,
    recent: TimedWindow<(Duration, PatchNoise)>,
}

impl Default for CameraNoise {
    fn default() -> Self {
        Self {
            last: None,
            turn: 0,
            recent: TimedWindow::new(REMEMBERED, MOST_REMEMBERED),
        }
    }
}

impl CameraNoise {
    /// Starts without a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next frame: compared with the one before where that is at most half a second old.
    pub fn observe(&mut self, luma: &Arc<GrayImage>, time: Duration) {
        let last = self.last.replace((Arc::clone(luma), time));
        let Some((before, then)) = last else { return };
        // A recording that begins anew, or another one: nothing of the past holds.
        let Some(gap) = time.checked_sub(then) else {
            self.recent.clear();
            return;
        };
        if gap <= LONGEST_GAP {
            self.turn += 1;
            for patch in still_patches(&before, luma, self.turn) {
                // Where it is full, the oldest patch gives way: the newest ones are estimate enough.
                self.recent.push((time, patch));
            }
        }
        self.recent.expire(time);
    }

    /// Estimates the noise of the last seconds; from the newest frame alone where too little held still.
    ///
    /// # Errors
    /// [`Missing::NoNoiseEstimate`] before the first frame, and where every patch is cut off at
    /// black or white.
    pub fn frame_noise(&self) -> Result<FrameNoise, Missing> {
        let (newest, _) = self.last.as_ref().ok_or(Missing::NoNoiseEstimate)?;
        let of = |wanted: &dyn Fn(&PatchNoise) -> bool| -> Vec<PatchNoise> {
            let patches = self.recent.iter().map(|(_, patch)| *patch);
            patches.filter(wanted).collect()
        };
        let unclipped = |patch: &PatchNoise| patch.clipped <= UNCLIPPED_SHARE;
        let best: [&dyn Fn(&PatchNoise) -> bool; 4] = [
            &|patch| unclipped(patch) && patch.texture >= TEXTURED[0],
            &|patch| unclipped(patch) && patch.texture >= TEXTURED[1],
            &unclipped,
            &|_| true,
        ];
        for wanted in best {
            let patches = of(wanted);
            if patches.len() >= LEAST_PATCHES {
                return noise_of(&patches, NoiseMethod::Temporal);
            }
        }
        noise_of(&smooth_patches(newest), NoiseMethod::Spatial)
    }
}

fn noise_of(patches: &[PatchNoise], method: NoiseMethod) -> Result<FrameNoise, Missing> {
    let unrounded = |seen: f64| match method {
        NoiseMethod::Temporal => unrounded_variance(seen),
        // Within one frame rounding shows as a twelfth wherever gray changes.
        NoiseMethod::Spatial => (seen - QUANTISATION_VARIANCE).max(0.0),
    };
    let mut by_level: [Vec<&PatchNoise>; LEVEL_BINS] = std::array::from_fn(|_| Vec::new());
    for patch in patches {
        by_level[level_bin(patch.level)].push(patch);
    }
    let thin = |patches: &Vec<&PatchNoise>| patches.len() < LEAST_PATCHES_OF_LEVEL;
    let all_thin = by_level.iter().all(thin);
    let mut points = Vec::new();
    let mut errors = Vec::new();
    for patches in by_level
        .iter()
        .filter(|p| !p.is_empty() && (all_thin || !thin(p)))
    {
        let n = patches.len() as f64;
        let seen = median(patches.iter().map(|patch| patch.variance));
        if seen > 0.0 {
            errors.extend(patches.iter().map(|p| (p.variance / seen - 1.0).abs()));
        }
        points.push(Point {
            weight: n,
            level: patches.iter().map(|patch| patch.level).sum::<f64>() / n,
            variance: unrounded(seen),
            seen,
        });
    }
    let curve = fit(&points).ok_or(Missing::NoNoiseEstimate)?;
    let blocks = std::array::from_fn(|side| {
        let of_side = median(patches.iter().map(|patch| patch.block_variances[side]));
        of_side / MEDIAN_SHARES[side]
    });
    // A straight line's ends are less certain than a mean: both of its numbers are estimated.
    let of_line = if curve.slope == 0.0 {
        1.0
    } else {
        2.0_f64.sqrt()
    };
    let n = errors.len().max(1) as f64;
    Ok(FrameNoise {
        curve,
        correlation: Correlation::of_variances(blocks),
        relative_error: of_line * MEDIAN_ERROR * median(errors.into_iter()) / n.sqrt(),
        method,
    })
}

/// Median of a patch's block variance over its mean, for noise: a sum of k squares has the median
/// `k (1 - 2 / (9 k))^3` (Wilson and Hilferty 1931), k being the number of dimensions measured.
const MEDIAN_SHARES: [f64; BLOCK_SIDES.len()] = [0.9974, 0.9895, 0.9455];

/// Standard error of a median times the square root of the number of values, over the median
/// absolute deviation, for normal values: `1.4826 * sqrt(pi / 2)`.
const MEDIAN_ERROR: f64 = 1.858;

/// The median; 0 without values.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    statistics::median(values).unwrap_or(0.0)
}

/// A point of the noise curve.
#[derive(Clone, Copy, Debug)]
struct Point {
    weight: f64,
    level: f64,
    variance: f64,
    seen: f64,
}

/// Fits the noise curve by weighted least squares: a variance scatters in proportion to itself, so its square divides the
/// weight, with rounding's share as the floor.
fn fit(points: &[Point]) -> Option<NoiseCurve> {
    let darkest = points.iter().map(|p| p.level).reduce(f64::min)?;
    let brightest = points.iter().map(|p| p.level).reduce(f64::max)?;
    let weight = |p: &Point| p.weight / p.seen.max(QUANTISATION_VARIANCE).powi(2);
    let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(|p| weight(p) * of(p)).sum::<f64>();
    let total = sum(&|_| 1.0);
    if brightest - darkest < LEAST_SPREAD {
        // Without a slope every patch has the same weight.
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
    /// Computes the camera SNR of a crop that was cut from `square`.
    ///
    /// # Errors
    /// [`Missing::ConstantCrop`] where the crop is flatter than the contrast floor, and
    /// [`Missing::NoiseOnly`] where it holds no more contrast than its noise makes.
    pub fn camera_snr(&self, square: &Roi, crop: &StandardisedCrop) -> Result<CameraSnr, Missing> {
        if crop.contrast <= CONTRAST_FLOOR {
            return Err(Missing::ConstantCrop);
        }
        let averaging = NoiseAveraging::of_square(square.side, crop.side());
        let block = averaging.block_side();
        let frame = self.curve.variance(f64::from(crop.mean));
        let weakened = averaging.energy.powi(2);
        let variance = weakened * (self.correlation.at(block) * frame + QUANTISATION_VARIANCE);
        let signal = f64::from(crop.contrast).powi(2) - variance;
        if signal <= 0.0 {
            return Err(Missing::NoiseOnly);
        }
        let of_method = match self.method {
            NoiseMethod::Spatial => SPATIAL_ERROR_DB,
            NoiseMethod::Temporal if self.correlation.at(2.0) > COMPRESSED => COMPRESSED_ERROR_DB,
            NoiseMethod::Temporal => 0.0,
        };
        // At a level that no patch showed, photon noise may be larger in proportion.
        let level = f64::from(crop.mean).max(1.0);
        let seen = level
            .clamp(self.curve.levels[0], self.curve.levels[1])
            .max(1.0);
        let of_level = (10.0 * (level / seen).log10()).abs();
        Ok(CameraSnr {
            db: 10.0 * (signal / variance).log10(),
            standard_error_db: of_method
                .hypot(of_level)
                .hypot(DB_OF_SHARE * self.relative_error),
            sigma_frame: frame.sqrt(),
            sigma_crop: variance.sqrt(),
            neighbours: averaging
                .neighbours
                .max(self.correlation.neighbours(block))
                .clamp(0.0, 1.0),
            method: self.method,
        })
    }
}

/// Decibels for a small relative change of a variance: `10 / ln 10`.
const DB_OF_SHARE: f64 = 4.342_944_819;

#[cfg(test)]
mod tests;
