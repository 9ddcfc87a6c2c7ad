//! The ONNX operators that eye-state networks and their gradient graphs consist of: attributes, shapes and
//! costs of each, in one place.
//!
//! [`read`] turns a node into an [`Operator`], refusing attributes that the networks of `train` do not have;
//! [`infer`] follows shapes through it and counts what running it costs. Everybody who reads a model does it
//! by these two: the admission of a model file ([`super::graph`]), the engine that runs it, and `train`,
//! which differentiates graphs and reads model files back into its own network library. How large a whole
//! graph may be is left to [`super::graph`].

use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};
use tract_onnx::pb::{self, tensor_proto::DataType};

/// Largest side, stride or padding of a window in pixels: the side of a crop, beyond which a window reads
/// nothing.
const LARGEST_WINDOW: usize = super::input::SIDE;

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

/// A node whose attributes are read.
#[derive(Clone, Copy)]
struct Attributes<'a> {
    node: &'a pb::NodeProto,
}

impl<'a> Attributes<'a> {
    fn operator(self) -> Result<Operator, NodeFault> {
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

/// What a node reads.
#[derive(Clone, Copy)]
struct Inputs<'a>(&'a [&'a Value]);

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
    fn infer(&self, inputs: Inputs<'_>) -> Result<Inference, NodeFault> {
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
