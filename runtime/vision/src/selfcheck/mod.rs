//! How far an answer can be trusted, measured while it is given: the camera's noise, the noise that
//! the answer would survive, the smallest attack that turns it, and whether confidence drifts.
//!
//! All figures of a crop are decibels of one kind, the perturbation SNR of the network's input
//! ([`crate::snr`]): [`camera_snr`] carries the noise of the frame to the crop, [`noise`] and
//! [`adversarial`] perturb the crop, and [`headroom`] is the difference of the first two.
//! [`checker`] does this for both eyes in small steps, [`natural`] moves and blurs the picture,
//! [`drift`] watches the stream, [`offline`] sums up recordings and [`labelled`] attacks labelled
//! crops. [`schedule`] says when live checks run; on which thread is not decided here.
//!
//! What was not measured is `Err(Missing)`, never a number.

pub mod adversarial;
pub mod camera_snr;
pub mod checker;
pub mod drift;
pub mod headroom;
pub mod noise_propagation;

pub mod corruptions;
pub mod labelled;
pub mod noise;

pub mod offline;
pub mod page_hinkley;
pub mod patches;
pub mod quantisation;
pub mod reading;
pub mod schedule;
pub mod settings;
pub mod stability;

pub use checker::{Checker, Progress};
pub use headroom::{Headroom, HeadroomState, Trust};
pub use reading::{CheckFrame, CheckReading};
pub use settings::SelfCheckSettings;

use serde::{Deserialize, Serialize};
use std::fmt;

/// A measurement of a check, or why there is none.
pub type Measurement = Result<f64, Missing>;

/// Why a measurement was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No face was found.
    NoFace,
    /// The head is turned too far.
    Profile,
    /// The crop is black.
    Black,
    /// The crop is flatter than the contrast floor.
    ConstantCrop,
    /// The crop holds no more contrast than the camera's noise makes.
    NoiseOnly,
    /// No part of the frame shows what the noise is.
    NoNoiseEstimate,
    /// The model came without its gradient graph.
    NoGradientGraph,
    /// The gradient is zero everywhere, so it points nowhere.
    NoGradient,
    /// Nothing that was tried changes the state, down to the lowest SNR tried.
    NeverFlips,
    /// The noise is too large for a first-order measurement.
    BeyondFirstOrder,
    /// The model gave numbers that are not finite, or failed.
    ModelFailed,
    /// The check was not asked to measure it.
    NotAsked,
}

impl Missing {
    /// What to know or to do about it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoFace => "no face in the picture",
            Self::Profile => "the head is turned too far",
            Self::Black => "the picture is black: open the shutter, or give light",
            Self::ConstantCrop => "the crop is all of one gray: clean the lens, or give light",
            Self::NoiseOnly => "the crop holds nothing but noise: give light",
            Self::NoNoiseEstimate => "no part of the picture is fit to measure noise on",
            Self::NoGradientGraph => {
                "the model has no gradient graph: put the NAME.gradient.onnx that `train` wrote beside it"
            }
            Self::NoGradient => "the model's gradient is zero everywhere",
            Self::NeverFlips => "nothing that was tried changes the state",
            Self::BeyondFirstOrder => {
                "the first-order figure is too low in so much noise: see how many draws agree"
            }
            Self::ModelFailed => "the model failed: use another one",
            Self::NotAsked => "not asked for",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
