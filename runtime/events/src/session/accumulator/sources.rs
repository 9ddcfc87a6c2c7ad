//! The sources of a session one after the other: where each stands in it, how long what its frames said
//! held, and what its end adds to the sums.

use super::SessionAccumulator;
use crate::{
    event::EndEvent,
    session::{
        record::BREAK,
        statistics::{RunStatistics, SourceStatistics},
        timeline::{Moment, UNMEASURED},
    },
};
use parseye_vision::{
    eye_state::{Eye, PerEye},
    temporal::TemporalTracker,
};

/// Sources that are listed at most; further ones are summed up with the rest.
const MOST_SOURCES: usize = 20_000;

/// The source that is being read.
#[derive(Debug)]
pub(super) struct Source {
    pub clip: String,
    pub tracker: TemporalTracker,
    pub frames: u64,
    pub first: f64,
    pub last: Option<Last>,
    /// Seconds and number of the steps between frames that are no breaks.
    pub steps: (f64, u64),
}

/// The last frame, which holds until the next.
#[derive(Debug)]
pub(super) struct Last {
    pub time: f64,
    pub frame: u64,
    pub moment: Moment,
    pub shares: PerEye<usize>,
}

impl SessionAccumulator {
    /// What a frame said held until a time, or nothing is known from it on.
    pub(super) fn hold(&mut self, source: &Source, last: &Last, until: f64, is_break: bool) {
        let times = self.offset_in(source, last.time)..self.offset_in(source, until);
        for eye in Eye::ALL {
            let share = if is_break {
                BREAK
            } else {
                *last.shares.get(eye)
            };
            self.shares.get_mut(eye)[share] += until - last.time;
        }
        if is_break {
            let nothing = Moment {
                kind: PerEye::from_fn(|_| UNMEASURED),
                ..Moment::default()
            };
            self.timeline.hold(times, &nothing);
        } else {
            self.timeline.hold(times, &last.moment);
        }
    }

    fn offset_in(&self, source: &Source, time: f64) -> f64 {
        self.offset + (time - source.first).max(0.0)
    }

    /// Where a time of the present source stands in the session.
    pub(super) fn offset_of(&self, time: f64) -> f64 {
        self.source
            .as_ref()
            .map_or(self.offset, |source| self.offset_in(source, time))
    }

    fn run_mut(&mut self) -> &mut RunStatistics {
        self.run.get_or_insert(RunStatistics {
            mode: None,
            model: None,
            version: None,
            unix_time: None,
            first_part: None,
            sources: Vec::new(),
        })
    }

    pub(super) fn list_source(&mut self, source: SourceStatistics) {
        if self.sources < MOST_SOURCES {
            self.sources += 1;
            self.run_mut().sources.push(source);
        }
    }

    pub(super) fn close_source(&mut self, end: Option<EndEvent>) {
        let Some(mut source) = self.source.take() else {
            return;
        };
        let (mut length, last) = (0.0, source.last.take());
        if let Some(last) = last {
            // The last frame is shown as long as the frames before it on average.
            let shown = match source.steps {
                (_, 0) => 0.0,
                (seconds, steps) => seconds / steps as f64,
            };
            self.hold(&source, &last, last.time + shown, false);
            length = last.time + shown - source.first;
        }
        let (known, closed) = source.tracker.known_and_closed();
        self.known += known;
        self.closed += closed;
        let begins_s = self.offset;
        self.source = Some(source);
        self.end_snr(f64::MAX);
        let Some(source) = self.source.take() else {
            return;
        };
        self.list_source(SourceStatistics {
            clip: source.clip,
            frames: source.frames,
            duration_s: length,
            begins_s,
            outcome: end.as_ref().map(|end| end.outcome),
            lost: end.as_ref().and_then(|end| end.lost),
            frame_age_ms: end.as_ref().and_then(|end| end.frame_age_ms),
            error: end.and_then(|end| end.error),
        });
        self.offset += length;
    }

    pub(super) fn close_run(&mut self) {
        self.close_source(None);
        if let Some(run) = self.run.take() {
            self.figures.runs.push(run);
        }
    }
}
