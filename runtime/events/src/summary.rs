//! The statistics of a run: what `--summary` writes and what a run ends with.
//!
//! # Layout
//! [`RunAccumulator`] adds up frames and changes; [`Summary`] is what it comes to, for one source or several.

mod accumulator;
mod stages;

pub use accumulator::RunAccumulator;

use crate::{event::untold_message, metrics::Percentiles, per_laterality::PerLaterality};
use parseye_vision::{
    evaluate::score::RecordingScore,
    eye_state::PerEye,
    temporal::{AlertKind, Untold},
};
use serde::Serialize;
use stages::{StageHistograms, histogram_of_times, record};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
};

/// Statistics of one source or several.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Frames in which a face was found.
    pub frames_with_face: u64,
    /// Length in seconds, the last frame's display time included.
    pub duration_s: f64,
    /// Frames in each state.
    pub states: PerEye<BTreeMap<&'static str, u64>>,
    /// How often another person was watched than before.
    pub person_changes: u64,
    /// Blinks.
    pub blinks: BlinkCounts,
    /// Blinks in which the lids did not meet.
    pub partial_blinks: BlinkCounts,
    /// Closures too long for blinks.
    pub long_closures: BlinkCounts,
    /// Closures of one eye while the other was open.
    pub winks: PerEye<u64>,
    /// Times that the face was lost.
    pub faces_lost: u64,
    /// Gaps between frames, of which nothing is known.
    pub gaps: u64,
    /// Blinks of both eyes a minute of known time.
    pub blinks_per_minute: Option<f64>,
    /// How long the blinks of both eyes lasted.
    pub blink_duration_ms: Option<Percentiles>,
    /// Alerts that were raised.
    pub alerts: AlertCounts,
    /// Share of the known time with both eyes closed, blinks left out.
    pub perclos: Option<f64>,
    /// What could not be told for some of the time, since frames came too rarely.
    pub untold: BTreeSet<Untold>,
    /// Frames a second when that was so; the lowest.
    pub frames_per_second: Option<f64>,
    /// How fast it went.
    pub timing: Timing,
    /// What was found against what is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<RecordingScore>,
}

/// Numbers of blinks.
pub type BlinkCounts = PerLaterality<u64>;

/// Numbers of alerts that were raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertCounts {
    /// Closures that lasted long enough for a warning.
    pub long_closure_warning: u64,
    /// Closures that lasted long enough for an alarm.
    pub long_closure_alarm: u64,
    /// Sleepers who were lost from sight.
    pub face_lost_asleep: u64,
    /// Times that PERCLOS rose above its threshold.
    pub drowsiness: u64,
    /// Reminders to blink.
    pub low_blink_rate: u64,
    /// Reminders to take a break.
    pub screen_time: u64,
}

impl AlertCounts {
    /// Returns the count of one kind of alert.
    pub const fn get(&self, kind: AlertKind) -> u64 {
        match kind {
            AlertKind::LongClosureWarning => self.long_closure_warning,
            AlertKind::LongClosureAlarm => self.long_closure_alarm,
            AlertKind::FaceLostAsleep => self.face_lost_asleep,
            AlertKind::Drowsiness => self.drowsiness,
            AlertKind::LowBlinkRate => self.low_blink_rate,
            AlertKind::ScreenTime => self.screen_time,
        }
    }

    /// Borrows the count of one kind of alert, to change it.
    pub const fn get_mut(&mut self, kind: AlertKind) -> &mut u64 {
        match kind {
            AlertKind::LongClosureWarning => &mut self.long_closure_warning,
            AlertKind::LongClosureAlarm => &mut self.long_closure_alarm,
            AlertKind::FaceLostAsleep => &mut self.face_lost_asleep,
            AlertKind::Drowsiness => &mut self.drowsiness,
            AlertKind::LowBlinkRate => &mut self.low_blink_rate,
            AlertKind::ScreenTime => &mut self.screen_time,
        }
    }
}

/// Numbers of events since the start of a run: all that a reader who looks only now and then would miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventTotals {
    /// Blinks.
    pub blinks: BlinkCounts,
    /// Partial blinks.
    pub partial_blinks: BlinkCounts,
    /// Long closures.
    pub long_closures: BlinkCounts,
    /// Blinks and long closures of one eye while the other was open.
    pub winks: PerEye<u64>,
    /// Times that the face was lost.
    pub faces_lost: u64,
    /// Gaps between frames.
    pub gaps: u64,
    /// Alerts that were raised.
    pub alerts: AlertCounts,
}

/// How fast a run was. Stages are in milliseconds a frame, see
/// [`StageTimes`](parseye_vision::eye_monitor::StageTimes).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// Frames per second of wall time.
    pub fps: Option<f64>,
    /// Waiting for the source.
    pub decode_wait: Option<Percentiles>,
    /// Finding the face.
    pub locate: Option<Percentiles>,
    /// Cutting and standardising both eyes.
    pub crop: Option<Percentiles>,
    /// Classifying both eyes.
    pub classify: Option<Percentiles>,
    /// From the decoded frame to its predictions.
    pub total: Option<Percentiles>,
}

/// The statistics of all sources together, and of each.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// All sources together.
    #[serde(flatten)]
    pub all: Summary,
    /// Each source, by name.
    pub clips: BTreeMap<String, Summary>,
}

impl Summary {
    /// Says what could not be told for some of the time; `None` where all was.
    pub fn untold_message(&self) -> Option<String> {
        let untold: Vec<Untold> = self.untold.iter().copied().collect();
        (!untold.is_empty())
            .then(|| untold_message(self.frames_per_second.unwrap_or_default(), &untold))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {:.1} s, face in {:.1} %; blinks: {} left, {} right, {} both",
            self.frames,
            self.duration_s,
            100.0 * self.frames_with_face as f64 / self.frames.max(1) as f64,
            self.blinks.left,
            self.blinks.right,
            self.blinks.both,
        )?;
        if self.winks.left + self.winks.right > 0 {
            write!(
                f,
                "; winks: {} left, {} right",
                self.winks.left, self.winks.right
            )?;
        }
        match self.long_closures.both {
            0 => {}
            1 => f.write_str("; 1 long closure")?,
            several => write!(f, "; {several} long closures")?,
        }
        if let Some(perclos) = self.perclos {
            write!(f, "; PERCLOS {:.1} %", 100.0 * perclos)?;
        }
        let raised = AlertKind::ALL
            .into_iter()
            .map(|kind| (kind, self.alerts.get(kind)))
            .filter(|(_, times)| *times > 0);
        for (index, (kind, times)) in raised.enumerate() {
            let begin = if index == 0 { "; alerts:" } else { "," };
            write!(f, "{begin} {times} {}", kind.name().replace('_', " "))?;
        }
        match self.person_changes {
            0 => {}
            1 => f.write_str("; 1 change of person")?,
            several => write!(f, "; {several} changes of person")?,
        }
        if let Some(message) = self.untold_message() {
            write!(f, "; {message}")?;
        }
        if let Some(score) = &self.truth {
            write!(f, "; against the truth: {score}")?;
        }
        if let (Some(fps), Some(total)) = (self.timing.fps, self.timing.total) {
            write!(
                f,
                "; {fps:.0} frames/s, {:.1} ms a frame (p95 {:.1})",
                total.p50, total.p95
            )?;
        }
        Ok(())
    }
}

impl RunSummary {
    /// Formats the summary for people: one line for each source, and one for all of several.
    pub fn text(&self) -> String {
        self.text_with(&BTreeMap::new())
    }

    /// Formats the summary for people, as [`Self::text`] does, with other lines for some sources: those of which
    /// statistics say little.
    pub fn text_with(&self, instead: &BTreeMap<String, String>) -> String {
        let mut text = String::new();
        for (clip, summary) in &self.clips {
            match instead.get(clip) {
                Some(lines) => text += lines,
                // Writing to a string cannot fail.
                None => {
                    let _ = writeln!(text, "{clip}: {summary}");
                }
            }
        }
        if self.clips.len() > 1 && instead.len() < self.clips.len() {
            let _ = writeln!(text, "all: {}", self.all);
        }
        text
    }
}

#[cfg(test)]
mod tests;
