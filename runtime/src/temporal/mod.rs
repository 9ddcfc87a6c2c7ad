//! What the eyes do over time: blinks, long closures, the share of time with closed eyes, and when
//! somebody should be warned.
//!
//! Everything here is a pure step over time-stamped readings: no clock is read and no thread is
//! started, so a recording gives the same answer on every run. Where readings come from is
//! [`crate::pipeline`]'s; what an alert sets off is left to whoever reads the events.

pub mod alert;
pub mod closure;
pub mod perclos;
mod settings;

pub use alert::{Alert, AlertKind, AlertPhase};
pub use closure::{Closure, ClosureKind, Watched};
pub use perclos::Perclos;
pub use settings::TemporalSettings;

use crate::{
    eye_state::{Eye, EyeState, PerEye},
    reading::{EyeReading, FrameReading},
};
use alert::Alerter;
use closure::ClosureDetector;
use std::time::Duration;

/// What one reading brought to an end or set off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverTimeStep {
    /// Closures that it ended: left eye's, right eye's, both.
    pub ended: Vec<Closure>,
    /// Alerts that it raised, repeated or ended.
    pub alerts: Vec<Alert>,
}

/// Follows both eyes of one person through one source.
#[derive(Clone, Debug)]
pub struct EyesOverTime {
    settings: TemporalSettings,
    eyes: PerEye<ClosureDetector>,
    both: ClosureDetector,
    session: Perclos,
    last_minute: Perclos,
    alerter: Alerter,
}

impl EyesOverTime {
    /// Starts with nothing known.
    pub fn new(settings: &TemporalSettings) -> Self {
        Self {
            settings: settings.clone(),
            eyes: PerEye::from_fn(|_| ClosureDetector::new(settings)),
            both: ClosureDetector::new(settings),
            session: Perclos::of_session(settings),
            last_minute: Perclos::of_last_minute(settings),
            alerter: Alerter::new(settings),
        }
    }

    /// Takes the next reading.
    pub fn step(&mut self, reading: &FrameReading) -> OverTimeStep {
        let mut ended = Vec::new();
        let (time, frame) = (reading.time, reading.frame);
        for eye in Eye::ALL {
            let closed = closed_probability(reading.eyes.get(eye), &self.settings);
            let step = self.eyes.get_mut(eye).step(time, frame, closed);
            ended.extend(step.ended.map(|closure| closure.of(eye.into())));
        }
        let step = self.both.step(
            time,
            frame,
            both_closed_probability(&reading.eyes, &self.settings),
        );
        self.session.step(time, &step);
        self.last_minute.step(time, &step);
        ended.extend(step.ended.map(|closure| closure.of(Watched::Both)));
        let (known, _) = self.last_minute.known_and_closed();
        let perclos = self.last_minute.value();
        let alerts = self.alerter.step(time, step.now, perclos, known);
        OverTimeStep { ended, alerts }
    }

    /// Share of the known time in which both eyes were closed, blinks left out; see [`Perclos`].
    pub fn perclos(&self) -> Option<f64> {
        self.session.value()
    }

    /// The same over the last minute (or [`TemporalSettings::perclos_window_s`]).
    pub fn perclos_of_last_minute(&self) -> Option<f64> {
        self.last_minute.value()
    }

    /// Known time and the part of it with closed eyes, over the whole session.
    pub fn known_and_closed(&self) -> (Duration, Duration) {
        self.session.known_and_closed()
    }
}

/// P(closed) of one eye, or `None` where the eye cannot be judged.
fn closed_probability(reading: &EyeReading, settings: &TemporalSettings) -> Option<f64> {
    let unseen = f64::from(reading.probability(EyeState::NotVisible)?);
    let closed = f64::from(reading.probability(EyeState::Closed)?);
    (unseen <= settings.not_visible_above).then_some(closed)
}

/// Mean P(closed) of both eyes, or `None` where neither can be judged. One hidden eye does not
/// make both unknown: in a half turn it is the visible one that carries the blink.
fn both_closed_probability(eyes: &PerEye<EyeReading>, settings: &TemporalSettings) -> Option<f64> {
    let mean = |state| {
        let left = f64::from(eyes.left.probability(state)?);
        let right = f64::from(eyes.right.probability(state)?);
        Some((left + right) / 2.0)
    };
    let hidden = |eye: &EyeReading| {
        eye.probability(EyeState::NotVisible)
            .is_none_or(|p| f64::from(p) > settings.not_visible_above)
    };
    if hidden(&eyes.left) && hidden(&eyes.right) {
        return None;
    }
    mean(EyeState::Closed)
}

#[cfg(test)]
mod scenarios;
