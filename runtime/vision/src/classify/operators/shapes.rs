//! Follows shapes through operators and counts what running them costs.

use super::{Cost, Inference, LARGEST_WINDOW, NodeFault, Operator, Shape, Value, Window};

/// What a node reads.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a>(pub(super) &'a [&'a Value]);

impl<'a> Inputs<'a> {
    fn unfit(self, index: usize, needed: &'static str) -> NodeFault {
        NodeFault::Input {
            index,
            found: self
                .0
                .get(index)
                .map_or_else(|| "missing".into(), |value| value.to_string()),
            needed,
        }
    }

    /// The shape of an input of f32.
    fn floats(self, index: usize) -> Result<&'a Shape, NodeFault> {
        match self.0.get(index) {
            Some(Value::Computed(shape) | Value::Constant(shape)) => Ok(shape),
            _ => Err(self.unfit(index, "f32")),
        }
    }

    /// The shape of an input that is a constant of f32.
    fn constant(self, index: usize) -> Result<&'a Shape, NodeFault> {
        match self.0.get(index) {
            Some(Value::Constant(shape)) => Ok(shape),
            _ => Err(self.unfit(index, "an f32 constant")),
        }
    }

    /// Channels, height and width of an input of shape [1, channels, height, width].
    fn image(self, index: usize) -> Result<[usize; 3], NodeFault> {
        match self.floats(index)?.as_slice() {
            &[1, channels, height, width] => Ok([channels, height, width]),
            _ => Err(self.unfit(index, "f32 of shape [1, channels, height, width]")),
        }
    }

    /// Both channel counts and the side of a convolution's square weights, input 1.
    fn weights(self) -> Result<[usize; 3], NodeFault> {
        match self.constant(1)?.as_slice() {
            &[first, second, height, width] if height == width && width <= LARGEST_WINDOW => {
                Ok([first, second, width])
            }
            _ => Err(self.unfit(1, "weights of square windows of at most a crop's side")),
        }
    }

    /// Checks that a bias, input 2 where there is one, has an element for each output channel.
    fn bias(self, outputs: usize) -> Result<(), NodeFault> {
        if self.0.len() < 3 || self.constant(2)? == &[outputs] {
            return Ok(());
        }
        Err(self.unfit(2, "a bias of one element for each output"))
    }

    fn mismatch(self) -> NodeFault {
        let shape = |index| self.floats(index).cloned().unwrap_or_default();
        NodeFault::Mismatch(shape(0), shape(1))
    }
}

impl Inference {
    fn of(output: Shape, cost: Cost) -> Self {
        Self {
            output: Value::Computed(output),
            cost,
        }
    }
}

impl Operator {
    pub(super) fn infer(&self, inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
        match self {
            Self::Conv(window) => conv(*window, inputs),
            Self::ConvTranspose {
                window,
                output_padding,
            } => conv_transpose(*window, *output_padding, inputs),
            Self::MaxPool { side, stride } => max_pool(*side, *stride, inputs),
            Self::GlobalAveragePool => {
                let [channels, height, width] = inputs.image(0)?;
                let cost = Cost {
                    multiplications: product(&[channels, height, width]),
                    ..Cost::default()
                };
                Ok(Inference::of(vec![1, channels, 1, 1], cost))
            }
            Self::Gemm { transposed } => gemm(*transposed, inputs),
            Self::MatMul => mat_mul(inputs),
            Self::Add | Self::Sub | Self::Mul => {
                Ok(Inference::of(broadcast(inputs)?, Cost::default()))
            }
            Self::Equal => Ok(Inference {
                output: Value::Bools(broadcast(inputs)?),
                cost: Cost::default(),
            }),
            Self::Relu | Self::Sign | Self::Identity => {
                Ok(Inference::of(inputs.floats(0)?.clone(), Cost::default()))
            }
            Self::Softmax { axis } => {
                let shape = inputs.floats(0)?;
                match axis {
                    Some(axis) if *axis >= shape.len() => {
                        Err(inputs.unfit(0, "f32 that has the axis of attribute `axis`"))
                    }
                    _ => Ok(Inference::of(shape.clone(), Cost::default())),
                }
            }
            Self::Cast => match inputs.0.first() {
                Some(Value::Bools(shape)) => Ok(Inference::of(shape.clone(), Cost::default())),
                _ => Err(inputs.unfit(0, "booleans")),
            },
            Self::Flatten => match inputs.floats(0)?.as_slice() {
                [1, rest @ ..] => {
                    let features =
                        usize::try_from(product(rest)).map_err(|_| NodeFault::TooLarge)?;
                    Ok(Inference::of(vec![1, features], Cost::default()))
                }
                _ => Err(inputs.unfit(0, "f32 of a batch of one")),
            },
            Self::Reshape => reshape(inputs),
            Self::Transpose { order } => {
                let shape = inputs.floats(0)?;
                let output: Option<Shape> = order
                    .iter()
                    .map(|index| shape.get(*index).copied())
                    .collect();
                match output {
                    Some(output) if output.len() == shape.len() => {
                        Ok(Inference::of(output, Cost::default()))
                    }
                    _ => {
                        Err(inputs.unfit(0, "f32 of as many dimensions as attribute `perm` orders"))
                    }
                }
            }
        }
    }
}

/// The product of factors, at most [`u64::MAX`].
fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product, factor| {
        u64::saturating_mul(product, *factor as u64)
    })
}

/// The side of a convolution's window, which its weights and its attribute must agree on.
fn side_of(window: Window, side: usize) -> Result<usize, NodeFault> {
    match window.side {
        Some(declared) if declared != side => Err(NodeFault::AttributeValue {
            name: "kernel_shape",
            found: format!("[{declared}, {declared}]"),
            supported: format!("the weights' [{side}, {side}]"),
        }),
        _ => Ok(side),
    }
}

fn conv(window: Window, inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
    let [channels, height, width] = inputs.image(0)?;
    let [outputs, expected, side] = inputs.weights()?;
    inputs.bias(outputs)?;
    let side = side_of(window, side)?;
    if expected != channels {
        return Err(inputs.mismatch());
    }
    let Window {
        stride, padding, ..
    } = window;
    let along = |size: usize| {
        let room = (size + 2 * padding).checked_sub(side);
        room.filter(|_| padding < side)
            .map(|room| room / stride + 1)
    };
    let (Some(rows), Some(columns)) = (along(height), along(width)) else {
        return Err(NodeFault::Window {
            side,
            stride,
            padding,
            input: [height, width],
        });
    };
    let taps = product(&[channels, side, side]);
    let cost = Cost {
        multiplications: product(&[outputs, rows, columns]).saturating_mul(taps),
        // The engine lays out each window of the input anew.
        working: product(&[rows, columns]).saturating_mul(taps),
        weights: product(inputs.constant(1)?),
    };
    Ok(Inference::of(vec![1, outputs, rows, columns], cost))
}

fn conv_transpose(
    window: Window,
    output_padding: [usize; 2],
    inputs: Inputs<'_>,
) -> Result<Inference, NodeFault> {
    let [channels, height, width] = inputs.image(0)?;
    let [expected, outputs, side] = inputs.weights()?;
    inputs.bias(outputs)?;
    let side = side_of(window, side)?;
    if expected != channels {
        return Err(inputs.mismatch());
    }
    let Window {
        stride, padding, ..
    } = window;
    let along = |size: usize, unread: usize| {
        let whole = ((size - 1) * stride + side + unread).checked_sub(2 * padding);
        whole.filter(|whole| padding < side && *whole > 0)
    };
    let [unread_rows, unread_columns] = output_padding;
    let (Some(rows), Some(columns)) = (along(height, unread_rows), along(width, unread_columns))
    else {
        return Err(NodeFault::Window {
            side,
            stride,
            padding,
            input: [height, width],
        });
    };
    let spread = product(&[outputs, side, side, height, width]);
    let cost = Cost {
        multiplications: spread.saturating_mul(channels as u64),
        working: spread,
        weights: product(inputs.constant(1)?),
    };
    Ok(Inference::of(vec![1, outputs, rows, columns], cost))
}

fn max_pool(side: usize, stride: usize, inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
    let [channels, height, width] = inputs.image(0)?;
    if side > height.min(width) {
        return Err(NodeFault::Window {
            side,
            stride,
            padding: 0,
            input: [height, width],
        });
    }
    let [rows, columns] = [height, width].map(|size| (size - side) / stride + 1);
    let cost = Cost {
        multiplications: product(&[channels, rows, columns, side, side]),
        ..Cost::default()
    };
    Ok(Inference::of(vec![1, channels, rows, columns], cost))
}

fn gemm(transposed: bool, inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
    let &[1, features] = inputs.floats(0)?.as_slice() else {
        return Err(inputs.unfit(0, "f32 of shape [1, features]"));
    };
    let (expected, outputs) = match *inputs.constant(1)?.as_slice() {
        [outputs, expected] if transposed => (expected, outputs),
        [expected, outputs] => (expected, outputs),
        _ => return Err(inputs.unfit(1, "weights of two dimensions")),
    };
    if features != expected {
        return Err(inputs.mismatch());
    }
    inputs.bias(outputs)?;
    let weights = product(&[features, outputs]);
    let cost = Cost {
        multiplications: weights,
        weights,
        ..Cost::default()
    };
    Ok(Inference::of(vec![1, outputs], cost))
}

fn mat_mul(inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
    let (left, right) = (inputs.floats(0)?, inputs.constant(1)?);
    match (left.as_slice(), right.as_slice()) {
        ([rows @ .., inner], [expected, outputs]) if inner == expected && !rows.is_empty() => {
            let cost = Cost {
                multiplications: product(left).saturating_mul(*outputs as u64),
                weights: product(right),
                ..Cost::default()
            };
            Ok(Inference::of([rows, &[*outputs]].concat(), cost))
        }
        _ => Err(inputs.mismatch()),
    }
}

/// The shape of two inputs together, whose dimensions, counted from the last, are equal or 1.
fn broadcast(inputs: Inputs<'_>) -> Result<Shape, NodeFault> {
    let (a, b) = (inputs.floats(0)?, inputs.floats(1)?);
    let rank = a.len().max(b.len());
    let side = |shape: &Shape, index: usize| {
        let missing = rank - shape.len();
        index.checked_sub(missing).map_or(1, |index| shape[index])
    };
    let sides = (0..rank).map(|index| match (side(a, index), side(b, index)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    let output: Option<Shape> = sides.collect();
    output.ok_or_else(|| inputs.mismatch())
}

fn reshape(inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
    let shape = inputs.floats(0)?;
    let Some(Value::Dimensions(wanted)) = inputs.0.get(1) else {
        return Err(inputs.unfit(1, "an int64 constant that lists a shape"));
    };
    // 0 copies the dimension of the input.
    let side = |(index, side): (usize, &i64)| match side {
        0 => shape.get(index).copied(),
        side => usize::try_from(*side).ok(),
    };
    let output: Option<Shape> = wanted.iter().enumerate().map(side).collect();
    match output {
        Some(output) if product(&output) == product(shape) => {
            Ok(Inference::of(output, Cost::default()))
        }
        _ => Err(NodeFault::Reshape {
            input: shape.clone(),
            shape: wanted.clone(),
        }),
    }
}
