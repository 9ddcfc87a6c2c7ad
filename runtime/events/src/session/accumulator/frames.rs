//! What frames say together: their numbers, the time in each condition, confidence and PERCLOS.

use super::source::Interval;
use crate::{
    event::EyesEvent,
    rounding::millionths,
    session::{
        condition::{CONDITIONS, Condition},
        quantiles::{QuantileAccumulator, Quantiles},
        statistics::AtTime,
    },
};
use parseye_vision::eye_state::{Eye, PerEye};
use std::{collections::BTreeMap, time::Duration};

/// Significant digits of a confidence.
const CONFIDENCE_DIGITS: u8 = 4;

/// Accumulates frames.
#[derive(Debug)]
pub(super) struct FrameAccumulator {
    frames: u64,
    frames_with_face: u64,
    frames_skipped: u64,
    /// Seconds in each condition.
    seconds: PerEye<[f64; CONDITIONS]>,
    confidence: PerEye<QuantileAccumulator>,
    known: Duration,
    closed: Duration,
    perclos_highest: Option<AtTime>,
}

/// What frames came to.
pub(super) struct FrameStatistics {
    pub(super) frames: u64,
    pub(super) frames_with_face: u64,
    pub(super) frames_skipped: u64,
    pub(super) known_s: f64,
    pub(super) break_s: f64,
    pub(super) states: PerEye<BTreeMap<&'static str, f64>>,
    pub(super) confidence: PerEye<Option<Quantiles>>,
    pub(super) perclos: Option<f64>,
    pub(super) perclos_highest: Option<AtTime>,
}

impl FrameAccumulator {
    /// Creates an empty one.
    pub(super) fn new() -> Self {
        Self {
            frames: 0,
            frames_with_face: 0,
            frames_skipped: 0,
            seconds: PerEye::default(),
            confidence: PerEye::from_fn(|_| QuantileAccumulator::new(1, CONFIDENCE_DIGITS)),
            known: Duration::ZERO,
            closed: Duration::ZERO,
            perclos_highest: None,
        }
    }

    /// Adds a frame; `perclos` is that of the minute that ends with it.
    pub(super) fn add(&mut self, eyes: &EyesEvent, perclos: Option<f64>) {
        self.frames += 1;
        self.frames_with_face += u64::from(eyes.face.is_some());
        let highest = self.perclos_highest.as_ref().map(|highest| highest.value);
        if let Some(value) = perclos
            && highest.is_none_or(|highest| value > highest)
        {
            self.perclos_highest = Some(AtTime {
                value,
                clip: eyes.clip.clone(),
                time: eyes.time,
            });
        }
        for eye in Eye::ALL {
            if let Some(confidence) = eyes.eye(eye).confidence {
                self.confidence.get_mut(eye).add(confidence.clamp(0.0, 1.0));
            }
        }
    }

    /// Adds frames that a live run never processed.
    pub(super) fn add_skipped(&mut self, frames: u64) {
        self.frames_skipped = self.frames_skipped.saturating_add(frames);
    }

    /// Adds the condition of both eyes during an interval.
    pub(super) fn hold(&mut self, interval: &Interval) {
        for eye in Eye::ALL {
            let condition = *interval.moment.conditions.get(eye);
            self.seconds.get_mut(eye)[condition.index()] += interval.seconds;
        }
    }

    /// Adds the time of a source in which the eyes were known, and the part of it in which they were
    /// closed.
    pub(super) fn add_known(&mut self, known: Duration, closed: Duration) {
        self.known += known;
        self.closed += closed;
    }

    /// Returns the statistics of a session of this many seconds.
    pub(super) fn finish(self, duration_s: f64) -> FrameStatistics {
        let share = |seconds: f64| {
            if duration_s > 0.0 {
                millionths(seconds / duration_s)
            } else {
                0.0
            }
        };
        let shares = |eye: Eye| {
            let seconds = self.seconds.get(eye);
            Condition::ALL
                .map(|condition| (condition.name(), share(seconds[condition.index()])))
                .into()
        };
        let known_s = self.known.as_secs_f64();
        FrameStatistics {
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            frames_skipped: self.frames_skipped,
            known_s,
            // A break is one of both eyes.
            break_s: self.seconds.left[Condition::Break.index()],
            states: PerEye::from_fn(shares),
            confidence: PerEye::from_fn(|eye| self.confidence.get(eye).quantiles()),
            perclos: (known_s > 0.0).then(|| millionths(self.closed.as_secs_f64() / known_s)),
            perclos_highest: self.perclos_highest,
        }
    }
}
