//! Layers beside their definitions, number by number.

use super::{ROUNDING, farthest, random};
use crate::convolution::{
    Both, Convolution, Depthwise, LANES, Layer, MaxPool, Residual, Shape,
    instructions::Instructions,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A number that no layer gives.
const UNTOUCHED: f32 = -77.0;

/// The layer by its definition, number by number.
fn by_definition(layer: &Layer, input: &[f32], residual: &[f32]) -> Vec<f32> {
    let (from, to) = (layer.input, layer.output);
    let read = |y: usize, x: usize, channel: usize| {
        let y = y
            .checked_sub(layer.padding.down)
            .filter(|y| *y < from.height)?;
        let x = x
            .checked_sub(layer.padding.across)
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
            for down in 0..layer.kernel.down {
                for across in 0..layer.kernel.across {
                    let place = (channel * from.channels + source) * layer.kernel.down + down;
                    let weight = layer.weights[place * layer.kernel.across + across];
                    let (y, x) = (
                        y * layer.stride.down + down,
                        x * layer.stride.across + across,
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

/// A picture with pixels of one value around it.
fn bordered(picture: &[f32], shape: Shape, border: usize, around: f32) -> Vec<f32> {
    let side = vec![around; border * shape.channels];
    let edge = vec![around; border * (shape.width + 2 * border) * shape.channels];
    let rows = picture.chunks_exact(shape.width * shape.channels);
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
    let square = |side| Both {
        down: side,
        across: side,
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
                input: Shape {
                    height,
                    width,
                    channels: from,
                },
                output: Shape {
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
            // Whatever is around what is added must not be added, and what is around the output stays.
            let shape = layer.output;
            let residual = bordered(
                &residual,
                Shape {
                    channels: added,
                    ..shape
                },
                border,
                f32::NAN,
            );
            let expected = bordered(&expected, shape, border, UNTOUCHED);
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

#[test]
fn channels_by_themselves_are_computed_as_defined_on_all_instructions() {
    let mut chance = ChaCha8Rng::seed_from_u64(6);
    // Rows, columns, channels, stride, padding.
    for (height, width, channels, stride, padding) in [
        (8, 8, 16, 1, 1),
        (6, 10, 48, 1, 1),
        (8, 6, 32, 2, 0),
        (7, 9, 16, 2, 1),
    ] {
        let input = Shape {
            height,
            width,
            channels,
        };
        let picture = random(input.volume(), &mut chance);
        let weights = random(channels * 9, &mut chance);
        let depthwise = Depthwise::new(input, stride, padding, &weights).unwrap();
        let output = depthwise.output();
        assert_eq!(
            (output.height, output.width),
            (height / stride, width / stride)
        );
        let around = bordered(&picture, input, Depthwise::BORDER, 0.0);
        let row = (width + 2) * channels;
        let expected: Vec<f32> = (0..output.volume())
            .map(|at| {
                let (pixel, channel) = (at / channels, at % channels);
                let (y, x) = (pixel / output.width * stride, pixel % output.width * stride);
                let window = (0..9).map(|place| {
                    let (y, x) = (y + 1 - padding + place / 3, x + 1 - padding + place % 3);
                    weights[channel * 9 + place] * around[y * row + x * channels + channel]
                });
                window.sum()
            })
            .collect();
        for instructions in Instructions::available() {
            let mut found = vec![f32::NAN; output.volume()];
            depthwise.clone().on(instructions).run(&around, &mut found);
            let farthest = farthest(&found, &expected);
            assert!(
                farthest < ROUNDING,
                "{farthest} on {instructions:?}, {input:?}"
            );
        }
    }
}

#[test]
fn the_largest_of_four_pixels_is_kept() {
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    let input = Shape {
        height: 6,
        width: 4,
        channels: 32,
    };
    let picture = random(input.volume(), &mut chance);
    let pool = MaxPool::new(input, 1).unwrap();
    let mut found = vec![UNTOUCHED; pool.output_volume()];
    pool.run(&bordered(&picture, input, 1, 5.0), &mut found);
    let output = Shape {
        height: 3,
        width: 2,
        channels: 32,
    };
    let expected: Vec<f32> = (0..output.volume())
        .map(|at| {
            let (pixel, channel) = (at / 32, at % 32);
            let (y, x) = (pixel / 2 * 2, pixel % 2 * 2);
            let corners = [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)];
            let corners = corners.map(|(y, x)| picture[(y * 4 + x) * 32 + channel]);
            corners.into_iter().fold(f32::MIN, f32::max)
        })
        .collect();
    assert_eq!(found, bordered(&expected, output, 1, UNTOUCHED));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let shape = |height, channels| Shape {
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
    assert!(MaxPool::new(shape(7, 16), 1).is_none());
    assert!(MaxPool::new(shape(8, 15), 1).is_none());
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let mut chance = ChaCha8Rng::seed_from_u64(2);
    let shape = |channels| Shape {
        height: 4,
        width: 4,
        channels,
    };
    let one = Both { down: 1, across: 1 };
    let layer = Layer {
        input: shape(2),
        output: shape(LANES),
        kernel: one,
        stride: one,
        padding: Both { down: 0, across: 0 },
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
