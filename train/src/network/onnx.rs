//! A model file of ours as a differentiable classifier in tch: what is attacked is the very file
//! that is shipped, folded weights and all, not the network it came from.

use crate::{attack::Classifier, float_bytes::from_bytes};
use parseye_vision::classify::{EyeStateModel, ModelCard, ModelError};
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
    /// It holds what `train` does not write.
    #[error("{path}: {reason}; give a model made by this version of `train`")]
    Unknown {
        /// The file.
        path: String,
        /// What was found.
        reason: String,
    },
}

/// One node with its constants at hand.
#[derive(Debug)]
struct Step {
    operation: Operation,
    /// Positions of the values read, 0 being the picture.
    inputs: Vec<usize>,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
}

/// The operators that `train` writes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
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
    device: Device,
    steps: Vec<Step>,
}

impl OnnxClassifier {
    /// Reads a model file.
    ///
    /// # Errors
    /// When the runtime would refuse it, or it holds an operator that `train` does not write.
    pub fn read(path: &Path, device: Device) -> Result<Self, OnnxError> {
        let model = EyeStateModel::from_file(path)?;
        let origin = path.display().to_string();
        let unknown = |reason: String| OnnxError::Unknown {
            path: origin.clone(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|e| unknown(format!("cannot be read: {e}")))?;
        let proto = pb::ModelProto::decode(bytes.as_slice());
        let proto = proto.map_err(|e| unknown(format!("not a whole ONNX model ({e})")))?;
        let graph = proto.graph.unwrap_or_default();
        Ok(Self {
            card: model.card().clone(),
            sha256: model.file().sha256.clone(),
            device,
            steps: steps(&graph, device).map_err(unknown)?,
        })
    }

    /// What the model is and how far it was measured.
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

    fn logits(&self, images: &Tensor) -> Tensor {
        let mut values = vec![images.shallow_clone()];
        for step in &self.steps {
            let x = &values[step.inputs[0]];
            let weight = || step.weight.as_ref().unwrap_or(x);
            let y = match step.operation {
                Operation::Conv { padding, stride } => x.conv2d(
                    weight(),
                    step.bias.as_ref(),
                    [stride; 2],
                    [padding; 2],
                    [1; 2],
                    1,
                ),
                Operation::Relu => x.relu(),
                Operation::Scale => x * weight(),
                Operation::Shift => x + weight(),
                Operation::Sum => x + &values[step.inputs[1]],
                Operation::MaxPool { side } => {
                    x.max_pool2d([side; 2], [side; 2], [0; 2], [1; 2], false)
                }
                Operation::GlobalAveragePool => {
                    x.mean_dim([2_i64, 3].as_slice(), true, Kind::Float)
                }
                Operation::Flatten => x.flatten(1, -1),
                Operation::Gemm => x.linear(weight(), step.bias.as_ref()),
            };
            values.push(y);
        }
        values.pop().unwrap_or_else(|| images.shallow_clone())
    }
}

/// The graph's nodes in order, values numbered.
fn steps(graph: &pb::GraphProto, device: Device) -> Result<Vec<Step>, String> {
    let mut constants = HashMap::new();
    for constant in &graph.initializer {
        constants.insert(constant.name.as_str(), tensor(constant, device)?);
    }
    let mut numbers = HashMap::from([("image", 0)]);
    let mut steps = Vec::with_capacity(graph.node.len());
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
            return Err(format!("node '{}' has not one output", node.name));
        };
        if inputs.is_empty() || known != node.input.len() {
            return Err(format!("node '{}' reads what is not there", node.name));
        }
        let operation = operation(node, inputs.len(), weight.is_some())?;
        steps.push(Step {
            operation,
            inputs,
            weight,
            bias,
        });
        numbers.insert(output, steps.len());
    }
    match graph.node.last() {
        Some(last) if last.output.iter().any(|name| name == "logits") => Ok(steps),
        _ => Err("its last node does not give the logits".into()),
    }
}

fn operation(node: &pb::NodeProto, inputs: usize, weight: bool) -> Result<Operation, String> {
    let first = |name: &str| {
        let found = node.attribute.iter().find(|a| a.name == name);
        found.map_or(0, |a| a.ints.first().copied().unwrap_or(a.i))
    };
    let found = match (node.op_type.as_str(), inputs, weight) {
        ("Conv", 1, true) => Operation::Conv {
            padding: first("pads"),
            stride: first("strides").max(1),
        },
        ("Relu", 1, false) => Operation::Relu,
        ("Mul", 1, true) => Operation::Scale,
        ("Add", 1, true) => Operation::Shift,
        ("Add", 2, false) => Operation::Sum,
        ("MaxPool", 1, false) => Operation::MaxPool {
            side: first("kernel_shape"),
        },
        ("GlobalAveragePool", 1, false) => Operation::GlobalAveragePool,
        ("Flatten", 1, false) => Operation::Flatten,
        ("Gemm", 1, true) if first("transB") == 1 => Operation::Gemm,
        (other, ..) => return Err(format!("operator {other} of '{}' is unknown", node.name)),
    };
    Ok(found)
}

fn tensor(constant: &pb::TensorProto, device: Device) -> Result<Tensor, String> {
    let wrong = |reason: String| format!("constant '{}': {reason}", constant.name);
    if constant.data_type != pb::tensor_proto::DataType::Float as i32 {
        return Err(wrong("not f32".into()));
    }
    Tensor::f_from_slice(&from_bytes(&constant.raw_data))
        .and_then(|flat| flat.f_reshape(&constant.dims))
        .and_then(|tensor| tensor.f_to_device(device))
        .map_err(|error| wrong(error.to_string()))
}
