//! A block of a network for small processors: a convolution of each channel, one of all channels of a pixel,
//! and the block's input added.

use super::{
    aligned::Aligned,
    depthwise::Depthwise,
    kernel::{Convolution, LANES, Shape},
};
use crate::instructions::{Instructions, Loops, MOST_PIXELS};
use std::{mem, ops::Range};

/// Pixels that go through a block together. What lies between its two convolutions then stays in the
/// processor's nearest memory, and so do the weights while they serve these pixels.
const PIXELS_TOGETHER: usize = 64;

/// A 3 x 3 convolution of each channel, a 1 x 1 convolution of what that gives, and the input added. Where
/// the first one halves rows and columns, the largest of each four pixels is added.
#[derive(Clone, Debug)]
pub(crate) struct Separable {
    filter: Depthwise,
    mix: Convolution,
    /// Rows of the output that go through together.
    rows: usize,
    instructions: Instructions,
}

impl Separable {
    /// `None` where the two do not fit together: the second one must go over single pixels of what the first
    /// gives, and add as many channels as the input has.
    pub fn new(filter: Depthwise, mix: Convolution) -> Option<Self> {
        let (input, between) = (filter.input(), filter.output());
        let layer = mix.layer();
        let halves = input.width == 2 * between.width && input.height == 2 * between.height;
        let same = (input.width, input.height) == (between.width, between.height);
        let added = layer.residual.map(|residual| residual.channels);
        let fits = layer.input == between
            && mix.is_of_single_pixels()
            && layer.border == Depthwise::BORDER
            && (halves || same)
            && between.width >= MOST_PIXELS
            && added == Some(input.channels);
        fits.then(|| Self {
            rows: (PIXELS_TOGETHER / between.width).clamp(1, between.height),
            filter,
            mix,
            instructions: Instructions::fastest(),
        })
    }

    /// The same on other instructions, which [`Instructions::available`] must have given.
    #[cfg(test)]
    pub(super) fn on(self, instructions: Instructions) -> Self {
        Self {
            instructions,
            ..self
        }
    }

    /// The output's shape, without its border.
    pub fn output(&self) -> Shape {
        self.mix.layer().output
    }

    /// Numbers of the output with its border.
    pub fn output_volume(&self) -> usize {
        self.mix.output_volume()
    }

    /// Whether the output has the input's shape, so that [`Self::run_in_place`] can be called.
    pub fn keeps_shape(&self) -> bool {
        self.filter.input() == self.output()
    }

    /// Computes `output` of `input`, both with a border of [`Depthwise::BORDER`] pixels, which must be zeros
    /// around the input and is left as it is around the output.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        self.instructions.run(Run {
            block: self,
            pictures: Pictures::Two(input, output),
        });
    }

    /// [`Self::run`] on one picture, where [`Self::keeps_shape`].
    pub fn run_in_place(&self, picture: &mut [f32]) {
        self.instructions.run(Run {
            block: self,
            pictures: Pictures::One(picture),
        });
    }

    /// What is added to some rows of the output.
    #[inline(always)]
    fn residual(&self, rows: Range<usize>, input: &[f32], residual: &mut [f32]) {
        let shape = self.filter.input();
        let (channels, border) = (shape.channels, Depthwise::BORDER);
        let width = shape.width * channels;
        let row_at = |y: usize| {
            let start = (y + border) * (shape.width + 2 * border) * channels + border * channels;
            &input[start..][..width]
        };
        let halves = shape.width > self.output().width;
        let out = self.output().width * channels;
        for (y, residual) in rows.zip(residual.chunks_exact_mut(out)) {
            if !halves {
                residual.copy_from_slice(row_at(y));
                continue;
            }
            let (upper, lower) = (row_at(2 * y), row_at(2 * y + 1));
            let squares = upper
                .chunks_exact(2 * channels)
                .zip(lower.chunks_exact(2 * channels));
            for (largest, (upper, lower)) in residual.chunks_exact_mut(channels).zip(squares) {
                largest_of(largest, upper.split_at(channels), lower.split_at(channels));
            }
        }
    }
}

/// The two pictures of a run, or the one that is both.
enum Pictures<'a> {
    Two(&'a [f32], &'a mut [f32]),
    One(&'a mut [f32]),
}

impl Pictures<'_> {
    #[inline(always)]
    fn input(&self) -> &[f32] {
        match self {
            Self::Two(input, _) => input,
            Self::One(picture) => picture,
        }
    }

    #[inline(always)]
    fn output(&mut self) -> &mut [f32] {
        match self {
            Self::Two(_, output) => output,
            Self::One(picture) => picture,
        }
    }
}

/// One run.
struct Run<'a> {
    block: &'a Separable,
    pictures: Pictures<'a>,
}

impl Loops for Run<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(mut self) {
        let Separable {
            filter, mix, rows, ..
        } = self.block;
        let Shape {
            height,
            width,
            channels,
        } = filter.output();
        let buffer = || Aligned::zeros(rows * width * channels);
        let (mut filtered, mut next, mut residual) = (buffer(), buffer(), buffer());
        let together = |first: usize| first..(first + rows).min(height);
        filter.compute::<FUSED>(together(0), self.pictures.input(), &mut filtered);
        for first in (0..height).step_by(*rows) {
            // In place, what is written now must no longer be read by the rows below.
            let below = together(first + rows);
            if !below.is_empty() {
                filter.compute::<FUSED>(below, self.pictures.input(), &mut next);
            }
            let these = together(first);
            self.block
                .residual(these.clone(), self.pictures.input(), &mut residual);
            let pixels = these.start * width..these.end * width;
            mix.compute::<PIXELS, FUSED>(
                pixels,
                &filtered,
                Some(&residual),
                self.pictures.output(),
            );
            mem::swap(&mut filtered, &mut next);
        }
    }
}

/// The largest of each channel of four pixels.
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

/// One instruction, which `f32::max` with its care for what is no number is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
