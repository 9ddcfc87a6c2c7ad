//! Loads an eye-state model from ONNX, checks it against its card and runs it with tract.
//!
//! The input is fixed at one eye: the convolutions that replace tract's ([`crate::convolution`]) take one
//! image, tract's own are about twice as slow per eye on batches, and a fixed shape makes predictions
//! bit-identical on every thread.

use super::{
    card::{CardError, METADATA_KEY, ModelCard},
    engine::{self, Plan, root_cause},
    graph::{self, GraphError, Interface},
    input::StandardisedCrop,
    input_format::InputFormat,
    onnx_file::{self, OnnxFileError},
    precision::{self, PrecisionFault},
};
use crate::{
    convolution,
    eye_state::STATES,
    lids::{self, Lids},
};
use sha2::{Digest, Sha256};
use std::{io, path::Path, sync::Arc};
use tract_hir::prelude::*;
use tract_onnx::pb;

/// The model compiled into the program.
const BUILT_IN: &[u8] = include_bytes!("../../../../models/default.onnx");

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {reason}; {remedy}")]
pub struct ModelError {
    /// The file, or `built-in model`.
    pub origin: String,
    /// What was wrong.
    pub reason: ModelFault,
    /// What to do.
    pub remedy: &'static str,
}

/// What is wrong with a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFault {
    /// The system cannot read it.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is larger than any model.
    #[error("is no eye-state model: {0}")]
    TooLarge(io::Error),
    /// It is no ONNX file, or holds what no model has.
    #[error(transparent)]
    File(#[from] OnnxFileError),
    /// It has no card.
    #[error("is an ONNX model without a card (metadata `{METADATA_KEY}`): {0}")]
    NoCard(String),
    /// It does not compute in f32.
    #[error(transparent)]
    Precision(#[from] PrecisionFault),
    /// Its card is not JSON of a card's layout.
    #[error("the card cannot be read: {0}")]
    UnreadableCard(#[from] serde_json::Error),
    /// Its card is of another program or version.
    #[error(transparent)]
    Card(Box<CardError>),
    /// Its graph is not one of `train`'s.
    #[error(transparent)]
    Graph(Box<GraphError>),
    /// It is the gradient graph of another model.
    #[error("is the gradient of another model")]
    OtherModel,
    /// It is no gradient graph.
    #[error("is not a gradient graph")]
    NoGradient,
    /// tract refuses it.
    #[error("cannot be run ({0})")]
    Engine(String),
    /// A run failed.
    #[error("inference failed ({0})")]
    Inference(String),
    /// A run gave infinite values or NaN.
    #[error("gave {0}, where finite numbers are needed")]
    NotFinite(String),
}

impl From<CardError> for ModelFault {
    fn from(error: CardError) -> Self {
        Self::Card(Box::new(error))
    }
}

impl From<GraphError> for ModelFault {
    // Boxed: it is several times as large as the others.
    fn from(error: GraphError) -> Self {
        Self::Graph(Box::new(error))
    }
}

impl ModelFault {
    /// What to do, where that is another thing than to give a file that `train` made.
    const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.remedy(),
            Self::NoCard(_) => Some(
                "`train card --adopt FILE` makes a model of others usable; or leave out --model to use the one built in",
            ),
            Self::Precision(_) => {
                Some("export it again with f32 weights, before any conversion or quantisation")
            }
            _ => None,
        }
    }
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
    format: Arc<InputFormat>,
    plan: Plan,
}

impl EyeStateModel {
    /// Loads the model compiled into the program.
    ///
    /// # Errors
    /// When the program was built with a broken model.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::from_bytes(BUILT_IN, "built-in model")
    }

    /// Loads a model file.
    ///
    /// # Errors
    /// When the file cannot be read, is no ONNX model, has no card, or does not agree with its card.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        let bytes = onnx_file::read(path).map_err(|error| {
            let (reason, remedy) = match error.kind() {
                io::ErrorKind::FileTooLarge => (ModelFault::TooLarge(error), MAKE_WITH_TRAIN),
                _ => (
                    ModelFault::Unreadable(error),
                    "check the path and its permissions; `parseye models` lists what is there",
                ),
            };
            ModelError {
                origin: origin.clone(),
                reason,
                remedy,
            }
        })?;
        Self::from_bytes(&bytes, &origin)
    }

    /// Loads a model from the bytes of an ONNX file; `origin` is named in errors.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self, ModelError> {
        Self::load(bytes).map_err(|reason| ModelError {
            origin: origin.into(),
            remedy: reason.remedy().unwrap_or(MAKE_WITH_TRAIN),
            reason,
        })
    }

    fn load(bytes: &[u8]) -> Result<Self, ModelFault> {
        let proto = onnx_file::decode(bytes)?;
        check_graph(&proto)?;
        let card = read_card(&proto)?;
        card.check()?;
        let format = InputFormat::of(&card);
        let image = format.shape();
        let logits = ("logits", &[1, format.outputs()] as &[usize]);
        let outputs = [logits, ("lids", &[1, lids::OUTPUTS])];
        let outputs = &outputs[..if card.lids.is_some() { 2 } else { 1 }];
        let interface = Interface {
            inputs: &[("image", &image)],
            outputs,
        };
        graph::admit(&proto, interface)?;
        let plan = engine::read(proto, &[&image])
            .and_then(convolution::fuse)
            .and_then(engine::ready)
            .map_err(|error| ModelFault::Engine(root_cause(&error)))?;
        Ok(Self {
            card: Arc::new(card),
            file: Arc::new(ModelFile {
                sha256: hex::encode(Sha256::digest(bytes)),
                bytes: bytes.len(),
            }),
            format: Arc::new(format),
            plan,
        })
    }

    /// The model's card: what it is and how it was measured.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The file that it was loaded from.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// Rows and columns of its input: the size in which an eye's crop is to be sampled ([`crate::eye_crop`]).
    pub fn side(&self) -> usize {
        self.format.side()
    }

    /// Creates a classifier for the calling thread; the plan is shared, the scratch memory is its own.
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
            reason: ModelFault::Inference(root_cause(error)),
            remedy: MAKE_WITH_TRAIN,
        }
    }
}

/// What a model says of one crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Probabilities of the states in the order of [`crate::eye_state::EyeState::ALL`].
    pub probabilities: [f32; STATES],
    /// The lids, where the model has an output for them.
    pub lids: Option<Lids>,
}

/// Runs a model on one thread.
#[derive(Debug)]
pub struct EyeClassifier {
    model: EyeStateModel,
    state: TypedSimpleState,
}

impl EyeClassifier {
    /// Computes the network's raw outputs for one standardised crop, in the order of
    /// [`crate::eye_state::EyeState::ALL`]; minus infinity for a state that an adopted model has no output for.
    ///
    /// # Errors
    /// When inference fails or gives a number that is not finite.
    pub fn logits(&mut self, crop: &StandardisedCrop) -> Result<[f32; STATES], ModelError> {
        Ok(self.run(crop)?.0)
    }

    fn run(
        &mut self,
        crop: &StandardisedCrop,
    ) -> Result<([f32; STATES], Option<Lids>), ModelError> {
        let format = Arc::clone(&self.model.format);
        type Numbers = ([f32; STATES], Option<[f32; lids::OUTPUTS]>);
        let run = |state: &mut TypedSimpleState| -> TractResult<Numbers> {
            let outputs = state.run(tvec!(format.tensor(crop)?.into_tvalue()))?;
            let numbers = |output: &TValue| -> TractResult<TVec<f32>> {
                Ok(output
                    .to_plain_array_view::<f32>()?
                    .iter()
                    .copied()
                    .collect())
            };
            let lids = outputs.get(1).map(numbers).transpose()?;
            // Admission has seen that there are so many.
            let lids = lids
                .map(|lids| std::array::from_fn(|at| lids.get(at).copied().unwrap_or(f32::NAN)));
            Ok((format.logits(&numbers(&outputs[0])?), lids))
        };
        let (logits, outputs) = run(&mut self.state).map_err(|error| self.model.failed(&error))?;
        let lids = outputs.map(Lids::of_outputs);
        if self.model.format.are_finite(&logits) && lids != Some(None) {
            Ok((logits, lids.flatten()))
        } else {
            Err(ModelError {
                origin: self.model.card.name.clone(),
                reason: ModelFault::NotFinite(format!("{logits:?}")),
                remedy: MAKE_WITH_TRAIN,
            })
        }
    }

    /// Predicts the probabilities of the four states: softmax of the logits over the card's temperature. A state
    /// that an adopted model has no output for has [`crate::eye_state::LEFT_OUT`].
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn probabilities(&mut self, crop: &StandardisedCrop) -> Result<[f32; STATES], ModelError> {
        Ok(self.predict(crop)?.probabilities)
    }

    /// Predicts the probabilities of the four states, as [`Self::probabilities`], and the lids where the model has an
    /// output for them.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn predict(&mut self, crop: &StandardisedCrop) -> Result<Prediction, ModelError> {
        let (logits, lids) = self.run(crop)?;
        let probabilities = softmax(&logits, self.model.card.temperature);
        Ok(Prediction {
            probabilities: self.model.format.leave_out(probabilities),
            lids,
        })
    }

    /// The model that this runs.
    pub fn model(&self) -> &EyeStateModel {
        &self.model
    }
}

/// Computes the softmax of `logits / temperature`; sums to 1.
pub fn softmax(logits: &[f32; STATES], temperature: f32) -> [f32; STATES] {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| ((logit - largest) / temperature).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// Says plainly what a graph is that has other numbers than f32.
pub(super) fn check_graph(proto: &pb::ModelProto) -> Result<(), ModelFault> {
    let graph = proto.graph.as_ref().ok_or(GraphError::Missing)?;
    Ok(precision::check_precision(graph)?)
}

/// The fault of a file that has no card.
pub(super) fn no_card(proto: &pb::ModelProto) -> ModelFault {
    ModelFault::NoCard(
        proto
            .graph
            .as_ref()
            .map_or_else(String::new, precision::describe),
    )
}

fn read_card(proto: &pb::ModelProto) -> Result<ModelCard, ModelFault> {
    let json = proto
        .metadata_props
        .iter()
        .find(|property| property.key == METADATA_KEY)
        .ok_or_else(|| no_card(proto))?;
    Ok(serde_json::from_str(&json.value)?)
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
