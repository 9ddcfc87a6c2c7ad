//! The events of the log, as they stand in it. docs/EVENTS.md describes them for readers.
//!
//! Numbers are rounded by [`crate::rounding`]: times to microseconds, probabilities to a millionth, pixels
//! and degrees to a thousandth, decibels to a hundredth.

mod camera;
mod check;
mod drift;
mod eyes;
mod frame_times;
mod frames;
mod log_gap;
mod person;
mod run;
mod temporal;

pub use camera::{CameraEvent, CameraEventKind};
pub use check::{AgreementRecord, CheckEvent, CheckRecord};
pub use drift::DriftRecord;
pub use eyes::{BoxRecord, EyeRecord, EyesEvent, FaceRecord, Probabilities};
pub use frame_times::{FrameRateEvent, GapEvent, untold_message};
pub use frames::{FramesEvent, HighestPerclos};
pub use log_gap::{GapReason, LogGapEvent};
pub use person::PersonEvent;
pub use run::{EndEvent, Mode, ModelName, Outcome, StartEvent, WatchRecord};
pub use temporal::{AlertEvent, BaselineEvent, ClosureEvent};

use serde::{Deserialize, Serialize};

/// Version of the log's layout. It rises when a field is renamed, removed or changes its meaning;
/// new events and fields may come without. The names of earlier schemas are still read.
pub const SCHEMA: u32 = 2;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// First line of every run.
    Start(StartEvent),
    /// One for each frame, or for each of those that have a line.
    Eyes(EyesEvent),
    /// What the frames of a minute come to, where not each has a line.
    Frames(FramesEvent),
    /// A blink ended.
    Blink(ClosureEvent),
    /// A closure too long for a blink ended.
    LongClosure(ClosureEvent),
    /// Lids lowered and reopened without meeting.
    PartialBlink(ClosureEvent),
    /// Time without a frame.
    Gap(GapEvent),
    /// What frames that come so rarely cannot show, changed.
    FrameRate(FrameRateEvent),
    /// A personal baseline of openness was found or raised.
    Baseline(BaselineEvent),
    /// An alert began, continued or ended.
    Alert(AlertEvent),
    /// Another person is watched.
    Person(PersonEvent),
    /// The state of the camera changed.
    Camera(CameraEvent),
    /// The predictions of a frame were checked.
    Check(CheckEvent),
    /// A drift began or ended.
    Drift(DriftRecord),
    /// Lines that this log lacks.
    LogGap(LogGapEvent),
    /// A source ended.
    End(EndEvent),
}

#[cfg(test)]
mod tests;
