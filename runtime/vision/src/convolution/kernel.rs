//! The arithmetic: one convolution with what surrounds it in a residual network.
//!
//! The channels of a pixel lie side by side, so that one vector holds [`LANES`] output channels of one
//! pixel. A few pixels are summed up at once in registers: each weight that is loaded serves all of
//! them, and nothing of the picture is copied per weight, as a product of matrices would need it.

use super::aligned::Aligned;
use crate::instructions::{Instructions, Loops, MOST_PIXELS};
use std::ops::{Deref, Range};

/// Output channels that are summed up side by side: one vector of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;

/// Rows, columns and channels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    pub fn volume(&self) -> usize {
        self.pixels() * self.channels
    }
}

/// Two numbers, down and across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Both {
    pub down: usize,
    pub across: usize,
}

impl Both {
    /// Of a list of two, down first.
    pub fn of(sizes: &[usize]) -> Option<Self> {
        match *sizes {
            [down, across] => Some(Self { down, across }),
            _ => None,
        }
    }
}

/// A convolution as a graph says it, and what of its neighbours is done with it. In this order: what
/// comes in is multiplied, shifted and cut off below zero, convolved, added to, and cut off again.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub input: Shape,
    pub output: Shape,
    pub kernel: Both,
    pub stride: Both,
    /// Zeros above and left of the input; below and right there are as many as the output needs.
    pub padding: Both,
    /// By output channel, input channel, row and column.
    pub weights: Vec<f32>,
    /// One number for each output channel.
    pub bias: Vec<f32>,
    /// Factor and shift for each input channel.
    pub normalised: Option<(Vec<f32>, Vec<f32>)>,
    /// What a second input, of as many pixels as the output, adds to it.
    pub residual: Option<Residual>,
    /// Whether what goes out is cut off below zero.
    pub rectified: bool,
    /// Pixels around the output in memory; nothing is written there. What reads the output next finds
    /// its padding.
    pub border: usize,
}

/// How a second input is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Residual {
    /// What it is multiplied with.
    pub factor: f32,
    /// Its channels, those of the output or fewer; to the others nothing is added.
    pub channels: usize,
}

/// A [`Layer`] with its weights in the order in which they are used.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    layer: Layer,
    instructions: Instructions,
    padded: Shape,
    /// Where the window of each output pixel starts in the padded input.
    starts: Vec<usize>,
    /// Where each output pixel is in the output with its border, in pixels.
    places: Vec<usize>,
    /// Numbers of a row of the window, side by side in the input, that weights are multiplied with.
    span: usize,
    /// By block of [`LANES`] output channels, row, column, input channel, and output channel.
    weights: Aligned,
}

impl Convolution {
    /// `None` where the layer is not of a kind that this computes, or its parts do not fit together.
    pub fn new(layer: Layer) -> Option<Self> {
        let Layer {
            input,
            output,
            kernel,
            stride,
            padding,
            ..
        } = layer;
        let window = kernel.down * kernel.across * input.channels;
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
        let side = |output: usize, stride: usize, kernel: usize, input: usize, before: usize| {
            ((output - 1) * stride + kernel).max(input + before)
        };
        let padded = Shape {
            height: side(
                output.height,
                stride.down,
                kernel.down,
                input.height,
                padding.down,
            ),
            width: side(
                output.width,
                stride.across,
                kernel.across,
                input.width,
                padding.across,
            ),
            channels: input.channels,
        };
        let along = output.width + 2 * layer.border;
        let (starts, places) = (0..output.pixels())
            .map(|pixel| {
                let (y, x) = (pixel / output.width, pixel % output.width);
                (
                    (y * stride.down * padded.width + x * stride.across) * padded.channels,
                    (y + layer.border) * along + x + layer.border,
                )
            })
            .unzip();
        let (span, weights) = in_order(&layer);
        Some(Self {
            layer,
            instructions: Instructions::fastest(),
            padded,
            starts,
            places,
            span,
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

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Whether each pixel of the output is made of the same pixel of the input alone.
    pub fn is_of_single_pixels(&self) -> bool {
        let Layer { kernel, stride, .. } = &self.layer;
        let one = Both { down: 1, across: 1 };
        (*kernel, *stride) == (one, one)
            && self.padded == self.layer.input
            && self.layer.normalised.is_none()
    }

    /// Numbers of the output with its border.
    pub fn output_volume(&self) -> usize {
        let Layer { output, border, .. } = &self.layer;
        (output.height + 2 * border) * (output.width + 2 * border) * output.channels
    }

    /// Computes `output` of `input` and, where the layer adds one, of `residual`; all with the
    /// channels of a pixel side by side, of the layer's shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        self.instructions.run(Run {
            convolution: self,
            input,
            residual,
            output,
        });
    }

    /// Computes some pixels of the output, at least `PIXELS`. `input` is padded and begins where the window
    /// of the first of them does; `residual` begins with that pixel. `output` is all of it.
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
            places,
            span,
            ..
        } = self;
        let begin = starts[pixels.start];
        let channels = layer.output.channels;
        let row = self.padded.width * self.padded.channels;
        let window = span * layer.kernel.down;
        let blocks = self.weights.chunks_exact(window * LANES);
        for (block, (weights, bias)) in blocks.zip(layer.bias.as_chunks::<LANES>().0).enumerate() {
            let lane = block * LANES;
            let residual = match (layer.residual, residual) {
                (Some(terms), Some(residual)) if lane < terms.channels => Some((terms, residual)),
                _ => None,
            };
            for first in pixels.clone().step_by(PIXELS) {
                // The last few are computed twice where the pixels do not come out even.
                let first = first.min(pixels.end - PIXELS);
                let starts = &starts[first..][..PIXELS];
                let mut sums = [*bias; PIXELS];
                for down in self.rows_in_input(first, first + PIXELS - 1) {
                    let weights = &weights[down * span * LANES..][..span * LANES];
                    let mut windows = [&input[..0]; PIXELS];
                    for (window, start) in windows.iter_mut().zip(starts) {
                        *window = &input[start - begin + down * row..][..*span];
                    }
                    for (at, weights) in weights.as_chunks::<LANES>().0.iter().enumerate() {
                        for (sums, window) in sums.iter_mut().zip(&windows) {
                            multiply_add::<LANES, FUSED>(sums, &[window[at]; LANES], weights);
                        }
                    }
                }
                let places = &places[first..][..PIXELS];
                for (pixel, (place, mut sums)) in places.iter().zip(sums).enumerate() {
                    if let Some((terms, residual)) = residual {
                        let pixel = first - pixels.start + pixel;
                        let more = &residual[pixel * terms.channels + lane..][..LANES];
                        for (sum, more) in sums.iter_mut().zip(more) {
                            *sum += terms.factor * more;
                        }
                    }
                    if layer.rectified {
                        sums = sums.map(rectify);
                    }
                    output[place * channels + lane..][..LANES].copy_from_slice(&sums);
                }
            }
        }
    }

    /// Rows of the kernel that meet more than zeros at any of these output pixels.
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
        let start = padding.down.saturating_sub(bottom * stride.down);
        let end = (padding.down + input.height).saturating_sub(top * stride.down);
        start..end.min(kernel.down)
    }

    /// The input with zeros around it, normalised where the layer says so.
    #[inline(always)]
    fn pad<'i>(&self, input: &'i [f32]) -> Padded<'i> {
        let Layer { padding, .. } = self.layer;
        if self.padded == self.layer.input && self.layer.normalised.is_none() {
            return Padded::AsItIs(input);
        }
        let channels = self.padded.channels;
        let mut padded = Aligned::zeros(self.padded.volume());
        let rows = padded.chunks_exact_mut(self.padded.width * channels);
        let width = self.layer.input.width * channels;
        for (to, from) in rows.skip(padding.down).zip(input.chunks_exact(width)) {
            let to = &mut to[padding.across * channels..][..width];
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
        Padded::Copied(padded)
    }
}

/// Numbers in a row of the window, and the weights in the order in which they are used. In a window of
/// one column the last channels that no weight reads are left out: they fill up a vector.
fn in_order(layer: &Layer) -> (usize, Vec<f32>) {
    let Layer { input, kernel, .. } = layer;
    let places = kernel.down * kernel.across;
    let window = places * input.channels;
    let channel_of = |at: usize| at % window / places;
    let read = match kernel.across {
        1 => (0..layer.weights.len())
            .filter(|at| layer.weights[*at] != 0.0)
            .map(channel_of)
            .max()
            .map_or(1, |last| last + 1),
        _ => input.channels,
    };
    let mut weights = Vec::with_capacity(layer.weights.len());
    for block in layer.weights.chunks_exact(window * LANES) {
        for place in 0..places {
            for channel in 0..read {
                let at = channel * places + place;
                weights.extend(block.chunks_exact(window).map(|one| one[at]));
            }
        }
    }
    (kernel.across * read, weights)
}

/// An input with its padding.
enum Padded<'i> {
    /// None is needed.
    AsItIs(&'i [f32]),
    Copied(Aligned),
}

impl Deref for Padded<'_> {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        match self {
            Self::AsItIs(input) => input,
            Self::Copied(padded) => padded,
        }
    }
}

/// One run of a convolution.
struct Run<'a> {
    convolution: &'a Convolution,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: &'a mut [f32],
}

impl Loops for Run<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let padded: &[f32] = &self.convolution.pad(self.input);
        let all = 0..self.convolution.starts.len();
        self.convolution
            .compute::<PIXELS, FUSED>(all, padded, self.residual, self.output);
    }
}

/// Cuts off below zero; what is not a number stays so, for the caller to notice.
#[inline(always)]
pub(super) fn rectify(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// `sums` and, lane by lane, `value` times `weight`.
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
