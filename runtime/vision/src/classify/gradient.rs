//! The gradient of a model's loss with respect to the crop, from the ONNX graph that `train` exports
//! beside each model: what white-box checks need.
//!
//! What to do with a gradient is left to [`crate::selfcheck`].

use super::{
    EyeStateModel, ModelError, StandardisedCrop,
    card::METADATA_KEY,
    engine::{self, Plan, root_cause},
    graph::{self, Interface},
    model::{ModelFault, check_graph, no_card},
    onnx_file,
};
use crate::eye_state::{EyeState, STATES};
use std::{path::Path, sync::Arc};
use tract_hir::prelude::*;

/// Key of the hash, in a gradient model's metadata, of the model file whose gradient it gives.
pub const GRADIENT_OF_KEY: &str = "parseye.gradient_of";

/// Ending of a gradient graph's file name: `NAME.gradient.onnx` beside `NAME.onnx`.
pub const FILE_ENDING: &str = ".gradient.onnx";

/// The gradient graph of the model compiled into the program.
const BUILT_IN: &[u8] = include_bytes!("../../../../models/default.gradient.onnx");

const MAKE_WITH_TRAIN: &str = "give the NAME.gradient.onnx that `train` wrote beside the model";

/// A model's gradient graph, ready to run; the plan is shared by all threads.
#[derive(Clone, Debug)]
pub struct GradientModel {
    origin: Arc<str>,
    plan: Plan,
}

/// The gradient at one crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// d(cross-entropy) / d(standardised pixel), row by row.
    pub values: Vec<f32>,
    /// The model's raw outputs for this crop.
    pub logits: [f32; STATES],
}

impl GradientModel {
    /// Loads the gradient graph of the model compiled into the program.
    ///
    /// # Errors
    /// When the program was built with a gradient that is not its model's.
    pub fn built_in(model: &EyeStateModel) -> Result<Self, ModelError> {
        Self::from_bytes(BUILT_IN, "built-in gradient", model)
    }

    /// Loads the gradient graph beside a model's file, `NAME.gradient.onnx` for `NAME.onnx`; `None` where
    /// there is none, for a model is complete without it.
    ///
    /// # Errors
    /// As [`Self::from_file`]: one that is there must be the model's.
    pub fn beside(model_file: &Path, model: &EyeStateModel) -> Result<Option<Self>, ModelError> {
        let name = model_file.file_stem().unwrap_or_default();
        let mut name = name.to_os_string();
        name.push(FILE_ENDING);
        let path = model_file.with_file_name(name);
        if path.is_file() {
            Self::from_file(&path, model).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Loads the gradient graph of `model`.
    ///
    /// # Errors
    /// When the file cannot be read, is no ONNX model, or is another model's gradient.
    pub fn from_file(path: &Path, model: &EyeStateModel) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        let bytes = onnx_file::read(path).map_err(|error| ModelError {
            origin: origin.clone(),
            reason: ModelFault::Unreadable(error),
            remedy: MAKE_WITH_TRAIN,
        })?;
        Self::from_bytes(&bytes, &origin, model)
    }

    /// Loads the gradient graph of `model` from the bytes of an ONNX file; `origin` is named in
    /// errors.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_bytes(
        bytes: &[u8],
        origin: &str,
        model: &EyeStateModel,
    ) -> Result<Self, ModelError> {
        let plan = Self::load(bytes, model).map_err(|reason| ModelError {
            origin: origin.into(),
            reason,
            remedy: MAKE_WITH_TRAIN,
        })?;
        Ok(Self {
            origin: origin.into(),
            plan,
        })
    }

    fn load(bytes: &[u8], model: &EyeStateModel) -> Result<Plan, ModelFault> {
        let proto = onnx_file::decode(bytes)?;
        check_graph(&proto)?;
        let property = |key: &str| {
            let found = proto.metadata_props.iter().find(|entry| entry.key == key);
            found.map(|entry| entry.value.as_str())
        };
        if property(METADATA_KEY).is_none() {
            return Err(no_card(&proto));
        }
        match property(GRADIENT_OF_KEY) {
            Some(sha256) if sha256 == model.file().sha256 => {}
            Some(_) => return Err(ModelFault::OtherModel),
            None => return Err(ModelFault::NoGradient),
        }
        let (image, states) = (model.card().input.shape, [1, STATES]);
        let interface = Interface {
            inputs: &[("image", &image), ("target", &states)],
            outputs: &[("gradient", &image), ("logits", &states)],
        };
        graph::admit(&proto, interface)?;
        engine::read(proto, &[&image, &states])
            .and_then(engine::ready)
            .map_err(|error| ModelFault::Engine(root_cause(&error)))
    }

    /// Creates a runner for the calling thread; the plan is shared, the scratch memory is its own.
    ///
    /// # Errors
    /// When tract cannot set up its state.
    pub fn runner(&self) -> Result<GradientRunner, ModelError> {
        let state = self.plan.spawn().map_err(|error| self.failed(&error))?;
        Ok(GradientRunner {
            model: self.clone(),
            state,
        })
    }

    fn failed(&self, error: &TractError) -> ModelError {
        ModelError {
            origin: self.origin.to_string(),
            reason: ModelFault::Inference(root_cause(error)),
            remedy: MAKE_WITH_TRAIN,
        }
    }
}

/// Runs a gradient graph on one thread.
#[derive(Debug)]
pub struct GradientRunner {
    model: GradientModel,
    state: TypedSimpleState,
}

impl GradientRunner {
    /// Computes the gradient of the cross-entropy of `crop` with `target` as its label. A step along its
    /// sign is a step of FGSM.
    ///
    /// # Errors
    /// When the graph fails or gives values that are not finite.
    pub fn gradient(
        &mut self,
        crop: &StandardisedCrop,
        target: EyeState,
    ) -> Result<Gradient, ModelError> {
        let run = |state: &mut TypedSimpleState| -> TractResult<Gradient> {
            let side = crop.side();
            let image = Tensor::from_shape(&[1, 1, side, side], &crop.values)?;
            let mut one_hot = [0.0_f32; STATES];
            one_hot[target.index()] = 1.0;
            let target = Tensor::from_shape(&[1, STATES], &one_hot)?;
            let outputs = state.run(tvec!(image.into_tvalue(), target.into_tvalue()))?;
            let values = outputs[0].to_plain_array_view::<f32>()?;
            let logits = outputs[1].to_plain_array_view::<f32>()?;
            let mut gradient = Gradient {
                values: values.iter().copied().collect(),
                logits: [f32::NAN; STATES],
            };
            gradient
                .logits
                .iter_mut()
                .zip(logits.iter())
                .for_each(|(to, from)| *to = *from);
            Ok(gradient)
        };
        let gradient = run(&mut self.state).map_err(|error| self.model.failed(&error))?;
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if finite(&gradient.values) && finite(&gradient.logits) {
            Ok(gradient)
        } else {
            Err(ModelError {
                origin: self.model.origin.to_string(),
                reason: ModelFault::NotFinite("a gradient with infinite values or NaN".into()),
                remedy: MAKE_WITH_TRAIN,
            })
        }
    }
}
