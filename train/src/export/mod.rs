//! From a trained network to an ONNX file: the forward graph with its card, refused unless the
//! runtime's own engine computes the logits of tch.

pub mod finish;
pub mod forward;
pub mod gradient;
pub mod graph;
pub mod parity;
pub mod references;

use crate::{
    files::WriteError,
    network::{ArchitectureError, TensorError, module::Network},
};
use graph::GraphError;
use parseye_vision::classify::ModelCard;
use std::path::{Path, PathBuf};

/// Why a model is not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A parameter is missing, not finite or not of its layer's shape.
    #[error(
        "cannot export: {0}; the checkpoint is kept, train again with a lower --learning-rate if numbers are not finite"
    )]
    Graph(#[from] GraphError),
    /// The checkpoint's settings name no network.
    #[error("cannot export: {0}")]
    Architecture(#[from] ArchitectureError),
    /// The checkpoint's tensors are not the network's.
    #[error("cannot export: {0}; the checkpoint is damaged, train again in another --out")]
    Tensor(#[from] TensorError),
    /// libtorch failed, commonly for want of memory.
    #[error("cannot export: libtorch failed ({0}); the checkpoint is kept")]
    Torch(#[from] tch::TchError),
    /// The runtime cannot load what was made.
    #[error("the exported model does not load")]
    Load(#[from] parseye_vision::classify::ModelError),
    /// The runtime's predictions differ from the network's.
    #[error(
        "refused to write the model: the runtime's logits differ from the trained network's by {difference:e} on crop {crop}, more than {tolerance:e}; preprocessing or weights differ between training and export"
    )]
    Parity {
        /// Largest difference of a logit.
        difference: f32,
        /// Position of the crop.
        crop: usize,
        /// Largest difference allowed.
        tolerance: f32,
    },
    /// The gradient graph's signs differ from autograd's.
    #[error(
        "refused to write the gradient graph: {:.3} % of its signs agree with libtorch's where {:.1} % are needed; please report this with the arguments of the training",
        100.0 * agreement, 100.0 * needed
    )]
    Gradient {
        /// Share of pixels whose signs agree.
        agreement: f64,
        /// Share that is needed.
        needed: f64,
    },
    /// The card cannot be written as JSON.
    #[error("the card cannot be written as JSON")]
    Card(#[from] serde_json::Error),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The bytes of an ONNX file: `network`'s forward graph with `card` in its metadata.
///
/// # Errors
/// When the network's parameters cannot be exported.
pub fn model_bytes(network: &Network, card: &ModelCard) -> Result<Vec<u8>, ExportError> {
    let graph = forward::forward_graph(network, forward::GraphOutputs::All)?;
    Ok(graph.into_model(network.spec(), serde_json::to_string(card)?))
}

/// The bytes of an ONNX file: the gradient graph of `network`, exported as the model file of hash
/// `model_sha256`.
///
/// # Errors
/// When the network's parameters cannot be exported.
pub fn gradient_bytes(
    network: &Network,
    card: &ModelCard,
    model_sha256: &str,
) -> Result<Vec<u8>, ExportError> {
    let graph = gradient::gradient_graph(network)?;
    let card = serde_json::to_string(card)?;
    Ok(graph.into_gradient_model(network.spec().side, card, model_sha256.into()))
}

/// Path of the gradient graph of the model at `path`: `NAME.gradient.onnx` beside `NAME.onnx`.
pub fn gradient_path(path: &Path) -> PathBuf {
    path.with_extension(parseye_vision::classify::gradient::FILE_ENDING.trim_start_matches('.'))
}
