//! The events of the log, as they stand in it. docs/EVENTS.md describes them for readers.
//!
//! Numbers are rounded to what is meaningful, so that a log is small and the same on every run:
//! times to microseconds, probabilities to a millionth, pixels and degrees to a thousandth.

mod camera;
mod check;

pub use camera::{CameraEvent, CameraEventKind};
pub use check::{AgreementRecord, CheckEvent, CheckRecord, DriftRecord};

use crate::metrics::{FrameLoss, Percentiles};
use parseye_vision::{
    classify::EyeStateModel,
    eye_state::{Eye, EyeState, PerEye},
    locate::{Face, crop::Roi},
    reading::{EyeReading, FrameReading, Unseen},
    selfcheck::Trust,
    temporal::{
        Alert, AlertKind, AlertPhase, BaselineChange, Closure, ClosureKind, Laterality,
        TemporalUpdate,
    },
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Version of the log's layout. It rises when a field is renamed, removed or changes its meaning;
/// new events and fields may come without.
pub const SCHEMA: u32 = 1;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// First line of every run.
    Start(StartEvent),
    /// One for each frame.
    Eyes(EyesEvent),
    /// A blink ended.
    Blink(ClosureEvent),
    /// A closure too long for a blink ended.
    LongClosure(ClosureEvent),
    /// Lids approached each other and parted again without meeting.
    PartialBlink(ClosureEvent),
    /// A personal baseline of openness was found or raised.
    Baseline(BaselineEvent),
    /// An alert began, went on or ended.
    Alert(AlertEvent),
    /// Something happened to the camera.
    Camera(CameraEvent),
    /// A frame's answers were checked.
    Check(CheckEvent),
    /// A drift began or ended.
    Drift(DriftRecord),
    /// Lines that this log lacks.
    LogGap(LogGapEvent),
    /// A source ended.
    End(EndEvent),
}

/// What made the log.
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
    /// Names of the sources in order, the later events' `clip`.
    pub clips: Vec<String>,
    /// Counts the further files of a run that was spread over several, from 1; absent in its first,
    /// whose line is otherwise the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// What was watched.
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

/// Which model answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelName {
    /// Name on its card.
    pub name: String,
    /// Hash of its file.
    pub sha256: String,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EyesEvent {
    /// Source.
    pub clip: String,
    /// Seconds since the source's first frame, or since the camera was opened.
    pub time: f64,
    /// Frame number from 0.
    pub frame: u64,
    /// The face, where one was found.
    pub face: Option<FaceRecord>,
    /// The subject's left eye.
    pub left: EyeRecord,
    /// The subject's right eye.
    pub right: EyeRecord,
    /// Milliseconds from the frame's capture to this reading, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<f64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// A face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceRecord {
    /// The locator's trust that this is a face, 0 to 1.
    pub score: f64,
    /// Roi around it.
    #[serde(rename = "box")]
    pub square: BoxRecord,
    /// Centres of the eyes in pixels.
    pub eyes: PerEye<[f64; 2]>,
}

/// One eye.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EyeRecord {
    /// The most likely state, `not_visible` where nothing was measured.
    pub state: EyeState,
    /// Probability of each state; null where nothing was measured.
    pub probabilities: Option<Probabilities>,
    /// The largest of them; null where nothing was measured.
    pub confidence: Option<f64>,
    /// Where the crop was cut; null where none was.
    #[serde(rename = "box")]
    pub square: Option<BoxRecord>,
    /// How far the answer can be trusted, in a monitor's log: `ok`, `thin`, `none`; absent where it is
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Trust,
    /// Why nothing was measured; absent where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Unseen>,
}

/// Probability of each state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    /// Open.
    pub open: f64,
    /// Partially open.
    pub partially_open: f64,
    /// Closed.
    pub closed: f64,
    /// Not visible.
    pub not_visible: f64,
}

/// A square in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxRecord {
    /// Centre, pixels from the left edge.
    pub x: f64,
    /// Centre, pixels from the upper edge.
    pub y: f64,
    /// Side in pixels.
    pub side: f64,
    /// Turn in degrees, clockwise as seen on screen.
    pub angle: f64,
}

/// A blink or a long closure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosureEvent {
    /// Source.
    pub clip: String,
    /// Which eye, or both.
    pub eye: Laterality,
    /// Time of the first closed frame in seconds.
    pub start: f64,
    /// Time of the first frame after it in seconds.
    pub end: f64,
    /// Seconds from `start` to `end`.
    pub duration: f64,
    /// First closed frame.
    pub first_frame: u64,
    /// Last closed frame.
    pub last_frame: u64,
    /// Whether the other eye was open all the while; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wink: bool,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// A personal baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineEvent {
    /// Source.
    pub clip: String,
    /// Which eye.
    pub eye: Eye,
    /// Time in seconds of the frame that completed the minute.
    pub time: f64,
    /// Openness that the eye was above for a fifth of the minute, 0 to 1.
    pub openness: f64,
    /// The part of it that counts, 0 to 1.
    pub reference: f64,
    /// P(closed) above which the eye counts as closed from now on.
    pub closed_above: f64,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Source.
    pub clip: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// What became of it.
    pub phase: AlertPhase,
    /// Time in seconds of the frame that told.
    pub time: f64,
    /// Time in seconds since when it is so.
    pub since: f64,
    /// PERCLOS of the last minute; null where nothing of it is known.
    pub perclos: Option<f64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Lines that could be neither written nor kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGapEvent {
    /// How many are missing.
    pub lost: u64,
    /// Time of the first of them in seconds; null where it is not known.
    pub from: Option<f64>,
    /// Time of the last of them.
    pub to: Option<f64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// Wall clock in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Why lines are missing in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The log could not be written for so long that the memory for waiting lines was full. Only
    /// `eyes` lines are given up as long as there are any.
    Unwritable,
    /// The system took so long to write that more events came than can wait.
    Slow,
}

/// How a source ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndEvent {
    /// Source.
    pub clip: String,
    /// Frames that were read.
    pub frames: u64,
    /// Whether all of it was read.
    pub outcome: Outcome,
    /// What went wrong, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Frames that were never judged, by cause, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<FrameLoss>,
    /// From capture to reading in milliseconds, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_age_ms: Option<Percentiles>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// How a source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At its regular end, or after the time that was asked for.
    Complete,
    /// It could not be opened or broke off.
    Failed,
    /// The user stopped the program.
    Interrupted,
}

impl StartEvent {
    /// The first line of a run.
    pub fn new(
        mode: Mode,
        model: &EyeStateModel,
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
            clips,
            part: None,
            unix_time,
        }
    }
}

impl EyesEvent {
    /// A reading as a line of the log.
    pub fn new(clip: &str, reading: &FrameReading, unix_time: Option<f64>) -> Self {
        Self {
            clip: clip.into(),
            time: seconds(reading.time),
            frame: reading.frame,
            face: reading.face.as_ref().map(FaceRecord::from),
            left: EyeRecord::from(&reading.eyes.left),
            right: EyeRecord::from(&reading.eyes.right),
            age_ms: None,
            unix_time,
        }
    }
}

impl Probabilities {
    /// The probability of a state.
    pub const fn of(&self, state: EyeState) -> f64 {
        match state {
            EyeState::Open => self.open,
            EyeState::PartiallyOpen => self.partially_open,
            EyeState::Closed => self.closed,
            EyeState::NotVisible => self.not_visible,
        }
    }
}

impl Event {
    /// What a frame brought to an end or set off, as the lines that follow its own in the log.
    pub fn of_changes(
        clip: &str,
        changes: &TemporalUpdate,
        unix_time: Option<f64>,
    ) -> impl Iterator<Item = Self> {
        let closures = changes.ended.iter();
        let closures = closures.map(move |closure| Self::of_closure(clip, closure, unix_time));
        let baselines = changes.baselines.iter();
        let baselines = baselines.map(move |change| Self::of_baseline(clip, change, unix_time));
        let alerts = changes.alerts.iter();
        let alerts = alerts.map(move |alert| Self::of_alert(clip, alert, unix_time));
        closures.chain(baselines).chain(alerts)
    }

    /// An alert as a line of the log.
    pub fn of_alert(clip: &str, alert: &Alert, unix_time: Option<f64>) -> Self {
        Self::Alert(AlertEvent {
            clip: clip.into(),
            kind: alert.kind,
            phase: alert.phase,
            time: seconds(alert.time),
            since: seconds(alert.since),
            perclos: alert.perclos.map(millionths),
            unix_time,
        })
    }

    /// A baseline as a line of the log.
    pub fn of_baseline(clip: &str, change: &BaselineChange, unix_time: Option<f64>) -> Self {
        Self::Baseline(BaselineEvent {
            clip: clip.into(),
            eye: change.eye,
            time: seconds(change.time),
            openness: millionths(change.openness),
            reference: millionths(change.reference),
            closed_above: millionths(change.closed_above),
            unix_time,
        })
    }

    /// A closure as a line of the log.
    pub fn of_closure(clip: &str, closure: &Closure, unix_time: Option<f64>) -> Self {
        let event = ClosureEvent {
            clip: clip.into(),
            eye: closure.eye,
            start: seconds(closure.start),
            end: seconds(closure.end),
            duration: seconds(closure.duration()),
            first_frame: closure.first_frame,
            last_frame: closure.last_frame,
            wink: closure.wink,
            unix_time,
        };
        match closure.kind {
            ClosureKind::Blink => Self::Blink(event),
            ClosureKind::LongClosure => Self::LongClosure(event),
            ClosureKind::PartialBlink => Self::PartialBlink(event),
        }
    }
}

impl From<&Face> for FaceRecord {
    fn from(face: &Face) -> Self {
        let centre = |point: &[f32; 2]| point.map(|value| rounded(value, 1e3));
        Self {
            score: rounded(face.confidence, 1e6),
            square: BoxRecord::from(&face.square),
            eyes: PerEye::from_fn(|eye| centre(face.eyes.get(eye))),
        }
    }
}

impl From<&EyeReading> for EyeRecord {
    fn from(reading: &EyeReading) -> Self {
        let (probabilities, square, reason) = match reading {
            EyeReading::Measured {
                probabilities,
                square,
            } => {
                let of = |state: EyeState| rounded(probabilities[state.index()], 1e6);
                let named = Probabilities {
                    open: of(EyeState::Open),
                    partially_open: of(EyeState::PartiallyOpen),
                    closed: of(EyeState::Closed),
                    not_visible: of(EyeState::NotVisible),
                };
                (Some(named), Some(BoxRecord::from(square)), None)
            }
            EyeReading::Unmeasured(reason) => (None, None, Some(*reason)),
        };
        Self {
            state: reading.state(),
            probabilities,
            confidence: reading.confidence().map(|value| rounded(value, 1e6)),
            square,
            trust: None,
            reason,
        }
    }
}

impl From<&Roi> for BoxRecord {
    fn from(square: &Roi) -> Self {
        Self {
            x: rounded(square.centre[0], 1e3),
            y: rounded(square.centre[1], 1e3),
            side: rounded(square.side, 1e3),
            angle: rounded(square.angle.to_degrees(), 1e3),
        }
    }
}

fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn rounded(value: f32, per_unit: f64) -> f64 {
    // Adding zero turns a negative zero, which JSON would show, into zero.
    (f64::from(value) * per_unit).round() / per_unit + 0.0
}

/// Seconds rounded to microseconds.
pub fn seconds(time: Duration) -> f64 {
    const HALF_A_MICROSECOND: u128 = 500;
    let micros = (time.as_nanos() + HALF_A_MICROSECOND) / 1000;
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests;
