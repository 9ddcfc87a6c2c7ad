//! One convolution with what surrounds it in a residual network, computed in one pass.
//!
//! # Equation
//! For output pixel p = (y, x) and output channel o, with stride s, padding q, kernel rows r and columns c,
//! and input channels i:
//!
//! ```text
//! out[p, o] = act( bias[o]  +  sum over r, c, i of  weight[o, i, r, c] * in'[y s + r - q, x s + c - q, i]
//!                           +  factor * residual[p, o] )
//!
//! in'[.., i] = max(0, scale[i] * in[.., i] + shift[i])   where the layer normalises, else in;  0 outside
//! act(v)     = max(0, v)                                 where the layer is rectified, else v
//! ```
//!
//! # Memory
//! Images lie row by row, the channels of a pixel side by side (NHWC). So the window of an output pixel is
//! one run of `span` = columns x channels floats in each of its rows, and one vector holds [`LANES`] output
//! channels of one pixel:
//!
//! ```text
//! padded input   | pixel 0: i0 i1 .. | pixel 1: i0 i1 .. | pixel 2 ..      <- one row
//!                  ^ starts[0]         ^ starts[1] (stride 1)
//!                  '------ span: the window's row -------'
//!
//! weights        for each block of LANES output channels:
//!                  for each row r, column c, input channel i:  [o0 o1 .. o15]   one vector
//!
//! inner loop     sums[pixel][0..LANES] += window[pixel][k] * weights[k][0..LANES]
//! ```
//!
//! A few pixels are summed at once in registers: each weight vector that is loaded serves all of them, and
//! the image is not copied for each weight, as a matrix product (im2col) would need it. The sums of one
//! output are added in the order r, c, i, whatever the processor.

use super::aligned::Aligned;
use crate::instructions::{Instructions, Loops, MOST_PIXELS};
use std::ops::{Deref, Range};

/// Output channels that are summed side by side: one vector of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;

/// Rows, columns and channels of an image or feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaneShape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl PlaneShape {
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    pub fn volume(&self) -> usize {
        self.pixels() * self.channels
    }
}

/// Size of a kernel, its stride or its padding: rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size2d {
    pub height: usize,
    pub width: usize,
}

impl Size2d {
    /// From a list of two, rows first; `None` for any other list.
    pub fn of(sizes: &[usize]) -> Option<Self> {
        match *sizes {
            [height, width] => Some(Self { height, width }),
            _ => None,
        }
    }
}

/// A convolution as a graph has it, with the neighbours that are computed with it: the equation above.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub input: PlaneShape,
    pub output: PlaneShape,
    pub kernel: Size2d,
    pub stride: Size2d,
    /// Zeros above and left of the input; below and right there are as many as the output needs.
    pub padding: Size2d,
    /// By output channel, input channel, row and column.
    pub weights: Vec<f32>,
    /// One for each output channel.
    pub bias: Vec<f32>,
    /// Scale and shift for each input channel; what is normalised is rectified as well.
    pub normalised: Option<(Vec<f32>, Vec<f32>)>,
    /// How a second input, of as many pixels as the output, is added.
    pub residual: Option<Residual>,
    /// Whether the output is rectified.
    pub rectified: bool,
    /// Pixels around the output in memory, which are not written: the padding of the layer that reads it.
    pub border: usize,
}

/// How a second input is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Residual {
    /// Its factor.
    pub factor: f32,
    /// Its channels: those of the output, or fewer, the first of them.
    pub channels: usize,
}

/// A [`Layer`] with its weights in the order in which they are used, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    layer: Layer,
    instructions: Instructions,
    /// The input's shape with its padding.
    padded: PlaneShape,
    /// Index of the first float of each output pixel's window in the padded input.
    starts: Vec<usize>,
    /// Index of each output pixel in the output with its border, in pixels.
    positions: Vec<usize>,
    /// Floats of a row of the window, side by side in the input, that have weights.
    span: usize,
    /// By block of [`LANES`] output channels, row, column, input channel, and output channel in the block.
    weights: Aligned,
}

impl Convolution {
    /// Prepares a layer; `None` where its output channels fill no whole vectors, its output is smaller than
    /// the pixels summed at once, or its parts do not fit together.
    pub fn new(layer: Layer) -> Option<Self> {
        let Layer {
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = layer;
        let window = kernel.height * kernel.width * input.channels;
        let per_channel = |values: &(Vec<f32>, Vec<f32>)| {
            values.0.len() == input.channels && values.1.len() == input.channels
        };
        let fits = output.channels.is_multiple_of(LANES)
            && layer.residual.is_none_or(|residual| {
                residual.channels.is_multiple_of(LANES) && residual.channels <= output.channels
            })
            && output.pixels() >= MOST_PIXELS
            && window > 0
            && layer.weights.len() == output.channels * window
            && layer.bias.len() == output.channels
            && layer.normalised.as_ref().is_none_or(per_channel);
        if !fits {
            return None;
        }
        let padded = |output: usize, stride: usize, kernel: usize, input: usize, before: usize| {
            ((output - 1) * stride + kernel).max(input + before)
        };
        let padded = PlaneShape {
            height: padded(
                output.height,
                stride.height,
                kernel.height,
                input.height,
                padding.height,
            ),
            width: padded(
                output.width,
                stride.width,
                kernel.width,
                input.width,
                padding.width,
            ),
            channels: input.channels,
        };
        let row = output.width + 2 * layer.border;
        let (starts, positions) = (0..output.pixels())
            .map(|pixel| {
                let (y, x) = (pixel / output.width, pixel % output.width);
                (
                    (y * stride.height * padded.width + x * stride.width) * padded.channels,
                    (y + layer.border) * row + x + layer.border,
                )
            })
            .unzip();
        let (span, weights) = reordered(&layer);
        Some(Self {
            layer,
            instructions: Instructions::fastest(),
            padded,
            starts,
            positions,
            span,
            weights: (&*weights).into(),
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

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Whether this is a 1 x 1 convolution without padding and normalisation.
    pub fn is_pointwise(&self) -> bool {
        let Layer { kernel, stride, .. } = &self.layer;
        let one = Size2d {
            height: 1,
            width: 1,
        };
        (*kernel, *stride) == (one, one)
            && self.padded == self.layer.input
            && self.layer.normalised.is_none()
    }

    /// Number of floats of the output with its border.
    pub fn output_volume(&self) -> usize {
        let Layer { output, border, .. } = &self.layer;
        (output.height + 2 * border) * (output.width + 2 * border) * output.channels
    }

    /// Computes the layer: `input` and, where the layer adds one, `residual` have the layer's shapes,
    /// `output` has [`Self::output_volume`].
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        self.instructions.run(KernelRun {
            convolution: self,
            input,
            residual,
            output,
        });
    }

    /// Computes some pixels of the output, at least `PIXELS`. `input` is padded and begins with the window
    /// of the first of them; `residual` begins with that pixel; `output` is the whole output.
    #[inline(always)]
    pub(super) fn compute<const PIXELS: usize, const FUSED: bool>(
        &self,
        pixels: Range<usize>,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let Self {
            layer,
            starts,
            positions,
            span,
            ..
        } = self;
        let begin = starts[pixels.start];
        let channels = layer.output.channels;
        let stride = self.padded.width * self.padded.channels;
        let window = span * layer.kernel.height;
        let blocks = self.weights.chunks_exact(window * LANES);
        for (block, (weights, bias)) in blocks.zip(layer.bias.as_chunks::<LANES>().0).enumerate() {
            let lane = block * LANES;
            let residual = match (layer.residual, residual) {
                (Some(terms), Some(residual)) if lane < terms.channels => Some((terms, residual)),
                _ => None,
            };
            for first in pixels.clone().step_by(PIXELS) {
                // The last ones are computed twice where `PIXELS` does not divide their number.
                let first = first.min(pixels.end - PIXELS);
                let starts = &starts[first..][..PIXELS];
                let mut sums = [*bias; PIXELS];
                for row in self.rows_in_input(first, first + PIXELS - 1) {
                    let weights = &weights[row * span * LANES..][..span * LANES];
                    let mut windows = [&input[..0]; PIXELS];
                    for (window, start) in windows.iter_mut().zip(starts) {
                        *window = &input[start - begin + row * stride..][..*span];
                    }
                    for (tap, weights) in weights.as_chunks::<LANES>().0.iter().enumerate() {
                        for (sums, window) in sums.iter_mut().zip(&windows) {
                            multiply_add::<LANES, FUSED>(sums, &[window[tap]; LANES], weights);
                        }
                    }
                }
                let positions = &positions[first..][..PIXELS];
                for (pixel, (position, mut sums)) in positions.iter().zip(sums).enumerate() {
                    if let Some((terms, residual)) = residual {
                        let pixel = first - pixels.start + pixel;
                        let added = &residual[pixel * terms.channels + lane..][..LANES];
                        for (sum, added) in sums.iter_mut().zip(added) {
                            *sum += terms.factor * added;
                        }
                    }
                    if layer.rectified {
                        sums = sums.map(rectify);
                    }
                    output[position * channels + lane..][..LANES].copy_from_slice(&sums);
                }
            }
        }
    }

    /// Rows of the kernel that lie outside the padding for any of these output pixels.
    #[inline(always)]
    fn rows_in_input(&self, first: usize, last: usize) -> Range<usize> {
        let Layer {
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = &self.layer;
        let (top, bottom) = (first / output.width, last / output.width);
        let start = padding.height.saturating_sub(bottom * stride.height);
        let end = (padding.height + input.height).saturating_sub(top * stride.height);
        start..end.min(kernel.height)
    }

    /// Pads the input with zeros, and normalises it where the layer does.
    #[inline(always)]
    fn pad<'i>(&self, input: &'i [f32]) -> Padded<'i> {
        let Layer { padding, .. } = self.layer;
        if self.padded == self.layer.input && self.layer.normalised.is_none() {
            return Padded::Borrowed(input);
        }
        let channels = self.padded.channels;
        let mut padded = Aligned::zeros(self.padded.volume());
        let rows = padded.chunks_exact_mut(self.padded.width * channels);
        let width = self.layer.input.width * channels;
        for (to, from) in rows.skip(padding.height).zip(input.chunks_exact(width)) {
            let to = &mut to[padding.width * channels..][..width];
            let Some((factors, shifts)) = &self.layer.normalised else {
                to.copy_from_slice(from);
                continue;
            };
            let pixels = to
                .chunks_exact_mut(channels)
                .zip(from.chunks_exact(channels));
            for (to, from) in pixels {
                let terms = factors.iter().zip(shifts);
                for ((to, from), (factor, shift)) in to.iter_mut().zip(from).zip(terms) {
                    *to = rectify(from * factor + shift);
                }
            }
        }
        Padded::Owned(padded)
    }
}

/// The span of a window's row, and the weights in the order in which they are used. In a window of one
/// column the last input channels without a weight are left out: they only fill up a vector.
fn reordered(layer: &Layer) -> (usize, Vec<f32>) {
    let Layer { input, kernel, .. } = layer;
    let taps = kernel.height * kernel.width;
    let window = taps * input.channels;
    let input_channel = |at: usize| at % window / taps;
    let channels = match kernel.width {
        1 => (0..layer.weights.len())
            .filter(|at| layer.weights[*at] != 0.0)
            .map(input_channel)
            .max()
            .map_or(1, |last| last + 1),
        _ => input.channels,
    };
    let mut weights = Vec::with_capacity(layer.weights.len());
    for block in layer.weights.chunks_exact(window * LANES) {
        for tap in 0..taps {
            for channel in 0..channels {
                let at = channel * taps + tap;
                weights.extend(block.chunks_exact(window).map(|output| output[at]));
            }
        }
    }
    (kernel.width * channels, weights)
}

/// An input with its padding, as it was given where none is needed.
enum Padded<'i> {
    Borrowed(&'i [f32]),
    Owned(Aligned),
}

impl Deref for Padded<'_> {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        match self {
            Self::Borrowed(input) => input,
            Self::Owned(padded) => padded,
        }
    }
}

/// One run of a convolution.
struct KernelRun<'a> {
    convolution: &'a Convolution,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: &'a mut [f32],
}

impl Loops for KernelRun<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let padded: &[f32] = &self.convolution.pad(self.input);
        let all = 0..self.convolution.starts.len();
        self.convolution
            .compute::<PIXELS, FUSED>(all, padded, self.residual, self.output);
    }
}

/// Computes max(0, value); NaN stays NaN, for the caller to notice.
#[inline(always)]
pub(super) fn rectify(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// Adds, lane by lane, `values` times `weights` to `sums`.
#[inline(always)]
pub(super) fn multiply_add<const LANES: usize, const FUSED: bool>(
    sums: &mut [f32; LANES],
    values: &[f32; LANES],
    weights: &[f32; LANES],
) {
    for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
        *sum = if FUSED {
            value.mul_add(*weight, *sum)
        } else {
            value * weight + *sum
        };
    }
}
