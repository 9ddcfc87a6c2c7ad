//! Loads an eye-state model from ONNX, checks it against its card and runs it with tract.
//!
//! The input is fixed at one eye: the convolutions that stand in for tract's (`convolution`) take one
//! picture, tract's own are about twice as slow per eye on batches, and a fixed shape makes the answers
//! bit-identical on every thread.

use super::{
    card::{METADATA_KEY, ModelCard},
    graph,
    input::{PIXELS, SIDE, StandardisedCrop},
    onnx_file,
};
use crate::{
    convolution,
    eye_state::STATES,
    onnx,
    onnx::{Plan, messages as pb},
};
use sha2::{Digest, Sha256};
use std::{io, path::Path, sync::Arc};
use tract_hir::prelude::*;

/// The model compiled into the program.
const BUILT_IN: &[u8] = include_bytes!("../../../../models/default.onnx");

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {reason}; {remedy}")]
pub struct ModelError {
    /// The file, or `built-in model`.
    pub origin: String,
    /// What was wrong.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
}

const MAKE_WITH_TRAIN: &str =
    "give a model made by `train`, or leave out --model to use the one built in";

/// The bytes that a model was loaded from, for logs and lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Hash of the whole file, in hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub bytes: usize,
}

/// An eye-state model ready to run: its card, and one plan that all threads share.
#[derive(Clone, Debug)]
pub struct EyeStateModel {
    card: Arc<ModelCard>,
    file: Arc<ModelFile>,
    plan: Plan,
}

impl EyeStateModel {
    /// The model compiled into the program.
    ///
    /// # Errors
    /// When the program was built with a broken model.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::from_bytes(BUILT_IN, "built-in model")
    }

    /// Loads a model file.
    ///
    /// # Errors
    /// When the file cannot be read, is no ONNX model, has no card, or is not what its card says.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::FileTooLarge => ModelError {
                origin: origin.clone(),
                reason: format!("is no eye-state model: {error}"),
                remedy: MAKE_WITH_TRAIN,
            },
            _ => ModelError {
                origin: origin.clone(),
                reason: format!("cannot be read: {error}"),
                remedy: "check the path and its permissions; `parseye models` lists what is there",
            },
        };
        let bytes = onnx_file::read(path).map_err(unreadable)?;
        Self::from_bytes(&bytes, &origin)
    }

    /// Loads a model from the bytes of an ONNX file; `origin` is named in errors.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError {
            origin: origin.into(),
            reason,
            remedy: MAKE_WITH_TRAIN,
        };
        let proto = onnx_file::decode(bytes).map_err(wrong)?;
        let card = read_card(&proto).map_err(wrong)?;
        card.check().map_err(wrong)?;
        check_interface(&proto).map_err(wrong)?;
        let image = [1, 1, SIDE, SIDE];
        graph::admit(&proto, &[("image", &image)], &[&[1, STATES]]).map_err(wrong)?;
        let plan = onnx::read(&proto, &[&image])
            .and_then(convolution::fuse)
            .and_then(onnx::ready)
            .map_err(|error| wrong(format!("cannot be run ({})", last_words(&error))))?;
        Ok(Self {
            card: Arc::new(card),
            file: Arc::new(ModelFile {
                sha256: hex::encode(Sha256::digest(bytes)),
                bytes: bytes.len(),
            }),
            plan,
        })
    }

    /// What the model is and how far it was measured.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The file that it was loaded from.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// A classifier for the calling thread; the plan is shared, the scratch memory is its own.
    ///
    /// # Errors
    /// When tract cannot set up its state.
    pub fn classifier(&self) -> Result<EyeClassifier, ModelError> {
        let state = self.plan.spawn().map_err(|error| self.failed(&error))?;
        Ok(EyeClassifier {
            model: self.clone(),
            state,
        })
    }

    fn failed(&self, error: &TractError) -> ModelError {
        ModelError {
            origin: self.card.name.clone(),
            reason: format!("inference failed ({})", last_words(error)),
            remedy: MAKE_WITH_TRAIN,
        }
    }
}

/// Runs a model on one thread.
#[derive(Debug)]
pub struct EyeClassifier {
    model: EyeStateModel,
    state: TypedSimpleState,
}

impl EyeClassifier {
    /// The network's raw outputs for one standardised crop, in the order of
    /// [`crate::eye_state::EyeState::ALL`].
    ///
    /// # Errors
    /// When inference fails or gives a number that is not finite.
    pub fn logits(&mut self, crop: &StandardisedCrop) -> Result<[f32; STATES], ModelError> {
        let run = |state: &mut TypedSimpleState| -> TractResult<[f32; STATES]> {
            let input = Tensor::from_shape(&[1, 1, SIDE, SIDE], &crop.values as &[f32; PIXELS])?;
            let outputs = state.run(tvec!(input.into_tvalue()))?;
            let logits = outputs[0].to_plain_array_view::<f32>()?;
            let mut values = [f32::NAN; STATES];
            for (value, logit) in values.iter_mut().zip(logits.iter()) {
                *value = *logit;
            }
            Ok(values)
        };
        let logits = run(&mut self.state).map_err(|error| self.model.failed(&error))?;
        if logits.iter().all(|logit| logit.is_finite()) {
            Ok(logits)
        } else {
            Err(ModelError {
                origin: self.model.card.name.clone(),
                reason: format!("gave {logits:?}, which are not all finite numbers"),
                remedy: MAKE_WITH_TRAIN,
            })
        }
    }

    /// Probabilities of the four states: softmax of the logits over the card's temperature.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn probabilities(&mut self, crop: &StandardisedCrop) -> Result<[f32; STATES], ModelError> {
        let logits = self.logits(crop)?;
        Ok(softmax(&logits, self.model.card.temperature))
    }

    /// The model that this runs.
    pub fn model(&self) -> &EyeStateModel {
        &self.model
    }
}

/// Softmax of `logits / temperature`; sums to 1.
pub fn softmax(logits: &[f32; STATES], temperature: f32) -> [f32; STATES] {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| ((logit - largest) / temperature).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

fn read_card(proto: &pb::ModelProto) -> Result<ModelCard, String> {
    let json = proto
        .metadata_props
        .iter()
        .find(|property| property.key == METADATA_KEY)
        .ok_or_else(|| format!("an ONNX model without a card (metadata `{METADATA_KEY}`)"))?;
    serde_json::from_str(&json.value).map_err(|error| format!("its card cannot be read: {error}"))
}

/// The graph's own input and output must be what the card promises.
fn check_interface(proto: &pb::ModelProto) -> Result<(), String> {
    let graph = proto.graph.as_ref().ok_or("a model without a graph")?;
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|input| {
            !graph
                .initializer
                .iter()
                .any(|constant| constant.name == input.name)
        })
        .collect();
    // An open batch dimension is fine: it is fixed at one eye when the plan is made.
    match inputs.as_slice() {
        [input] => expect_shape("input", input, "image", &[1, SIDE as i64, SIDE as i64])?,
        _ => {
            return Err(format!(
                "it has {} inputs where one is expected",
                inputs.len()
            ));
        }
    }
    match graph.output.as_slice() {
        [output] => expect_shape("output", output, "logits", &[STATES as i64]),
        outputs => Err(format!(
            "it has {} outputs where one is expected",
            outputs.len()
        )),
    }
}

fn expect_shape(
    what: &str,
    value: &pb::ValueInfoProto,
    name: &str,
    after_batch: &[i64],
) -> Result<(), String> {
    use pb::{tensor_shape_proto::dimension::Value, type_proto};
    let Some(type_proto::Value::TensorType(tensor)) =
        value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Err(format!("its {what} `{}` has no tensor type", value.name));
    };
    let shape: Vec<String> = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dimension| match &dimension.value {
            Some(Value::DimValue(size)) => size.to_string(),
            Some(Value::DimParam(name)) => name.clone(),
            None => "?".into(),
        })
        .collect();
    let wanted: Vec<String> = after_batch.iter().map(i64::to_string).collect();
    let batch_is_one = shape
        .first()
        .is_some_and(|batch| batch.parse::<i64>().map_or(true, |size| size == 1));
    let is_float = tensor.elem_type == pb::tensor_proto::DataType::Float as i32;
    if value.name == name && is_float && batch_is_one && shape.get(1..) == Some(&wanted[..]) {
        Ok(())
    } else {
        Err(format!(
            "its {what} is `{}` of shape [{}] where `{name}` of shape [N, {}] in f32 is expected",
            value.name,
            shape.join(", "),
            wanted.join(", ")
        ))
    }
}

/// The innermost cause of a tract error, on one line.
pub(super) fn last_words(error: &TractError) -> String {
    error.root_cause().to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_temperature_softens() {
        let logits = [3.0, 1.0, 0.0, -200.0];
        let (sharp, soft) = (softmax(&logits, 1.0), softmax(&logits, 4.0));
        assert!((sharp.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((soft.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(sharp[0] > soft[0]);
    }
}
