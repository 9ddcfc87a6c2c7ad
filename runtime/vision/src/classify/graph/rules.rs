//! What each operator makes of the shapes that it reads, and what that costs.
//!
//! These are the operators of `train`'s models and gradients with the attributes that it writes, for
//! one picture. Other attributes are refused rather than believed to be harmless.

use super::{MOST_SIDES, Shape, Step, Value, describe};
use crate::onnx::{messages as pb, messages::tensor_proto::DataType};

/// Largest side, step or padding of a window in pixels: a picture's side, beyond which it reads
/// nothing.
const LARGEST_WINDOW: usize = crate::classify::input::SIDE;

/// What a node takes and gives.
pub(super) fn step(node: &pb::NodeProto, inputs: &[&Value<'_>]) -> Result<Step, String> {
    let node = Node {
        proto: node,
        inputs,
    };
    match node.proto.op_type.as_str() {
        "Conv" => node.conv(),
        "ConvTranspose" => node.conv_transpose(),
        "MaxPool" => node.max_pool(),
        "GlobalAveragePool" => node.global_average_pool(),
        "Gemm" => node.gemm(),
        "MatMul" => node.mat_mul(),
        "Add" | "Sub" | "Mul" => node.pairwise(false),
        "Equal" => node.pairwise(true),
        "Relu" | "Sign" | "Identity" => node.each(&[]),
        "Softmax" => node.each(&["axis"]),
        "Cast" => node.cast(),
        "Flatten" => node.flatten(),
        "Reshape" => node.reshape(),
        "Transpose" => node.transpose(),
        _ => Err("is of an operator that no model of `train` has".into()),
    }
}

impl Step {
    fn of(output: Shape) -> Self {
        Self {
            output,
            bools: false,
            multiplications: 0,
            working: 0,
            weights: 0,
        }
    }
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product, factor| {
        u64::saturating_mul(product, *factor as u64)
    })
}

struct Node<'a> {
    proto: &'a pb::NodeProto,
    inputs: &'a [&'a Value<'a>],
}

impl Node<'_> {
    /// Refuses attributes other than these, and any that is given twice.
    fn only(&self, known: &[&str]) -> Result<(), String> {
        let given = &self.proto.attribute;
        for (index, attribute) in given.iter().enumerate() {
            let again = given[..index]
                .iter()
                .any(|other| other.name == attribute.name);
            if again || !known.contains(&attribute.name.as_str()) {
                return Err(format!("has an attribute `{}` too many", attribute.name));
            }
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<&pb::AttributeProto> {
        self.proto
            .attribute
            .iter()
            .find(|attribute| attribute.name == name)
    }

    /// The one value of an attribute whose sides are all the same.
    fn window(&self, name: &str, sides: usize, missing: usize) -> Result<usize, String> {
        let Some(attribute) = self.attribute(name) else {
            return Ok(missing);
        };
        let first = attribute.ints.first().copied().unwrap_or(-1);
        let alike = attribute.ints.len() == sides && attribute.ints.iter().all(|i| *i == first);
        usize::try_from(first)
            .ok()
            .filter(|size| alike && *size <= LARGEST_WINDOW)
            .ok_or_else(|| {
                format!("has {name} that are not {sides} equal numbers up to {LARGEST_WINDOW}")
            })
    }

    /// The shape of an input of numbers.
    fn numbers(&self, index: usize) -> Result<&Shape, String> {
        match self.inputs.get(index) {
            Some(Value::Computed(shape) | Value::Constant(shape)) => Ok(shape),
            Some(other) => Err(format!(
                "reads {} where numbers are needed",
                describe(other)
            )),
            None => Err(format!("has no input {index}")),
        }
    }

    fn constant(&self, index: usize) -> Result<&Shape, String> {
        match self.inputs.get(index) {
            Some(Value::Constant(shape)) => Ok(shape),
            _ => Err(format!("has no constant as input {index}")),
        }
    }

    /// Refuses another number of inputs.
    fn reads(&self, accepted: std::ops::RangeInclusive<usize>) -> Result<(), String> {
        if accepted.contains(&self.inputs.len()) {
            return Ok(());
        }
        Err(format!("has {} inputs", self.inputs.len()))
    }

    /// Channels, height and width of the one picture in an input.
    fn map(&self, index: usize) -> Result<[usize; 3], String> {
        match self.numbers(index)?.as_slice() {
            [1, channels, height, width] => Ok([*channels, *height, *width]),
            other => Err(format!(
                "reads shape {other:?} where one picture's is needed"
            )),
        }
    }

    /// Input channels or outputs, whichever come first, the other, and the side of square weights.
    fn weights(&self) -> Result<[usize; 3], String> {
        match self.constant(1)?.as_slice() {
            [first, second, height, width] if height == width && *width <= LARGEST_WINDOW => {
                Ok([*first, *second, *width])
            }
            other => Err(format!("has weights of shape {other:?}")),
        }
    }

    /// A bias, where there is one, has a number for each output.
    fn bias(&self, outputs: usize) -> Result<(), String> {
        if self.inputs.len() < 3 || self.constant(2)? == &[outputs] {
            return Ok(());
        }
        Err("has a bias of another shape than its outputs".into())
    }

    fn conv(&self) -> Result<Step, String> {
        self.only(&["kernel_shape", "pads", "strides"])?;
        self.reads(2..=3)?;
        let [channels, height, width] = self.map(0)?;
        let [outputs, inputs, side] = self.weights()?;
        self.bias(outputs)?;
        let padding = self.window("pads", 4, 0)?;
        let stride = self.window("strides", 2, 1)?;
        if inputs != channels || self.window("kernel_shape", 2, side)? != side {
            return Err("has weights that do not fit its input".into());
        }
        let along = |size: usize| {
            let room = (size + 2 * padding).checked_sub(side);
            let fits = stride > 0 && padding < side;
            room.filter(|_| fits).map(|room| room / stride + 1)
        };
        let (Some(rows), Some(columns)) = (along(height), along(width)) else {
            return Err("has a window that does not fit its input".into());
        };
        let window = [channels, side, side];
        Ok(Step {
            multiplications: product(&[outputs, rows, columns]).saturating_mul(product(&window)),
            // The engine lays out each window of the input anew.
            working: product(&[rows, columns]).saturating_mul(product(&window)),
            weights: product(self.constant(1)?),
            ..Step::of(vec![1, outputs, rows, columns])
        })
    }

    fn conv_transpose(&self) -> Result<Step, String> {
        self.only(&["kernel_shape", "pads", "strides", "output_padding"])?;
        self.reads(2..=3)?;
        let [channels, height, width] = self.map(0)?;
        let [inputs, outputs, side] = self.weights()?;
        self.bias(outputs)?;
        let padding = self.window("pads", 4, 0)?;
        let stride = self.window("strides", 2, 1)?;
        if inputs != channels || self.window("kernel_shape", 2, side)? != side {
            return Err("has weights that do not fit its input".into());
        }
        let more = match self.attribute("output_padding").map(|a| a.ints.as_slice()) {
            None => [0; 2],
            Some(&[rows, columns]) => [rows, columns].map(|i| usize::try_from(i).unwrap_or(stride)),
            Some(_) => return Err("has not two numbers as output_padding".into()),
        };
        let along = |size: usize, more: usize| {
            let fits = stride > 0 && padding < side && more < stride;
            let whole = ((size - 1) * stride + side + more).checked_sub(2 * padding);
            whole.filter(|whole| fits && *whole > 0)
        };
        let (Some(rows), Some(columns)) = (along(height, more[0]), along(width, more[1])) else {
            return Err("has a window that does not fit its input".into());
        };
        let spread = product(&[outputs, side, side, height, width]);
        Ok(Step {
            multiplications: spread.saturating_mul(channels as u64),
            working: spread,
            weights: product(self.constant(1)?),
            ..Step::of(vec![1, outputs, rows, columns])
        })
    }

    fn max_pool(&self) -> Result<Step, String> {
        self.only(&["kernel_shape", "strides"])?;
        self.reads(1..=1)?;
        let [channels, height, width] = self.map(0)?;
        let side = self.window("kernel_shape", 2, 0)?;
        let stride = self.window("strides", 2, 1)?;
        if side == 0 || stride == 0 || side > height.min(width) {
            return Err("has a window that does not fit its input".into());
        }
        let output = [height, width].map(|size| (size - side) / stride + 1);
        Ok(Step {
            multiplications: product(&[channels, output[0], output[1], side, side]),
            ..Step::of(vec![1, channels, output[0], output[1]])
        })
    }

    fn global_average_pool(&self) -> Result<Step, String> {
        self.only(&[])?;
        self.reads(1..=1)?;
        let [channels, height, width] = self.map(0)?;
        Ok(Step {
            multiplications: product(&[channels, height, width]),
            ..Step::of(vec![1, channels, 1, 1])
        })
    }

    fn gemm(&self) -> Result<Step, String> {
        self.only(&["transB"])?;
        self.reads(2..=3)?;
        let transposed = match self.attribute("transB").map(|attribute| attribute.i) {
            None | Some(0) => false,
            Some(1) => true,
            Some(other) => return Err(format!("has a transB of {other}")),
        };
        let (features, inputs, outputs) =
            match (self.numbers(0)?.as_slice(), self.constant(1)?.as_slice()) {
                ([1, features], [outputs, inputs]) if transposed => (features, inputs, *outputs),
                ([1, features], [inputs, outputs]) => (features, inputs, *outputs),
                _ => return Err("reads no list of numbers, or has no table of weights".into()),
            };
        if features != inputs {
            return Err("has weights that do not fit its input".into());
        }
        self.bias(outputs)?;
        Ok(Step {
            multiplications: product(&[*features, outputs]),
            weights: product(&[*features, outputs]),
            ..Step::of(vec![1, outputs])
        })
    }

    fn mat_mul(&self) -> Result<Step, String> {
        self.only(&[])?;
        self.reads(2..=2)?;
        let (left, right) = (self.numbers(0)?, self.constant(1)?);
        match (left.as_slice(), right.as_slice()) {
            ([rows @ .., inner], [inputs, outputs]) if inner == inputs && !rows.is_empty() => {
                Ok(Step {
                    multiplications: product(left).saturating_mul(*outputs as u64),
                    weights: product(right),
                    ..Step::of([rows, &[*outputs]].concat())
                })
            }
            _ => Err(format!(
                "multiplies shapes {left:?} and {right:?}, which do not fit"
            )),
        }
    }

    /// Two values, each side of which is the same or 1.
    fn pairwise(&self, bools: bool) -> Result<Step, String> {
        self.only(&[])?;
        self.reads(2..=2)?;
        let (a, b) = (self.numbers(0)?, self.numbers(1)?);
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
        let output =
            output.ok_or_else(|| format!("joins shapes {a:?} and {b:?}, which do not fit"))?;
        Ok(Step {
            bools,
            ..Step::of(output)
        })
    }

    /// Each number by itself, or by its neighbours along an axis.
    fn each(&self, attributes: &[&str]) -> Result<Step, String> {
        self.only(attributes)?;
        self.reads(1..=1)?;
        let shape = self.numbers(0)?;
        if let Some(axis) = self.attribute("axis")
            && !usize::try_from(axis.i).is_ok_and(|axis| axis < shape.len())
        {
            return Err(format!("has no axis {}", axis.i));
        }
        Ok(Step::of(shape.clone()))
    }

    fn cast(&self) -> Result<Step, String> {
        self.only(&["to"])?;
        self.reads(1..=1)?;
        let to = self.attribute("to").map(|attribute| attribute.i);
        match self.inputs.first() {
            Some(Value::Bools(shape)) if to == Some(DataType::Float as i64) => {
                Ok(Step::of(shape.clone()))
            }
            _ => Err("is no cast of truth values to f32".into()),
        }
    }

    fn flatten(&self) -> Result<Step, String> {
        self.only(&["axis"])?;
        self.reads(1..=1)?;
        let axis = self.attribute("axis").map_or(1, |attribute| attribute.i);
        match self.numbers(0)?.as_slice() {
            [1, rest @ ..] if axis == 1 => Ok(Step::of(vec![1, volume(rest)?])),
            other => Err(format!("flattens shape {other:?} from axis {axis} on")),
        }
    }

    fn reshape(&self) -> Result<Step, String> {
        self.only(&[])?;
        self.reads(2..=2)?;
        let shape = self.numbers(0)?;
        let Some(Value::Int64(wanted)) = self.inputs.get(1) else {
            return Err("has no whole numbers as its shape".into());
        };
        if wanted.dims.len() != 1 || wanted.dims[0] > MOST_SIDES as i64 {
            return Err(format!(
                "has no list of up to {MOST_SIDES} sides as its shape"
            ));
        }
        // 0 copies the side of the input.
        let side = |(index, side): (usize, i64)| match side {
            0 => shape.get(index).copied(),
            side => usize::try_from(side).ok(),
        };
        let output: Option<Shape> = whole_numbers(wanted)
            .into_iter()
            .enumerate()
            .map(side)
            .collect();
        match output {
            Some(output) if product(&output) == product(shape) => Ok(Step::of(output)),
            _ => Err(format!(
                "makes another number of numbers out of shape {shape:?}"
            )),
        }
    }

    fn transpose(&self) -> Result<Step, String> {
        self.only(&["perm"])?;
        self.reads(1..=1)?;
        let shape = self.numbers(0)?;
        let order = self
            .attribute("perm")
            .map_or(&[][..], |attribute| &attribute.ints);
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..shape.len() as i64) {
            return Err(format!(
                "has {order:?} as an order of the sides of {shape:?}"
            ));
        }
        // In range: the order holds each index once.
        Ok(Step::of(
            order.iter().map(|index| shape[*index as usize]).collect(),
        ))
    }
}

fn volume(shape: &[usize]) -> Result<usize, String> {
    usize::try_from(product(shape)).map_err(|_| "makes a side that is too large".into())
}

/// The whole numbers in a constant, which were counted before.
fn whole_numbers(constant: &pb::TensorProto) -> Vec<i64> {
    if !constant.int64_data.is_empty() {
        return constant.int64_data.clone();
    }
    let (numbers, _) = constant.raw_data.as_chunks::<8>();
    numbers
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect()
}
