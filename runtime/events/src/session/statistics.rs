//! The statistics of a session as they are written. Seconds, shares from 0 to 1; what was not measured
//! is null.

use super::{line::LineDefect, listed::Listed, note::SessionNote, quantiles::Quantiles};
use crate::{
    event::{AlertEvent, ClosureEvent, LogGapEvent, Mode, ModelName, Outcome},
    metrics::{FrameLoss, Percentiles},
    per_laterality::PerLaterality,
};
use parseye_vision::{
    eye_state::PerEye,
    temporal::{AlertKind, AlertPhase},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Version of this layout. It rises when a field is renamed, removed or changes its meaning.
pub(super) const SCHEMA: u32 = 2;

/// The statistics of a session.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionStatistics {
    /// Version of this layout, 2.
    pub schema: u32,
    /// The logs in the order of reading.
    pub logs: Vec<LogStatistics>,
    /// The runs that wrote them.
    pub runs: Listed<RunStatistics>,
    /// Number of frames.
    pub frames: u64,
    /// Frames in which a face was found.
    pub frames_with_face: u64,
    /// Frames of live runs that were never processed, by the gaps in their numbers.
    pub frames_skipped: u64,
    /// Length, each source's last frame's display time and breaks between frames included.
    pub duration_s: f64,
    /// Part of it in which the eyes were known.
    pub known_s: f64,
    /// Part of it in breaks: frames further apart than `temporal.longest_gap_s`.
    pub break_s: f64,
    /// Share of the length that each eye spent in each state, unmeasured (`no_face`, `profile`,
    /// `too_small`), or in a `break`.
    pub states: PerEye<BTreeMap<&'static str, f64>>,
    /// Blinks of each eye and of both.
    pub blinks: PerLaterality<BlinkStatistics>,
    /// Numbers of partial blinks of each eye and of both.
    pub partial_blinks: PerLaterality<u64>,
    /// Blinks of one eye while the other was open all the while.
    pub winks: u64,
    /// Confidence of each eye, over the measured frames.
    pub confidence: PerEye<Option<Quantiles>>,
    /// Share of the known time with both eyes closed, blinks left out.
    pub perclos: Option<f64>,
    /// Highest PERCLOS of a minute.
    pub perclos_highest: Option<AtTime>,
    /// Numbers of long closures of each eye and of both.
    pub long_closure_counts: PerLaterality<u64>,
    /// Long closures.
    pub long_closures: Listed<ClosureEvent>,
    /// Alerts that were raised.
    pub alerts: Listed<AlertStatistics>,
    /// Lines that the logs say they lack.
    pub log_gaps: Listed<LogGapEvent>,
    /// Events of other kinds, such as a camera's.
    pub notices: Listed<SessionNote>,
    /// Number of events of each kind.
    pub events: BTreeMap<String, u64>,
}

/// A log that was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogStatistics {
    /// Where it is.
    pub path: PathBuf,
    /// Its lines.
    pub lines: u64,
    /// Those that are no events.
    pub damaged: u64,
    /// The first of those.
    pub damages: Vec<DamagedLine>,
}

/// A line that is no event.
#[derive(Clone, Debug, Serialize)]
pub struct DamagedLine {
    /// Number from 1.
    pub line: u64,
    /// Why it is none.
    pub reason: LineDefect,
}

/// A run of the program.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunStatistics {
    /// Recordings or a camera; null without a `start` line.
    pub mode: Option<Mode>,
    /// The model.
    pub model: Option<ModelName>,
    /// Version of the program.
    pub version: Option<String>,
    /// When it began, in seconds since 1970; monitors only.
    pub unix_time: Option<f64>,
    /// Number of the part with which the logs begin, where the first are missing.
    pub first_part: Option<u64>,
    /// One frame in so many has a line; 0 where none has, null without a `start` line.
    pub log_every: Option<u64>,
    /// Its sources.
    pub sources: Vec<SourceStatistics>,
}

/// A source of a run.
#[derive(Clone, Debug, Serialize)]
pub struct SourceStatistics {
    /// Its name.
    pub clip: String,
    /// Number of frames.
    pub frames: u64,
    /// Its length.
    pub duration_s: f64,
    /// When it begins in the session.
    pub begins_s: f64,
    /// How it ended; null where it was cut off.
    pub outcome: Option<Outcome>,
    /// Why, where it failed.
    pub error: Option<String>,
    /// Frames of a live run that were never processed, by cause.
    pub lost: Option<FrameLoss>,
    /// Frame age in milliseconds, of a live run.
    pub frame_age_ms: Option<Percentiles>,
}

/// Blinks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BlinkStatistics {
    /// How many.
    pub count: u64,
    /// Number a minute of known time; null below ten seconds of it.
    pub per_minute: Option<f64>,
    /// Durations in seconds.
    pub duration_s: Option<Quantiles>,
}

/// A value and its time.
#[derive(Clone, Debug, Serialize)]
pub struct AtTime {
    /// The value.
    pub value: f64,
    /// Source.
    pub clip: String,
    /// Seconds of the source.
    pub time: f64,
}

/// An alert from beginning to end.
#[derive(Clone, Debug, Serialize)]
pub struct AlertStatistics {
    /// Source.
    pub clip: String,
    /// What was wrong.
    pub kind: AlertKind,
    /// When it was raised, in seconds of the source.
    pub time: f64,
    /// Since when it was so.
    pub since: f64,
    /// When it ended; null where the log does not say.
    pub until: Option<f64>,
    /// How it ended: `cleared` or `lost`.
    pub ended: Option<AlertPhase>,
    /// Wall clock when it was raised; monitors only.
    pub unix_time: Option<f64>,
}

impl AlertStatistics {
    /// Starts an alert with the event that raised it.
    pub(super) fn raised(event: &AlertEvent) -> Self {
        Self {
            clip: event.clip.clone(),
            kind: event.kind,
            time: event.time,
            since: event.since,
            until: None,
            ended: None,
            unix_time: event.unix_time,
        }
    }
}
