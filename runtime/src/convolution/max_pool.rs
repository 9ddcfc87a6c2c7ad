//! The largest of each channel in squares of four pixels.

use super::{
    instructions::{Instructions, Loops},
    kernel::{LANES, Shape},
};

/// The largest number of each channel in squares of 2 x 2 pixels, for pictures with a border.
#[derive(Clone, Debug)]
pub(crate) struct MaxPool {
    /// Of the input, without its border.
    input: Shape,
    border: usize,
    instructions: Instructions,
}

impl MaxPool {
    /// For pictures of `input`'s shape with `border` pixels around, which the output has, too. `None` where
    /// rows or columns are odd, or the channels make no vectors.
    pub fn new(input: Shape, border: usize) -> Option<Self> {
        let fits = input.channels.is_multiple_of(LANES)
            && input.height.is_multiple_of(2)
            && input.width.is_multiple_of(2);
        fits.then(|| Self {
            input,
            border,
            instructions: Instructions::fastest(),
        })
    }

    /// Numbers of the output with its border.
    pub fn output_volume(&self) -> usize {
        let Shape {
            height,
            width,
            channels,
        } = self.input;
        (height / 2 + 2 * self.border) * (width / 2 + 2 * self.border) * channels
    }

    /// Computes `output` of `input`; the channels of a pixel lie side by side. The output's border is left
    /// as it is.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        self.instructions.run(Run {
            pool: self,
            input,
            output,
        });
    }
}

/// One run.
struct Run<'a> {
    pool: &'a MaxPool,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Loops for Run<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let Shape {
            height,
            width,
            channels,
        } = self.pool.input;
        let border = self.pool.border;
        let rows = |width: usize| (width + 2 * border) * channels;
        let (from, to) = (rows(width), rows(width / 2));
        let inner = border * channels;
        for y in 0..height / 2 {
            let upper = &self.input[(2 * y + border) * from + inner..][..width * channels];
            let lower = &self.input[(2 * y + 1 + border) * from + inner..][..width * channels];
            let output = &mut self.output[(y + border) * to + inner..][..width / 2 * channels];
            let squares = upper
                .chunks_exact(2 * channels)
                .zip(lower.chunks_exact(2 * channels));
            for (output, (upper, lower)) in output.chunks_exact_mut(channels).zip(squares) {
                let (first, second) = upper.split_at(channels);
                let (third, fourth) = lower.split_at(channels);
                let corners = first.iter().zip(second).zip(third.iter().zip(fourth));
                for (largest, ((a, b), (c, d))) in output.iter_mut().zip(corners) {
                    *largest = larger(larger(*a, *b), larger(*c, *d));
                }
            }
        }
    }
}

/// One instruction, which `f32::max` with its care for what is no number is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
