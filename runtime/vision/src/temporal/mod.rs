//! Events and measures over time: blinks whole and partial, winks, long closures, PERCLOS, blink rate, a
//! personal baseline, and alerts; and where readings come too rarely or not at all, what cannot be told.
//!
//! Everything here is a function of time-stamped readings: no clock is read and no thread is started, so a
//! recording gives the same result on every run. Where readings come from and what an alert sets off is
//! left to the program.

mod alert;
mod baseline;
mod closure;
mod eyelids;
mod frame_rate;
mod lowered;
mod partial;
mod perclos;
mod rate;
mod reminders;
mod settings;

pub use alert::{Alert, AlertKind, AlertPhase};
pub use baseline::BaselineChange;
pub use closure::{Closure, ClosureKind, Laterality};
pub use frame_rate::{FrameRateChange, Gap, Untold};
pub use settings::TemporalSettings;

use crate::{
    eye_state::{Eye, EyeState, PerEye, is_left_out},
    locate::Face,
    reading::{EyeReading, FrameReading},
    seconds,
};
use alert::Alerter;
use baseline::Baseline;
use closure::{ClosureDetector, Lasting, LidChange, LidState, UnnamedClosure};
use eyelids::{LidSample, LidSignal, LidSignals};
use frame_rate::{FrameRate, Spacing};
use lowered::Lowered;
use partial::PartialDetector;
use perclos::Perclos;
use rate::BlinkRate;
use reminders::{Habits, Reminders};
use std::time::Duration;

/// Events that one reading completed or started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemporalUpdate {
    /// Closures and partial blinks that it ended: the left eye's, the right eye's, those of both.
    pub ended: Vec<Closure>,
    /// Alerts that it raised, repeated or ended.
    pub alerts: Vec<Alert>,
    /// Personal baselines that it completed.
    pub baselines: Vec<BaselineChange>,
    /// Whether what the reading before it showed holds until it.
    pub followed: bool,
    /// Time without a reading that it ended.
    pub gap: Option<Gap>,
    /// What can be told at the present rate of readings, where that changed.
    pub frame_rate: Option<FrameRateChange>,
    /// Whether both eyes' lids are shut and may yet be those of somebody who looks down: what was sure before is held,
    /// for at most [`TemporalSettings::longest_uncertain_s`].
    pub uncertain: bool,
}

/// Follows both eyes of one person through one source.
///
/// [`Self::update`] takes each frame's reading, [`Self::interrupt`] a time from which on no frame comes.
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
    reminders: Reminders,
    frame_rate: FrameRate,
    lowered: Lowered,
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
            reminders: Reminders::new(settings),
            frame_rate: FrameRate::new(settings),
            lowered: Lowered::new(settings),
            last_time: None,
        }
    }

    /// Takes the next reading. One that is earlier than the last is of a clock that was set back, or
    /// of another source: what was going on is broken off, and the last minute begins anew.
    ///
    /// Where the model has no output for partially open eyes, lids that come near each other cannot be told from
    /// doubt, and no partial blinks are reported.
    pub fn update(&mut self, reading: &FrameReading) -> TemporalUpdate {
        let frame = FrameEyes {
            number: reading.frame,
            eyes: &reading.eyes,
            // A log says nothing of a face that it lacks.
            frontal: reading
                .face
                .is_none_or(|face| face.frontality() >= self.settings.wink_frontal),
            face: reading.face.as_ref(),
        };
        let mut update = self.advance(reading.time, Some(&frame));
        let is_unsaid = |eye: Eye| match reading.eyes.get(eye) {
            EyeReading::Measured { probabilities, .. } => {
                is_left_out(probabilities[EyeState::PartiallyOpen.index()])
            }
            EyeReading::Unmeasured(_) => false,
        };
        if Eye::ALL.into_iter().any(is_unsaid) {
            update
                .ended
                .retain(|closure| closure.kind != ClosureKind::PartialBlink);
        }
        update
    }

    /// Takes that no frame comes any more: from `time` on nothing is known of the eyes. A closure that was
    /// going on is broken off, and an alert is lost.
    pub fn interrupt(&mut self, time: Duration) -> TemporalUpdate {
        self.advance(time, None)
    }

    fn advance(&mut self, time: Duration, frame: Option<&FrameEyes<'_>>) -> TemporalUpdate {
        let mut alerts = match self.last_time {
            Some(last) if time < last => self.break_off(last),
            _ => Vec::new(),
        };
        self.last_time = Some(time);
        let (spacing, gap, frame_rate) = match frame {
            Some(_) => self.frame_rate.update(time),
            None => {
                self.frame_rate.interrupt();
                (Spacing::Gap, None, None)
            }
        };
        let references = PerEye::from_fn(|eye| self.baselines.get(eye).reference());
        let uncertain =
            frame.is_some_and(|frame| self.lowered.update(time, frame.eyes, frame.face));
        let lids = self.lids(frame, &references, uncertain);
        let is_open = PerEye::from_fn(|eye| {
            let openness = lids.eyes.get(eye).map(|sample| sample.signal.openness);
            openness.is_some_and(|openness| openness > self.settings.open_above)
        });
        let mut ended = Vec::new();
        let mut closed = PerEye {
            left: false,
            right: false,
        };
        for eye in Eye::ALL {
            let other_open = *is_open.get(eye.other());
            let surely = frame.is_some_and(|frame| frame.is_surely_closed(eye, &self.settings));
            let stream = self.eyes.get_mut(eye);
            let (change, events) =
                stream.update(time, *lids.eyes.get(eye), other_open, surely, spacing);
            *closed.get_mut(eye) = matches!(change.now, LidState::Closed(_));
            ended.extend(events.map(|(event, wink)| event.of(eye.into(), wink)));
        }
        let (change, events) = self.both.update(time, lids.both, false, false, spacing);
        let events: Vec<_> = events
            .map(|(event, wink)| event.of(Laterality::Both, wink))
            .collect();
        self.session.update(time, &change);
        self.last_minute.update(time, &change);
        let blinked = |closure: &Closure| closure.kind == ClosureKind::Blink;
        self.blink_rate.update(time, events.iter().any(blinked));
        ended.extend(events);
        let seen = lids.both.is_some();
        alerts.extend(self.alerts(time, change.now, frame.is_some(), seen));
        TemporalUpdate {
            ended,
            alerts,
            baselines: self.learn(time, frame, &closed, spacing),
            followed: spacing != Spacing::Gap,
            gap,
            frame_rate,
            uncertain: matches!(change.now, LidState::Closed(lasting) if lasting.is_uncertain_at(time)),
        }
    }

    /// Alerts and reminders of the reading at `time`, or of none.
    fn alerts(&mut self, time: Duration, lids: LidState, is_frame: bool, seen: bool) -> Vec<Alert> {
        let (known, _) = self.last_minute.known_and_closed();
        let perclos = self.last_minute.value();
        let mut alerts = match is_frame {
            true => self.alerter.update(time, lids, perclos, known),
            false => self.alerter.interrupt(time, perclos),
        };
        let habits = Habits {
            seen,
            blinks_per_minute: self.blinks_per_minute(),
            known,
        };
        alerts.extend(self.reminders.update(time, habits, perclos));
        alerts
    }

    /// The lids of a frame, each eye relative to its reference; all unknown without a frame.
    fn lids(
        &self,
        frame: Option<&FrameEyes<'_>>,
        references: &PerEye<f64>,
        uncertain: bool,
    ) -> Lids {
        let Some(frame) = frame else {
            return Lids::default();
        };
        let sample = |signal: LidSignal| LidSample {
            frame: frame.number,
            signal,
            uncertain,
        };
        let signals = LidSignals::of(frame.eyes, references, &self.settings);
        Lids {
            eyes: PerEye::from_fn(|eye| signals.eyes.get(eye).map(sample)),
            both: signals.both.map(sample),
        }
    }

    /// Forgets the person: the next reading is another one's. Only the session's totals stay. Returns the alerts
    /// that are lost by it.
    pub fn start_anew(&mut self) -> Vec<Alert> {
        let Some(last) = self.last_time else {
            return Vec::new();
        };
        let lost = self.break_off(last);
        self.baselines = PerEye::from_fn(|_| Baseline::new(&self.settings));
        lost
    }

    /// Forgets whatever holds a time, which could not be compared with those to come; totals and
    /// baselines stay. Returns the alerts that are lost by it.
    fn break_off(&mut self, last: Duration) -> Vec<Alert> {
        let mut lost = self.alerter.interrupt(last, None);
        // Without PERCLOS nobody knows of drowsiness either.
        let drowsiness = self
            .alerter
            .update(last, LidState::Unknown, None, Duration::ZERO);
        lost.extend(drowsiness);
        lost.extend(self.reminders.interrupt(last));
        self.session.break_off();
        self.frame_rate.interrupt();
        let fresh = Self::new(&self.settings);
        let before = std::mem::replace(self, fresh);
        self.session = before.session;
        self.baselines = before.baselines;
        self.frame_rate = before.frame_rate;
        lost
    }

    /// Baselines learn from signals that are not relative to any.
    fn learn(
        &mut self,
        time: Duration,
        frame: Option<&FrameEyes<'_>>,
        closed: &PerEye<bool>,
        spacing: Spacing,
    ) -> Vec<BaselineChange> {
        let average = PerEye {
            left: 1.0,
            right: 1.0,
        };
        let lids = self.lids(frame, &average, false);
        Eye::ALL
            .into_iter()
            .filter_map(|eye| {
                let baseline = self.baselines.get_mut(eye);
                let signal = lids.eyes.get(eye).map(|sample| sample.signal);
                baseline.seen(time, signal.is_some());
                let awake = signal.filter(|_| !closed.get(eye));
                baseline.update(eye, time, awake, spacing != Spacing::Gap)
            })
            .collect()
    }

    /// PERCLOS of the session: the share of its known time in which both eyes were closed, blinks left out;
    /// 0 to 1, `None` before any time is known.
    pub fn perclos(&self) -> Option<f64> {
        self.session.value()
    }

    /// PERCLOS of the last minute (or [`TemporalSettings::perclos_window_s`]).
    pub fn perclos_of_last_minute(&self) -> Option<f64> {
        self.last_minute.value()
    }

    /// Blinks of both eyes a minute, over the known part of the last minute; `None` before
    /// [`TemporalSettings::rate_known_s`] of it are known, and where blinks fall between readings.
    pub fn blinks_per_minute(&self) -> Option<f64> {
        if self.untold().contains(&Untold::Blinks) {
            return None;
        }
        let (known, _) = self.last_minute.known_and_closed();
        self.blink_rate.per_minute(known)
    }

    /// Known time and the part of it with closed eyes, over the whole session.
    pub fn known_and_closed(&self) -> (Duration, Duration) {
        self.session.known_and_closed()
    }

    /// What cannot be told at present because readings come too rarely, as the last
    /// [`TemporalUpdate::frame_rate`] said; empty at first.
    pub fn untold(&self) -> &'static [Untold] {
        self.frame_rate.untold()
    }

    /// Readings a second at present, by the usual distance of the last ones; `None` before the first ones.
    pub fn readings_per_second(&self) -> Option<f64> {
        self.frame_rate.per_second()
    }

    /// The openness by which each eye's is divided, 0 to 1: its personal baseline, 1 until that is known.
    pub fn references(&self) -> PerEye<f64> {
        PerEye::from_fn(|eye| self.baselines.get(eye).reference())
    }
}

/// What one frame says of the eyes.
#[derive(Clone, Copy, Debug)]
struct FrameEyes<'a> {
    number: u64,
    eyes: &'a PerEye<EyeReading>,
    /// Whether the face is turned so little that both eyes can be told.
    frontal: bool,
    face: Option<&'a Face>,
}

impl FrameEyes<'_> {
    /// Whether an eye is closed beyond doubt, by what the model says of it alone: the far eye of a turned head often
    /// reads half closed, and less so than hidden.
    fn is_surely_closed(&self, eye: Eye, settings: &TemporalSettings) -> bool {
        let closed = self.eyes.get(eye).probability(EyeState::Closed);
        self.frontal && closed.is_some_and(|closed| f64::from(closed) > settings.wink_closed_above)
    }
}

/// The lids at one time: each eye's and those of both together; `None` where they are unknown.
#[derive(Debug, Default)]
struct Lids {
    eyes: PerEye<Option<LidSample>>,
    both: Option<LidSample>,
}

/// The detectors of one eye, or of both together.
#[derive(Clone, Debug)]
struct Stream {
    closures: ClosureDetector,
    /// Lids as near as a blink's.
    near: ClosureDetector,
    /// Whether they have been shut since they came so near.
    was_shut: bool,
    longest_blink: Duration,
    partial: PartialDetector,
    shortest_wink: Duration,
    /// Whether the other eye has been open in every frame since this one closed.
    other_open: bool,
    /// How long this eye has been closed beyond doubt since it closed.
    surely_for: Duration,
    /// The time of the last frame, where that showed it so.
    surely_since: Option<Duration>,
}

impl Stream {
    fn new(settings: &TemporalSettings) -> Self {
        Self {
            closures: ClosureDetector::new(settings, |lids| lids.closed),
            near: ClosureDetector::new(settings, |lids| lids.near),
            was_shut: false,
            longest_blink: seconds::duration(settings.warn_after_s.min(settings.long_closure_s)),
            partial: PartialDetector::new(settings),
            shortest_wink: seconds::duration(settings.shortest_wink_s),
            other_open: false,
            surely_for: Duration::ZERO,
            surely_since: None,
        }
    }

    /// Returns what changed, and what ended: at most one closure or partial blink, and whether it is a
    /// wink. `surely_closed` is for this eye, `other_open` for the other.
    fn update(
        &mut self,
        time: Duration,
        lids: Option<LidSample>,
        other_open: bool,
        surely_closed: bool,
        spacing: Spacing,
    ) -> (
        LidChange,
        impl Iterator<Item = (UnnamedClosure, bool)> + use<>,
    ) {
        let change = self.closures.update(time, lids, spacing);
        if let Some(since) = self.surely_since.take() {
            self.surely_for += time.saturating_sub(since);
        }
        let is_wink = self.other_open && self.surely_for >= self.shortest_wink;
        let wink = change.ended.is_some() && is_wink;
        if let LidState::Closed(Lasting { since, .. }) = change.now {
            if since == time {
                self.surely_for = Duration::ZERO;
            }
            self.other_open = other_open && (since == time || self.other_open);
            self.surely_since = surely_closed.then_some(time);
        }
        let (near, shallow) = self.shallow_blink(time, lids, &change, spacing);
        let partial = self.partial.update(time, lids, &change, near, spacing);
        let closure = change.ended.map(|closure| (closure, wink));
        let others = shallow.into_iter().chain(partial);
        let others = others.map(|other| (other, false));
        (change, closure.into_iter().chain(others))
    }

    /// Takes the lids after the closure detector, with what they changed there. Returns whether they are as near as a
    /// blink's, and the blink that they ended without a frame that shows them shut.
    fn shallow_blink(
        &mut self,
        time: Duration,
        lids: Option<LidSample>,
        closures: &LidChange,
        spacing: Spacing,
    ) -> (bool, Option<UnnamedClosure>) {
        let was_shut = self.was_shut || closures.ended.is_some();
        let change = self.near.update(time, lids, spacing);
        let is_blink = |closure: &UnnamedClosure| {
            closure.kind == ClosureKind::Blink
                && closure.end.saturating_sub(closure.start) < self.longest_blink
        };
        let blink = change.ended.filter(is_blink).filter(|_| !was_shut);
        let begins = matches!(change.now, LidState::Closed(lasting) if lasting.since == time);
        let goes_on = !begins && !matches!(change.now, LidState::Unknown | LidState::NotClosed);
        let is_shut = matches!(closures.now, LidState::Closed(_));
        self.was_shut = is_shut || (goes_on && self.was_shut);
        (matches!(change.now, LidState::Closed(_)), blink)
    }
}

#[cfg(test)]
mod scenarios;
