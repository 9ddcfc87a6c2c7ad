//! Writes the graph of a model of others with the operators that the runtime knows: batch norms become products and
//! sums, grouped and dilated convolutions dense ones, means a convolution, a clip two rectifiers; what only trains
//! (dropout) or only names (identity) goes, and so does the last softmax or sigmoid, since the runtime reads logits.
//!
//! Every node that is written has passed the runtime's own rules ([`operators::infer`]). Constants, weights of
//! convolutions and computations on shapes are left to the modules beside this one.

mod pieces;
mod windows;

use super::{
    constants::{self, Constants, Floats},
    shapes,
};
use parseye_vision::classify::operators::{self, NodeError, Value};
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::{self, attribute_proto::AttributeType};

/// Most nodes of a graph: what the runtime accepts.
const MOST_NODES: usize = 2048;

/// Operator sets whose operators mean what is assumed here.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 7..=23;

/// Largest side, stride or padding of a window: the largest image that a model may be adopted with.
const MOST_SIDE: usize = 128;

/// Most outputs: one for each eye state.
const MOST_OUTPUTS: usize = parseye_vision::eye_state::STATES;

/// Part of a graph that the runtime cannot compute.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// It is written for other rules of operators.
    #[error("ONNX operator set {0} is not supported, only {first} to {last}", first = OPERATOR_SETS.start(), last = OPERATOR_SETS.end())]
    OperatorSet(i64),
    /// It has too many nodes.
    #[error("the graph has {0} nodes, more than the {MOST_NODES} supported")]
    Nodes(usize),
    /// A constant that cannot be read.
    #[error("the constant `{0}` cannot be read")]
    Constant(String),
    /// A node that the runtime has no operator for, or not with these attributes or inputs.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node that cannot be rewritten.
    #[error("operator {operator} (node `{node}`) has {what}, which is not supported")]
    Rewrite {
        /// The node's name.
        node: String,
        /// Its operator.
        operator: String,
        /// What it has.
        what: &'static str,
    },
    /// A window that cannot be rewritten.
    #[error("a convolution has {0}, which is not supported")]
    Window(&'static str),
    /// A computation of a shape that cannot be followed.
    #[error("the shape that node `{0}` computes cannot be followed")]
    Shape(String),
    /// Its result is no list of two to four numbers.
    #[error(
        "its output has shape {0:?}, where one to {MOST_OUTPUTS} numbers are needed, one for each eye state"
    )]
    Output(Vec<usize>),
}

/// A graph with the runtime's operators.
#[derive(Debug)]
pub struct Lowered {
    /// From `image` to `logits`.
    pub graph: pb::GraphProto,
    /// Outputs of the model as it was: 1 to 4. The graph has two where it had one.
    pub outputs: usize,
    /// Number of weights.
    pub parameters: u64,
}

/// A value of the network under construction.
#[derive(Clone, Debug)]
struct Wire {
    name: String,
    shape: Vec<usize>,
    /// Whether it is a rectifier's, so that zeros around it change no maximum.
    not_negative: bool,
}

/// Rewrites a model whose input has this shape.
///
/// # Errors
/// Names the first node that cannot be rewritten.
pub fn lower(proto: &pb::ModelProto, shape: [usize; 4]) -> Result<Lowered, LowerError> {
    let version = proto
        .opset_import
        .iter()
        .find(|set| is_standard(&set.domain));
    let version = version.map_or(0, |set| set.version);
    if !OPERATOR_SETS.contains(&version) {
        return Err(LowerError::OperatorSet(version));
    }
    let graph = proto.graph.clone().unwrap_or_default();
    if graph.node.len() > MOST_NODES {
        return Err(LowerError::Nodes(graph.node.len()));
    }
    let mut lowering = Lowering::new(&graph, shape)?;
    let needed = needed(&graph);
    for (node, _) in graph.node.iter().zip(needed).filter(|(_, needed)| *needed) {
        lowering.node(node)?;
    }
    let output = graph.output.first().map(|output| output.name.as_str());
    let wire = lowering.wire(output.unwrap_or_default());
    lowering.finish(wire.ok_or_else(|| LowerError::Output(Vec::new()))?, shape)
}

fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// For each node whether the output depends on it.
fn needed(graph: &pb::GraphProto) -> Vec<bool> {
    let mut read: HashSet<&str> = graph
        .output
        .iter()
        .map(|output| output.name.as_str())
        .collect();
    let mut needed: Vec<bool> = graph
        .node
        .iter()
        .rev()
        .map(|node| {
            let is_read = node
                .output
                .iter()
                .any(|output| read.contains(output.as_str()));
            if is_read {
                read.extend(node.input.iter().map(String::as_str));
            }
            is_read
        })
        .collect();
    needed.reverse();
    needed
}

/// Integers of an attribute.
pub(super) fn attribute_ints<'a>(node: &'a pb::NodeProto, name: &str) -> Option<&'a [i64]> {
    let attribute = node.attribute.iter().find(|a| a.name == name)?;
    Some(&attribute.ints)
}

struct Lowering {
    constants: Constants,
    /// Values of the network by their names in the file.
    wires: HashMap<String, Wire>,
    /// Values by their names in the new graph.
    values: HashMap<String, Value>,
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
    /// The output of a softmax or sigmoid, and what it reads: at the end the latter is the output.
    squashed: HashMap<String, String>,
}

impl Lowering {
    fn new(graph: &pb::GraphProto, shape: [usize; 4]) -> Result<Self, LowerError> {
        let mut constants = Constants::default();
        for tensor in &graph.initializer {
            constants.add(&tensor.name, tensor)?;
        }
        let is_constant = |name: &str| graph.initializer.iter().any(|c| c.name == name);
        let input = graph.input.iter().find(|input| !is_constant(&input.name));
        let image = Wire {
            name: "image".into(),
            shape: shape.to_vec(),
            not_negative: false,
        };
        let name = input.map(|input| input.name.clone()).unwrap_or_default();
        Ok(Self {
            constants,
            wires: HashMap::from([(name, image)]),
            values: HashMap::from([("image".into(), Value::Computed(shape.to_vec()))]),
            nodes: Vec::new(),
            initializers: Vec::new(),
            squashed: HashMap::new(),
        })
    }

    fn wire(&self, name: &str) -> Option<Wire> {
        self.wires.get(name).cloned()
    }

    /// Rewrites one node of the file.
    fn node(&mut self, node: &pb::NodeProto) -> Result<(), LowerError> {
        let Some(output) = node.output.first().cloned() else {
            return Ok(());
        };
        if !is_standard(&node.domain) {
            return Err(operators::read(node)
                .err()
                .map_or_else(|| LowerError::Shape(node.name.clone()), LowerError::Node));
        }
        if node.op_type == "Constant" {
            return self.constants.add_node(node, &output);
        }
        let first = node.input.first().and_then(|name| self.wire(name));
        let shape = first.as_ref().map(|wire| wire.shape.as_slice());
        if let Some(list) = shapes::fold(node, shape, &self.constants)? {
            self.constants.integers.insert(output, list);
            return Ok(());
        }
        let wire = match first {
            Some(first) => self.rewritten(node, &first)?,
            // A constant comes first: a sum or product the other way round.
            None => self.constant_first(node)?,
        };
        self.wires.insert(output, wire);
        Ok(())
    }

    fn constant_first(&mut self, node: &pb::NodeProto) -> Result<Wire, LowerError> {
        let second = node.input.get(1).and_then(|name| self.wire(name));
        match (node.op_type.as_str(), second) {
            ("Add" | "Mul", Some(second)) => {
                let swapped = pb::NodeProto {
                    input: node.input.iter().rev().cloned().collect(),
                    ..node.clone()
                };
                self.rewritten(&swapped, &second)
            }
            ("Sub", Some(second)) => {
                let negative = self.scaled(&second, -1.0)?;
                let constant = self.operand(node, 0)?;
                self.emit("Add", &[&negative.name, &constant], Vec::new())
            }
            _ => Err(rewrite(
                node,
                "a constant where a value of the network is needed",
            )),
        }
    }

    /// The value that a node computes from `x`, its first input.
    fn rewritten(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        match node.op_type.as_str() {
            "Identity" | "Dropout" => Ok(x.clone()),
            "Cast" if integer(node, "to", 0) == 1 => Ok(x.clone()),
            "Softmax" | "LogSoftmax" | "Sigmoid" => self.squashed(node, x),
            "Relu" => self.relu(x),
            "Clip" => self.clip(node, x),
            "LeakyRelu" => self.leaky_relu(node, x),
            "Conv" => self.conv(node, x),
            "MaxPool" => self.max_pool(node, x),
            "AveragePool" => self.average_pool(node, x),
            "GlobalAveragePool" => self.emit("GlobalAveragePool", &[&x.name], Vec::new()),
            "ReduceMean" => self.reduce_mean(node, x),
            "BatchNormalization" => self.batch_norm(node, x),
            "Pad" => self.pad(node, x),
            "Gemm" => self.gemm(node, x),
            "MatMul" => {
                let weights = self.operand(node, 1)?;
                self.emit("MatMul", &[&x.name, &weights], Vec::new())
            }
            "Add" | "Sub" | "Mul" => {
                let other = self.operand(node, 1)?;
                self.emit(&node.op_type, &[&x.name, &other], Vec::new())
            }
            "Div" => self.divide(node, x),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(node, x),
            "Transpose" => {
                let order = attribute_ints(node, "perm").map(<[i64]>::to_vec);
                let reversed = || (0..x.shape.len() as i64).rev().collect();
                let order = ints("perm", &order.unwrap_or_else(reversed));
                self.emit("Transpose", &[&x.name], vec![order])
            }
            // Refused with its name, or written as it is.
            _ => {
                let lowered = pb::NodeProto {
                    output: vec!["refused".into()],
                    ..node.clone()
                };
                operators::read(&lowered)?;
                Err(rewrite(node, "no meaning in a classifier"))
            }
        }
    }

    /// A softmax or sigmoid: the logits, if nothing but the output reads it.
    fn squashed(&mut self, node: &pb::NodeProto, x: &Wire) -> Result<Wire, LowerError> {
        // Written down too, for those in the middle of a network; the last one is passed over at the end.
        let wire = match node.op_type.as_str() {
            "Softmax" => {
                let rank = x.shape.len() as i64;
                let axis = integer(node, "axis", -1);
                let axis = if axis < 0 { axis + rank } else { axis };
                let axis = pb::AttributeProto {
                    i: axis,
                    r#type: AttributeType::Int as i32,
                    name: "axis".into(),
                    ..pb::AttributeProto::default()
                };
                self.emit("Softmax", &[&x.name], vec![axis])?
            }
            _ => Wire {
                name: format!("{}.{}", x.name, node.op_type),
                ..x.clone()
            },
        };
        self.squashed.insert(wire.name.clone(), x.name.clone());
        Ok(wire)
    }

    /// The name of an input in the new graph, whether constant or not.
    fn operand(&mut self, node: &pb::NodeProto, index: usize) -> Result<String, LowerError> {
        let name = node.input.get(index).map_or("", String::as_str);
        if let Some(wire) = self.wires.get(name) {
            return Ok(wire.name.clone());
        }
        match self.constants.floats.get(name).cloned() {
            Some(mut floats) => {
                // The runtime has no scalars.
                if floats.shape.is_empty() {
                    floats.shape = vec![1];
                }
                Ok(self.constant(&floats))
            }
            None => Err(rewrite(
                node,
                "an input that is neither f32 nor computed before",
            )),
        }
    }

    /// The f32 constant of an input.
    fn floats(&self, node: &pb::NodeProto, index: usize) -> Result<Option<Floats>, LowerError> {
        let Some(name) = node.input.get(index).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        match self.constants.floats.get(name) {
            Some(floats) => Ok(Some(floats.clone())),
            None => Err(rewrite(node, "weights that are not constant")),
        }
    }

    /// Adds a constant and returns its name.
    fn constant(&mut self, floats: &Floats) -> String {
        let name = format!("constant.{}", self.initializers.len());
        self.values
            .insert(name.clone(), Value::Constant(floats.shape.clone()));
        self.initializers.push(constants::tensor(&name, floats));
        name
    }

    /// Adds a node and returns its value.
    fn emit(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<pb::AttributeProto>,
    ) -> Result<Wire, LowerError> {
        let name = format!("{operator}.{}", self.nodes.len());
        let node = pb::NodeProto {
            op_type: operator.into(),
            name: name.clone(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes,
            ..pb::NodeProto::default()
        };
        // The value of a sigmoid has a name and is none, since it may be read at the end alone.
        let unknown = |input: &&str| !self.values.contains_key(*input);
        if inputs.iter().any(unknown) {
            return Err(rewrite(&node, "a sigmoid or logarithm before its end"));
        }
        let values: Vec<&Value> = inputs
            .iter()
            .filter_map(|input| self.values.get(*input))
            .collect();
        let inference = operators::infer(&node, &values)?;
        let shape = match &inference.output {
            Value::Computed(shape) => shape.clone(),
            _ => return Err(rewrite(&node, "a result that is not f32")),
        };
        if self.nodes.len() >= MOST_NODES {
            return Err(LowerError::Nodes(self.nodes.len() + 1));
        }
        self.values.insert(name.clone(), inference.output);
        self.nodes.push(node);
        Ok(Wire {
            name,
            shape,
            not_negative: operator == "Relu",
        })
    }

    /// The whole graph, from `image` to `logits`.
    fn finish(mut self, mut wire: Wire, shape: [usize; 4]) -> Result<Lowered, LowerError> {
        while let Some(before) = self.squashed.get(&wire.name) {
            wire.name.clone_from(before);
        }
        let found = self.values.get(&wire.name);
        if let Some(Value::Computed(shape)) = found {
            wire.shape.clone_from(shape);
        }
        let outputs: usize = wire.shape.iter().product();
        if wire.shape.first() != Some(&1) || !(1..=MOST_OUTPUTS).contains(&outputs) {
            return Err(LowerError::Output(wire.shape));
        }
        if wire.shape.len() != 2 {
            wire = self.flattened(&wire)?;
        }
        if outputs == 1 {
            // Of two states, the logit of the first is 0: their softmax is then the sigmoid of the other's.
            let both = self.constant(&Floats {
                shape: vec![1, 2],
                values: vec![0.0, 1.0],
            });
            wire = self.emit("MatMul", &[&wire.name, &both], Vec::new())?;
        }
        let last = pb::NodeProto {
            op_type: "Identity".into(),
            name: "logits".into(),
            input: vec![wire.name.clone()],
            output: vec!["logits".into()],
            ..pb::NodeProto::default()
        };
        self.nodes.push(last);
        let parameters = self
            .initializers
            .iter()
            .map(|tensor| tensor.raw_data.len() as u64 / 4);
        let parameters = parameters.sum();
        let mut graph = pb::GraphProto {
            name: "adopted".into(),
            node: self.nodes,
            initializer: self.initializers,
            input: vec![declared("image", &shape)],
            output: vec![declared("logits", &wire.shape)],
            ..pb::GraphProto::default()
        };
        drop_unread(&mut graph);
        Ok(Lowered {
            graph,
            outputs,
            parameters,
        })
    }
}

/// Drops the softmax that was passed over at the end, and constants that nothing reads.
fn drop_unread(graph: &mut pb::GraphProto) {
    let mut keep = needed(graph).into_iter();
    graph.node.retain(|_| keep.next().unwrap_or(true));
    let read: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|n| n.input.iter().map(String::as_str))
        .collect();
    let read: Vec<bool> = graph
        .initializer
        .iter()
        .map(|c| read.contains(c.name.as_str()))
        .collect();
    let mut read = read.into_iter();
    graph.initializer.retain(|_| read.next().unwrap_or(true));
}

fn declared(name: &str, shape: &[usize]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension};
    let dimension = |side: &usize| Dimension {
        value: Some(dimension::Value::DimValue(*side as i64)),
        ..Dimension::default()
    };
    let tensor = pb::type_proto::Tensor {
        elem_type: pb::tensor_proto::DataType::Float as i32,
        shape: Some(pb::TensorShapeProto {
            dim: shape.iter().map(dimension).collect(),
        }),
    };
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor)),
            ..pb::TypeProto::default()
        }),
        ..pb::ValueInfoProto::default()
    }
}

fn rewrite(node: &pb::NodeProto, what: &'static str) -> LowerError {
    LowerError::Rewrite {
        node: node.name.clone(),
        operator: node.op_type.clone(),
        what,
    }
}

fn integer(node: &pb::NodeProto, name: &str, default: i64) -> i64 {
    let attribute = node.attribute.iter().find(|a| a.name == name);
    attribute.map_or(default, |attribute| attribute.i)
}

fn float(node: &pb::NodeProto, name: &str, default: f32) -> f32 {
    let attribute = node.attribute.iter().find(|a| a.name == name);
    attribute.map_or(default, |attribute| attribute.f)
}

/// A list of integers as an attribute.
fn ints(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..pb::AttributeProto::default()
    }
}
