//! The arithmetic: one convolution with what surrounds it in a residual network.
//!
//! The channels of a pixel lie side by side, so that one vector holds [`LANES`] output channels of one
//! pixel. A few pixels are summed up at once in registers: each weight that is loaded serves all of
//! them, and nothing of the picture is copied per weight, as a product of matrices would need it.

use std::{array, ops::Range};

/// Output channels that are summed up side by side: one vector of AVX-512, two of AVX2, four of NEON.
pub(super) const LANES: usize = 16;

/// Pixels that are summed up at once, at most: with 16 lanes as many registers as AVX-512 needs to
/// hide the latency of its multiplications.
pub(super) const MOST_PIXELS: usize = 8;

/// Rows, columns and channels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
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
pub(super) struct Both {
    pub down: usize,
    pub across: usize,
}

/// A convolution as a graph says it, and what of its neighbours is done with it. In this order: what
/// comes in is multiplied, shifted and cut off below zero, convolved, added to, and cut off again.
#[derive(Clone, Debug)]
pub(super) struct Layer {
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
    /// What a second input of the output's shape is multiplied with before it is added.
    pub residual: Option<f32>,
    /// Whether what goes out is cut off below zero.
    pub rectified: bool,
}

/// What a processor may have beyond its architecture's common instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Common,
}

impl Instructions {
    /// What this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = [
            is_x86_feature_detected!("avx512f").then_some(Self::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then_some(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [None::<Self>; 0];
        wide.into_iter().flatten().chain([Self::Common])
    }
}

/// A [`Layer`] with its weights in the order in which they are used.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    layer: Layer,
    instructions: Instructions,
    padded: Shape,
    /// Where the window of each output pixel starts in the padded input.
    starts: Vec<usize>,
    /// By block of [`LANES`] output channels, row, column, input channel, and output channel.
    weights: Vec<f32>,
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
        let starts = (0..output.pixels())
            .map(|pixel| {
                let (y, x) = (pixel / output.width, pixel % output.width);
                (y * stride.down * padded.width + x * stride.across) * padded.channels
            })
            .collect();
        let mut weights = Vec::with_capacity(layer.weights.len());
        for block in layer.weights.chunks_exact(window * LANES) {
            for place in 0..kernel.down * kernel.across {
                for channel in 0..input.channels {
                    let at = channel * kernel.down * kernel.across + place;
                    weights.extend(block.chunks_exact(window).map(|one| one[at]));
                }
            }
        }
        Some(Self {
            layer,
            instructions: Instructions::available().next()?,
            padded,
            starts,
            weights,
        })
    }

    /// The same on other instructions, which [`Instructions::available`] must have given.
    #[cfg(test)]
    pub fn on(self, instructions: Instructions) -> Self {
        Self {
            instructions,
            ..self
        }
    }

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Computes `output` of `input` and, where the layer adds one, of `residual`; all with the
    /// channels of a pixel side by side, of the layer's shapes.
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Instructions::available` gives only what the processor has.
            #[allow(unsafe_code)]
            Instructions::Avx512 => unsafe { self.run_avx512(input, residual, output) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            #[allow(unsafe_code)]
            Instructions::Avx2 => unsafe { self.run_avx2(input, residual, output) },
            Instructions::Common if cfg!(target_arch = "aarch64") => {
                self.compute::<4, true>(input, residual, output);
            }
            Instructions::Common => self.compute::<2, false>(input, residual, output),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn run_avx512(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        self.compute::<MOST_PIXELS, true>(input, residual, output);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_avx2(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        self.compute::<6, true>(input, residual, output);
    }

    /// `PIXELS` are summed up at once. `FUSED` says that the processor multiplies and adds in one
    /// instruction; where it does not, `mul_add` would call a function for each number.
    #[inline(always)]
    fn compute<const PIXELS: usize, const FUSED: bool>(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let padded = self.pad(input);
        let channels = self.layer.output.channels;
        let span = self.layer.kernel.across * self.padded.channels;
        let row = self.padded.width * self.padded.channels;
        let window = span * self.layer.kernel.down;
        let blocks = self.weights.chunks_exact(window * LANES);
        for (block, (weights, bias)) in blocks
            .zip(self.layer.bias.as_chunks::<LANES>().0)
            .enumerate()
        {
            for first in (0..self.starts.len()).step_by(PIXELS) {
                // The last few are computed twice where the pixels do not come out even.
                let first = first.min(self.starts.len() - PIXELS);
                let starts = &self.starts[first..][..PIXELS];
                let mut sums = [*bias; PIXELS];
                for down in self.rows_in_input(first, first + PIXELS - 1) {
                    let weights = &weights[down * span * LANES..][..span * LANES];
                    let windows: [&[f32]; PIXELS] =
                        array::from_fn(|pixel| &padded[starts[pixel] + down * row..][..span]);
                    for (at, weights) in weights.as_chunks::<LANES>().0.iter().enumerate() {
                        for (sums, window) in sums.iter_mut().zip(&windows) {
                            let value = window[at];
                            for (sum, weight) in sums.iter_mut().zip(weights) {
                                *sum = if FUSED {
                                    value.mul_add(*weight, *sum)
                                } else {
                                    value * *weight + *sum
                                };
                            }
                        }
                    }
                }
                for (pixel, mut sums) in sums.into_iter().enumerate() {
                    let at = (first + pixel) * channels + block * LANES;
                    if let (Some(factor), Some(residual)) = (self.layer.residual, residual) {
                        for (sum, more) in sums.iter_mut().zip(&residual[at..][..LANES]) {
                            *sum += factor * more;
                        }
                    }
                    if self.layer.rectified {
                        sums = sums.map(rectify);
                    }
                    output[at..][..LANES].copy_from_slice(&sums);
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
    fn pad(&self, input: &[f32]) -> Vec<f32> {
        let Layer { padding, .. } = self.layer;
        let channels = self.padded.channels;
        let mut padded = vec![0.0; self.padded.volume()];
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
        padded
    }
}

/// Cuts off below zero; what is not a number stays so, for the caller to notice.
#[inline(always)]
pub(super) fn rectify(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}
