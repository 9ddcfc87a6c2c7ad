//! The words every part of Parseye shares: which eye, and in which of the four states it is.
//!
//! The order of [`EyeState::ALL`] is the order of a model's outputs and of every confusion matrix.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Number of eye states, and of a model's outputs.
pub const STATES: usize = 4;

/// State of one eye, as a person looking at the picture would name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EyeState {
    /// The lids show the iris as they do when awake.
    Open,
    /// The lids hide a good part of the iris but do not meet.
    PartiallyOpen,
    /// The lids meet.
    Closed,
    /// The eye cannot be judged: turned away, covered, behind dark glasses, or no eye at all.
    NotVisible,
}

impl EyeState {
    /// All states in the order of the model's outputs.
    pub const ALL: [Self; STATES] = [
        Self::Open,
        Self::PartiallyOpen,
        Self::Closed,
        Self::NotVisible,
    ];

    /// Position among a model's outputs, 0 to 3.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name used in manifests, cards and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::PartiallyOpen => "partially_open",
            Self::Closed => "closed",
            Self::NotVisible => "not_visible",
        }
    }

    /// The state with the largest value; the first of equals, so the answer is always defined.
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

impl fmt::Display for EyeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An eye state's name was none of the four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown eye state '{given}'{}; the states are open, partially_open, closed, not_visible", crate::nearest::hint(.given, EyeState::ALL.map(EyeState::name)))]
pub struct UnknownState {
    /// What was given.
    pub given: String,
}

impl FromStr for EyeState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| UnknownState { given: name.into() })
    }
}

/// One of the watched person's eyes: the subject's left eye is on the right of the picture.
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
