//! The events that begin a run and end each of its sources.

use super::SCHEMA;
use crate::metrics::{FrameLoss, Percentiles};
use parseye_vision::{
    classify::EyeStateModel,
    locate::{DetectorSettings, Rotation, Watch, WatchRegion},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What made the log: the first line of every run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartEvent {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// Whether times are a recording's or a camera's.
    pub mode: Mode,
    /// The eye-state model.
    pub model: ModelName,
    /// Whom it watches; absent in logs of programs that had no choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchRecord>,
    /// Names of the sources in order, the later events' `clip`.
    pub clips: Vec<String>,
    /// Counts the further files of a run that was spread over several, from 1; absent in its first,
    /// whose line is otherwise the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// How many frames have one `eyes` line among them, 0 where none has; absent where each has its own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub log_every: u64,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Whom a run watches, and how the camera stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchRecord {
    /// Which of several faces.
    pub face: Watch,
    /// Where faces count; null for everywhere.
    pub roi: Option<WatchRegion>,
    /// Degrees by which the picture must be turned clockwise to be upright, or `auto`.
    pub rotate: Rotation,
    /// Whether the picture is mirrored.
    pub mirror: bool,
}

impl From<&DetectorSettings> for WatchRecord {
    fn from(settings: &DetectorSettings) -> Self {
        Self {
            face: settings.watch,
            roi: settings.roi,
            rotate: settings.rotate,
            mirror: settings.mirror,
        }
    }
}

impl fmt::Display for WatchRecord {
    /// A few words for people, such as `left face in 0,0,0.5,1, turned by 90, mirrored`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} face", self.face)?;
        if let Some(roi) = &self.roi {
            write!(f, " in {roi}")?;
        }
        if self.rotate != Rotation::Auto && self.rotate != Rotation::Quarters(0) {
            write!(f, ", turned by {}", self.rotate)?;
        }
        f.write_str(if self.mirror { ", mirrored" } else { "" })
    }
}

/// What a run processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Recordings.
    Replay,
    /// A recording at its own pace, through the pipeline of a camera.
    Realtime,
    /// A camera.
    Monitor,
}

/// Which model made the predictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelName {
    /// Name on its card.
    pub name: String,
    /// SHA-256 of its file in hexadecimal.
    pub sha256: String,
}

impl StartEvent {
    /// Makes the first line of a run by this program.
    pub fn new(
        mode: Mode,
        model: &EyeStateModel,
        watch: &DetectorSettings,
        clips: Vec<String>,
        unix_time: Option<f64>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            mode,
            model: ModelName {
                name: model.card().name.clone(),
                sha256: model.file().sha256.clone(),
            },
            watch: Some(watch.into()),
            clips,
            part: None,
            log_every: one(),
            unix_time,
        }
    }
}

const fn one() -> u64 {
    1
}

const fn is_one(every: &u64) -> bool {
    *every == 1
}

/// How a source ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndEvent {
    /// Source.
    pub clip: String,
    /// Number of frames processed.
    pub frames: u64,
    /// Whether all of it was read.
    pub outcome: Outcome,
    /// What went wrong, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Frames that were never processed, by cause, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<FrameLoss>,
    /// Frame age in milliseconds, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_age_ms: Option<Percentiles>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Whether all of a source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ended regularly, or after the time that was asked for.
    Complete,
    /// It could not be opened or broke off.
    Failed,
    /// The user stopped the program.
    Interrupted,
}
