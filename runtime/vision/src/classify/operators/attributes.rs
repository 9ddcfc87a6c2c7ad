//! Reads operators and attributes from nodes of a file.

use super::{LARGEST_WINDOW, MAX_RANK, NodeFault, Operator, OperatorName, Window, is_standard};
use tract_onnx::pb::{self, tensor_proto::DataType};

/// A node whose attributes are read.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a> {
    pub(super) node: &'a pb::NodeProto,
}

impl<'a> Attributes<'a> {
    pub(super) fn operator(self) -> Result<Operator, NodeFault> {
        if !is_standard(&self.node.domain) {
            return Err(NodeFault::Domain(self.node.domain.clone()));
        }
        let name: OperatorName = self.node.op_type.parse().map_err(|_| NodeFault::Operator)?;
        let (attributes, inputs): (&[&str], _) = match name {
            OperatorName::Conv => (&["kernel_shape", "pads", "strides"], Arity::TwoOrThree),
            OperatorName::ConvTranspose => (
                &["kernel_shape", "pads", "strides", "output_padding"],
                Arity::TwoOrThree,
            ),
            OperatorName::MaxPool => (&["kernel_shape", "strides"], Arity::One),
            OperatorName::Gemm => (&["transB"], Arity::TwoOrThree),
            OperatorName::Softmax | OperatorName::Flatten => (&["axis"], Arity::One),
            OperatorName::Cast => (&["to"], Arity::One),
            OperatorName::Transpose => (&["perm"], Arity::One),
            OperatorName::GlobalAveragePool
            | OperatorName::Identity
            | OperatorName::Relu
            | OperatorName::Sign => (&[], Arity::One),
            OperatorName::Add
            | OperatorName::Equal
            | OperatorName::MatMul
            | OperatorName::Mul
            | OperatorName::Reshape
            | OperatorName::Sub => (&[], Arity::Two),
        };
        self.only(attributes)?;
        inputs.check(self.node.input.len())?;
        Ok(match name {
            OperatorName::Add => Operator::Add,
            OperatorName::Cast => self.cast()?,
            OperatorName::Conv => Operator::Conv(self.window()?),
            OperatorName::ConvTranspose => self.conv_transpose()?,
            OperatorName::Equal => Operator::Equal,
            OperatorName::Flatten => self.flatten()?,
            OperatorName::Gemm => self.gemm()?,
            OperatorName::GlobalAveragePool => Operator::GlobalAveragePool,
            OperatorName::Identity => Operator::Identity,
            OperatorName::MatMul => Operator::MatMul,
            OperatorName::MaxPool => Operator::MaxPool {
                side: self
                    .square("kernel_shape", 2, 1)?
                    .ok_or(NodeFault::Missing("kernel_shape"))?,
                stride: self.square("strides", 2, 1)?.unwrap_or(1),
            },
            OperatorName::Mul => Operator::Mul,
            OperatorName::Relu => Operator::Relu,
            OperatorName::Reshape => Operator::Reshape,
            OperatorName::Sign => Operator::Sign,
            OperatorName::Softmax => self.softmax()?,
            OperatorName::Sub => Operator::Sub,
            OperatorName::Transpose => self.transpose()?,
        })
    }

    /// Refuses attributes other than these, and any that is given twice.
    fn only(self, supported: &[&str]) -> Result<(), NodeFault> {
        let given = &self.node.attribute;
        for (index, attribute) in given.iter().enumerate() {
            if !supported.contains(&attribute.name.as_str()) {
                return Err(NodeFault::Attribute(attribute.name.clone()));
            }
            if given[..index].iter().any(|a| a.name == attribute.name) {
                return Err(NodeFault::Repeated(attribute.name.clone()));
            }
        }
        Ok(())
    }

    fn get(self, name: &str) -> Option<&'a pb::AttributeProto> {
        self.node.attribute.iter().find(|a| a.name == name)
    }

    fn integer(self, name: &str) -> Option<i64> {
        self.get(name).map(|attribute| attribute.i)
    }

    fn integers(self, name: &str) -> Option<&'a [i64]> {
        self.get(name).map(|attribute| &*attribute.ints)
    }

    /// The one value of an attribute whose `count` integers are equal, from `least` to
    /// [`LARGEST_WINDOW`]; `None` where it is missing.
    fn square(
        self,
        name: &'static str,
        count: usize,
        least: usize,
    ) -> Result<Option<usize>, NodeFault> {
        let Some(values) = self.integers(name) else {
            return Ok(None);
        };
        let equal = values.len() == count && values.windows(2).all(|pair| pair[0] == pair[1]);
        let value = values
            .first()
            .and_then(|value| usize::try_from(*value).ok());
        match value {
            Some(value) if equal && (least..=LARGEST_WINDOW).contains(&value) => Ok(Some(value)),
            _ => Err(NodeFault::AttributeValue {
                name,
                found: abbreviated(values),
                supported: format!("{count} equal integers from {least} to {LARGEST_WINDOW}"),
            }),
        }
    }

    fn window(self) -> Result<Window, NodeFault> {
        Ok(Window {
            side: self.square("kernel_shape", 2, 1)?,
            stride: self.square("strides", 2, 1)?.unwrap_or(1),
            padding: self.square("pads", 4, 0)?.unwrap_or(0),
        })
    }

    fn conv_transpose(self) -> Result<Operator, NodeFault> {
        let window = self.window()?;
        let output_padding = match self.integers("output_padding") {
            None => Some([0; 2]),
            Some(&[rows, columns]) => {
                let size = |size: i64| usize::try_from(size).ok().filter(|s| *s < window.stride);
                size(rows).zip(size(columns)).map(|(r, c)| [r, c])
            }
            Some(_) => None,
        };
        let output_padding = output_padding.ok_or_else(|| NodeFault::AttributeValue {
            name: "output_padding",
            found: abbreviated(self.integers("output_padding").unwrap_or_default()),
            supported: "2 integers from 0 to less than the stride".into(),
        })?;
        Ok(Operator::ConvTranspose {
            window,
            output_padding,
        })
    }

    fn gemm(self) -> Result<Operator, NodeFault> {
        match self.integer("transB") {
            None | Some(0) => Ok(Operator::Gemm { transposed: false }),
            Some(1) => Ok(Operator::Gemm { transposed: true }),
            Some(other) => Err(unsupported("transB", other, "0 or 1")),
        }
    }

    fn cast(self) -> Result<Operator, NodeFault> {
        const FLOAT: i64 = DataType::Float as i64;
        match self.integer("to") {
            Some(FLOAT) => Ok(Operator::Cast),
            Some(other) => Err(unsupported("to", other, "1, which is f32")),
            None => Err(NodeFault::Missing("to")),
        }
    }

    fn flatten(self) -> Result<Operator, NodeFault> {
        match self.integer("axis") {
            None | Some(1) => Ok(Operator::Flatten),
            Some(other) => Err(unsupported("axis", other, "1")),
        }
    }

    fn softmax(self) -> Result<Operator, NodeFault> {
        let axis = self.integer("axis");
        let index = axis.map(|axis| {
            let index = usize::try_from(axis).ok().filter(|axis| *axis < MAX_RANK);
            index.ok_or_else(|| unsupported("axis", axis, "an axis of the input, from 0"))
        });
        Ok(Operator::Softmax {
            axis: index.transpose()?,
        })
    }

    fn transpose(self) -> Result<Operator, NodeFault> {
        let order = self.integers("perm").ok_or(NodeFault::Missing("perm"))?;
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if order.len() > MAX_RANK || !sorted.into_iter().eq(0..order.len() as i64) {
            return Err(NodeFault::AttributeValue {
                name: "perm",
                found: abbreviated(order),
                supported: format!("each of up to {MAX_RANK} dimensions once"),
            });
        }
        Ok(Operator::Transpose {
            // Lossless: each is an index of the list.
            order: order.iter().map(|index| *index as usize).collect(),
        })
    }
}

fn unsupported(name: &'static str, found: i64, supported: &str) -> NodeFault {
    NodeFault::AttributeValue {
        name,
        found: found.to_string(),
        supported: supported.into(),
    }
}

/// A list of which a hostile file may hold a hundred thousand.
fn abbreviated(values: &[i64]) -> String {
    match values.get(..MAX_RANK) {
        Some(first) if values.len() > MAX_RANK => {
            format!("{first:?} and {} more", values.len() - MAX_RANK)
        }
        _ => format!("{values:?}"),
    }
}

/// How many inputs an operator has.
#[derive(Clone, Copy)]
enum Arity {
    One,
    Two,
    TwoOrThree,
}

impl Arity {
    fn check(self, found: usize) -> Result<(), NodeFault> {
        let (least, most, supported) = match self {
            Self::One => (1, 1, "1"),
            Self::Two => (2, 2, "2"),
            Self::TwoOrThree => (2, 3, "2 or 3"),
        };
        if (least..=most).contains(&found) {
            return Ok(());
        }
        Err(NodeFault::InputCount { found, supported })
    }
}
