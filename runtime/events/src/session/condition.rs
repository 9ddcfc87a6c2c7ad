//! What an eye's time is spent in: one of its states, or why nothing is known.

use crate::event::EyeRecord;
use parseye_vision::{
    eye_state::{EyeState, STATES},
    reading::Unseen,
};

/// Number of conditions.
pub(super) const CONDITIONS: usize = STATES + 4;

/// What an eye's time is spent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A state that was predicted.
    State(EyeState),
    /// Not measured: no face was found.
    NoFace,
    /// Not measured: the head is turned too far.
    Profile,
    /// Not measured: the face is too small.
    TooSmall,
    /// Not measured: frames are further apart than `temporal.longest_gap_s`.
    Break,
}

impl Condition {
    /// All, in the order of reports.
    pub(super) const ALL: [Self; CONDITIONS] = [
        Self::State(EyeState::Open),
        Self::State(EyeState::PartiallyOpen),
        Self::State(EyeState::Closed),
        Self::State(EyeState::NotVisible),
        Self::NoFace,
        Self::Profile,
        Self::TooSmall,
        Self::Break,
    ];

    /// Returns the place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        match self {
            Self::State(state) => state.index(),
            Self::NoFace => STATES,
            Self::Profile => STATES + 1,
            Self::TooSmall => STATES + 2,
            Self::Break => STATES + 3,
        }
    }

    /// Returns the name in the JSON of a session.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::NoFace => "no_face",
            Self::Profile => "profile",
            Self::TooSmall => "too_small",
            Self::Break => "break",
        }
    }
}

impl From<&EyeRecord> for Condition {
    fn from(record: &EyeRecord) -> Self {
        match (record.probabilities, record.reason) {
            (Some(_), _) => Self::State(record.state),
            (None, Some(Unseen::Profile)) => Self::Profile,
            (None, Some(Unseen::TooSmall)) => Self::TooSmall,
            (None, _) => Self::NoFace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_list() {
        for (index, condition) in Condition::ALL.into_iter().enumerate() {
            assert_eq!(condition.index(), index);
        }
    }
}
