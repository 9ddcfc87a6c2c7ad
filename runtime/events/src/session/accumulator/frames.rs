//! What frames say together: their numbers, the time in each condition, confidence and PERCLOS.

use super::source::Interval;
use crate::{
    event::{EyesEvent, FramesEvent, HighestPerclos},
    rounding::millionths,
    session::{
        condition::{CONDITIONS, Condition},
        quantiles::{QuantileAccumulator, Quantiles},
        statistics::AtTime,
    },
};
use parseye_vision::eye_state::{Eye, PerEye};
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// Significant digits of a confidence.
const CONFIDENCE_DIGITS: u8 = 4;

/// Accumulates frames.
#[derive(Debug)]
pub(in crate::session) struct FrameAccumulator {
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
    pub(in crate::session) fn new() -> Self {
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
    pub(in crate::session) fn add(&mut self, eyes: &EyesEvent, perclos: Option<f64>) {
        self.frames += 1;
        self.frames_with_face += u64::from(eyes.face.is_some());
        if let Some(value) = perclos {
            self.add_perclos(value, &eyes.clip, eyes.time);
        }
        self.add_confidence(eyes);
    }

    fn add_perclos(&mut self, value: f64, clip: &str, time: f64) {
        let highest = self.perclos_highest.as_ref().map(|highest| highest.value);
        if highest.is_none_or(|highest| value > highest) {
            self.perclos_highest = Some(AtTime {
                value,
                clip: clip.into(),
                time,
            });
        }
    }

    /// Adds the confidence of a frame that counts otherwise already.
    pub(super) fn add_confidence(&mut self, eyes: &EyesEvent) {
        for eye in Eye::ALL {
            if let Some(confidence) = eyes.eye(eye).confidence {
                self.confidence.get_mut(eye).add(confidence.clamp(0.0, 1.0));
            }
        }
    }

    /// Adds what frames without lines of their own come to, all but their known time, which is the source's;
    /// returns their seconds in each condition.
    pub(super) fn add_event(&mut self, event: &FramesEvent) -> PerEye<[f64; CONDITIONS]> {
        self.frames = self.frames.saturating_add(event.frames);
        self.frames_with_face = self.frames_with_face.saturating_add(event.frames_with_face);
        self.add_skipped(event.frames_skipped);
        let shares = PerEye::from_fn(|eye| {
            let seconds = match eye {
                Eye::Left => &event.left,
                Eye::Right => &event.right,
            };
            let of = |condition: Condition| seconds.get(condition.name()).copied();
            Condition::ALL.map(|condition| of(condition).unwrap_or_default())
        });
        for eye in Eye::ALL {
            let sums = self.seconds.get_mut(eye).iter_mut();
            for (sum, seconds) in sums.zip(shares.get(eye)) {
                *sum += seconds;
            }
        }
        if let Some(highest) = event.perclos_highest {
            self.add_perclos(highest.value, &event.clip, highest.time);
        }
        shares
    }

    /// Returns the frames as an event of a source, from one time to another.
    pub(in crate::session) fn event(
        self,
        clip: &str,
        times: Range<f64>,
        unix_time: Option<f64>,
    ) -> FramesEvent {
        let seconds = |eye: Eye| {
            let seconds = self.seconds.get(eye);
            let named = Condition::ALL.map(|condition| {
                let seconds = millionths(seconds[condition.index()]);
                (condition.name().to_owned(), seconds)
            });
            named.into_iter().filter(|(_, s)| *s > 0.0).collect()
        };
        FramesEvent {
            clip: clip.into(),
            from: times.start,
            to: times.end,
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            frames_skipped: self.frames_skipped,
            known_s: millionths(self.known.as_secs_f64()),
            closed_s: millionths(self.closed.as_secs_f64()),
            left: seconds(Eye::Left),
            right: seconds(Eye::Right),
            perclos_highest: self.perclos_highest.map(|highest| HighestPerclos {
                value: millionths(highest.value),
                time: highest.time,
            }),
            unix_time,
        }
    }

    /// Adds frames that a live run never processed.
    pub(in crate::session) fn add_skipped(&mut self, frames: u64) {
        self.frames_skipped = self.frames_skipped.saturating_add(frames);
    }

    /// Adds the condition of both eyes during an interval.
    pub(in crate::session) fn hold(&mut self, interval: &Interval) {
        for eye in Eye::ALL {
            let condition = *interval.moment.conditions.get(eye);
            self.seconds.get_mut(eye)[condition.index()] += interval.seconds;
        }
    }

    /// Adds the time of a source in which the eyes were known, and the part of it in which they were
    /// closed.
    pub(in crate::session) fn add_known(&mut self, known: Duration, closed: Duration) {
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
