//! Layers beside their definitions, one output after another.

use super::{ROUNDING, farthest, random};
use crate::{
    convolution::{
        Aligned, Convolution, Depthwise, LANES, Layer, PlaneShape, Residual, Separable, Size2d,
    },
    instructions::Instructions,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A value that no layer gives.
const UNTOUCHED: f32 = -77.0;

/// The layer by its definition, one output after another.
fn by_definition(layer: &Layer, input: &[f32], residual: &[f32]) -> Vec<f32> {
    let (from, to) = (layer.input, layer.output);
    let read = |y: usize, x: usize, channel: usize| {
        let y = y
            .checked_sub(layer.padding.height)
            .filter(|y| *y < from.height)?;
        let x = x
            .checked_sub(layer.padding.width)
            .filter(|x| *x < from.width)?;
        let value = input[(y * from.width + x) * from.channels + channel];
        Some(match &layer.normalised {
            Some((factors, shifts)) => (value * factors[channel] + shifts[channel]).max(0.0),
            None => value,
        })
    };
    let mut output = vec![0.0; to.volume()];
    for (at, output) in output.iter_mut().enumerate() {
        let (pixel, channel) = (at / to.channels, at % to.channels);
        let (y, x) = (pixel / to.width, pixel % to.width);
        let mut sum = f64::from(layer.bias[channel]);
        for source in 0..from.channels {
            for down in 0..layer.kernel.height {
                for across in 0..layer.kernel.width {
                    let place = (channel * from.channels + source) * layer.kernel.height + down;
                    let weight = layer.weights[place * layer.kernel.width + across];
                    let (y, x) = (
                        y * layer.stride.height + down,
                        x * layer.stride.width + across,
                    );
                    sum += f64::from(weight * read(y, x, source).unwrap_or(0.0));
                }
            }
        }
        let added = layer.residual.filter(|terms| channel < terms.channels);
        let sum = sum as f32
            + added.map_or(0.0, |terms| {
                terms.factor * residual[pixel * terms.channels + channel]
            });
        *output = if layer.rectified { sum.max(0.0) } else { sum };
    }
    output
}

/// An image with pixels of one value around it.
fn bordered(image: &[f32], shape: PlaneShape, border: usize, around: f32) -> Vec<f32> {
    let side = vec![around; border * shape.channels];
    let edge = vec![around; border * (shape.width + 2 * border) * shape.channels];
    let rows = image.chunks_exact(shape.width * shape.channels);
    let inner = rows.flat_map(|row| [&side, row, &side].concat());
    edge.iter()
        .copied()
        .chain(inner)
        .chain(edge.iter().copied())
        .collect()
}

#[test]
fn layers_of_every_kind_are_computed_as_defined_on_all_instructions() {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let square = |side| Size2d {
        height: side,
        width: side,
    };
    // Rows, columns and channels in, channels out, kernel, stride, padding; channels that are added,
    // pixels around.
    let kinds = [
        (32, 32, 1, 16, 3, 1, 1, 16, 0),
        (8, 8, 16, 16, 3, 1, 1, 16, 0),
        (9, 7, 16, 48, 3, 2, 1, 48, 0),
        (8, 8, 5, 32, 1, 2, 0, 32, 0),
        (8, 6, 3, 16, 5, 1, 2, 16, 0),
        (7, 5, 4, 16, 2, 1, 0, 16, 0),
        (8, 8, 16, 48, 1, 1, 0, 32, 1),
        (9, 7, 3, 32, 5, 2, 1, 16, 2),
    ];
    for (height, width, from, to, kernel, stride, padding, added, border) in kinds {
        let along = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        for extras in 0..8 {
            let layer = Layer {
                input: PlaneShape {
                    height,
                    width,
                    channels: from,
                },
                output: PlaneShape {
                    height: along(height),
                    width: along(width),
                    channels: to,
                },
                kernel: square(kernel),
                stride: square(stride),
                padding: square(padding),
                weights: random(to * from * kernel * kernel, &mut chance),
                bias: random(to, &mut chance),
                normalised: (extras & 1 > 0)
                    .then(|| (random(from, &mut chance), random(from, &mut chance))),
                residual: (extras & 2 > 0).then_some(Residual {
                    factor: 0.75,
                    channels: added,
                }),
                rectified: extras & 4 > 0,
                border,
            };
            let input = random(layer.input.volume(), &mut chance);
            let residual = random(layer.output.pixels() * added, &mut chance);
            let expected = by_definition(&layer, &input, &residual);
            // What is around the output stays.
            let expected = bordered(&expected, layer.output, border, UNTOUCHED);
            let convolution = Convolution::new(layer).unwrap();
            for instructions in Instructions::available() {
                let mut found = vec![UNTOUCHED; convolution.output_volume()];
                let convolution = convolution.clone().on(instructions);
                convolution.run(&input, Some(&residual), &mut found);
                let farthest = farthest(&found, &expected);
                let layer = convolution.layer();
                assert!(
                    farthest < ROUNDING,
                    "{farthest} on {instructions:?}, {:?} to {:?}, extras {extras}",
                    layer.input,
                    layer.output
                );
            }
        }
    }
}

/// A block by its definition: `input` without its border.
fn block_by_definition(
    input: &[f32],
    from: PlaneShape,
    (stride, padding): (usize, usize),
    weights: &[f32],
    mix: &Layer,
) -> Vec<f32> {
    let (channels, between) = (from.channels, mix.input);
    let read = |y: usize, x: usize, channel: usize| {
        let inside = |at: usize, size: usize| at.checked_sub(padding).filter(|at| *at < size);
        let (y, x) = (inside(y, from.height)?, inside(x, from.width)?);
        Some(input[(y * from.width + x) * channels + channel])
    };
    let filtered: Vec<f32> = (0..between.volume())
        .map(|at| {
            let (pixel, channel) = (at / channels, at % channels);
            let (y, x) = (
                pixel / between.width * stride,
                pixel % between.width * stride,
            );
            let window = (0..9).map(|place| {
                let value = read(y + place / 3, x + place % 3, channel).unwrap_or(0.0);
                weights[channel * 9 + place] * value
            });
            window.sum()
        })
        .collect();
    let residual: Vec<f32> = (0..between.volume())
        .map(|at| {
            let (pixel, channel) = (at / channels, at % channels);
            let (y, x) = (
                pixel / between.width * stride,
                pixel % between.width * stride,
            );
            let corners = (0..stride * stride).map(|corner| {
                let (y, x) = (y + corner / stride, x + corner % stride);
                input[(y * from.width + x) * channels + channel]
            });
            corners.fold(f32::MIN, f32::max)
        })
        .collect();
    by_definition(mix, &filtered, &residual)
}

#[test]
fn blocks_are_computed_as_defined_on_all_instructions_and_in_place() {
    let mut chance = ChaCha8Rng::seed_from_u64(6);
    let one = Size2d {
        height: 1,
        width: 1,
    };
    // Rows, columns, channels in and out, stride, padding. What is computed together is the whole image,
    // some rows of it, the last of them fewer, and single ones.
    for (height, width, from, to, stride, padding) in [
        (8, 8, 16, 16, 1, 1),
        (20, 10, 48, 48, 1, 1),
        (3, 70, 16, 16, 1, 1),
        (20, 10, 16, 48, 1, 1),
        (16, 16, 32, 48, 2, 0),
        (16, 20, 16, 16, 2, 1),
    ] {
        let input = PlaneShape {
            height,
            width,
            channels: from,
        };
        let weights = random(from * 9, &mut chance);
        let filter = Depthwise::new(input, stride, padding, &weights).unwrap();
        let between = filter.output();
        assert_eq!(
            (between.height, between.width),
            (height / stride, width / stride)
        );
        let mix = Layer {
            input: between,
            output: PlaneShape {
                channels: to,
                ..between
            },
            kernel: one,
            stride: one,
            padding: Size2d {
                height: 0,
                width: 0,
            },
            weights: random(to * from, &mut chance),
            bias: random(to, &mut chance),
            normalised: None,
            residual: Some(Residual {
                factor: 1.0,
                channels: from,
            }),
            rectified: true,
            border: Depthwise::BORDER,
        };
        let image = random(input.volume(), &mut chance);
        let expected = block_by_definition(&image, input, (stride, padding), &weights, &mix);
        let shape = mix.output;
        let block = Separable::new(filter, Convolution::new(mix).unwrap()).unwrap();
        let image = bordered(&image, input, Depthwise::BORDER, 0.0);
        for instructions in Instructions::available() {
            let block = block.clone().on(instructions);
            let mut found = vec![UNTOUCHED; block.output_volume()];
            block.run(&image, &mut found);
            let expected_here = bordered(&expected, shape, Depthwise::BORDER, UNTOUCHED);
            let apart = farthest(&found, &expected_here);
            assert!(apart < ROUNDING, "{apart} on {instructions:?}, {input:?}");
            assert_eq!(block.keeps_shape(), input == shape);
            if block.keeps_shape() {
                let mut found = image.clone();
                block.run_in_place(&mut found);
                let expected_here = bordered(&expected, shape, Depthwise::BORDER, 0.0);
                let apart = farthest(&found, &expected_here);
                assert!(
                    apart < ROUNDING,
                    "{apart} on {instructions:?}, {input:?} in place"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let shape = |height, channels| PlaneShape {
        height,
        width: 8,
        channels,
    };
    let weights = vec![0.0; 16 * 9];
    assert!(Depthwise::new(shape(8, 16), 1, 1, &weights).is_some());
    // Channels that make no vector, other weights, strides, paddings.
    assert!(Depthwise::new(shape(8, 15), 1, 1, &weights[..15 * 9]).is_none());
    assert!(Depthwise::new(shape(8, 32), 1, 1, &weights).is_none());
    assert!(Depthwise::new(shape(8, 16), 3, 1, &weights).is_none());
    assert!(Depthwise::new(shape(8, 16), 1, 2, &weights).is_none());
    // The last window would end outside.
    assert!(Depthwise::new(shape(8, 16), 1, 0, &weights).is_none());
    assert!(Depthwise::new(shape(0, 16), 1, 1, &weights).is_none());
    // The second convolution must be pointwise on what the first gives, and add all of the input.
    let mix = |kernel: usize, channels: usize, added: Option<usize>, border: usize| {
        let kernel = Size2d {
            height: kernel,
            width: kernel,
        };
        let layer = Layer {
            input: shape(8, channels),
            output: shape(8, 16),
            kernel,
            stride: Size2d {
                height: 1,
                width: 1,
            },
            padding: Size2d {
                height: kernel.height / 2,
                width: kernel.width / 2,
            },
            weights: vec![0.0; 16 * channels * kernel.height * kernel.width],
            bias: vec![0.0; 16],
            normalised: None,
            residual: added.map(|channels| Residual {
                factor: 1.0,
                channels,
            }),
            rectified: true,
            border,
        };
        Convolution::new(layer).unwrap()
    };
    let filter = Depthwise::new(shape(8, 16), 1, 1, &weights).unwrap();
    let block = |mix| Separable::new(filter.clone(), mix);
    assert!(block(mix(1, 16, Some(16), 1)).is_some());
    assert!(block(mix(3, 16, Some(16), 1)).is_none());
    assert!(block(mix(1, 32, Some(16), 1)).is_none());
    assert!(block(mix(1, 16, None, 1)).is_none());
    assert!(block(mix(1, 16, Some(16), 0)).is_none());
}

#[test]
fn nan_is_not_hidden() {
    let mut chance = ChaCha8Rng::seed_from_u64(2);
    let shape = |channels| PlaneShape {
        height: 4,
        width: 4,
        channels,
    };
    let one = Size2d {
        height: 1,
        width: 1,
    };
    let layer = Layer {
        input: shape(2),
        output: shape(LANES),
        kernel: one,
        stride: one,
        padding: Size2d {
            height: 0,
            width: 0,
        },
        weights: random(2 * LANES, &mut chance),
        bias: vec![0.0; LANES],
        normalised: Some((vec![1.0; 2], vec![0.0; 2])),
        residual: None,
        rectified: true,
        border: 0,
    };
    let convolution = Convolution::new(layer).unwrap();
    let mut output = vec![0.0; 16 * LANES];
    convolution.run(&[f32::NAN; 32], None, &mut output);
    assert!(output.iter().all(|value| value.is_nan()));
}

#[test]
fn aligned_buffers_begin_at_a_cache_line_and_so_do_their_copies() {
    for count in [0, 1, 15, 16, 17, 1000] {
        let mut buffer = Aligned::zeros(count);
        buffer.fill(1.5);
        for buffer in [buffer.clone(), buffer] {
            assert_eq!(buffer.as_ptr().align_offset(64), 0);
            assert_eq!(*buffer, vec![1.5; count]);
        }
    }
}
