//! The recent past and the session statistics of a running monitor, for the dashboards: bounded memory,
//! whatever the length of the run.
//!
//! It takes the events that a reader of [`crate::channels`] gets and reads no clock, so that the same
//! events always give the same charts. The log remains the record; a reader whose queue overflowed shows
//! a little less than there was.

use parseye_events::{
    event::{ClosureEvent, Event, EyeRecord, EyesEvent},
    summary::AlertCounts,
};
use parseye_vision::{
    eye_state::{Eye, PerEye, STATES},
    seconds,
    temporal::{AlertPhase, Laterality},
    timed_window::{Timed, TimedWindow, capacity_for},
};
use serde::Serialize;
use std::time::Duration;

/// Greatest rate of marks, in marks a second: people blink 15 to 20 times a minute, and a closure of both
/// eyes comes with one of each, which makes one a second.
const MARK_RATE: u32 = 2;

/// The last minutes in slices of equal length, and statistics since the start.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Length of a slice in seconds.
    slice_s: f64,
    slices: TimedWindow<Slice>,
    marks: TimedWindow<Mark>,
    session: Session,
}

/// Both eyes in one slice of time. Ranges, not means, so that a blink of one frame is not lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slice {
    /// Number of the slice; it begins at this many slice lengths.
    pub index: u64,
    /// Time at which it begins.
    pub begin: Duration,
    /// Each eye.
    pub eyes: PerEye<EyeSlice>,
    /// PERCLOS of the last minute when the slice ended, 0 to 1.
    pub perclos: Option<f64>,
}

/// One eye in one slice of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct EyeSlice {
    /// Minimum and maximum of P(closed); `None` where nothing was measured.
    pub closed: Option<(f64, f64)>,
    confidence_sum: f64,
    measured: u32,
}

/// A closure, to be marked on a chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Mark {
    /// Time of the first closed frame in seconds.
    pub start: f64,
    /// How long it lasted in seconds.
    pub duration: f64,
    /// The eye, or both.
    pub eye: Laterality,
    /// Whether it was too long for a blink.
    pub long: bool,
}

/// Statistics since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Session {
    /// Seconds from the first frame to the newest.
    pub seconds: f64,
    /// Frames seen by this reader.
    pub frames: u64,
    /// Of them those with a face.
    pub frames_with_face: u64,
    /// Frames in each state, in the order of [`parseye_vision::eye_state::EyeState::ALL`].
    pub states: PerEye<[u64; STATES]>,
    /// Blinks of both eyes.
    pub blinks: u64,
    /// Mean duration of the blinks of both eyes in seconds.
    pub blink_mean_s: Option<f64>,
    /// Longest closure of both eyes in seconds, blinks included.
    pub longest_closure_s: Option<f64>,
    /// Long closures of both eyes.
    pub long_closures: u64,
    /// Alerts that were raised.
    pub alerts: AlertCounts,
    #[serde(skip)]
    first: Option<f64>,
    #[serde(skip)]
    blink_seconds: f64,
}

/// What an event changed in a [`History`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// Nothing that a chart shows.
    None,
    /// The newest slice; the ones before it are complete.
    Slice,
    /// A new mark.
    Mark(Mark),
    /// Time began anew: everything from before was forgotten.
    Restart,
}

impl History {
    /// Creates an empty history of `span_s` seconds in slices of `slice_s` seconds, both above 0.
    pub(super) fn new(span_s: f64, slice_s: f64) -> Self {
        // A window holds both of its ends, so that one of `count` slices is `count - 1` of them long.
        let count = (span_s / slice_s).ceil().max(1.0);
        let span = seconds::duration((count - 1.0) * slice_s);
        Self {
            slice_s,
            slices: TimedWindow::new(span, count as usize),
            marks: TimedWindow::new(span, capacity_for(MARK_RATE, span)),
            session: Session::default(),
        }
    }

    /// Takes an event and returns what it changed.
    pub(super) fn take(&mut self, event: &Event) -> Change {
        match event {
            Event::Start(_) => {
                self.restart();
                Change::Restart
            }
            Event::Eyes(eyes) => self.take_eyes(eyes),
            Event::Blink(closure) => self.take_closure(closure, false),
            Event::LongClosure(closure) => self.take_closure(closure, true),
            Event::Alert(alert) => {
                if alert.phase == AlertPhase::Raised {
                    *self.session.alerts.get_mut(alert.kind) += 1;
                }
                Change::None
            }
            _ => Change::None,
        }
    }

    /// Takes what only the status holds: PERCLOS.
    #[cfg(feature = "web")]
    pub(super) fn take_status(&mut self, status: &parseye_events::status::LiveStatus) {
        if let Some(slice) = self.slices.back_mut() {
            slice.perclos = status.perclos;
        }
    }

    /// Returns the slices in order of time; slices without any frame are left out.
    pub(super) fn slices(&self) -> impl DoubleEndedIterator<Item = &Slice> {
        self.slices.iter()
    }

    /// Returns the newest slice, to which frames are still being added.
    pub(super) fn newest(&self) -> Option<&Slice> {
        self.slices.back()
    }

    /// Returns the slices that are complete: all but the newest.
    #[cfg(feature = "web")]
    pub(super) fn complete(&self) -> impl Iterator<Item = &Slice> {
        self.slices().take(self.slices.len().saturating_sub(1))
    }

    /// Returns the marks in the order in which they ended.
    #[cfg(any(test, feature = "web"))]
    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.marks.iter()
    }

    /// Returns the statistics since the start.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    fn restart(&mut self) {
        self.slices.clear();
        self.marks.clear();
        self.session = Session::default();
    }

    fn take_eyes(&mut self, eyes: &EyesEvent) -> Change {
        // Times are never negative; a negative one would become slice 0.
        let index = (eyes.time / self.slice_s) as u64;
        let mut change = Change::None;
        if self.newest().is_some_and(|newest| index < newest.index) {
            // The next recording.
            self.restart();
            change = Change::Restart;
        }
        if self.newest().is_none_or(|newest| index > newest.index) {
            let perclos = self.newest().and_then(|newest| newest.perclos);
            let begin = seconds::duration(index as f64 * self.slice_s);
            // Before the new slice is added: the window has room for its span.
            self.slices.expire(begin);
            self.marks.expire(begin);
            self.slices.push(Slice {
                index,
                begin,
                eyes: PerEye::default(),
                perclos,
            });
            if change == Change::None {
                change = Change::Slice;
            }
        }
        if let Some(newest) = self.slices.back_mut() {
            newest.eyes.left.take(&eyes.left);
            newest.eyes.right.take(&eyes.right);
        }
        self.session.take_eyes(eyes);
        change
    }

    fn take_closure(&mut self, closure: &ClosureEvent, long: bool) -> Change {
        self.session.take_closure(closure, long);
        let mark = Mark {
            start: closure.start,
            duration: closure.duration,
            eye: closure.eye,
            long,
        };
        self.marks.push(mark);
        Change::Mark(mark)
    }
}

impl Timed for Slice {
    fn time(&self) -> Duration {
        self.begin
    }
}

impl Timed for Mark {
    /// The end of the closure, since marks come in the order in which closures end.
    fn time(&self) -> Duration {
        seconds::duration(self.start + self.duration)
    }
}

impl EyeSlice {
    fn take(&mut self, eye: &EyeRecord) {
        let (Some(probabilities), Some(confidence)) = (&eye.probabilities, eye.confidence) else {
            return;
        };
        let closed = probabilities.closed;
        let (low, high) = self.closed.unwrap_or((closed, closed));
        self.closed = Some((low.min(closed), high.max(closed)));
        self.confidence_sum += confidence;
        self.measured += 1;
    }

    /// Mean confidence, 0.25 to 1; `None` where nothing was measured.
    pub(super) fn confidence(&self) -> Option<f64> {
        (self.measured > 0).then(|| self.confidence_sum / f64::from(self.measured))
    }
}

impl Session {
    fn take_eyes(&mut self, eyes: &EyesEvent) {
        self.frames += 1;
        self.frames_with_face += u64::from(eyes.face.is_some());
        self.seconds = eyes.time - *self.first.get_or_insert(eyes.time);
        for (eye, record) in [(Eye::Left, &eyes.left), (Eye::Right, &eyes.right)] {
            self.states.get_mut(eye)[record.state.index()] += 1;
        }
    }

    fn take_closure(&mut self, closure: &ClosureEvent, long: bool) {
        if closure.eye != Laterality::Both {
            return;
        }
        let longest = self.longest_closure_s.unwrap_or(0.0);
        self.longest_closure_s = Some(longest.max(closure.duration));
        if long {
            self.long_closures += 1;
        } else {
            self.blinks += 1;
            self.blink_seconds += closure.duration;
            self.blink_mean_s = Some(self.blink_seconds / self.blinks as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_testkit::script;
    use parseye_vision::temporal::AlertKind;
    use proptest::prelude::*;

    fn history() -> History {
        History::new(600.0, 0.5)
    }

    #[test]
    fn a_blink_of_one_frame_is_seen_in_its_slice() {
        let mut history = history();
        for frame in 0..60_u64 {
            let closed = if frame == 40 { 0.97 } else { 0.02 };
            history.take(&script::eyes(frame, frame as f64 / 30.0, closed));
        }
        let slices: Vec<&Slice> = history.slices().collect();
        assert_eq!(slices.len(), 4);
        assert_eq!(slices[1].eyes.left.closed, Some((0.02, 0.02)));
        assert_eq!(slices[2].eyes.left.closed, Some((0.02, 0.97)));
        let confidence = slices[3].eyes.right.confidence().unwrap();
        assert!((confidence - 0.98).abs() < 1e-9, "{confidence}");
    }

    #[test]
    fn what_was_not_measured_has_no_value() {
        let mut history = history();
        history.take(&script::nobody(0, 0.0));
        let slice = history.slices().next().unwrap();
        assert_eq!(slice.eyes.left.closed, None);
        assert_eq!(slice.eyes.left.confidence(), None);
        assert_eq!(history.session().frames_with_face, 0);
        assert_eq!(history.session().states.left, [0, 0, 0, 1]);
    }

    #[test]
    fn the_session_counts_closures_of_both_eyes_and_raised_alerts() {
        let mut history = history();
        history.take(&script::eyes(0, 10.0, 0.0));
        history.take(&script::eyes(1, 13.0, 0.0));
        history.take(&script::blink(Laterality::Left, 10.0, 0.2));
        history.take(&script::blink(Laterality::Both, 10.0, 0.2));
        history.take(&script::blink(Laterality::Both, 11.0, 0.4));
        history.take(&script::long_closure(12.0, 1.7));
        history.take(&script::alert(
            AlertKind::LongClosureAlarm,
            AlertPhase::Raised,
            13.5,
            12.0,
        ));
        history.take(&script::alert(
            AlertKind::LongClosureAlarm,
            AlertPhase::Cleared,
            13.7,
            12.0,
        ));
        let session = history.session();
        assert_eq!((session.blinks, session.long_closures), (2, 1));
        assert!((session.blink_mean_s.unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(session.longest_closure_s, Some(1.7));
        assert_eq!(session.alerts.long_closure_alarm, 1);
        assert_eq!(session.seconds, 3.0);
        assert_eq!(history.marks().count(), 4);
    }

    #[test]
    fn a_second_recording_starts_a_new_history() {
        let mut history = history();
        history.take(&script::eyes(0, 0.0, 0.0));
        assert_eq!(history.take(&script::eyes(1, 90.0, 0.0)), Change::Slice);
        assert_eq!(history.take(&script::eyes(0, 0.0, 0.0)), Change::Restart);
        assert_eq!(history.session().frames, 1);
        assert_eq!(history.slices().count(), 1);
    }

    proptest! {
        #[test]
        fn the_past_is_bounded_and_in_order(steps in prop::collection::vec(0.0_f64..400.0, 1..300)) {
            let mut history = History::new(60.0, 0.5);
            let mut time = 0.0;
            for (frame, step) in steps.into_iter().enumerate() {
                time += step;
                history.take(&script::eyes(frame as u64, time, 0.5));
                history.take(&script::blink(Laterality::Both, time, 0.1));
                let (first, last) = (history.slices().next().unwrap().index, history.slices().last().unwrap().index);
                prop_assert!(last - first < 120);
                prop_assert!(history.slices().is_sorted_by_key(|slice| slice.index));
                prop_assert!(history.marks().all(|mark| mark.start > time - 60.5));
            }
        }
    }
}
