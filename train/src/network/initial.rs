//! The tensors of a network from the model file that was exported from it, so that its training can go on.
//!
//! In the file a batch norm is either a factor and a shift, or folded into the convolution before it; here it becomes
//! one whose running statistics are 0 and 1, and which therefore must stay as it is in training
//! ([`super::module::Mode::Frozen`]). Networks with constraints are refused: their weights are scaled by what was
//! folded into them, and are no tight frames any more.

use super::{
    ArchitectureError, build,
    module::BATCH_NORM_EPSILON,
    spec::{Feed, NetworkSpec, Operation},
    usual_constraint,
};
use crate::float_bytes::from_bytes;
use parseye_vision::classify::{EyeStateModel, ModelError, OnnxFileError, onnx_file};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};
use tch::Tensor;
use tract_onnx::pb;

/// Why the training of a model cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum InitialError {
    /// The runtime refuses it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It cannot be read again.
    #[error("{path}: {error}; give a model made by `train`")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: OnnxFileError,
    },
    /// The system cannot read it.
    #[error("{path}: cannot be read: {error}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        error: std::io::Error,
    },
    /// Its card names no network.
    #[error("{path}: {error}; give a model made by `train`")]
    Architecture {
        /// The file.
        path: PathBuf,
        /// What is wrong with the name.
        error: ArchitectureError,
    },
    /// It was trained with constraints.
    #[error(
        "{path}: is a {architecture}, whose constraints cannot be gone on with from its file; give a base without them, such as models/default.onnx"
    )]
    Constrained {
        /// The file.
        path: PathBuf,
        /// Its architecture.
        architecture: String,
    },
    /// It lacks a constant.
    #[error(
        "{path}: has no constant `{name}` of the right size; give a model made by this version of `train`"
    )]
    Constant {
        /// The file.
        path: PathBuf,
        /// Name of the constant.
        name: String,
    },
}

/// A model whose training can go on.
#[derive(Debug)]
pub struct Initial {
    /// Its architecture by name.
    pub architecture: String,
    /// Whether it has an output for the lids.
    pub has_lids: bool,
    /// Its tensors by name, on the processor.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Initial {
    /// Reads a model file.
    ///
    /// # Errors
    /// When it is no model of `train`, or one with constraints.
    pub fn read(path: &Path) -> Result<Self, InitialError> {
        let model = EyeStateModel::from_file(path)?;
        let architecture = model.card().architecture.clone();
        let has_lids = model.card().lids.is_some();
        let constraint = usual_constraint(&architecture);
        let spec = build(&architecture, constraint, 0.0, has_lids).map_err(|error| {
            InitialError::Architecture {
                path: path.into(),
                error,
            }
        })?;
        let constrained = |operation: &Operation| match operation {
            Operation::Convolution { tight_frame, .. } | Operation::Dense { tight_frame, .. } => {
                *tight_frame
            }
            Operation::ConvexSum => true,
            _ => false,
        };
        if spec
            .layers
            .iter()
            .any(|layer| constrained(&layer.operation))
        {
            return Err(InitialError::Constrained {
                path: path.into(),
                architecture,
            });
        }
        let bytes = std::fs::read(path).map_err(|error| InitialError::Unreadable {
            path: path.into(),
            error,
        })?;
        let proto = onnx_file::decode(&bytes).map_err(|error| InitialError::File {
            path: path.into(),
            error,
        })?;
        let tensors = tensors(&spec, &proto).map_err(|name| InitialError::Constant {
            path: path.into(),
            name,
        })?;
        Ok(Self {
            architecture,
            has_lids,
            tensors,
        })
    }
}

/// The tensors of a network, or the name of the constant that is missing.
fn tensors(spec: &NetworkSpec, proto: &pb::ModelProto) -> Result<BTreeMap<String, Tensor>, String> {
    let graph = proto.graph.iter();
    let constants: HashMap<&str, Vec<f32>> = graph
        .flat_map(|graph| &graph.initializer)
        .map(|constant| (constant.name.as_str(), from_bytes(&constant.raw_data)))
        .collect();
    let get = |name: &str, count: i64| match constants.get(name) {
        Some(values) if values.len() as i64 == count => Ok(values.as_slice()),
        _ => Err(name.to_owned()),
    };
    // A shift of zeros is not written.
    let shift = |name: &str, count: i64| match constants.contains_key(name) {
        true => get(name, count).map(<[f32]>::to_vec),
        false => Ok(vec![0.0; count as usize]),
    };
    let mut tensors = BTreeMap::new();
    for layer in &spec.layers {
        let name = |part: &str| format!("{}.{part}", layer.name);
        let mut add = |part: &str, values: &[f32], shape: &[i64]| {
            tensors.insert(name(part), Tensor::from_slice(values).reshape(shape));
        };
        match layer.operation {
            Operation::Convolution {
                inputs,
                outputs,
                kernel,
                bias,
                ..
            } => {
                let weights = get(&name("weight"), outputs * inputs * kernel * kernel)?;
                add("weight", weights, &[outputs, inputs, kernel, kernel]);
                if bias {
                    // With a batch norm folded in, the shift is all the norm's.
                    let own = match folded(spec, layer.name.as_str()) {
                        true => vec![0.0; outputs as usize],
                        false => shift(&name("bias"), outputs)?,
                    };
                    add("bias", &own, &[outputs]);
                }
            }
            Operation::BatchNorm { channels } => {
                let (scale, shift) = match constants.contains_key(name("scale").as_str()) {
                    true => (
                        get(&name("scale"), channels)?.to_vec(),
                        get(&name("shift"), channels)?.to_vec(),
                    ),
                    false => {
                        let before = before(spec, layer.feeds[0]).ok_or_else(|| name("scale"))?;
                        let ones = vec![1.0; channels as usize];
                        (ones, shift(&format!("{before}.bias"), channels)?)
                    }
                };
                let deviation = (1.0 + BATCH_NORM_EPSILON).sqrt() as f32;
                let weights: Vec<f32> = scale.iter().map(|scale| scale * deviation).collect();
                let count = channels as usize;
                add("weight", &weights, &[channels]);
                add("bias", &shift, &[channels]);
                add("running_mean", &vec![0.0; count], &[channels]);
                add("running_var", &vec![1.0; count], &[channels]);
            }
            Operation::Dense {
                inputs, outputs, ..
            } => {
                add(
                    "weight",
                    get(&name("weight"), inputs * outputs)?,
                    &[outputs, inputs],
                );
                add("bias", get(&name("bias"), outputs)?, &[outputs]);
            }
            _ => {}
        }
    }
    Ok(tensors)
}

/// The convolution that a feed comes from, seen through dropout.
fn before(spec: &NetworkSpec, feed: Feed) -> Option<&str> {
    let Feed::Layer(index) = feed else {
        return None;
    };
    let layer = &spec.layers[index];
    match layer.operation {
        Operation::Convolution { .. } => Some(&layer.name),
        Operation::Dropout { .. } => before(spec, layer.feeds[0]),
        _ => None,
    }
}

/// Whether a batch norm follows a convolution at once.
fn folded(spec: &NetworkSpec, convolution: &str) -> bool {
    spec.layers.iter().any(|layer| {
        matches!(layer.operation, Operation::BatchNorm { .. })
            && before(spec, layer.feeds[0]) == Some(convolution)
    })
}
