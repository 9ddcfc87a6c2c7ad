//! The reading of a frame: for each eye the probabilities of its states, or the reason why there are none.
//!
//! Readings are made by [`crate::eye_monitor`] and followed over time by [`crate::temporal`]; writing them
//! down is left to other crates.

use crate::{
    eye_state::{EyeState, PerEye, STATES, is_left_out},
    lids::Lids,
    locate::{Face, crop::Roi},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Reason why an eye was not classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// No face was found.
    NoFace,
    /// The head is turned so far that the detector's eye positions mean nothing.
    Profile,
    /// The face is so small, or so far away, that a crop has too few pixels to tell an open eye from a closed one.
    TooSmall,
}

/// The reading of one eye in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EyeReading {
    /// A crop was classified.
    Measured {
        /// Probabilities of the states in the order of [`EyeState::ALL`], summing to 1;
        /// [`LEFT_OUT`](crate::eye_state::LEFT_OUT) for
        /// those that the model has no output for.
        probabilities: [f32; STATES],
        /// The lids, where the model has an output for them.
        lids: Option<Lids>,
        /// Where the crop was cut.
        square: Roi,
    },
    /// No crop was classified.
    Unmeasured(Unseen),
}

impl EyeReading {
    /// The most likely state; [`EyeState::NotVisible`] where nothing was measured.
    pub fn state(&self) -> EyeState {
        match self {
            Self::Measured { probabilities, .. } => EyeState::most_likely(probabilities),
            Self::Unmeasured(_) => EyeState::NotVisible,
        }
    }

    /// Probability of the most likely state, 0.25 to 1, where one was measured.
    pub fn confidence(&self) -> Option<f32> {
        self.probability(self.state())
    }

    /// Probability of a state, 0 to 1, where one was measured and the model has an output for it.
    pub fn probability(&self, state: EyeState) -> Option<f32> {
        match self {
            Self::Measured { probabilities, .. } => {
                let probability = probabilities[state.index()];
                (!is_left_out(probability)).then_some(probability)
            }
            Self::Unmeasured(_) => None,
        }
    }

    /// The lids, where the model has an output for them and something was measured.
    pub const fn lids(&self) -> Option<Lids> {
        match self {
            Self::Measured { lids, .. } => *lids,
            Self::Unmeasured(_) => None,
        }
    }

    /// Whether the eye looks down with its lids apart, where the model has an output for that: more likely than not, and
    /// the eye neither closed nor hidden.
    pub fn looks_down(&self) -> Option<bool> {
        let apart = matches!(self.state(), EyeState::Open | EyeState::PartiallyOpen);
        Some(self.lids()?.looking_down > 0.5 && apart)
    }
}

/// The reading of one frame.
#[derive(Clone, Debug)]
pub struct FrameReading {
    /// The frame's number in its source, from 0.
    pub frame: u64,
    /// The frame's time since the source's first frame or opening, see [`crate::frame::Frame`].
    pub time: Duration,
    /// The face, where one was found.
    pub face: Option<Face>,
    /// Each eye.
    pub eyes: PerEye<EyeReading>,
}
