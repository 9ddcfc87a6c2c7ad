//! Admission of a model's graph: the expected inputs and outputs, known operators, bounded memory and work.
//!
//! An engine computes whatever a graph says, and a file of a kilobyte can ask it for terabytes, part of
//! them already while it is loaded. So the shapes of all values are followed here before, by the rules
//! of [`super::operators`], and what exceeds the bounds is refused. Whether a file is whole and its card
//! fits is checked elsewhere ([`super::onnx_file`], [`super::card`]).

use super::operators::{self, Cost, MAX_RANK, NodeError, NodeFault, Shape, Value};
use std::collections::HashMap;
use tract_onnx::pb::{self, tensor_proto::DataType};

/// Most nodes of a graph. The gradient graph of WRN-16-1 has 111, and seven for each further layer.
const MAX_NODES: usize = 2048;

/// Most elements of one value, a working copy of an operator included: 64 MiB of f32.
const MAX_ELEMENTS: u64 = 1 << 24;

/// Most elements of all values that are computed and of all weights, as often as they are used, since
/// the engine lays them out for each use: 512 MiB of f32.
const MAX_ELEMENTS_IN_ALL: u64 = 1 << 27;

/// Most multiplications of a run: twice those of the gradient of WRN-28-10, seconds on one core.
const MAX_MULTIPLICATIONS: u64 = 1 << 35;

/// ONNX operator sets whose rules are those of [`operators`], and which the engine is tested with.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 13..=18;

/// Why a graph is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The file holds no graph.
    #[error("the file holds no graph")]
    Missing,
    /// It is written for other rules of operators.
    #[error(
        "ONNX operator set {0} is not supported, only {first} to {last}",
        first = OPERATOR_SETS.start(),
        last = OPERATOR_SETS.end()
    )]
    OperatorSet(i64),
    /// It has more nodes than any network of `train`.
    #[error("the graph has {0} nodes, more than the {MAX_NODES} supported")]
    TooManyNodes(usize),
    /// Another number of inputs.
    #[error("the graph has {found} inputs, where {expected} expected")]
    InputCount {
        /// Inputs that it has, constants left out.
        found: usize,
        /// How many are expected, with their names.
        expected: String,
    },
    /// Another number of outputs.
    #[error("the graph has {found} outputs, where {expected} expected")]
    OutputCount {
        /// Outputs that it has.
        found: usize,
        /// How many are expected, with their names.
        expected: String,
    },
    /// An input or output is declared with another name, type or shape.
    #[error(
        "{role} `{name}` is declared as {found}, where `{expected_name}`, f32 of shape [N, {after_batch}], is expected"
    )]
    Declared {
        /// `input` or `output`.
        role: &'static str,
        /// The name that the file gives it.
        name: String,
        /// Its type and shape.
        found: String,
        /// The expected name.
        expected_name: String,
        /// The expected dimensions after the batch.
        after_batch: String,
    },
    /// An output is missing, or computed with another shape than it must have.
    #[error("output `{name}` is {found}, where f32 of shape {expected:?} is expected")]
    Output {
        /// The output.
        name: String,
        /// What the graph computes under this name.
        found: String,
        /// The expected shape.
        expected: Shape,
    },
    /// A constant that is not what its shape and type say.
    #[error("constant `{name}` {fault}")]
    Constant {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: ConstantFault,
    },
    /// Two values with one name.
    #[error("the name `{0}` is given to two values of the graph")]
    Repeated(String),
    /// A value without a name.
    #[error("a value of the graph has no name")]
    Unnamed,
    /// A node that no network of `train` has.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// One value is too large.
    #[error(
        "node `{node}` ({operator}) needs more than {MAX_ELEMENTS} elements of memory at once (output of shape {shape:?})"
    )]
    Memory {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The shape of its output.
        shape: Shape,
    },
    /// All values together are too large.
    #[error(
        "the graph needs more than {MAX_ELEMENTS_IN_ALL} elements of memory in all (exceeded at node `{0}`)"
    )]
    MemoryInAll(String),
    /// A run would take too long.
    #[error(
        "the graph needs more than {MAX_MULTIPLICATIONS} multiplications (exceeded at node `{0}`)"
    )]
    Work(String),
}

/// What is wrong with a constant; the text follows its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstantFault {
    /// A dimension is 0 or negative.
    #[error("has dimensions below 1")]
    Dimension,
    /// It has none or too many dimensions.
    #[error("has {0} dimensions, where 1 to {MAX_RANK} are supported")]
    Rank(usize),
    /// It has more elements than are supported.
    #[error("is too large: more than {MAX_ELEMENTS} elements")]
    TooLarge,
    /// Another type.
    #[error("is of ONNX type {0}, where neither f32 (1) nor int64 (7)")]
    Type(i32),
    /// Another number of elements than its shape says.
    #[error("does not hold the elements of its shape {0:?}")]
    Elements(Shape),
}

/// Inputs and outputs, each with its name and shape for a batch of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface<'a> {
    pub inputs: &'a [(&'a str, &'a [usize])],
    pub outputs: &'a [(&'a str, &'a [usize])],
}

/// Checks a model's graph for the given inputs and outputs. What the file itself declares must agree with
/// them, but is not relied on: shapes are followed from the inputs through every node.
///
/// # Errors
/// The first thing that does not fit.
pub(super) fn admit(proto: &pb::ModelProto, interface: Interface<'_>) -> Result<(), GraphError> {
    let graph = proto.graph.as_ref().ok_or(GraphError::Missing)?;
    check_declarations(graph, interface)?;
    let version = proto
        .opset_import
        .iter()
        .find(|set| operators::is_standard(&set.domain))
        .map_or(0, |set| set.version);
    if !OPERATOR_SETS.contains(&version) {
        return Err(GraphError::OperatorSet(version));
    }
    if graph.node.len() > MAX_NODES {
        return Err(GraphError::TooManyNodes(graph.node.len()));
    }
    let values = follow(graph, interface.inputs)?;
    for (output, (_, expected)) in graph.output.iter().zip(interface.outputs) {
        match values.get(output.name.as_str()) {
            Some(Value::Computed(shape)) if shape == expected => {}
            found => {
                return Err(GraphError::Output {
                    name: output.name.clone(),
                    found: found.map_or_else(|| "missing".into(), ToString::to_string),
                    expected: expected.to_vec(),
                });
            }
        }
    }
    Ok(())
}

/// The values of a graph after all of its nodes.
fn follow<'a>(
    graph: &'a pb::GraphProto,
    inputs: &[(&'a str, &[usize])],
) -> Result<HashMap<&'a str, Value>, GraphError> {
    let mut values = HashMap::new();
    for constant in &graph.initializer {
        let value = constant_value(constant).map_err(|fault| GraphError::Constant {
            name: constant.name.clone(),
            fault,
        })?;
        define(&mut values, &constant.name, value)?;
    }
    for (name, shape) in inputs {
        define(&mut values, name, Value::Computed(shape.to_vec()))?;
    }
    let mut budget = ResourceBudget::default();
    for node in &graph.node {
        let inputs: Result<Vec<&Value>, NodeError> = node
            .input
            .iter()
            .map(|name| {
                let value = values.get(name.as_str());
                value.ok_or_else(|| NodeFault::NotComputed(name.clone()).at(node))
            })
            .collect();
        let inference = operators::infer(node, &inputs?)?;
        budget.spend(node, &inference.output, &inference.cost)?;
        let [output] = node.output.as_slice() else {
            return Err(NodeFault::OutputCount(node.output.len()).at(node).into());
        };
        define(&mut values, output, inference.output)?;
    }
    Ok(values)
}

fn define<'a>(
    values: &mut HashMap<&'a str, Value>,
    name: &'a str,
    value: Value,
) -> Result<(), GraphError> {
    if name.is_empty() {
        return Err(GraphError::Unnamed);
    }
    match values.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(GraphError::Repeated(name.into())),
    }
}

/// Checks the names, types and shapes that the file declares for its inputs and outputs.
fn check_declarations(
    graph: &pb::GraphProto,
    Interface { inputs, outputs }: Interface<'_>,
) -> Result<(), GraphError> {
    let is_constant = |name: &str| graph.initializer.iter().any(|c| c.name == name);
    // Old files list constants among the inputs.
    let fed: Vec<_> = graph
        .input
        .iter()
        .filter(|input| !is_constant(&input.name))
        .collect();
    if fed.len() != inputs.len() {
        return Err(GraphError::InputCount {
            found: fed.len(),
            expected: names(inputs),
        });
    }
    if graph.output.len() != outputs.len() {
        return Err(GraphError::OutputCount {
            found: graph.output.len(),
            expected: names(outputs),
        });
    }
    for (declared, expected) in fed.into_iter().zip(inputs) {
        check_declaration("input", declared, *expected)?;
    }
    for (declared, expected) in graph.output.iter().zip(outputs) {
        check_declaration("output", declared, *expected)?;
    }
    Ok(())
}

fn names(values: &[(&str, &[usize])]) -> String {
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} ({}) {verb}", names.len(), names.join(", "))
}

/// An open batch dimension is fine: it is fixed at one when the plan is made.
fn check_declaration(
    role: &'static str,
    declared: &pb::ValueInfoProto,
    (name, shape): (&str, &[usize]),
) -> Result<(), GraphError> {
    use pb::{tensor_shape_proto::dimension::Value as Dimension, type_proto};
    let kind = declared.r#type.as_ref();
    let tensor = kind
        .and_then(|kind| kind.value.as_ref())
        .map(|type_proto::Value::TensorType(tensor)| tensor);
    let dimensions: Vec<String> = tensor
        .and_then(|tensor| tensor.shape.as_ref())
        .into_iter()
        .flat_map(|shape| shape.dim.iter().take(MAX_RANK + 1))
        .map(|dimension| match &dimension.value {
            Some(Dimension::DimValue(size)) => size.to_string(),
            Some(Dimension::DimParam(name)) => name.clone(),
            None => "?".into(),
        })
        .collect();
    let after_batch: Vec<String> = shape.iter().skip(1).map(usize::to_string).collect();
    let is_float = tensor.is_some_and(|tensor| tensor.elem_type == DataType::Float as i32);
    let batch_fits = dimensions
        .first()
        .is_some_and(|batch| batch.parse::<i64>().map_or(true, |size| size == 1));
    let fits = is_float && batch_fits && dimensions.get(1..) == Some(&after_batch[..]);
    if declared.name == name && fits {
        return Ok(());
    }
    Err(GraphError::Declared {
        role,
        name: declared.name.clone(),
        found: match tensor {
            None => "no tensor".into(),
            Some(tensor) => {
                let kind = match is_float {
                    true => "f32".into(),
                    false => format!("ONNX type {}", tensor.elem_type),
                };
                format!("{kind} of shape [{}]", dimensions.join(", "))
            }
        },
        expected_name: name.into(),
        after_batch: after_batch.join(", "),
    })
}

/// What a constant is, once it holds as many elements as its shape says: the engine relies on the shape.
fn constant_value(constant: &pb::TensorProto) -> Result<Value, ConstantFault> {
    let sides: Option<Shape> = constant
        .dims
        .iter()
        .map(|side| usize::try_from(*side).ok().filter(|side| *side > 0))
        .collect();
    let shape = sides.ok_or(ConstantFault::Dimension)?;
    if !(1..=MAX_RANK).contains(&shape.len()) {
        return Err(ConstantFault::Rank(shape.len()));
    }
    let elements = volume(&shape).ok_or(ConstantFault::TooLarge)?;
    let float = constant.data_type == DataType::Float as i32;
    if !float && constant.data_type != DataType::Int64 as i32 {
        return Err(ConstantFault::Type(constant.data_type));
    }
    let (bytes, listed) = match float {
        true => (4, constant.float_data.len()),
        false => (8, constant.int64_data.len()),
    };
    let raw = constant.raw_data.len() as u64;
    let held = match raw {
        0 => listed as u64,
        raw if raw % bytes == 0 && listed == 0 => raw / bytes,
        _ => 0,
    };
    if held != elements {
        return Err(ConstantFault::Elements(shape));
    }
    Ok(match shape.as_slice() {
        _ if float => Value::Constant(shape),
        [length] if *length <= MAX_RANK => Value::Dimensions(integers(constant)),
        _ => Value::Int64(shape),
    })
}

/// The elements of an int64 constant, which were counted before.
fn integers(constant: &pb::TensorProto) -> Vec<i64> {
    if !constant.int64_data.is_empty() {
        return constant.int64_data.clone();
    }
    let (integers, _) = constant.raw_data.as_chunks::<8>();
    integers
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect()
}

/// The elements of a value of this shape; `None` above [`MAX_ELEMENTS`].
fn volume(shape: &[usize]) -> Option<u64> {
    let product = shape
        .iter()
        .try_fold(1_u64, |product, side| product.checked_mul(*side as u64));
    product.filter(|product| *product <= MAX_ELEMENTS)
}

/// What a run takes so far.
#[derive(Clone, Copy, Debug, Default)]
struct ResourceBudget {
    elements: u64,
    multiplications: u64,
}

impl ResourceBudget {
    fn spend(
        &mut self,
        node: &pb::NodeProto,
        output: &Value,
        cost: &Cost,
    ) -> Result<(), GraphError> {
        let shape = match output {
            Value::Computed(shape) | Value::Constant(shape) => shape.as_slice(),
            Value::Bools(shape) | Value::Int64(shape) => shape.as_slice(),
            Value::Dimensions(_) => &[],
        };
        let elements = volume(shape)
            .filter(|_| cost.working <= MAX_ELEMENTS)
            .ok_or_else(|| GraphError::Memory {
                node: node.name.clone(),
                operator: node.op_type.clone(),
                shape: shape.to_vec(),
            })?;
        self.elements = self.elements.saturating_add(elements + cost.weights);
        let work = cost.multiplications.max(elements);
        self.multiplications = self.multiplications.saturating_add(work);
        if self.elements > MAX_ELEMENTS_IN_ALL {
            return Err(GraphError::MemoryInAll(node.name.clone()));
        }
        if self.multiplications > MAX_MULTIPLICATIONS {
            return Err(GraphError::Work(node.name.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
