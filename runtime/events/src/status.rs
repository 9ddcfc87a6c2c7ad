//! The state of a running monitor at one moment: what the dashboards and the metrics show.
//!
//! A live run makes it a few times a second and never keeps it; the event log holds what
//! lasts. Serialised it is the web page's data, so names and units are those of docs/EVENTS.md.

use super::{
    event::{CheckRecord, DriftRecord, EyeRecord, FaceRecord},
    summary::{BlinkCounts, EventTotals},
};
use crate::metrics::{FrameLoss, Percentiles};
use parseye_vision::{
    eye_state::Eye,
    selfcheck::{Shift, drift::Quantity},
    temporal::AlertKind,
};
use serde::Serialize;
use std::fmt;

/// A running monitor at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct LiveStatus {
    /// Seconds since the start, of the newest reading.
    pub time: f64,
    /// Number of the newest frame; `None` before the first.
    pub frame: Option<u64>,
    /// Name of the eye-state model.
    pub model: String,
    /// Whom it watches, in a few words, such as `largest face, person 2`.
    pub watching: String,
    /// The camera or recording.
    pub source: SourceStatus,
    /// The face, where one was found.
    pub face: Option<FaceRecord>,
    /// The subject's left eye; `None` before the first frame and while the source is down.
    pub left: Option<EyeRecord>,
    /// The subject's right eye.
    pub right: Option<EyeRecord>,
    /// Whether both eyes' lids are shut but may be those of somebody who looks down.
    pub uncertain: bool,
    /// Blinks since the start, or since another person is watched.
    pub blinks: BlinkCounts,
    /// Events since the start.
    pub events: EventTotals,
    /// Blinks of both eyes a minute over the last minute of known time.
    pub blinks_per_minute: Option<f64>,
    /// PERCLOS of the last minute, 0 to 1; `None` where nothing of it is known.
    pub perclos: Option<f64>,
    /// Alerts that are active, the most severe first.
    pub alerts: Vec<RunningAlert>,
    /// Frames processed a second, over the last second or more.
    pub fps: f64,
    /// What cannot be told because frames come so rarely, for people; `None` where all can.
    pub untold: Option<String>,
    /// Frame age in milliseconds, over the last seconds.
    pub frame_age_ms: Option<Percentiles>,
    /// Frames processed since the start.
    pub frames: u64,
    /// Frames lost since the start, by cause.
    pub lost: FrameLoss,
    /// Results of the latest self-checks.
    pub checks: CheckStatus,
}

/// The camera or recording that is processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// How it delivers, such as `MJPG 640x480 at 30 frames/s`; empty where that is unknown.
    pub format: String,
    /// Why it delivers nothing at present; `None` while it does.
    pub down: Option<String>,
}

impl SourceStatus {
    /// What [`Self::down`] says before the source was opened.
    pub const NOT_OPENED: &str = "not opened yet";
}

/// An alert that is active.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunningAlert {
    /// What is wrong.
    pub kind: AlertKind,
    /// Seconds since the start when it began.
    pub since: f64,
}

/// Results of the latest self-checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckStatus {
    /// Time in seconds of the frame that was checked last; `None` before the first check and when
    /// it is too long ago to say anything of the present.
    pub time: Option<f64>,
    /// The subject's left eye.
    pub left: Option<EyeCheckStatus>,
    /// The subject's right eye.
    pub right: Option<EyeCheckStatus>,
    /// Drifts that have not ended.
    pub drifts: Vec<RunningDrift>,
}

/// Results of the latest self-checks of one eye.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EyeCheckStatus {
    /// The last check.
    #[serde(flatten)]
    pub last: CheckRecord,
    /// Median headroom in dB of the last minute.
    pub headroom_median_db: Option<f64>,
    /// Lowest headroom in dB of the last minute.
    pub headroom_worst_db: Option<f64>,
}

impl EyeCheckStatus {
    /// Makes the status of the last check and the last minute's headroom in dB.
    pub fn new(last: &CheckRecord, median_db: Option<f64>, worst_db: Option<f64>) -> Self {
        Self {
            last: last.clone(),
            headroom_median_db: median_db,
            headroom_worst_db: worst_db,
        }
    }
}

/// A drift that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningDrift {
    /// Which eye's stream.
    pub eye: Eye,
    /// What drifted.
    pub quantity: Quantity,
    /// Which way.
    pub shift: Shift,
    /// Time in seconds since when.
    pub since: f64,
    /// What to do.
    pub advice: String,
}

impl From<&DriftRecord> for RunningDrift {
    fn from(drift: &DriftRecord) -> Self {
        Self {
            eye: drift.eye,
            quantity: drift.drift.quantity,
            shift: drift.drift.shift,
            since: drift.drift.since,
            advice: drift.advice.clone(),
        }
    }
}

impl fmt::Display for LiveStatus {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.source.down {
            write!(f, "no frame: {reason}; ")?;
        }
        for (name, eye) in [("left", &self.left), ("right", &self.right)] {
            let Some(eye) = eye else { continue };
            write!(f, "{name} {}", eye.state)?;
            if let Some(confidence) = eye.confidence {
                write!(f, " {confidence:.2}")?;
            }
            f.write_str(", ")?;
        }
        write!(f, "{} blinks", self.blinks.both)?;
        if let Some(perclos) = self.perclos {
            write!(f, ", PERCLOS {:.0} %", 100.0 * perclos)?;
        }
        write!(f, ", {:.1} frames/s", self.fps)?;
        if let Some(age) = &self.frame_age_ms {
            write!(f, ", {:.0} ms old", age.p50)?;
        }
        if let Some(untold) = &self.untold {
            write!(f, ", {untold}")?;
        }
        write!(f, ", {}", self.lost)
    }
}
