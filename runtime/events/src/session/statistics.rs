//! The sums of a session as they are written. Seconds, shares from 0 to 1; what was not measured is
//! null.

use crate::{
    event::{AlertEvent, ClosureEvent, LogGapEvent, Mode, ModelName, Outcome},
    metrics::{FrameLoss, Percentiles},
};
use hdrhistogram::Histogram;
use parseye_vision::{
    eye_state::PerEye,
    temporal::{AlertKind, AlertPhase},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// Version of this layout. It rises when a field is renamed, removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// Entries of each list that are kept; further ones are counted only.
pub const MOST_LISTED: usize = 1000;

/// The sums of a session.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionStatistics {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The logs in the order of reading.
    pub logs: Vec<LogStatistics>,
    /// The runs that wrote them.
    pub runs: Listed<RunStatistics>,
    /// Frames judged.
    pub frames: u64,
    /// Frames in which a face was found.
    pub frames_with_face: u64,
    /// Frames that were never judged, by the gaps in their numbers.
    pub frames_skipped: u64,
    /// Length, each source's last frame's showing included; breaks in the readings too.
    pub duration_s: f64,
    /// Part of it in which the eyes could be judged.
    pub known_s: f64,
    /// Part of it in breaks: readings further apart than `temporal.longest_gap_s`.
    pub break_s: f64,
    /// Share of the length that each eye spent in each state, unmeasured (`no_face`, `profile`), or in
    /// a `break`.
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
    /// Lines that the logs lack by their own account.
    pub log_gaps: Listed<LogGapEvent>,
    /// Other events that tell of something at a time, such as a camera's.
    pub notes: Listed<SessionNote>,
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
    pub damages: Vec<Damage>,
}

/// A line that is no event.
#[derive(Clone, Debug, Serialize)]
pub struct Damage {
    /// Number from 1.
    pub line: u64,
    /// Why it is none.
    pub reason: String,
}

/// A run of the program.
#[derive(Clone, Debug, Serialize)]
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
    /// Its sources.
    pub sources: Vec<SourceStatistics>,
}

/// A source of a run.
#[derive(Clone, Debug, Serialize)]
pub struct SourceStatistics {
    /// Its name.
    pub clip: String,
    /// Frames judged.
    pub frames: u64,
    /// Its length.
    pub duration_s: f64,
    /// When it begins in the session.
    pub begins_s: f64,
    /// How it ended; null where it was cut off.
    pub outcome: Option<Outcome>,
    /// Why, where it failed.
    pub error: Option<String>,
    /// Frames of a live run that were never judged, by cause.
    pub lost: Option<FrameLoss>,
    /// From capture to reading in milliseconds, of a live run.
    pub frame_age_ms: Option<Percentiles>,
}

/// A value for each eye and for both together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PerLaterality<T> {
    /// The left eye.
    pub left: T,
    /// The right eye.
    pub right: T,
    /// Both together.
    pub both: T,
}

impl<T> PerLaterality<T> {
    /// The value of the left eye (0), the right eye (1), or both (2).
    pub fn at(&self, index: usize) -> &T {
        match index {
            0 => &self.left,
            1 => &self.right,
            _ => &self.both,
        }
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, index: usize) -> &mut T {
        match index {
            0 => &mut self.left,
            1 => &mut self.right,
            _ => &mut self.both,
        }
    }
}

/// Blinks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BlinkStatistics {
    /// How many.
    pub count: u64,
    /// A minute of known time; null below ten seconds of it.
    pub per_minute: Option<f64>,
    /// How long, in seconds.
    pub duration_s: Option<Quantiles>,
}

/// Quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// One of twenty is lower.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// One of twenty is higher.
    pub p95: f64,
}

impl Quantiles {
    /// Of a histogram of millionths, whose values are exact to three digits or more; `None` without values.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let value = |quantile| {
            let millionths = histogram.lowest_equivalent(histogram.value_at_quantile(quantile));
            (millionths as f64 / 1e2).round() / 1e4
        };
        (!histogram.is_empty()).then(|| Self {
            p05: value(0.05),
            p50: value(0.5),
            p95: value(0.95),
        })
    }
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
    /// When it ended; null where the log does not tell.
    pub until: Option<f64>,
    /// How it ended: `cleared` or `lost`.
    pub ended: Option<AlertPhase>,
    /// Wall clock when it was raised; monitors only.
    pub unix_time: Option<f64>,
}

impl AlertStatistics {
    /// An alert that has just been raised.
    pub fn raised(event: &AlertEvent) -> Self {
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

/// An event that tells of something at a time.
#[derive(Clone, Debug, Serialize)]
pub struct SessionNote {
    /// The event's name.
    pub event: String,
    /// Seconds of the source.
    pub time: Option<f64>,
    /// What it says, its other plain fields.
    pub text: String,
    /// Wall clock; monitors only.
    pub unix_time: Option<f64>,
}

/// The first entries of a list, and how long it really is.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<T> {
    /// Number of entries.
    pub count: u64,
    /// The first [`MOST_LISTED`] of them.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Listed<T> {
    /// Adds an entry.
    pub fn push(&mut self, entry: T) {
        self.count += 1;
        if self.first.len() < MOST_LISTED {
            self.first.push(entry);
        }
    }
}
