//! A model file as a differentiable classifier in tch, so that the shipped file is attacked, folded
//! weights and all, not the network it came from.

use crate::{attack::Classifier, float_bytes::from_bytes};
use parseye_vision::classify::{
    EyeStateModel, ModelCard, ModelError,
    operators::{self, NodeError, Operator},
};
use prost::Message;
use std::{collections::HashMap, path::Path};
use tch::{Device, Kind, Tensor};
use tract_onnx::pb;

/// Why a model file cannot be used in tch.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The runtime itself refuses it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It cannot be read.
    #[error("{path}: cannot be read: {reason}; give a model made by `train`")]
    Read {
        /// The file.
        path: String,
        /// The system's message.
        reason: String,
    },
    /// It holds what `train` does not write.
    #[error("{path}: {error}; give a model made by this version of `train`")]
    Graph {
        /// The file.
        path: String,
        /// The part that is not supported.
        error: GraphReadError,
    },
}

/// Part of a model's graph that `train` does not write.
#[derive(Debug, thiserror::Error)]
pub enum GraphReadError {
    /// The file is damaged.
    #[error("not a whole ONNX model ({0})")]
    NotOnnx(#[from] prost::DecodeError),
    /// A node has no output, or several.
    #[error("node '{node}' has {count} outputs where one is expected")]
    Outputs {
        /// Name of the node.
        node: String,
        /// Number of its outputs.
        count: usize,
    },
    /// A node reads a value that is neither a constant nor computed before.
    #[error("node '{node}' reads a value that no node before it computes")]
    UnknownInput {
        /// Name of the node.
        node: String,
    },
    /// An operator or attribute that no model has.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// An operator that `train` does not write in models, or not with these inputs.
    #[error("unsupported operator {operator} (node '{node}')")]
    UnknownOperator {
        /// Name of the operator.
        operator: String,
        /// Name of the node.
        node: String,
    },
    /// It was adopted.
    #[error(
        "it is an adopted model, which is fed other images; `parseye evaluate` and `parseye check` measure it"
    )]
    Adopted,
    /// The graph ends with another value.
    #[error("its last node does not compute the logits")]
    NoLogits,
    /// A constant is not f32.
    #[error("constant '{0}' is not f32")]
    NotFloat(String),
    /// A constant's values do not make up its shape.
    #[error("constant '{name}': {error}")]
    Constant {
        /// Name of the constant.
        name: String,
        /// libtorch's error.
        error: tch::TchError,
    },
}

/// One node with its constants at hand.
#[derive(Debug)]
struct OnnxNode {
    operation: OnnxOperator,
    /// Positions of the values read, 0 being the image.
    inputs: Vec<usize>,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

/// The operators that `train` writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum OnnxOperator {
    Conv {
        padding: i64,
        stride: i64,
    },
    Relu,
    /// The input times the constant `weight`.
    Scale,
    /// The input plus the constant `weight`.
    Shift,
    Sum,
    MaxPool {
        side: i64,
    },
    GlobalAveragePool,
    Flatten,
    Gemm,
}

/// A model file in tch.
#[derive(Debug)]
pub struct OnnxClassifier {
    card: ModelCard,
    sha256: String,
    side: usize,
    device: Device,
    nodes: Vec<OnnxNode>,
}

impl OnnxClassifier {
    /// Reads a model file.
    ///
    /// # Errors
    /// When the runtime would refuse it, or it holds an operator that `train` does not write.
    pub fn read(path: &Path, device: Device) -> Result<Self, OnnxError> {
        let model = EyeStateModel::from_file(path)?;
        let bytes = std::fs::read(path).map_err(|error| OnnxError::Read {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let graph = |error| OnnxError::Graph {
            path: path.display().to_string(),
            error,
        };
        if model.card().input.pixels.is_some() {
            return Err(graph(GraphReadError::Adopted));
        }
        let nodes = nodes_of(&bytes, device).map_err(graph)?;
        Ok(Self {
            card: model.card().clone(),
            sha256: model.file().sha256.clone(),
            side: model.side(),
            device,
            nodes,
        })
    }

    /// The model's card.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Hash of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl Classifier for OnnxClassifier {
    fn name(&self) -> &str {
        &self.card.name
    }

    fn device(&self) -> Device {
        self.device
    }

    fn side(&self) -> usize {
        self.side
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        let mut values = vec![images.shallow_clone()];
        for node in &self.nodes {
            let x = &values[node.inputs[0]];
            let weight = || node.weight.as_ref().unwrap_or(x);
            let y = match node.operation {
                OnnxOperator::Conv { padding, stride } => x.conv2d(
                    weight(),
                    node.bias.as_ref(),
                    [stride; 2],
                    [padding; 2],
                    [1; 2],
                    1,
                ),
                OnnxOperator::Relu => x.relu(),
                OnnxOperator::Scale => x * weight(),
                OnnxOperator::Shift => x + weight(),
                OnnxOperator::Sum => x + &values[node.inputs[1]],
                OnnxOperator::MaxPool { side } => {
                    x.max_pool2d([side; 2], [side; 2], [0; 2], [1; 2], false)
                }
                OnnxOperator::GlobalAveragePool => {
                    x.mean_dim([2_i64, 3].as_slice(), true, Kind::Float)
                }
                OnnxOperator::Flatten => x.flatten(1, -1),
                OnnxOperator::Gemm => x.linear(weight(), node.bias.as_ref()),
            };
            values.push(y);
        }
        values.pop().unwrap_or_else(|| images.shallow_clone())
    }
}

/// The nodes of a model file in order, values numbered.
fn nodes_of(file: &[u8], device: Device) -> Result<Vec<OnnxNode>, GraphReadError> {
    let graph = pb::ModelProto::decode(file)?.graph.unwrap_or_default();
    let mut constants = HashMap::new();
    for constant in &graph.initializer {
        constants.insert(constant.name.as_str(), tensor(constant, device)?);
    }
    let mut numbers = HashMap::from([("image", 0)]);
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        let inputs = node
            .input
            .iter()
            .filter_map(|name| numbers.get(name.as_str()));
        let inputs: Vec<usize> = inputs.copied().collect();
        let held = node
            .input
            .iter()
            .filter_map(|name| constants.get(name.as_str()));
        let mut held = held.map(Tensor::shallow_clone);
        let (weight, bias) = (held.next(), held.next());
        let known = inputs.len() + usize::from(weight.is_some()) + usize::from(bias.is_some());
        let [output] = node.output.as_slice() else {
            return Err(GraphReadError::Outputs {
                node: node.name.clone(),
                count: node.output.len(),
            });
        };
        if inputs.is_empty() || known != node.input.len() {
            return Err(GraphReadError::UnknownInput {
                node: node.name.clone(),
            });
        }
        let operation = operation(node, inputs.len(), weight.is_some())?;
        nodes.push(OnnxNode {
            operation,
            inputs,
            weight,
            bias,
        });
        numbers.insert(output, nodes.len());
    }
    match graph.node.last() {
        Some(last) if last.output.iter().any(|name| name == "logits") => Ok(nodes),
        _ => Err(GraphReadError::NoLogits),
    }
}

fn operation(
    node: &pb::NodeProto,
    inputs: usize,
    weight: bool,
) -> Result<OnnxOperator, GraphReadError> {
    // Sides of windows are at most a crop's, so that no cast loses anything.
    Ok(match (operators::read(node)?, inputs, weight) {
        (Operator::Conv(window), 1, true) => OnnxOperator::Conv {
            padding: window.padding as i64,
            stride: window.stride as i64,
        },
        (Operator::Relu, 1, false) => OnnxOperator::Relu,
        (Operator::Mul, 1, true) => OnnxOperator::Scale,
        (Operator::Add, 1, true) => OnnxOperator::Shift,
        (Operator::Add, 2, false) => OnnxOperator::Sum,
        (Operator::MaxPool { side, stride }, 1, false) if side == stride => {
            OnnxOperator::MaxPool { side: side as i64 }
        }
        (Operator::GlobalAveragePool, 1, false) => OnnxOperator::GlobalAveragePool,
        (Operator::Flatten, 1, false) => OnnxOperator::Flatten,
        (Operator::Gemm { transposed: true }, 1, true) => OnnxOperator::Gemm,
        _ => {
            return Err(GraphReadError::UnknownOperator {
                operator: node.op_type.clone(),
                node: node.name.clone(),
            });
        }
    })
}

fn tensor(constant: &pb::TensorProto, device: Device) -> Result<Tensor, GraphReadError> {
    if constant.data_type != pb::tensor_proto::DataType::Float as i32 {
        return Err(GraphReadError::NotFloat(constant.name.clone()));
    }
    Tensor::f_from_slice(&from_bytes(&constant.raw_data))
        .and_then(|flat| flat.f_reshape(&constant.dims))
        .and_then(|tensor| tensor.f_to_device(device))
        .map_err(|error| GraphReadError::Constant {
            name: constant.name.clone(),
            error,
        })
}
