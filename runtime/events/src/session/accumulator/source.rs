//! The source whose frames are being read: where it stands in the session, and what each of its frames
//! says until the next one.

use crate::{
    event::{EndEvent, EyesEvent, FramesEvent},
    session::{
        condition::Condition, record::reading_of, statistics::SourceStatistics, timeline::Moment,
    },
};
use parseye_vision::{
    eye_state::PerEye,
    seconds::duration as seconds,
    temporal::{TemporalSettings, TemporalTracker},
};
use std::{ops::Range, time::Duration};

/// A source that has not ended.
#[derive(Debug)]
pub(in crate::session) struct OpenSource {
    clip: String,
    /// Where it begins in the session, in seconds.
    begins: f64,
    tracker: TemporalTracker,
    frames: u64,
    first_time: f64,
    last: Option<LastFrame>,
    steps: Steps,
    /// Frames without lines of their own: their known and closed time.
    counted: (Duration, Duration),
    /// The last of the frames that have lines although all are counted otherwise.
    sample: Option<Sample>,
    length: f64,
}

/// A frame that has a line where not each has.
#[derive(Debug)]
struct Sample {
    time: f64,
    moment: Moment,
}

/// A frame's P(closed) and confidence are drawn until the next one that has a line, at most this many seconds.
const SAMPLE_HOLDS_S: f64 = 10.0;

/// The last frame, which holds until the next.
#[derive(Debug)]
struct LastFrame {
    time: f64,
    number: u64,
    moment: Moment,
}

/// What a frame says until the next one.
fn moment_of(eyes: &EyesEvent, perclos: Option<f64>) -> Moment {
    Moment {
        conditions: PerEye::from_fn(|eye| Condition::from(eyes.eye(eye))),
        closed: PerEye::from_fn(|eye| eyes.eye(eye).probabilities.map(|p| p.closed)),
        confidence: PerEye::from_fn(|eye| eyes.eye(eye).confidence),
        perclos,
    }
}

/// Times are rounded; two that are equal may differ by less than this many seconds.
const COUNTED_ERROR_S: f64 = 1e-3;

/// Steps between frames that are no breaks.
#[derive(Debug, Default)]
struct Steps {
    seconds: f64,
    count: u64,
}

impl Steps {
    /// Returns the mean step in seconds, 0 without any.
    fn mean(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => self.seconds / count as f64,
        }
    }
}

/// An interval in which one frame, or nothing, says what holds.
#[derive(Debug)]
pub(in crate::session) struct Interval {
    /// From and until, in seconds of the session.
    pub(super) times: Range<f64>,
    /// Its length by the source's times.
    pub(super) seconds: f64,
    pub(super) moment: Moment,
}

impl OpenSource {
    /// Begins a source with its first frame, which is not added yet.
    pub(in crate::session) fn new(
        first: &EyesEvent,
        begins: f64,
        settings: &TemporalSettings,
    ) -> Self {
        Self::at(&first.clip, first.time, begins, settings)
    }

    /// Begins a source whose frames have no lines with the first event that counts some, which is not added
    /// yet.
    pub(super) fn counted(first: &FramesEvent, begins: f64, settings: &TemporalSettings) -> Self {
        Self::at(&first.clip, first.from, begins, settings)
    }

    fn at(clip: &str, first_time: f64, begins: f64, settings: &TemporalSettings) -> Self {
        Self {
            clip: clip.into(),
            begins,
            tracker: TemporalTracker::new(settings),
            frames: 0,
            first_time,
            last: None,
            steps: Steps::default(),
            counted: (Duration::ZERO, Duration::ZERO),
            sample: None,
            length: 0.0,
        }
    }

    /// Returns the number of frames so far.
    pub(in crate::session) fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns when the source ended, by its own times; its beginning before
    /// [`Self::show_last_frame`].
    pub(in crate::session) fn end(&self) -> f64 {
        self.first_time + self.length
    }

    /// Returns whether an event counts frames of this source: of its name, and not of a time before.
    pub(super) fn counts_on(&self, frames: &FramesEvent) -> bool {
        self.clip == frames.clip && frames.from >= self.end() - COUNTED_ERROR_S
    }

    /// Adds frames that have no lines; returns the session's time of them.
    pub(super) fn count(&mut self, frames: &FramesEvent) -> Range<f64> {
        self.frames = self.frames.saturating_add(frames.frames);
        self.counted.0 += seconds(frames.known_s);
        self.counted.1 += seconds(frames.closed_s);
        self.length = self.length.max(frames.to - self.first_time);
        self.session_time(frames.from)..self.session_time(frames.to)
    }

    /// Takes the line of a frame that is counted otherwise; returns what the one before says until then.
    pub(super) fn add_sample(&mut self, eyes: &EyesEvent) -> Option<Interval> {
        let sample = Sample {
            time: eyes.time,
            moment: moment_of(eyes, None),
        };
        let before = self.sample.replace(sample)?;
        let until = eyes.time.min(before.time + SAMPLE_HOLDS_S);
        (until > before.time).then(|| self.interval(before.time..until, before.moment))
    }

    pub(in crate::session) fn clip(&self) -> &str {
        &self.clip
    }

    /// Returns whether a frame is one of this source: of its name, and not earlier than the last.
    pub(in crate::session) fn continues_with(&self, eyes: &EyesEvent) -> bool {
        let last = self.last.as_ref();
        self.clip == eyes.clip && last.is_none_or(|last| eyes.time >= last.time)
    }

    /// Returns how many frames are missing before one, by their numbers.
    pub(in crate::session) fn skipped_before(&self, eyes: &EyesEvent) -> u64 {
        self.last.as_ref().map_or(0, |last| {
            eyes.frame.saturating_sub(last.number.saturating_add(1))
        })
    }

    /// Adds a frame; returns what held between the last one and it.
    pub(in crate::session) fn add(&mut self, eyes: &EyesEvent) -> Option<Interval> {
        let update = self.tracker.update(&reading_of(eyes));
        let before = self.last.take().map(|last| {
            let step = eyes.time - last.time;
            let is_break = !update.followed;
            if !is_break {
                self.steps.seconds += step;
                self.steps.count += 1;
            }
            let moment = if is_break { Moment::BREAK } else { last.moment };
            self.interval(last.time..eyes.time, moment)
        });
        self.frames += 1;
        self.last = Some(LastFrame {
            time: eyes.time,
            number: eyes.frame,
            moment: moment_of(eyes, self.tracker.perclos_of_last_minute()),
        });
        before
    }

    /// Takes that another person is watched from the next frame on.
    pub(super) fn start_anew(&mut self) {
        // Lost alerts have lines of their own.
        let _ = self.tracker.start_anew();
    }

    /// Returns PERCLOS of the minute that ends with the last frame.
    pub(in crate::session) fn perclos(&self) -> Option<f64> {
        self.last.as_ref().and_then(|last| last.moment.perclos)
    }

    /// Ends the last frame, which is shown as long as the frames before it on average; returns what it
    /// says.
    pub(in crate::session) fn show_last_frame(&mut self) -> Option<Interval> {
        let last = self.last.take()?;
        let end = last.time + self.steps.mean();
        self.length = end - self.first_time;
        Some(self.interval(last.time..end, last.moment))
    }

    fn interval(&self, times: Range<f64>, moment: Moment) -> Interval {
        Interval {
            seconds: times.end - times.start,
            times: self.session_time(times.start)..self.session_time(times.end),
            moment,
        }
    }

    /// Returns where a time of this source stands in the session, in seconds.
    pub(super) fn session_time(&self, time: f64) -> f64 {
        self.begins + (time - self.first_time).max(0.0)
    }

    /// Returns the time in which the eyes were known, and the part of it in which they were closed.
    pub(in crate::session) fn known_and_closed(&self) -> (Duration, Duration) {
        let (known, closed) = self.tracker.known_and_closed();
        (known + self.counted.0, closed + self.counted.1)
    }

    /// Returns the length in seconds; 0 before [`Self::show_last_frame`].
    pub(super) fn length(&self) -> f64 {
        self.length
    }

    /// Returns the statistics, with what the `end` event says where there is one.
    pub(super) fn statistics(self, end: Option<EndEvent>) -> SourceStatistics {
        SourceStatistics {
            clip: self.clip,
            frames: self.frames,
            duration_s: self.length,
            begins_s: self.begins,
            outcome: end.as_ref().map(|end| end.outcome),
            lost: end.as_ref().and_then(|end| end.lost),
            frame_age_ms: end.as_ref().and_then(|end| end.frame_age_ms),
            error: end.and_then(|end| end.error),
        }
    }
}
