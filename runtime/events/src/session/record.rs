//! Lines of a log as [`super::tally`] needs them: their times checked, an eye's record as an index or
//! as the reading that it was made of.

use super::{
    accumulator::Refusal,
    timeline::{KINDS, UNMEASURED},
};
use crate::event::{ClosureEvent, EyeRecord, EyesEvent};
use parseye_vision::{
    eye_state::{Eye, EyeState, PerEye, STATES},
    locate::crop::Roi,
    reading::{EyeReading, FrameReading, Unseen},
};
use std::time::Duration;

/// What an eye spends time in: the states, then what was not measured and why, then breaks.
pub(super) const SHARES: [&str; STATES + 3] = [
    "open",
    "partially_open",
    "closed",
    "not_visible",
    "no_face",
    "profile",
    "break",
];
const NO_FACE: usize = STATES;
const PROFILE: usize = STATES + 1;
pub(super) const BREAK: usize = STATES + 2;

/// Times beyond this many seconds, 30 years, are mistakes.
const LATEST_S: f64 = 1e9;

pub(super) fn check_time(time: f64) -> Result<(), Refusal> {
    if (0.0..=LATEST_S).contains(&time) {
        Ok(())
    } else {
        Err(Refusal::Damaged(format!("a time of {time} s")))
    }
}

pub(super) fn check_closure(closure: &ClosureEvent) -> Result<(), Refusal> {
    check_time(closure.start)?;
    check_time(closure.end)?;
    check_time(closure.duration)
}

pub(super) fn record_of(eyes: &EyesEvent, eye: Eye) -> &EyeRecord {
    match eye {
        Eye::Left => &eyes.left,
        Eye::Right => &eyes.right,
    }
}

/// Index below [`KINDS`].
pub(super) fn kind_of(record: &EyeRecord) -> usize {
    let kind = record.probabilities.map(|_| record.state.index());
    kind.unwrap_or(UNMEASURED).min(KINDS - 1)
}

/// Index into [`SHARES`].
pub(super) fn share_of(record: &EyeRecord) -> usize {
    match (record.probabilities, record.reason) {
        (Some(_), _) => record.state.index(),
        (None, Some(Unseen::Profile)) => PROFILE,
        (None, _) => NO_FACE,
    }
}

/// The reading that a line was made of, as far as [`parseye_vision::temporal`] needs it.
pub(super) fn reading_of(eyes: &EyesEvent) -> FrameReading {
    FrameReading {
        frame: eyes.frame,
        time: Duration::try_from_secs_f64(eyes.time).unwrap_or_default(),
        face: None,
        eyes: PerEye::from_fn(|eye| {
            let record = record_of(eyes, eye);
            let Some(p) = record.probabilities else {
                return EyeReading::Unmeasured(record.reason.unwrap_or(Unseen::NoFace));
            };
            let square = record.square.map_or_else(nowhere, |square| Roi {
                centre: [square.x as f32, square.y as f32],
                side: square.side as f32,
                angle: square.angle.to_radians() as f32,
            });
            EyeReading::Measured {
                probabilities: EyeState::ALL.map(|state| match state {
                    EyeState::Open => p.open as f32,
                    EyeState::PartiallyOpen => p.partially_open as f32,
                    EyeState::Closed => p.closed as f32,
                    EyeState::NotVisible => p.not_visible as f32,
                }),
                square,
            }
        }),
    }
}

fn nowhere() -> Roi {
    Roi {
        centre: [0.0; 2],
        side: 1.0,
        angle: 0.0,
    }
}
