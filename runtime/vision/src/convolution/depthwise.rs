//! A convolution of each channel by itself.

use super::{
    aligned::Aligned,
    kernel::{LANES, Shape, multiply_add},
};
use std::ops::Range;

/// Rows and columns of the window.
const SIDE: usize = 3;
const WINDOW: usize = SIDE * SIDE;

/// A convolution of each channel by its own 3 x 3 window, without a bias.
#[derive(Clone, Debug)]
pub(crate) struct Depthwise {
    /// Without its border of one pixel.
    input: Shape,
    output: Shape,
    stride: usize,
    /// Where the first window begins in the bordered input, down and across.
    first: usize,
    /// By block of [`LANES`] channels, row, column and channel.
    weights: Aligned,
}

impl Depthwise {
    /// The pixels that a picture is given on each side for the window to lie on.
    pub const BORDER: usize = 1;

    /// For pictures of `input`'s shape that have zeros on [`Self::BORDER`] pixels around. `padding`, 0 or
    /// 1, of them belong to the first window. The weights are by channel, row and column. Output rows and
    /// columns are those of the input divided by `stride`.
    ///
    /// `None` where this does not fit together.
    pub fn new(input: Shape, stride: usize, padding: usize, weights: &[f32]) -> Option<Self> {
        let fits = input.channels.is_multiple_of(LANES)
            && matches!(stride, 1 | 2)
            && padding <= Self::BORDER
            && weights.len() == input.channels * WINDOW;
        if !fits {
            return None;
        }
        let output = Shape {
            height: input.height / stride,
            width: input.width / stride,
            channels: input.channels,
        };
        let first = Self::BORDER - padding;
        let inside = |size: usize, output: usize| {
            output > 0 && first + (output - 1) * stride + SIDE <= size + 2 * Self::BORDER
        };
        if !inside(input.height, output.height) || !inside(input.width, output.width) {
            return None;
        }
        let blocks = weights.chunks_exact(LANES * WINDOW);
        let weights: Vec<f32> = blocks
            .flat_map(|block| (0..WINDOW * LANES).map(|at| block[at % LANES * WINDOW + at / LANES]))
            .collect();
        Some(Self {
            input,
            output,
            stride,
            first,
            weights: (&*weights).into(),
        })
    }

    /// The input's shape without its border.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The output's shape.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// Computes some rows of the output, without a border, of `input` with its own; the channels of a pixel
    /// lie side by side. `output` begins with the first of those rows.
    #[inline(always)]
    pub(super) fn compute<const FUSED: bool>(
        &self,
        rows: Range<usize>,
        input: &[f32],
        output: &mut [f32],
    ) {
        let Self {
            stride,
            first,
            output: Shape { width, .. },
            ..
        } = self;
        let blocks = self.output.channels / LANES;
        let row = (self.input.width + 2 * Self::BORDER) * blocks;
        let span = (SIDE - 1) * blocks + 1;
        let from = input.as_chunks::<LANES>().0;
        let output = output.as_chunks_mut::<LANES>().0;
        let weights = self.weights.as_chunks::<LANES>().0;
        // One pixel at a time: with more at once the compiler does not keep the sums in registers. The
        // processor has several pixels under way of its own accord.
        for (block, weights) in weights.as_chunks::<WINDOW>().0.iter().enumerate() {
            // A copy of its own, which can stay in registers while the output is written.
            let weights = *weights;
            for y in rows.clone() {
                for x in 0..*width {
                    let start = (y * stride + first) * row + (x * stride + first) * blocks + block;
                    let mut sums = [0.0; LANES];
                    for down in 0..SIDE {
                        let window = &from[start + down * row..][..span];
                        for across in 0..SIDE {
                            let values = &window[across * blocks];
                            let weights = &weights[down * SIDE + across];
                            multiply_add::<LANES, FUSED>(&mut sums, values, weights);
                        }
                    }
                    output[((y - rows.start) * width + x) * blocks + block] = sums;
                }
            }
        }
    }
}
