//! What the eyes do over time: blinks whole and partial, winks, long closures, the share of time with
//! closed eyes, a personal baseline, and when somebody should be warned.
//!
//! Everything here is a pure step over time-stamped readings: no clock is read and no thread is
//! started, so a recording gives the same answer on every run. Where readings come from is
//! [`parseye::live`]'s; what an alert sets off is [`parseye::notify::alarm`]'s.

pub mod alert;
pub mod baseline;
pub mod closure;
pub mod eyelids;
pub mod partial;
pub mod perclos;
pub mod rate;
mod settings;

pub use alert::{Alert, AlertKind, AlertPhase};
pub use baseline::BaselineChange;
pub use closure::{Closure, ClosureKind, Laterality};
pub use perclos::Perclos;
pub use settings::TemporalSettings;

use crate::{
    eye_state::{Eye, PerEye},
    reading::FrameReading,
};
use alert::Alerter;
use baseline::Baseline;
use closure::{ClosureDetector, LidState, LidStep, UnnamedClosure};
use eyelids::{LidSignal, Shown};
use partial::PartialDetector;
use rate::BlinkRate;
use std::time::Duration;

/// What one reading brought to an end or set off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemporalUpdate {
    /// Closures and partial blinks that it ended: left eye's, right eye's, both.
    pub ended: Vec<Closure>,
    /// Alerts that it raised, repeated or ended.
    pub alerts: Vec<Alert>,
    /// Personal baselines that it completed.
    pub baselines: Vec<BaselineChange>,
}

/// Follows both eyes of one person through one source.
#[derive(Clone, Debug)]
pub struct TemporalTracker {
    settings: TemporalSettings,
    baselines: PerEye<Baseline>,
    eyes: PerEye<Stream>,
    both: Stream,
    session: Perclos,
    last_minute: Perclos,
    blink_rate: BlinkRate,
    alerter: Alerter,
    last_time: Option<Duration>,
}

impl TemporalTracker {
    /// Starts with nothing known.
    pub fn new(settings: &TemporalSettings) -> Self {
        Self {
            settings: settings.clone(),
            baselines: PerEye::from_fn(|_| Baseline::new(settings)),
            eyes: PerEye::from_fn(|_| Stream::new(settings)),
            both: Stream::new(settings),
            session: Perclos::of_session(settings),
            last_minute: Perclos::of_last_minute(settings),
            blink_rate: BlinkRate::new(settings),
            alerter: Alerter::new(settings),
            last_time: None,
        }
    }

    /// Takes the next reading. One that is earlier than the last is of a clock that was set back, or
    /// of another source: what was going on is broken off, and the last minute begins anew.
    pub fn step(&mut self, reading: &FrameReading) -> TemporalUpdate {
        let (time, frame) = (reading.time, reading.frame);
        let mut alerts = match self.last_time {
            Some(last) if time < last => self.break_off(last),
            _ => Vec::new(),
        };
        self.last_time = Some(time);
        let references = PerEye::from_fn(|eye| self.baselines.get(eye).reference());
        let shown = Shown::of(&reading.eyes, &references, &self.settings);
        let is_open = PerEye::from_fn(|eye| {
            let openness = shown.eyes.get(eye).map(|signal| signal.openness);
            openness.is_some_and(|openness| openness > self.settings.open_above)
        });
        let mut ended = Vec::new();
        let mut closed = PerEye {
            left: false,
            right: false,
        };
        for eye in Eye::ALL {
            let other_open = *is_open.get(eye.other());
            let stream = self.eyes.get_mut(eye);
            let (step, events) = stream.step(time, frame, *shown.eyes.get(eye), other_open);
            *closed.get_mut(eye) = matches!(step.now, LidState::Closed { .. });
            ended.extend(events.map(|(event, wink)| event.of(eye.into(), wink)));
        }
        let (step, events) = self.both.step(time, frame, shown.both, false);
        let events: Vec<_> = events
            .map(|(event, wink)| event.of(Laterality::Both, wink))
            .collect();
        self.session.step(time, &step);
        self.last_minute.step(time, &step);
        let blinked = |closure: &Closure| closure.kind == ClosureKind::Blink;
        self.blink_rate.step(time, events.iter().any(blinked));
        ended.extend(events);
        let (known, _) = self.last_minute.known_and_closed();
        let perclos = self.last_minute.value();
        alerts.extend(self.alerter.step(time, step.now, perclos, known));
        TemporalUpdate {
            ended,
            alerts,
            baselines: self.learn(reading, &closed),
        }
    }

    /// Forgets whatever holds a time, which could not be compared with those to come; sums and
    /// baselines stay. Gives the alerts that are lost by it.
    fn break_off(&mut self, last: Duration) -> Vec<Alert> {
        let lost = self
            .alerter
            .step(last, LidState::Unknown, None, Duration::ZERO);
        self.session.break_off();
        let fresh = Self::new(&self.settings);
        let before = std::mem::replace(self, fresh);
        self.session = before.session;
        self.baselines = before.baselines;
        lost
    }

    /// Baselines learn from what was seen as it is, not from what they have made of it.
    fn learn(&mut self, reading: &FrameReading, closed: &PerEye<bool>) -> Vec<BaselineChange> {
        let usual = PerEye {
            left: 1.0,
            right: 1.0,
        };
        let seen = Shown::of(&reading.eyes, &usual, &self.settings).eyes;
        Eye::ALL
            .into_iter()
            .filter_map(|eye| {
                let baseline = self.baselines.get_mut(eye);
                let signal = *seen.get(eye);
                baseline.seen(reading.time, signal.is_some());
                baseline.step(eye, reading.time, signal.filter(|_| !closed.get(eye)))
            })
            .collect()
    }

    /// Share of the known time in which both eyes were closed, blinks left out; see [`Perclos`].
    pub fn perclos(&self) -> Option<f64> {
        self.session.value()
    }

    /// The same over the last minute (or [`TemporalSettings::perclos_window_s`]).
    pub fn perclos_of_last_minute(&self) -> Option<f64> {
        self.last_minute.value()
    }

    /// Blinks of both eyes a minute, over the known part of the last minute; `None` before
    /// [`TemporalSettings::rate_known_s`] of it are known.
    pub fn blinks_per_minute(&self) -> Option<f64> {
        let (known, _) = self.last_minute.known_and_closed();
        self.blink_rate.per_minute(known)
    }

    /// Known time and the part of it with closed eyes, over the whole session.
    pub fn known_and_closed(&self) -> (Duration, Duration) {
        self.session.known_and_closed()
    }

    /// What each eye's openness is measured by, 0 to 1; see [`Baseline::reference`].
    pub fn references(&self) -> PerEye<f64> {
        PerEye::from_fn(|eye| self.baselines.get(eye).reference())
    }
}

/// All that follows one eye, or both together.
#[derive(Clone, Debug)]
struct Stream {
    closures: ClosureDetector,
    partial: PartialDetector,
    shortest_wink: Duration,
    /// Whether the other eye has been open in every frame since this one closed.
    other_open: bool,
}

impl Stream {
    fn new(settings: &TemporalSettings) -> Self {
        Self {
            closures: ClosureDetector::new(settings),
            partial: PartialDetector::new(settings),
            shortest_wink: settings.shortest_wink(),
            other_open: false,
        }
    }

    /// What changed, and what ended: at most one closure or partial blink, and whether it is a wink.
    fn step(
        &mut self,
        time: Duration,
        frame: u64,
        shown: Option<LidSignal>,
        other_open: bool,
    ) -> (
        LidStep,
        impl Iterator<Item = (UnnamedClosure, bool)> + use<>,
    ) {
        let step = self.closures.step(time, frame, shown);
        let wink = step.ended.is_some_and(|closure| {
            self.other_open && closure.end.saturating_sub(closure.start) >= self.shortest_wink
        });
        if let LidState::Closed { since } = step.now {
            self.other_open = other_open && (since == time || self.other_open);
        }
        let partial = self.partial.step(time, frame, shown, &step);
        let closure = step.ended.map(|closure| (closure, wink));
        let partial = partial.map(|partial| (partial, false));
        (step, closure.into_iter().chain(partial))
    }
}

#[cfg(test)]
mod scenarios;
