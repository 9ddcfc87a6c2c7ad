//! How far a prediction can be trusted, measured while it is made: the camera's noise, the noise that the
//! prediction would survive, the smallest attack that changes it, and whether confidence drifts.
//!
//! All measurements of a crop are decibels of one kind, the perturbation SNR of the network's input
//! ([`crate::snr`]): [`camera_snr`] propagates the noise of the frame to the crop, [`noise`] and
//! [`adversarial`] perturb the crop, and [`Headroom`] is the difference of the first two. [`Checker`] does
//! this for both eyes in small steps, [`corruptions`] shifts and blurs the image, [`drift`] follows the
//! stream, [`offline`] sums up recordings and [`labelled`] attacks labelled crops. [`schedule`] says when
//! live checks run; on which thread is not decided here.
//!
//! What was not measured is `Err(Missing)`, never a number.

pub mod adversarial;
pub mod agreement;
pub mod camera_snr;
mod checker;
pub mod corruptions;
pub mod drift;
mod headroom;
pub mod labelled;
pub mod noise;
pub mod noise_propagation;
pub mod offline;
mod page_hinkley;
mod patches;
pub mod quantisation;
mod reading;
pub mod schedule;
mod settings;
mod stability;

pub use checker::{Checker, Parts, Progress};
pub use headroom::{Headroom, HeadroomState, KNOWN_FOR};
pub use page_hinkley::Shift;
pub use reading::{CheckFrame, CheckReading};
pub use settings::SelfCheckSettings;

use serde::{Deserialize, Serialize};
use std::fmt;

/// A measurement of a check, or the reason why there is none.
pub type Measurement = Result<f64, Missing>;

/// Reason why something was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No face was found.
    NoFace,
    /// The head is turned too far.
    Profile,
    /// The face is too small for its eyes to be read.
    TooSmall,
    /// The crop is black.
    Black,
    /// The crop is flatter than the contrast floor.
    ConstantCrop,
    /// The crop holds no more contrast than the camera's noise makes.
    NoiseOnly,
    /// No part of the frame is fit to measure noise on.
    NoNoiseEstimate,
    /// The model came without its gradient graph.
    NoGradientGraph,
    /// The gradient is zero everywhere, so it points nowhere.
    NoGradient,
    /// Nothing that was tried changes the state, down to the lowest SNR tried.
    NeverFlips,
    /// The noise is too large for a first-order measurement.
    BeyondFirstOrder,
    /// The model returned numbers that are not finite, or failed.
    ModelFailed,
    /// The check was not asked to measure it.
    NotAsked,
}

impl Missing {
    /// Message for the user: the reason, and what to do about it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NoFace => "no face in the image",
            Self::Profile => "the head is turned too far",
            Self::TooSmall => {
                "the face is too small: come nearer, or let the camera deliver more pixels"
            }
            Self::Black => "the image is black: open the shutter, or give light",
            Self::ConstantCrop => "the crop is all of one gray: clean the lens, or give light",
            Self::NoiseOnly => "the crop holds nothing but noise: give light",
            Self::NoNoiseEstimate => "no part of the image is fit to measure noise on",
            Self::NoGradientGraph => {
                "the model has no gradient graph: put the NAME.gradient.onnx that `train` wrote beside it"
            }
            Self::NoGradient => "the model's gradient is zero everywhere",
            Self::NeverFlips => "nothing that was tried changes the state",
            Self::BeyondFirstOrder => {
                "the first-order estimate is too low in so much noise: see how many draws agree"
            }
            Self::ModelFailed => "the model failed: use another one",
            Self::NotAsked => "not asked for",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.message())
    }
}
