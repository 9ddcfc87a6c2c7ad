//! Records of the log, checked and turned back into the readings that they were made of.

use super::line::LineDefect;
use crate::event::{ClosureEvent, EyesEvent, FramesEvent};
use parseye_vision::{
    eye_state::{EyeState, LEFT_OUT, PerEye},
    locate::crop::Roi,
    reading::{EyeReading, FrameReading, Unseen},
};
use std::time::Duration;

/// Times beyond this many seconds, 30 years, are mistakes.
const LATEST_S: f64 = 1e9;

/// Where the crop of a measured eye is taken to be when the log does not say.
const UNKNOWN_ROI: Roi = Roi {
    centre: [0.0; 2],
    side: 1.0,
    angle: 0.0,
};

/// Checks that a source can have a time, in seconds.
///
/// # Errors
/// When it is negative, not a number or beyond thirty years.
pub(super) fn check_time(time: f64) -> Result<(), LineDefect> {
    if (0.0..=LATEST_S).contains(&time) {
        Ok(())
    } else {
        Err(LineDefect::ImpossibleTime(time))
    }
}

/// Checks the times of a closure.
///
/// # Errors
/// As [`check_time`].
pub(super) fn check_closure(closure: &ClosureEvent) -> Result<(), LineDefect> {
    check_time(closure.start)?;
    check_time(closure.end)?;
    check_time(closure.duration)
}

/// Checks the times of frames that are counted together, and how long they say that anything lasted.
///
/// # Errors
/// As [`check_time`], or when they end before they begin.
pub(super) fn check_frames(frames: &FramesEvent) -> Result<(), LineDefect> {
    let states = frames.left.values().chain(frames.right.values());
    for time in [frames.from, frames.to, frames.known_s, frames.closed_s]
        .iter()
        .chain(states)
    {
        check_time(*time)?;
    }
    if let Some(highest) = frames.perclos_highest {
        check_time(highest.time)?;
        check_time(highest.value)?;
    }
    match frames.to < frames.from {
        true => Err(LineDefect::ImpossibleTime(frames.to)),
        false => Ok(()),
    }
}

/// Returns the reading that a line was made of, as far as [`parseye_vision::temporal`] needs it.
pub(super) fn reading_of(eyes: &EyesEvent) -> FrameReading {
    FrameReading {
        frame: eyes.frame,
        time: Duration::try_from_secs_f64(eyes.time).unwrap_or_default(),
        face: None,
        eyes: PerEye::from_fn(|eye| {
            let record = eyes.eye(eye);
            let Some(probabilities) = record.probabilities else {
                return EyeReading::Unmeasured(record.reason.unwrap_or(Unseen::NoFace));
            };
            EyeReading::Measured {
                probabilities: EyeState::ALL
                    .map(|state| probabilities.of(state).map_or(LEFT_OUT, |p| p as f32)),
                lids: record.lids.map(|lids| lids.lids()),
                square: record.square.map_or(UNKNOWN_ROI, |square| Roi {
                    centre: [square.x as f32, square.y as f32],
                    side: square.side as f32,
                    angle: square.angle.to_radians() as f32,
                }),
            }
        }),
    }
}
