//! A depthwise separable block of a network for small processors, computed in one pass.
//!
//! # Equation
//! For each pixel p and channel o, with the depthwise 3 x 3 convolution D ([`Depthwise`]) and the pointwise
//! 1 x 1 convolution P ([`Convolution`]):
//!
//! ```text
//! out[p, o] = max(0, bias[o]  +  sum over i of  P[o, i] * D(in)[p, i]  +  shortcut[p, o])
//!
//! shortcut[p, o] = in[p, o]                                    at stride 1
//!                  max of the 2 x 2 pixels of in at 2p, o      at stride 2
//!                  0                                           for channels that the input does not have
//! ```
//!
//! # Memory
//! Input and output have a border of zeros for the next block's window; `rows` rows of the output go through
//! together, so that what lies between the two convolutions stays in the nearest cache:
//!
//! ```text
//! input   0 0 0 0 0 0              filtered | next     two buffers of `rows` rows, swapped
//!         0 a a a a 0   --D-->     f f f f            output  0 0 0 0 0 0
//!         0 a a a a 0              f f f f   --P-->           0 o o o o 0
//!         0 b b b b 0   --D-->       n n n n                  0 o o o o 0
//!         0 0 0 0 0 0                                         0 . . . . 0
//! ```
//!
//! In place (input and output are one buffer), D of the rows below is computed before P overwrites the rows
//! that D reads.

use super::{
    aligned::Aligned,
    depthwise::Depthwise,
    kernel::{Convolution, LANES, PlaneShape},
};
use crate::instructions::{Instructions, Loops, MOST_PIXELS};
use std::{mem, ops::Range};

/// Pixels that go through a block together. What lies between its two convolutions then stays in the
/// nearest cache, and so do the weights while they serve these pixels.
const PIXELS_TOGETHER: usize = 64;

/// A depthwise 3 x 3 convolution, a pointwise one, and a shortcut from input to output: the equation above.
#[derive(Clone, Debug)]
pub(crate) struct Separable {
    depthwise: Depthwise,
    pointwise: Convolution,
    /// Rows of the output that are computed together.
    rows: usize,
    instructions: Instructions,
}

impl Separable {
    /// Joins two convolutions; `None` where they do not fit together: the second must be pointwise on the
    /// first one's output, and add as many channels as the input has.
    pub fn new(depthwise: Depthwise, pointwise: Convolution) -> Option<Self> {
        let (input, between) = (depthwise.input(), depthwise.output());
        let layer = pointwise.layer();
        let halves = input.width == 2 * between.width && input.height == 2 * between.height;
        let same = (input.width, input.height) == (between.width, between.height);
        let added = layer.residual.map(|residual| residual.channels);
        let fits = layer.input == between
            && pointwise.is_pointwise()
            && layer.border == Depthwise::BORDER
            && (halves || same)
            && between.width >= MOST_PIXELS
            && added == Some(input.channels);
        fits.then(|| Self {
            rows: (PIXELS_TOGETHER / between.width).clamp(1, between.height),
            depthwise,
            pointwise,
            instructions: Instructions::fastest(),
        })
    }

    /// Runs on other instructions, which [`Instructions::available`] must have given.
    #[cfg(test)]
    pub(super) fn on(self, instructions: Instructions) -> Self {
        Self {
            instructions,
            ..self
        }
    }

    /// The output's shape, without its border.
    pub fn output(&self) -> PlaneShape {
        self.pointwise.layer().output
    }

    /// Number of floats of the output with its border.
    pub fn output_volume(&self) -> usize {
        self.pointwise.output_volume()
    }

    /// Whether the output has the input's shape, so that [`Self::run_in_place`] can be called.
    pub fn keeps_shape(&self) -> bool {
        self.depthwise.input() == self.output()
    }

    /// Computes `output` from `input`, both with a border of [`Depthwise::BORDER`] pixels, which must be zero
    /// around the input and is not written around the output.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        self.instructions.run(SeparableRun {
            block: self,
            buffers: Buffers::Two(input, output),
        });
    }

    /// Computes [`Self::run`] in place, where [`Self::keeps_shape`].
    pub fn run_in_place(&self, buffer: &mut [f32]) {
        self.instructions.run(SeparableRun {
            block: self,
            buffers: Buffers::One(buffer),
        });
    }

    /// Computes the shortcut of some rows of the output.
    #[inline(always)]
    fn shortcut(&self, rows: Range<usize>, input: &[f32], shortcut: &mut [f32]) {
        let shape = self.depthwise.input();
        let (channels, border) = (shape.channels, Depthwise::BORDER);
        let width = shape.width * channels;
        let row_at = |y: usize| {
            let start = (y + border) * (shape.width + 2 * border) * channels + border * channels;
            &input[start..][..width]
        };
        let halves = shape.width > self.output().width;
        let out = self.output().width * channels;
        for (y, shortcut) in rows.zip(shortcut.chunks_exact_mut(out)) {
            if !halves {
                shortcut.copy_from_slice(row_at(y));
                continue;
            }
            let (upper, lower) = (row_at(2 * y), row_at(2 * y + 1));
            let squares = upper
                .chunks_exact(2 * channels)
                .zip(lower.chunks_exact(2 * channels));
            for (largest, (upper, lower)) in shortcut.chunks_exact_mut(channels).zip(squares) {
                largest_of(largest, upper.split_at(channels), lower.split_at(channels));
            }
        }
    }
}

/// Input and output of a run, or the one buffer that is both.
enum Buffers<'a> {
    Two(&'a [f32], &'a mut [f32]),
    One(&'a mut [f32]),
}

impl Buffers<'_> {
    #[inline(always)]
    fn input(&self) -> &[f32] {
        match self {
            Self::Two(input, _) => input,
            Self::One(buffer) => buffer,
        }
    }

    #[inline(always)]
    fn output(&mut self) -> &mut [f32] {
        match self {
            Self::Two(_, output) => output,
            Self::One(buffer) => buffer,
        }
    }
}

/// One run.
struct SeparableRun<'a> {
    block: &'a Separable,
    buffers: Buffers<'a>,
}

impl Loops for SeparableRun<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(mut self) {
        let Separable {
            depthwise,
            pointwise,
            rows,
            ..
        } = self.block;
        let PlaneShape {
            height,
            width,
            channels,
        } = depthwise.output();
        let buffer = || Aligned::zeros(rows * width * channels);
        let (mut filtered, mut next, mut shortcut) = (buffer(), buffer(), buffer());
        let together = |first: usize| first..(first + rows).min(height);
        depthwise.compute::<FUSED>(together(0), self.buffers.input(), &mut filtered);
        for first in (0..height).step_by(*rows) {
            // In place, what is written now must no longer be read by the rows below.
            let below = together(first + rows);
            if !below.is_empty() {
                depthwise.compute::<FUSED>(below, self.buffers.input(), &mut next);
            }
            let these = together(first);
            self.block
                .shortcut(these.clone(), self.buffers.input(), &mut shortcut);
            let pixels = these.start * width..these.end * width;
            pointwise.compute::<PIXELS, FUSED>(
                pixels,
                &filtered,
                Some(&shortcut),
                self.buffers.output(),
            );
            mem::swap(&mut filtered, &mut next);
        }
    }
}

/// Computes the maximum of each channel of four pixels.
#[inline(always)]
fn largest_of(largest: &mut [f32], upper: (&[f32], &[f32]), lower: (&[f32], &[f32])) {
    let blocks = largest.as_chunks_mut::<LANES>().0.iter_mut();
    let corners = [upper.0, upper.1, lower.0, lower.1].map(|pixel| pixel.as_chunks::<LANES>().0);
    for (block, largest) in blocks.enumerate() {
        let [a, b, c, d] = corners.map(|pixel| &pixel[block]);
        for (lane, largest) in largest.iter_mut().enumerate() {
            *largest = larger(larger(a[lane], b[lane]), larger(c[lane], d[lane]));
        }
    }
}

/// Computes the maximum in one instruction, which `f32::max` with its rule for NaN is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
