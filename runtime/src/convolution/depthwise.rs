//! A convolution of each channel by itself.

use super::{
    aligned::Aligned,
    instructions::{Instructions, Loops, multiply_add},
    kernel::{LANES, Shape},
};

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
    instructions: Instructions,
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
            instructions: Instructions::fastest(),
            weights: (&*weights).into(),
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

    pub fn output(&self) -> Shape {
        self.output
    }

    /// Computes `output`, without a border, of `input` with its own; the channels of a pixel lie side by
    /// side.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        self.instructions.run(Run {
            depthwise: self,
            input,
            output,
        });
    }
}

/// One run.
struct Run<'a> {
    depthwise: &'a Depthwise,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Loops for Run<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let Depthwise {
            input,
            output: to,
            stride,
            first,
            weights,
            ..
        } = self.depthwise;
        let blocks = to.channels / LANES;
        let row = (input.width + 2 * Depthwise::BORDER) * blocks;
        let span = (SIDE - 1) * blocks + 1;
        let from = self.input.as_chunks::<LANES>().0;
        let output = self.output.as_chunks_mut::<LANES>().0;
        let weights = weights.as_chunks::<LANES>().0;
        // One pixel at a time: with more at once the compiler does not keep the sums in registers. The
        // processor has several pixels under way of its own accord.
        for (block, weights) in weights.as_chunks::<WINDOW>().0.iter().enumerate() {
            for y in 0..to.height {
                for x in 0..to.width {
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
                    output[(y * to.width + x) * blocks + block] = sums;
                }
            }
        }
    }
}
