//! The event of another person being watched.

use super::{BoxRecord, Event};
use crate::rounding::seconds;
use parseye_vision::{eye_monitor::FrameResult, locate::ChangeReason};
use serde::{Deserialize, Serialize};

/// Another person is watched from a frame on: closures, alerts, baselines and PERCLOS begin anew with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds of the first frame in which they are watched.
    pub time: f64,
    /// Number of that frame.
    pub frame: u64,
    /// Number of the person in the source, from 2: the first has no event.
    pub person: u64,
    /// Why they are watched.
    pub reason: ChangeReason,
    /// Where their face is.
    #[serde(rename = "box")]
    pub square: Option<BoxRecord>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

impl Event {
    /// Returns what a frame says of who is watched, as the line before its own in the log.
    pub fn of_person(clip: &str, result: &FrameResult, unix_time: Option<f64>) -> Option<Self> {
        let change = result.change?;
        let reading = &result.reading;
        Some(Self::Person(PersonEvent {
            clip: clip.into(),
            time: seconds(reading.time),
            frame: reading.frame,
            person: change.person,
            reason: change.reason,
            square: reading
                .face
                .as_ref()
                .map(|face| BoxRecord::from(&face.square)),
            unix_time,
        }))
    }
}
