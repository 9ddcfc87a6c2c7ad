//! The eyes of a person and the four states of an eye, as every part of Parseye names them.
//!
//! The order of [`EyeState::ALL`] is the order of a model's outputs and of every confusion matrix.

use crate::names::{self, UnknownName};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use strum::{Display, IntoStaticStr, VariantArray};

/// Number of eye states, and of a model's outputs.
pub const STATES: usize = 4;

/// What stands in the place of the probability of a state that a model has no output for, such as partially open
/// for one that knows open and closed alone: nothing in any sum, and told from a probability of zero by its sign
/// ([`is_left_out`]).
pub const LEFT_OUT: f32 = -0.0;

/// Tells [`LEFT_OUT`] from a probability, which is never negative.
pub const fn is_left_out(probability: f32) -> bool {
    probability.is_sign_negative()
}

/// State of one eye, as a person looking at the image would name it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EyeState {
    /// The lids show the iris as they do when awake.
    Open,
    /// The lids hide a good part of the iris but do not meet.
    PartiallyOpen,
    /// The lids meet.
    Closed,
    /// The eye cannot be seen: turned away, covered, behind dark glasses, or no eye at all.
    NotVisible,
}

impl EyeState {
    /// All states in the order of the model's outputs.
    pub const ALL: [Self; STATES] = names::all(Self::VARIANTS);

    /// Position among a model's outputs, 0 to 3.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name used in manifests, cards and logs.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The state with the largest value; the first of equals, so that the prediction is always defined.
    pub fn most_likely(values: &[f32; STATES]) -> Self {
        let mut best = Self::Open;
        for state in Self::ALL {
            if values[state.index()] > values[best.index()] {
                best = state;
            }
        }
        best
    }
}

impl FromStr for EyeState {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        names::parse("eye state", name)
    }
}

/// One of a person's eyes: the subject's left eye is on the right of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Eye {
    /// The subject's left eye.
    Left,
    /// The subject's right eye.
    Right,
}

impl Eye {
    /// Both eyes, left first.
    pub const ALL: [Self; 2] = [Self::Left, Self::Right];

    /// Position in [`Self::ALL`], 0 or 1.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The eye that this one is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// A value for each eye.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerEye<T> {
    /// Value for the subject's left eye.
    pub left: T,
    /// Value for the subject's right eye.
    pub right: T,
}

impl<T> PerEye<T> {
    /// Makes a value for each eye with the same function, left eye first.
    pub fn from_fn(mut make: impl FnMut(Eye) -> T) -> Self {
        let left = make(Eye::Left);
        Self {
            left,
            right: make(Eye::Right),
        }
    }

    /// Exchanges the two values.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self {
            left: self.right,
            right: self.left,
        }
    }

    /// The value of one eye.
    pub fn get(&self, eye: Eye) -> &T {
        match eye {
            Eye::Left => &self.left,
            Eye::Right => &self.right,
        }
    }

    /// The value of one eye, to change it.
    pub fn get_mut(&mut self, eye: Eye) -> &mut T {
        match eye {
            Eye::Left => &mut self.left,
            Eye::Right => &mut self.right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_round_trip() {
        for (index, state) in EyeState::ALL.into_iter().enumerate() {
            assert_eq!(state.index(), index);
            assert_eq!(state.name().parse(), Ok(state));
        }
    }

    #[test]
    fn a_mistyped_state_names_the_nearest() {
        let error = "partialy_open".parse::<EyeState>().unwrap_err().to_string();
        assert!(error.contains("did you mean 'partially_open'?"), "{error}");
    }

    #[test]
    fn ties_go_to_the_first_state() {
        assert_eq!(EyeState::most_likely(&[0.25; STATES]), EyeState::Open);
        assert_eq!(
            EyeState::most_likely(&[0.1, 0.2, 0.4, 0.3]),
            EyeState::Closed
        );
    }
}
