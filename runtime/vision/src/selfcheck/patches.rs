//! The noise of patches of a frame: from the difference of two frames of the same still patch or, with one
//! frame only, from the roughness of its smoothest patches.
//!
//! Two frames of a still scene differ by the noise of both, so that half of the difference's variance is the
//! noise's, after a change of brightness and a small shift are taken out by least squares ([`Fit`]):
//!
//! ```text
//! d(p) = before(p) - after(p) = mean + across dI/dx + down dI/dy + residual,   sigma^2 = Var(residual) / 2
//! ```
//!
//! [`super::camera_snr`] joins patches into a noise curve; nothing is remembered here.

use super::quantisation::QUANTISATION_VARIANCE;
use crate::statistics;
use image::GrayImage;

/// Side of a patch in pixels: large enough for a variance to a tenth, small enough that some
/// patches of a talking person's frame hold still.
const PATCH: usize = 16;

const PATCH_PIXELS: f64 = (PATCH * PATCH) as f64;

/// Sides of the blocks within a patch whose means are compared: they show how far the noise of
/// neighbours is correlated. Larger ones show motion more than noise.
pub(super) const BLOCK_SIDES: [usize; 3] = [1, 2, 4];

/// Most patches that are measured in one frame or pair, so that a step's time does not depend on the
/// resolution.
const MOST_PATCHES: usize = 600;

/// A patch moved when the image's gradient explains more than this share of a difference: noise
/// knows nothing of the gradient, and a move that explains less adds less than half a decibel.
const MOVED_SHARE: f64 = 0.1;

/// Of the patches left, one in so many is kept: those that moved least. Chosen on six of the twelve
/// clips of `selfcheck_evidence` (benches): all of them take motion for noise, a third leaves too few.
const STILLEST_SHARE: usize = 2;

/// A patch changed when its variance is this many times the median of the others: noise grows with
/// the gray level, but not that far.
const CHANGED_TIMES: f64 = 9.0;

/// Variance in squared gray levels below which no patch is called changed: the median of clean
/// frames is 0, and rounding alone makes a twelfth.
const CHANGED_FLOOR: f64 = 0.25;

/// Gray levels below and above which a pixel may have been cut off, and its noise with it.
const UNCLIPPED: std::ops::RangeInclusive<u8> = 2..=253;

/// Share of a patch's pixels that may be cut off without making its noise look smaller.
pub(super) const UNCLIPPED_SHARE: f64 = 0.01;

/// Share of a patch's pixels that may be cut off at all: in a frame of little but noise no patch has
/// less, and an estimate that is a decibel or two too low is better than none.
const CLIPPED_SHARE: f64 = 0.3;

/// Noise of one patch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PatchNoise {
    /// Mean gray level, 0 to 255.
    pub level: f64,
    /// Variance of a pixel's noise in squared gray levels, rounding included.
    pub variance: f64,
    /// Share of the pixels that may be cut off at black or white.
    pub clipped: f64,
    /// Mean square of the gray level's change from pixel to pixel, without what the noise makes of
    /// it: how much there is to see.
    pub texture: f64,
    /// The part of the difference that is coarse or explained by a shift, over what noise as large
    /// as the rest of it would: about 1 for noise and for no change at all, more for motion.
    pub motion: f64,
    /// Variance of the means of blocks of [`BLOCK_SIDES`], times their number of pixels: equal to
    /// the first for noise that is independent from pixel to pixel. Zeros from a single frame,
    /// which does not show them.
    pub block_variances: [f64; BLOCK_SIDES.len()],
}

/// Corners of the patches to measure: a grid, thinned to [`MOST_PATCHES`]; `turn` picks others each
/// time. A border of one pixel is left out, for gradients reach that far.
fn corners(width: u32, height: u32, turn: usize) -> impl Iterator<Item = [usize; 2]> {
    let per_side = |length: u32| (length as usize).saturating_sub(2) / PATCH;
    let (columns, rows) = (per_side(width), per_side(height));
    let thin = (columns * rows).div_ceil(MOST_PATCHES).max(1);
    (turn % thin..columns * rows)
        .step_by(thin)
        .map(move |index| [1 + index % columns * PATCH, 1 + index / columns * PATCH])
}

/// Measures the patches that hold still in two frames of equal size. `turn` picks which patches of a large
/// frame are measured.
///
/// Empty where sizes differ, nothing holds still, or the frames are the same byte by byte: a frame
/// delivered twice says nothing of the noise.
pub(super) fn still_patches(before: &GrayImage, after: &GrayImage, turn: usize) -> Vec<PatchNoise> {
    if before.dimensions() != after.dimensions() || before.as_raw() == after.as_raw() {
        return Vec::new();
    }
    let stride = before.width() as usize;
    let mut patches: Vec<PatchNoise> = corners(before.width(), before.height(), turn)
        .filter_map(|corner| {
            still_patch(PatchPair {
                before: before.as_raw(),
                after: after.as_raw(),
                stride,
                corner,
            })
        })
        .collect();
    let most: [f64; BLOCK_SIDES.len()] = std::array::from_fn(|side| {
        let median = statistics::median(patches.iter().map(|p| p.block_variances[side]));
        CHANGED_TIMES * median.unwrap_or(0.0).max(CHANGED_FLOOR)
    });
    patches.retain(|patch| {
        let mut variances = patch.block_variances.iter().zip(&most);
        variances.all(|(variance, most)| variance <= most)
    });
    patches.sort_by(|a, b| a.motion.total_cmp(&b.motion));
    patches.truncate(patches.len().div_ceil(STILLEST_SHARE));
    patches
}

/// The 16x16 pixels of two frames at one place, and the gradient of their sum.
#[derive(Clone, Copy)]
struct PatchPair<'a> {
    before: &'a [u8],
    after: &'a [u8],
    stride: usize,
    /// Upper left pixel; a border of one pixel lies around the patch.
    corner: [usize; 2],
}

impl PatchPair<'_> {
    fn place(&self, row: usize, column: usize) -> usize {
        (self.corner[1] + row) * self.stride + self.corner[0] + column
    }

    fn sum(&self, at: usize) -> i32 {
        i32::from(self.before[at]) + i32::from(self.after[at])
    }

    fn difference(&self, at: usize) -> f64 {
        f64::from(i32::from(self.before[at]) - i32::from(self.after[at]))
    }

    /// Central differences across and down, of both frames together: four times the mean image's gradient.
    fn gradient(&self, at: usize) -> [f64; 2] {
        [
            f64::from(self.sum(at + 1) - self.sum(at - 1)),
            f64::from(self.sum(at + self.stride) - self.sum(at - self.stride)),
        ]
    }

    fn is_clipped(&self, at: usize) -> bool {
        !UNCLIPPED.contains(&self.before[at]) || !UNCLIPPED.contains(&self.after[at])
    }

    fn places(self) -> impl Iterator<Item = usize> {
        (0..PATCH).flat_map(move |row| (0..PATCH).map(move |column| self.place(row, column)))
    }
}

/// Sums over a patch for the least squares of the difference d on a constant and the gradient (x, y).
#[derive(Default)]
struct Sums {
    d: f64,
    dd: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    dx: f64,
    dy: f64,
}

impl Sums {
    fn add(&mut self, d: f64, [x, y]: [f64; 2]) {
        self.d += d;
        self.dd += d * d;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
        self.dx += d * x;
        self.dy += d * y;
    }
}

/// The brightness and shift by which one frame of a patch differs most like the other:
///
/// ```text
/// minimise  sum (d - mean - across (x - mean x) - down (y - mean y))^2
/// ```
///
/// with the solution of the normal equations of the centred sums.
struct Fit {
    mean: f64,
    mean_gradient: [f64; 2],
    across: f64,
    down: f64,
    /// Sum of squares of the difference around its mean, and the part of it that the shift explains.
    total: f64,
    explained: f64,
    /// Sum of squares of the gradient around its mean.
    gradient: f64,
}

impl Fit {
    fn of(sums: &Sums) -> Self {
        let n = PATCH_PIXELS;
        let around = |product: f64, p: f64, q: f64| product - p * q / n;
        let total = around(sums.dd, sums.d, sums.d);
        let (xx, yy, xy) = (
            around(sums.xx, sums.x, sums.x),
            around(sums.yy, sums.y, sums.y),
            around(sums.xy, sums.x, sums.y),
        );
        let (dx, dy) = (
            around(sums.dx, sums.d, sums.x),
            around(sums.dy, sums.d, sums.y),
        );
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
        Self {
            mean: sums.d / n,
            mean_gradient: [sums.x / n, sums.y / n],
            across,
            down,
            total,
            explained: across * dx + down * dy,
            gradient: xx + yy,
        }
    }

    /// What is left of a pixel's difference.
    fn residual(&self, d: f64, [x, y]: [f64; 2]) -> f64 {
        let [mean_x, mean_y] = self.mean_gradient;
        let shift = self.across * (x - mean_x) + self.down * (y - mean_y);
        d - (self.mean + shift)
    }
}

/// The noise of one patch in two frames; `None` where it moved, or where too many pixels are cut off.
fn still_patch(pair: PatchPair<'_>) -> Option<PatchNoise> {
    let (mut level, mut clipped) = (0_u64, 0_u32);
    let mut sums = Sums::default();
    for at in pair.places() {
        clipped += u32::from(pair.is_clipped(at));
        level += u64::from(pair.before[at]) + u64::from(pair.after[at]);
        sums.add(pair.difference(at), pair.gradient(at));
    }
    let clipped = f64::from(clipped) / PATCH_PIXELS;
    if clipped > CLIPPED_SHARE {
        return None;
    }
    let fit = Fit::of(&sums);
    if fit.explained > MOVED_SHARE * fit.total {
        return None;
    }
    let mut residual = [0.0_f64; PATCH * PATCH];
    for (value, at) in residual.iter_mut().zip(pair.places()) {
        *value = fit.residual(pair.difference(at), pair.gradient(at));
    }
    let n = PATCH_PIXELS;
    // A difference holds the noise of two frames.
    let [pixels, twos, fours, coarse] = bands(residual).map(|band| band / 2.0);
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
        // The gradients are four times those of the mean image, which holds half a frame's noise.
        texture: (fit.gradient / (16.0 * n) - variance / 2.0).max(0.0),
        // Of five dimensions; rounding's share keeps patches without any change from coming first,
        // which after compression are its smoothest.
        motion: ((coarse + fit.explained / 2.0) / 5.0 + QUANTISATION_VARIANCE)
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

/// Measures the roughness of a single frame's patches by the estimate of Immerkaer (1996), which a linear
/// change of gray does not affect. Texture does, so only the smoothest quarter of each 16 gray levels is
/// kept; what they show is still rather too much noise than too little.
pub(super) fn smooth_patches(frame: &GrayImage) -> Vec<PatchNoise> {
    let stride = frame.width() as usize;
    let pixels = frame.as_raw();
    let mut by_level: [Vec<PatchNoise>; LEVEL_BINS] = std::array::from_fn(|_| Vec::new());
    for corner in corners(frame.width(), frame.height(), 0) {
        if let Some(patch) = rough_patch(pixels, stride, corner) {
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

/// One in so many patches of a gray level counts as smooth.
const SMOOTHEST_SHARE: usize = 4;

/// The median of the lowest quarter of the patches' variances is this much too low for white noise:
/// with 256 correlated responses a variance scatters by 17 %, and an eighth of a normal distribution
/// lies more than 1.15 of that below the mean.
const SMOOTHEST_CORRECTION: f64 = 1.0 / (1.0 - 1.15 * 0.17);

/// Number of equal ranges of gray levels.
pub(super) const LEVEL_BINS: usize = 16;

/// Which of [`LEVEL_BINS`] a level of 0 to 255 belongs to.
pub(super) fn level_bin(level: f64) -> usize {
    ((level / 256.0 * LEVEL_BINS as f64) as usize).min(LEVEL_BINS - 1)
}

/// The noise of one patch by Immerkaer, "Fast noise variance estimation" (Computer Vision and Image
/// Understanding 64, 1996): the difference of two Laplacians, whose squares sum to 36, so that the mean of
/// its absolute value over noise is `6 sigma sqrt(2 / pi)`:
///
/// ```text
///     [ 1 -2  1 ]
/// N = [-2  4 -2 ],    sigma = sqrt(pi / 2) / 6 * mean |I * N|
///     [ 1 -2  1 ]
/// ```
fn rough_patch(pixels: &[u8], stride: usize, [x, y]: [usize; 2]) -> Option<PatchNoise> {
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
