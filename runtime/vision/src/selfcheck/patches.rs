//! What noise shows in patches of a picture: how two pictures of the same still patch differ, or,
//! with one picture only, how rough its smoothest patches are.
//!
//! [`super::camera_snr`] joins patches into a noise curve; nothing is remembered here.

use super::quantisation::QUANTISATION_VARIANCE;
use image::GrayImage;

/// Side of a patch in pixels: large enough for a variance to a tenth, small enough that some
/// patches of a talking person's picture hold still.
pub const PATCH: usize = 16;

const PATCH_PIXELS: f64 = (PATCH * PATCH) as f64;

/// Sides of the blocks within a patch whose means are compared: they show how far the noise of
/// neighbours is alike. Larger ones show motion more than noise.
pub const BLOCK_SIDES: [usize; 3] = [1, 2, 4];

/// Patches looked at in one picture or pair at most, so that a step's time does not depend on the
/// resolution.
pub const MOST_PATCHES: usize = 600;

/// A patch moved when the picture's gradient explains more than this share of a difference: noise
/// knows nothing of the gradient, and a move that explains less adds less than half a decibel.
const MOVED_SHARE: f64 = 0.1;

/// Of the patches left, one in so many is kept: those that moved least. Chosen on six of the twelve
/// clips of `runtime/examples/selfcheck_evidence`: all of them take motion for noise, a third leaves too
/// few.
const STILLEST_SHARE: usize = 2;

/// A patch changed when its variance is this many times the median of the others: noise grows with
/// the gray level, but not that far.
const CHANGED_TIMES: f64 = 9.0;

/// Variance in squared gray levels below which no patch is called changed: the median of clean
/// pictures is 0, and rounding alone makes a twelfth.
const CHANGED_FLOOR: f64 = 0.25;

/// Gray levels below and above which a pixel may have been cut off, and its noise with it.
const UNCLIPPED: std::ops::RangeInclusive<u8> = 2..=253;

/// Share of a patch's pixels that may be cut off without making its noise look smaller.
pub const UNCLIPPED_SHARE: f64 = 0.01;

/// Share of a patch's pixels that may be cut off at all: in a picture of little but noise no patch has
/// less, and an estimate that is a decibel or two too low is better than none.
const CLIPPED_SHARE: f64 = 0.3;

/// What one patch says about the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchNoise {
    /// Mean gray level, 0 to 255.
    pub level: f64,
    /// Variance of a pixel's noise in squared gray levels, rounding included.
    pub variance: f64,
    /// Share of the pixels that may be cut off at black or white.
    pub clipped: f64,
    /// Mean square of the gray level's change from pixel to pixel, without what the noise makes of
    /// it: how much there is to see.
    pub texture: f64,
    /// What the difference holds that is coarse or explained by a shift, over what noise as large
    /// as the rest of it would: about 1 for noise and for no change at all, more for motion.
    pub motion: f64,
    /// Variance of the means of blocks of [`BLOCK_SIDES`], times their number of pixels: equal to
    /// the first for noise that is independent from pixel to pixel. Zeros from a single picture,
    /// which cannot tell.
    pub block_variances: [f64; BLOCK_SIDES.len()],
}

/// Corners of the patches to look at: a grid, thinned to [`MOST_PATCHES`]; `turn` picks others each
/// time. A border of one pixel is left out, for gradients reach that far.
fn corners(width: u32, height: u32, turn: usize) -> impl Iterator<Item = (usize, usize)> {
    let per_side = |length: u32| (length as usize).saturating_sub(2) / PATCH;
    let (columns, rows) = (per_side(width), per_side(height));
    let thin = (columns * rows).div_ceil(MOST_PATCHES).max(1);
    (turn % thin..columns * rows)
        .step_by(thin)
        .map(move |index| (1 + index % columns * PATCH, 1 + index / columns * PATCH))
}

/// Patches that hold still in two pictures of equal size, with what remains of their difference
/// when a change of brightness and a small shift are taken out. `turn` picks which patches of a
/// large picture are looked at.
///
/// Empty where sizes differ, nothing holds still, or the pictures are the same byte by byte: a
/// frame delivered twice says nothing of the noise.
pub fn still_patches(before: &GrayImage, after: &GrayImage, turn: usize) -> Vec<PatchNoise> {
    if before.dimensions() != after.dimensions() || before.as_raw() == after.as_raw() {
        return Vec::new();
    }
    let stride = before.width() as usize;
    let (a, b) = (before.as_raw(), after.as_raw());
    let mut patches: Vec<PatchNoise> = corners(before.width(), before.height(), turn)
        .filter_map(|(x, y)| still_patch(a, b, stride, x, y))
        .collect();
    let most: [f64; BLOCK_SIDES.len()] = std::array::from_fn(|side| {
        let mut variances: Vec<f64> = patches.iter().map(|p| p.block_variances[side]).collect();
        variances.sort_by(f64::total_cmp);
        let median = variances.get(variances.len() / 2).copied().unwrap_or(0.0);
        CHANGED_TIMES * median.max(CHANGED_FLOOR)
    });
    patches.retain(|patch| {
        let mut variances = patch.block_variances.iter().zip(&most);
        variances.all(|(variance, most)| variance <= most)
    });
    patches.sort_by(|a, b| a.motion.total_cmp(&b.motion));
    patches.truncate(patches.len().div_ceil(STILLEST_SHARE));
    patches
}

fn still_patch(a: &[u8], b: &[u8], stride: usize, x: usize, y: usize) -> Option<PatchNoise> {
    // Sums for the least squares of the difference on 1 and the gradient of the mean picture.
    let (mut level, mut clipped) = (0_u64, 0_u32);
    let (mut sd, mut sdd, mut sx, mut sy) = (0.0, 0.0, 0.0, 0.0);
    let (mut sxx, mut syy, mut sxy, mut sdx, mut sdy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut difference = [0.0_f64; PATCH * PATCH];
    let both = |at: usize| i32::from(a[at]) + i32::from(b[at]);
    for row in 0..PATCH {
        for column in 0..PATCH {
            let at = (y + row) * stride + x + column;
            if !UNCLIPPED.contains(&a[at]) || !UNCLIPPED.contains(&b[at]) {
                clipped += 1;
            }
            level += u64::from(a[at]) + u64::from(b[at]);
            let d = f64::from(i32::from(a[at]) - i32::from(b[at]));
            let gx = f64::from(both(at + 1) - both(at - 1));
            let gy = f64::from(both(at + stride) - both(at - stride));
            difference[row * PATCH + column] = d;
            sd += d;
            sdd += d * d;
            sx += gx;
            sy += gy;
            sxx += gx * gx;
            syy += gy * gy;
            sxy += gx * gy;
            sdx += d * gx;
            sdy += d * gy;
        }
    }
    let clipped = f64::from(clipped) / PATCH_PIXELS;
    if clipped > CLIPPED_SHARE {
        return None;
    }
    let n = PATCH_PIXELS;
    let mean = sd / n;
    let around = |product: f64, p: f64, q: f64| product - p * q / n;
    let total = around(sdd, sd, sd);
    let (xx, yy, xy) = (
        around(sxx, sx, sx),
        around(syy, sy, sy),
        around(sxy, sx, sy),
    );
    let (dx, dy) = (around(sdx, sd, sx), around(sdy, sd, sy));
    let determinant = xx * yy - xy * xy;
    // The shift that explains most; without texture there is nothing that one could explain.
    let (across, down) = if determinant > 1e-9 * (xx + yy).powi(2) && determinant > 0.0 {
        (
            (dx * yy - dy * xy) / determinant,
            (dy * xx - dx * xy) / determinant,
        )
    } else if xx + yy > 0.0 {
        (dx / (xx + yy), dy / (xx + yy))
    } else {
        (0.0, 0.0)
    };
    let explained = across * dx + down * dy;
    if explained > MOVED_SHARE * total {
        return None;
    }
    for row in 0..PATCH {
        for column in 0..PATCH {
            let at = (y + row) * stride + x + column;
            let gx = f64::from(both(at + 1) - both(at - 1));
            let gy = f64::from(both(at + stride) - both(at - stride));
            let shift = across * (gx - sx / n) + down * (gy - sy / n);
            difference[row * PATCH + column] -= mean + shift;
        }
    }
    // A difference holds the noise of two pictures.
    let [pixels, twos, fours, coarse] = bands(difference).map(|band| band / 2.0);
    // The coarsest band picks the patches, so it says nothing of the noise any more: what is nearly as
    // coarse stands for it. Noise has as much in each of a band's 192, 48, 12 and 3 dimensions.
    let fours = fours * 15.0 / 12.0;
    // A shift takes two of the finer dimensions.
    let block_variances = [
        (pixels + twos + fours) / (n - 3.0),
        (twos + fours) / 63.0,
        fours / 15.0,
    ];
    let variance = block_variances[0];
    Some(PatchNoise {
        level: level as f64 / (2.0 * n),
        variance,
        clipped,
        // The mean picture's gradients are twice those of one pixel and hold half a picture's noise.
        texture: ((xx + yy) / (16.0 * n) - variance / 2.0).max(0.0),
        // Of five dimensions; rounding's share keeps patches without any change from coming first,
        // which after compression are its smoothest.
        motion: ((coarse + explained / 2.0) / 5.0 + QUANTISATION_VARIANCE)
            / (variance + QUANTISATION_VARIANCE),
        block_variances,
    })
}

/// Sums of squares of a patch's deviations from its mean by their fineness: within blocks of 2x2,
/// between those within 4x4, between those within 8x8, and between those within the patch. They add up
/// to the whole.
fn bands(mut values: [f64; PATCH * PATCH]) -> [f64; BLOCK_SIDES.len() + 1] {
    let mut width = PATCH;
    let mut pixels = 1.0;
    std::array::from_fn(|_| {
        let half = width / 2;
        let mut squares = 0.0;
        for row in 0..half {
            for column in 0..half {
                let at = 2 * row * width + 2 * column;
                let four = [at, at + 1, at + width, at + width + 1].map(|at| values[at]);
                let mean = four.iter().sum::<f64>() / 4.0;
                squares += four.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
                // Only what was read already is written over.
                values[row * half + column] = mean;
            }
        }
        let all = squares * pixels;
        width = half;
        pixels *= 4.0;
        all
    })
}

/// Of a single picture: the roughness of its patches by the estimate of Immerkaer (1996), which a
/// linear change of gray does not perturb. Texture does, so only the smoothest quarter of each
/// 16 gray levels is kept; what they say is still rather too much noise than too little.
pub fn smooth_patches(picture: &GrayImage) -> Vec<PatchNoise> {
    let stride = picture.width() as usize;
    let pixels = picture.as_raw();
    let mut by_level: [Vec<PatchNoise>; LEVEL_BINS] = std::array::from_fn(|_| Vec::new());
    for (x, y) in corners(picture.width(), picture.height(), 0) {
        if let Some(patch) = rough_patch(pixels, stride, x, y) {
            by_level[level_bin(patch.level)].push(patch);
        }
    }
    let mut smoothest = Vec::new();
    for mut patches in by_level {
        patches.sort_by(|a, b| a.variance.total_cmp(&b.variance));
        patches.truncate(patches.len().div_ceil(SMOOTHEST_SHARE));
        smoothest.extend(patches);
    }
    for patch in &mut smoothest {
        patch.variance *= SMOOTHEST_CORRECTION;
    }
    smoothest
}

/// One in so many patches of a level counts as smooth.
const SMOOTHEST_SHARE: usize = 4;

/// The median of the lowest quarter of the patches' variances is this much too low for white noise:
/// with 256 correlated responses a variance scatters by 17 %, and an eighth of a normal distribution
/// lies more than 1.15 of that below the mean.
const SMOOTHEST_CORRECTION: f64 = 1.0 / (1.0 - 1.15 * 0.17);

/// Number of equal ranges of gray levels.
pub const LEVEL_BINS: usize = 16;

/// Which of [`LEVEL_BINS`] a level of 0 to 255 belongs to.
pub fn level_bin(level: f64) -> usize {
    ((level / 256.0 * LEVEL_BINS as f64) as usize).min(LEVEL_BINS - 1)
}

/// Immerkaer, "Fast noise variance estimation" (Computer Vision and Image Understanding 64, 1996):
/// the difference of two Laplacians, [1 -2 1; -2 4 -2; 1 -2 1], whose squares sum to 36; the mean
/// of its absolute value is sigma * 6 * sqrt(2 / pi).
fn rough_patch(pixels: &[u8], stride: usize, x: usize, y: usize) -> Option<PatchNoise> {
    let (mut level, mut clipped, mut roughness) = (0_u64, 0_u32, 0_i64);
    for row in 0..PATCH {
        for column in 0..PATCH {
            let at = (y + row) * stride + x + column;
            level += u64::from(pixels[at]);
            clipped += u32::from(!UNCLIPPED.contains(&pixels[at]));
            let read = |at: usize| i64::from(pixels[at]);
            let across = |at: usize| read(at - 1) - 2 * read(at) + read(at + 1);
            let response = across(at - stride) - 2 * across(at) + across(at + stride);
            roughness += response.abs();
        }
    }
    let clipped = f64::from(clipped) / PATCH_PIXELS;
    if clipped > CLIPPED_SHARE {
        return None;
    }
    let sigma = (std::f64::consts::PI / 2.0).sqrt() / 6.0 * roughness as f64 / PATCH_PIXELS;
    Some(PatchNoise {
        level: level as f64 / PATCH_PIXELS,
        variance: sigma * sigma,
        clipped,
        texture: 0.0,
        motion: 1.0,
        block_variances: [0.0; BLOCK_SIDES.len()],
    })
}
