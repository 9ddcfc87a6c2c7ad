//! From a crop to the tensor that a model is fed, and from its outputs to the four states: for models of `train`
//! the standardised crop and all states, for adopted ones what their card says.
//!
//! Sampling the crop in the model's size is left to [`crate::eye_crop`].

use super::{
    StandardisedCrop,
    adopted::{ImageLayout, PixelScaling},
    card::ModelCard,
};
use crate::eye_state::{EyeState, LEFT_OUT, STATES};
use tract_hir::prelude::*;

/// What a model is fed and what its outputs stand for.
#[derive(Clone, Debug)]
pub(super) struct InputFormat {
    shape: [usize; 4],
    adopted: Option<Adopted>,
}

/// The format of a model that `train` did not make.
#[derive(Clone, Debug)]
struct Adopted {
    layout: ImageLayout,
    scaling: PixelScaling,
    states: Vec<EyeState>,
}

impl InputFormat {
    /// The format of a card that passed its check.
    pub(super) fn of(card: &ModelCard) -> Self {
        let layout = ImageLayout::of(card.input.shape);
        let pixels = card.input.pixels.clone();
        let adopted = layout.zip(pixels).map(|(layout, scaling)| Adopted {
            layout,
            scaling,
            states: card.states(),
        });
        Self {
            shape: card.input.shape,
            adopted,
        }
    }

    /// Shape of the input for one eye.
    pub(super) const fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Number of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.adopted
            .as_ref()
            .map_or(STATES, |adopted| adopted.states.len())
    }

    /// Rows and columns of the input, and of the crop that it is made of.
    pub(super) fn side(&self) -> usize {
        match &self.adopted {
            Some(adopted) => adopted.layout.side,
            None => self.shape[2],
        }
    }

    /// The tensor of a crop with [`Self::side`] rows and columns.
    pub(super) fn tensor(&self, crop: &StandardisedCrop) -> TractResult<Tensor> {
        let Some(Adopted {
            layout, scaling, ..
        }) = &self.adopted
        else {
            return Tensor::from_shape(&self.shape, &crop.values);
        };
        let mut gray = crop.gray();
        for level in &mut gray {
            *level = level.clamp(0.0, 255.0);
        }
        let of = |values: &[f32], channel: usize| {
            let each = values.get(channel).or_else(|| values.first());
            each.copied().unwrap_or_default()
        };
        let value = |level: f32, channel: usize| {
            let value = level / 255.0 * scaling.white;
            (value - of(&scaling.mean, channel)) / of(&scaling.scale, channel)
        };
        let channels = 0..layout.channels;
        let values: Vec<f32> = if layout.channels_last {
            let pixels = gray.iter();
            pixels
                .flat_map(|level| channels.clone().map(|channel| value(*level, channel)))
                .collect()
        } else {
            channels
                .flat_map(|channel| gray.iter().map(move |level| value(*level, channel)))
                .collect()
        };
        Tensor::from_shape(&self.shape, &values)
    }

    /// The logits of all states in the order of [`EyeState::ALL`], minus infinity where the model has no output
    /// for one.
    pub(super) fn logits(&self, outputs: &[f32]) -> [f32; STATES] {
        match &self.adopted {
            None => {
                let mut values = [f32::NAN; STATES];
                for (value, logit) in values.iter_mut().zip(outputs) {
                    *value = *logit;
                }
                values
            }
            Some(adopted) => {
                let mut values = [f32::NEG_INFINITY; STATES];
                let mut outputs = outputs.iter();
                for state in &adopted.states {
                    values[state.index()] = outputs.next().copied().unwrap_or(f32::NAN);
                }
                values
            }
        }
    }

    /// Whether the model has an output for a state.
    fn has(&self, state: EyeState) -> bool {
        let adopted = self.adopted.as_ref();
        adopted.is_none_or(|adopted| adopted.states.contains(&state))
    }

    /// Whether the logits of all states that the model has outputs for are finite.
    pub(super) fn are_finite(&self, logits: &[f32; STATES]) -> bool {
        let finite = |state: EyeState| logits[state.index()].is_finite() || !self.has(state);
        EyeState::ALL.into_iter().all(finite)
    }

    /// Marks the probabilities of states that the model has no output for as left out.
    pub(super) fn leave_out(&self, mut probabilities: [f32; STATES]) -> [f32; STATES] {
        for state in EyeState::ALL {
            if !self.has(state) {
                probabilities[state.index()] = LEFT_OUT;
            }
        }
        probabilities
    }
}
