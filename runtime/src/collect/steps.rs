//! What the person is asked to do, one after the other: two rounds, the second for validation, two minutes in all.

use parseye_vision::eye_state::EyeState;
use std::time::Duration;

/// Use that a step's crops are set aside for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Fitted on.
    Train,
    /// Choices are made on it.
    Val,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is labelled.
    pub label: EyeState,
    /// How long crops are kept, in milliseconds.
    pub milliseconds: u64,
    /// Which round it belongs to.
    pub round: Round,
    /// What to tell the person.
    pub instruction: &'static str,
    /// The manifest's note.
    pub note: &'static str,
}

impl Step {
    pub(super) const fn length(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

const fn step(
    label: EyeState,
    seconds: u64,
    round: Round,
    instruction: &'static str,
    note: &'static str,
) -> Step {
    Step {
        label,
        milliseconds: 1000 * seconds,
        round,
        instruction,
        note,
    }
}

/// Note of crops of eyes that look down.
pub(super) const LOOKING_DOWN: &str = "looking down";

/// The guided two minutes.
pub const STEPS: [Step; 11] = [
    step(
        EyeState::Open,
        12,
        Round::Train,
        "eyes open: look at the screen, and move your head a little",
        "",
    ),
    step(
        EyeState::Closed,
        10,
        Round::Train,
        "close your eyes until you are told to open them, gently",
        "",
    ),
    step(
        EyeState::PartiallyOpen,
        8,
        Round::Train,
        "close your eyes half, as when drowsy, and hold them so",
        "half closed",
    ),
    step(
        EyeState::PartiallyOpen,
        8,
        Round::Train,
        "keep your head up and look down at the keyboard",
        LOOKING_DOWN,
    ),
    step(
        EyeState::Open,
        8,
        Round::Train,
        "put on glasses if you wear any, and look at the screen",
        "glasses, if any",
    ),
    step(
        EyeState::Closed,
        8,
        Round::Train,
        "with the glasses on, close your eyes until you are told",
        "glasses, if any",
    ),
    step(
        EyeState::Open,
        8,
        Round::Val,
        "once more, as you sit at work: look at the screen",
        "",
    ),
    step(
        EyeState::Closed,
        8,
        Round::Val,
        "close your eyes until you are told to open them",
        "",
    ),
    step(
        EyeState::PartiallyOpen,
        6,
        Round::Val,
        "close your eyes half",
        "half closed",
    ),
    step(
        EyeState::PartiallyOpen,
        6,
        Round::Val,
        "look down, head up",
        LOOKING_DOWN,
    ),
    step(
        EyeState::Open,
        6,
        Round::Val,
        "eyes open, look around on the screen",
        "",
    ),
];
