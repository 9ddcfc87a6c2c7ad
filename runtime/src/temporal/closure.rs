//! Finds closures in a stream of P(closed): the step from "closed in this frame" to "blinked".
//!
//! A frame's answer holds until the next frame. So a closure lasts from its first closed frame to
//! the first frame after it that is known and not closed, and a blink of one frame lasts one frame.

use super::TemporalSettings;
use crate::eye_state::Eye;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a closure was seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// The subject's left eye alone.
    Left,
    /// The subject's right eye alone.
    Right,
    /// The mean of both eyes.
    Both,
}

impl Watched {
    /// All, in the order in which closures of one frame are reported.
    pub const ALL: [Self; 3] = [Self::Left, Self::Right, Self::Both];
}

impl From<Eye> for Watched {
    fn from(eye: Eye) -> Self {
        match eye {
            Eye::Left => Self::Left,
            Eye::Right => Self::Right,
        }
    }
}

/// Blink or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosureKind {
    /// Shorter than [`TemporalSettings::long_closure_s`].
    Blink,
    /// At least that long.
    LongClosure,
}

/// A whole closure, between frames that are known and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closure {
    /// Blink or long closure.
    pub kind: ClosureKind,
    /// Which eye, or both.
    pub eye: Watched,
    /// Time of the first closed frame.
    pub start: Duration,
    /// Time of the first frame after it that is not closed.
    pub end: Duration,
    /// First closed frame.
    pub first_frame: u64,
    /// Last closed frame.
    pub last_frame: u64,
}

impl Closure {
    /// How long the eye was closed.
    pub fn duration(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// A closure found by a detector that does not know which eye it watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnnamedClosure {
    kind: ClosureKind,
    start: Duration,
    end: Duration,
    first_frame: u64,
    last_frame: u64,
}

impl UnnamedClosure {
    /// Blink or long closure.
    pub fn kind(&self) -> ClosureKind {
        self.kind
    }

    pub(super) fn of(self, eye: Watched) -> Closure {
        Closure {
            kind: self.kind,
            eye,
            start: self.start,
            end: self.end,
            first_frame: self.first_frame,
            last_frame: self.last_frame,
        }
    }
}

/// What is known of the lids at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lids {
    /// Nothing.
    Unknown,
    /// Not closed.
    Apart,
    /// Closed since a time.
    Closed {
        /// Time of the first closed frame.
        since: Duration,
    },
}

/// What one reading changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LidStep {
    /// The lids until this reading, since the reading before; unknown over a long gap.
    pub until_now: Lids,
    /// The lids from this reading on.
    pub now: Lids,
    /// The closure that this reading ended.
    pub ended: Option<UnnamedClosure>,
}

/// Follows one stream of P(closed).
#[derive(Clone, Debug)]
pub struct ClosureDetector {
    closed_above: f64,
    open_at_or_below: f64,
    long_closure: Duration,
    longest_gap: Duration,
    last_time: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unknown,
    Apart,
    Closed {
        start: Duration,
        first_frame: u64,
        last_frame: u64,
        /// Whether the frame before the closure was known and not closed.
        whole: bool,
    },
}

impl State {
    fn lids(self) -> Lids {
        match self {
            Self::Unknown => Lids::Unknown,
            Self::Apart => Lids::Apart,
            Self::Closed { start, .. } => Lids::Closed { since: start },
        }
    }
}

impl ClosureDetector {
    /// Starts with nothing known.
    pub fn new(settings: &TemporalSettings) -> Self {
        Self {
            closed_above: settings.closed_above,
            open_at_or_below: settings.open_at_or_below,
            long_closure: settings.long_closure(),
            longest_gap: settings.longest_gap(),
            last_time: None,
            state: State::Unknown,
        }
    }

    /// Takes P(closed) of the next frame, or `None` where it is unknown.
    pub fn step(&mut self, time: Duration, frame: u64, closed: Option<f64>) -> LidStep {
        let gap = self.last_time.map(|last| time.saturating_sub(last));
        if gap.is_none_or(|gap| gap > self.longest_gap) {
            self.state = State::Unknown;
        }
        self.last_time = Some(time);
        let until_now = self.state.lids();
        let mut ended = None;
        self.state = match (self.state, closed) {
            (_, None) => State::Unknown,
            (
                State::Closed {
                    start,
                    first_frame,
                    whole,
                    ..
                },
                Some(p),
            ) if p > self.open_at_or_below => State::Closed {
                start,
                first_frame,
                last_frame: frame,
                whole,
            },
            (
                State::Closed {
                    start,
                    first_frame,
                    last_frame,
                    whole,
                },
                Some(_),
            ) => {
                let long = time.saturating_sub(start) >= self.long_closure;
                ended = whole.then_some(UnnamedClosure {
                    kind: if long {
                        ClosureKind::LongClosure
                    } else {
                        ClosureKind::Blink
                    },
                    start,
                    end: time,
                    first_frame,
                    last_frame,
                });
                State::Apart
            }
            (before, Some(p)) if p > self.closed_above => State::Closed {
                start: time,
                first_frame: frame,
                last_frame: frame,
                whole: matches!(before, State::Apart),
            },
            (_, Some(_)) => State::Apart,
        };
        LidStep {
            until_now,
            now: self.state.lids(),
            ended,
        }
    }
}
