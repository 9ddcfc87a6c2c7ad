//! A depthwise convolution: each channel by itself, with its own 3 x 3 window.
//!
//! ```text
//! out[y, x, i] = sum over r, c of  weight[i, r, c] * in[y s + r - q, x s + c - q, i]
//! ```
//!
//! for stride s and padding q. The input lies in memory with a border of one pixel of zeros, the channels of
//! a pixel side by side, so that one vector holds [`LANES`] channels of one pixel:
//!
//! ```text
//! weights   for each block of LANES channels, row r, column c:  [i0 i1 .. i15]   nine vectors a block
//! ```

use super::{
    aligned::Aligned,
    kernel::{LANES, PlaneShape, multiply_add},
};
use std::ops::Range;

/// Rows and columns of the window.
const SIDE: usize = 3;
const WINDOW: usize = SIDE * SIDE;

/// A convolution of each channel by its own 3 x 3 window, without a bias.
#[derive(Clone, Debug)]
pub(crate) struct Depthwise {
    /// Without its border of one pixel.
    input: PlaneShape,
    output: PlaneShape,
    stride: usize,
    /// Row and column of the first window in the bordered input.
    first: usize,
    /// By block of [`LANES`] channels, row, column and channel.
    weights: Aligned,
}

impl Depthwise {
    /// Pixels of zeros around the input.
    pub const BORDER: usize = 1;

    /// Prepares a convolution of inputs of this shape that have [`Self::BORDER`] pixels of zeros around, of
    /// which `padding`, 0 or 1, belong to the first window. The weights are by channel, row and column.
    /// The output has the input's rows and columns divided by `stride`, 1 or 2.
    ///
    /// `None` where this does not fit together.
    pub fn new(input: PlaneShape, stride: usize, padding: usize, weights: &[f32]) -> Option<Self> {
        let fits = input.channels.is_multiple_of(LANES)
            && matches!(stride, 1 | 2)
            && padding <= Self::BORDER
            && weights.len() == input.channels * WINDOW;
        if !fits {
            return None;
        }
        let output = PlaneShape {
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
    pub fn input(&self) -> PlaneShape {
        self.input
    }

    /// The output's shape.
    pub fn output(&self) -> PlaneShape {
        self.output
    }

    /// Computes some rows of the output from `input` with its border. `output`, without a border, begins with
    /// the first of those rows.
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
            output: PlaneShape { width, .. },
            ..
        } = self;
        let blocks = self.output.channels / LANES;
        let row = (self.input.width + 2 * Self::BORDER) * blocks;
        let span = (SIDE - 1) * blocks + 1;
        let input = input.as_chunks::<LANES>().0;
        let output = output.as_chunks_mut::<LANES>().0;
        let weights = self.weights.as_chunks::<LANES>().0;
        // One pixel at a time: with more at once the compiler does not keep the sums in registers. The
        // processor overlaps several pixels by itself.
        for (block, weights) in weights.as_chunks::<WINDOW>().0.iter().enumerate() {
            // A copy, which can stay in registers while the output is written.
            let weights = *weights;
            for y in rows.clone() {
                for x in 0..*width {
                    let start = (y * stride + first) * row + (x * stride + first) * blocks + block;
                    let mut sums = [0.0; LANES];
                    for r in 0..SIDE {
                        let window = &input[start + r * row..][..span];
                        for c in 0..SIDE {
                            let values = &window[c * blocks];
                            let weights = &weights[r * SIDE + c];
                            multiply_add::<LANES, FUSED>(&mut sums, values, weights);
                        }
                    }
                    output[((y - rows.start) * width + x) * blocks + block] = sums;
                }
            }
        }
    }
}
