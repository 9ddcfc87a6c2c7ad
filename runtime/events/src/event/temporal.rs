//! The events of what eyes do over time: closures, baselines and alerts.

use super::{
    Event,
    frame_times::{of_frame_rate, of_gap},
};
use crate::rounding::{millionths, seconds};
use parseye_vision::{
    eye_state::Eye,
    temporal::{
        Alert, AlertKind, AlertPhase, BaselineChange, Closure, ClosureKind, Laterality,
        TemporalUpdate,
    },
};
use serde::{Deserialize, Serialize};

/// A blink, a partial blink or a long closure that ended. Of a partial blink, read "not open" for
/// "closed".
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
    /// Seconds of it in which the eye could not be seen; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// A personal baseline that was found or raised.
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

/// An alert that began, continued or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Source.
    pub clip: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// Whether it began, continued or ended.
    pub phase: AlertPhase,
    /// Time in seconds of the frame that caused the event.
    pub time: f64,
    /// Time in seconds since when it is so.
    pub since: f64,
    /// PERCLOS of the last minute, 0 to 1; null where nothing of it is known.
    pub perclos: Option<f64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

impl Event {
    /// Returns what a frame brought to an end or set off, as the lines that follow its own in the log.
    pub fn of_changes(
        clip: &str,
        changes: &TemporalUpdate,
        unix_time: Option<f64>,
    ) -> impl Iterator<Item = Self> {
        let gap = changes.gap.iter();
        let gap = gap.map(move |gap| of_gap(clip, gap, unix_time));
        let frame_rate = changes.frame_rate.iter();
        let frame_rate = frame_rate.map(move |change| of_frame_rate(clip, change, unix_time));
        let closures = changes.ended.iter();
        let closures = closures.map(move |closure| of_closure(clip, closure, unix_time));
        let baselines = changes.baselines.iter();
        let baselines = baselines.map(move |change| of_baseline(clip, change, unix_time));
        let alerts = changes.alerts.iter();
        let alerts = alerts.map(move |alert| of_alert(clip, alert, unix_time));
        gap.chain(frame_rate)
            .chain(closures)
            .chain(baselines)
            .chain(alerts)
    }
}

pub(super) fn of_closure(clip: &str, closure: &Closure, unix_time: Option<f64>) -> Event {
    let event = ClosureEvent {
        clip: clip.into(),
        eye: closure.eye,
        start: seconds(closure.start),
        end: seconds(closure.end),
        duration: seconds(closure.duration()),
        first_frame: closure.first_frame,
        last_frame: closure.last_frame,
        wink: closure.wink,
        unseen: (!closure.unseen.is_zero()).then(|| seconds(closure.unseen)),
        unix_time,
    };
    match closure.kind {
        ClosureKind::Blink => Event::Blink(event),
        ClosureKind::LongClosure => Event::LongClosure(event),
        ClosureKind::PartialBlink => Event::PartialBlink(event),
    }
}

fn of_baseline(clip: &str, change: &BaselineChange, unix_time: Option<f64>) -> Event {
    Event::Baseline(BaselineEvent {
        clip: clip.into(),
        eye: change.eye,
        time: seconds(change.time),
        openness: millionths(change.openness),
        reference: millionths(change.reference),
        closed_above: millionths(change.closed_above),
        unix_time,
    })
}

fn of_alert(clip: &str, alert: &Alert, unix_time: Option<f64>) -> Event {
    Event::Alert(AlertEvent {
        clip: clip.into(),
        kind: alert.kind,
        phase: alert.phase,
        time: seconds(alert.time),
        since: seconds(alert.since),
        perclos: alert.perclos.map(millionths),
        unix_time,
    })
}
