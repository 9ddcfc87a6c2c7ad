//! The ONNX operators that eye-state networks and their gradient graphs consist of: attributes, shapes and
//! costs of each, in one place.
//!
//! [`read`] turns a node into an [`Operator`], refusing attributes that the networks of `train` do not have;
//! [`infer`] follows shapes through it and counts what running it costs. Everybody who reads a model does it
//! by these two: the admission of a model file ([`super::graph`]), the engine that runs it, and `train`,
//! which differentiates graphs and reads model files back into its own network library. How large a whole
//! graph may be is left to [`super::graph`].

mod attributes;
mod shapes;

use attributes::Attributes;
use shapes::Inputs;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};
use tract_onnx::pb;

/// Largest side, stride or padding of a window in pixels: the side of a crop, beyond which a window reads
/// nothing.
const LARGEST_WINDOW: usize = *super::input::SIDES.end();

/// Most dimensions of a value; the gradient of max pooling has six.
pub const MAX_RANK: usize = 8;

/// Lengths of a value's dimensions, each at least 1.
pub type Shape = Vec<usize>;

/// What is known of a value before a graph runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// f32 that a node computes, or that the graph is fed.
    Computed(Shape),
    /// f32 in the file.
    Constant(Shape),
    /// Booleans, which only `Cast` reads.
    Bools(Shape),
    /// An int64 list of at most [`MAX_RANK`] in the file, which only `Reshape` reads.
    Dimensions(Vec<i64>),
    /// Other int64 in the file, which nothing reads.
    Int64(Shape),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Computed(shape) => write!(f, "f32 of shape {shape:?}"),
            Self::Constant(shape) => write!(f, "an f32 constant of shape {shape:?}"),
            Self::Bools(shape) => write!(f, "booleans of shape {shape:?}"),
            Self::Dimensions(values) => write!(f, "the int64 constant {values:?}"),
            Self::Int64(shape) => write!(f, "an int64 constant of shape {shape:?}"),
        }
    }
}

/// An operator with its attributes.
#[derive(Clone, Debug, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(
    name(OperatorName),
    doc = "The operators' names in ONNX.",
    derive(EnumString, IntoStaticStr, VariantNames)
)]
#[non_exhaustive]
pub enum Operator {
    /// Sum of two inputs, broadcast.
    Add,
    /// Booleans as f32, 0 and 1.
    Cast,
    /// 2D convolution of one group, without dilation.
    Conv(Window),
    /// Transposed 2D convolution: the gradient of [`Operator::Conv`].
    ConvTranspose {
        /// That of the convolution whose gradient this is.
        window: Window,
        /// Rows and columns at the end that the convolution's stride left unread.
        output_padding: [usize; 2],
    },
    /// Whether two inputs are equal, element by element, broadcast.
    Equal,
    /// All dimensions after the first as one.
    Flatten,
    /// Matrix product with a constant, and a bias where there is a third input.
    Gemm {
        /// The constant has a row for each output rather than for each input.
        transposed: bool,
    },
    /// Mean over rows and columns.
    GlobalAveragePool,
    /// The input itself.
    Identity,
    /// Matrix product with a constant.
    MatMul,
    /// Maximum of each square of pixels, without padding.
    MaxPool {
        /// Side of the square in pixels, at least 1.
        side: usize,
        /// Pixels from one square to the next, at least 1.
        stride: usize,
    },
    /// Product of two inputs, broadcast.
    Mul,
    /// Maximum of the input and 0.
    Relu,
    /// The same elements in another shape, given by the second input; 0 copies a dimension.
    Reshape,
    /// -1, 0 or 1.
    Sign,
    /// Softmax along one axis.
    Softmax {
        /// The axis, the last one where the node does not give it.
        axis: Option<usize>,
    },
    /// Difference of two inputs, broadcast.
    Sub,
    /// The dimensions in another order.
    Transpose {
        /// For each dimension of the output that of the input; a permutation.
        order: Vec<usize>,
    },
}

/// The square window of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side in pixels; the weights' own where the node does not give it.
    pub side: Option<usize>,
    /// Pixels from one window to the next, at least 1.
    pub stride: usize,
    /// Zeros before the first and after the last row and column.
    pub padding: usize,
}

/// What running a node once takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications.
    pub multiplications: u64,
    /// Elements of working copies.
    pub working: u64,
    /// Elements of weights, which the engine lays out for each node that uses them.
    pub weights: u64,
}

/// What a node gives and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inference {
    /// Its output: [`Value::Computed`] or [`Value::Bools`].
    pub output: Value,
    /// What running it takes.
    pub cost: Cost,
}

/// A node that no network of `train` has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} operator {operator} (node `{node}`)")]
pub struct NodeError {
    /// The node's name.
    pub node: String,
    /// Its operator's name.
    pub operator: String,
    /// What is wrong with it.
    pub fault: NodeFault,
}

/// What is wrong with a node; the text goes on with the operator's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// The operator is none of [`OperatorName`].
    #[error("unsupported")]
    Operator,
    /// The operator is of an operator set other than ONNX's own.
    #[error("unsupported operator set `{0}` of")]
    Domain(String),
    /// An attribute that the networks of `train` do not have.
    #[error("unsupported attribute `{0}` on")]
    Attribute(String),
    /// An attribute is given twice.
    #[error("attribute `{0}` is given twice on")]
    Repeated(String),
    /// An attribute that is needed is missing.
    #[error("missing attribute `{0}` on")]
    Missing(&'static str),
    /// An attribute has a value that is not supported.
    #[error("unsupported attribute `{name}` = {found} (supported: {supported}) on")]
    AttributeValue {
        /// The attribute.
        name: &'static str,
        /// Its value.
        found: String,
        /// Values that it may have.
        supported: String,
    },
    /// Another number of inputs.
    #[error("{found} inputs, where {supported} are supported, on")]
    InputCount {
        /// Number of inputs.
        found: usize,
        /// Counts that are supported.
        supported: &'static str,
    },
    /// Not one output.
    #[error("{0} outputs, where one is supported, on")]
    OutputCount(usize),
    /// An input that no node computes before this one.
    #[error("input `{0}` is not computed before")]
    NotComputed(String),
    /// An input of another kind or rank than the operator reads.
    #[error("input {index} is {found}, where {needed} is needed, on")]
    Input {
        /// The input, from 0.
        index: usize,
        /// What it is.
        found: String,
        /// What it should be.
        needed: &'static str,
    },
    /// Two inputs whose shapes do not fit together.
    #[error("inputs of shapes {0:?} and {1:?} do not fit together on")]
    Mismatch(Shape, Shape),
    /// A window that is larger than the padded input, or lies in the padding alone.
    #[error(
        "a window of {side} pixels with stride {stride} and padding {padding} does not fit input {input:?} on"
    )]
    Window {
        /// Side of the window.
        side: usize,
        /// Its stride.
        stride: usize,
        /// Its padding.
        padding: usize,
        /// Rows and columns of the input.
        input: [usize; 2],
    },
    /// A shape of another number of elements than the input has.
    #[error("input of shape {input:?} cannot take shape {shape:?} on")]
    Reshape {
        /// The input's shape.
        input: Shape,
        /// The shape that is asked for.
        shape: Vec<i64>,
    },
    /// A dimension that is too large to be computed.
    #[error("an output dimension is too large on")]
    TooLarge,
}

impl NodeFault {
    /// The error that names the node.
    pub(super) fn at(self, node: &pb::NodeProto) -> NodeError {
        NodeError {
            node: node.name.clone(),
            operator: node.op_type.clone(),
            fault: self,
        }
    }
}

/// Reads a node's operator and attributes.
///
/// # Errors
/// When the operator, one of its attributes or its number of inputs is none that a network of `train` has.
pub fn read(node: &pb::NodeProto) -> Result<Operator, NodeError> {
    Attributes { node }
        .operator()
        .map_err(|fault| fault.at(node))
}

/// The shape of a node's output and the cost of running it once, for inputs of a batch of one.
///
/// # Errors
/// Those of [`read`], and when the inputs do not fit the operator.
pub fn infer(node: &pb::NodeProto, inputs: &[&Value]) -> Result<Inference, NodeError> {
    read(node)?
        .infer(Inputs(inputs))
        .map_err(|fault| fault.at(node))
}

/// Whether an operator set is ONNX's own.
pub(super) fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantNames;

    #[test]
    fn every_name_is_read() {
        for name in OperatorName::VARIANTS {
            let node = pb::NodeProto {
                op_type: (*name).into(),
                input: vec!["x".into(); 9],
                ..pb::NodeProto::default()
            };
            let fault = read(&node).unwrap_err().fault;
            assert!(
                matches!(fault, NodeFault::InputCount { .. }),
                "{name}: {fault:?}"
            );
        }
    }

    #[test]
    fn an_error_names_attribute_operator_and_node() {
        let node = pb::NodeProto {
            name: "stem".into(),
            op_type: "Conv".into(),
            input: vec!["image".into(), "weights".into()],
            attribute: vec![pb::AttributeProto {
                name: "group".into(),
                ..pb::AttributeProto::default()
            }],
            ..pb::NodeProto::default()
        };
        assert_eq!(
            read(&node).unwrap_err().to_string(),
            "unsupported attribute `group` on operator Conv (node `stem`)"
        );
        let node = pb::NodeProto {
            op_type: "Loop".into(),
            attribute: Vec::new(),
            ..node
        };
        assert_eq!(
            read(&node).unwrap_err().to_string(),
            "unsupported operator Loop (node `stem`)"
        );
    }
}
