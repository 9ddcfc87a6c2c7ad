//! The event that stands for frames without lines of their own.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the frames of up to a minute come to, in a log without a line for each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FramesEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds of the last frame that the event before this one counted; in a source's first, of its
    /// first frame.
    pub from: f64,
    /// Time in seconds of the last frame counted here; in a source's last, when that frame ended.
    pub to: f64,
    /// Frames after `from` up to `to`, the very first one included.
    pub frames: u64,
    /// Of them those with a face.
    pub frames_with_face: u64,
    /// Frames of a live run that were never processed, by the gaps in their numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frames_skipped: u64,
    /// Seconds in which the eyes were known.
    pub known_s: f64,
    /// Of them those with both eyes closed, blinks left out.
    pub closed_s: f64,
    /// Seconds of the left eye in each state, unmeasured or in a break, by the names that `summarize`
    /// gives; those of none are left out.
    pub left: BTreeMap<String, f64>,
    /// Seconds of the right eye likewise.
    pub right: BTreeMap<String, f64>,
    /// Highest PERCLOS of a minute that ends with one of the frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perclos_highest: Option<HighestPerclos>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// The highest PERCLOS of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HighestPerclos {
    /// The share, 0 to 1.
    pub value: f64,
    /// Time in seconds of the frame that ended that minute.
    pub time: f64,
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}
