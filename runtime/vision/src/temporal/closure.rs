//! Finds closures in a stream of lid signals: the step from "closed in this frame" to "blinked".
//!
//! A frame's prediction holds until the next frame. So a closure lasts from its first closed frame to
//! the first frame after it that is known and not closed, and a blink of one frame lasts one frame.
//! Lids that part for a moment without opening have not ended their closure: readings of closed
//! eyes flicker between closed and partially open, and lids flutter. Nothing is ever smoothed, for
//! that would erase blinks of one frame; benches/temporal_filters.sh compares the ways.

use super::{TemporalSettings, eyelids::LidSample};
use crate::{eye_state::Eye, seconds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The eye, or both, on which something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Laterality {
    /// The subject's left eye alone.
    Left,
    /// The subject's right eye alone.
    Right,
    /// The mean of both eyes.
    Both,
}

impl Laterality {
    /// All, in the order in which closures of one frame are reported.
    pub const ALL: [Self; 3] = [Self::Left, Self::Right, Self::Both];
}

impl From<Eye> for Laterality {
    fn from(eye: Eye) -> Self {
        match eye {
            Eye::Left => Self::Left,
            Eye::Right => Self::Right,
        }
    }
}

/// Kind of a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosureKind {
    /// Shorter than [`TemporalSettings::long_closure_s`].
    Blink,
    /// At least that long.
    LongClosure,
    /// The lids approached each other and parted again without meeting, within the time of a blink
    /// (found in `partial.rs`).
    PartialBlink,
}

/// A whole closure, between frames that are known and not closed. Of a partial blink, read
/// "partially open" for "closed", and "open" for "not closed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closure {
    /// Blink, long closure or partial blink.
    pub kind: ClosureKind,
    /// Which eye, or both.
    pub eye: Laterality,
    /// Whether the other eye was open all the while, which is a wink and no blink of both.
    pub wink: bool,
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

/// A closure found by a detector that does not know which eye it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnnamedClosure {
    pub(super) kind: ClosureKind,
    pub(super) start: Duration,
    pub(super) end: Duration,
    pub(super) first_frame: u64,
    pub(super) last_frame: u64,
}

impl UnnamedClosure {
    pub(super) fn of(self, eye: Laterality, wink: bool) -> Closure {
        Closure {
            kind: self.kind,
            eye,
            wink,
            start: self.start,
            end: self.end,
            first_frame: self.first_frame,
            last_frame: self.last_frame,
        }
    }
}

/// What is known of the lids at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LidState {
    /// Nothing.
    Unknown,
    /// Not closed.
    NotClosed,
    /// Closed since a time.
    Closed {
        /// Time of the first closed frame.
        since: Duration,
    },
    /// Closed since a time, and now not closed, but not open either and for so short a time that the
    /// closure may go on.
    Reopening {
        /// Time of the first closed frame.
        since: Duration,
    },
}

/// What one reading changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LidChange {
    /// The lids until this reading, since the reading before; unknown over a long gap.
    pub(super) until_now: LidState,
    /// The lids from this reading on.
    pub(super) now: LidState,
    /// When the closure that went on until now turns out to have ended, by lids that were seen
    /// not closed: at this reading, or up to [`TemporalSettings::longest_reopening_s`] before.
    pub(super) reopened: Option<Duration>,
    /// The closure that ended then, if its beginning was seen.
    pub(super) ended: Option<UnnamedClosure>,
}

/// Follows one stream of lid signals.
#[derive(Clone, Debug)]
pub(super) struct ClosureDetector {
    closed_above: f64,
    open_at_or_below: f64,
    open_above: f64,
    longest_reopening: Duration,
    long_closure: Duration,
    longest_gap: Duration,
    last_time: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unknown,
    NotClosed,
    Closed(Running),
}

/// A closure that has not ended.
#[derive(Clone, Copy, Debug)]
struct Running {
    start: Duration,
    first_frame: u64,
    last_frame: u64,
    /// Whether the frame before the closure was known and not closed.
    whole: bool,
    /// Time of the first of the latest frames that show the lids not closed; `None` while they are closed.
    reopening_since: Option<Duration>,
}

impl State {
    fn lids(self) -> LidState {
        match self {
            Self::Unknown => LidState::Unknown,
            Self::NotClosed => LidState::NotClosed,
            Self::Closed(Running {
                start: since,
                reopening_since,
                ..
            }) => match reopening_since {
                None => LidState::Closed { since },
                Some(_) => LidState::Reopening { since },
            },
        }
    }
}

impl ClosureDetector {
    /// Starts with nothing known.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            closed_above: settings.closed_above,
            open_at_or_below: settings.open_at_or_below,
            open_above: settings.open_above,
            longest_reopening: seconds::duration(settings.longest_reopening_s),
            long_closure: seconds::duration(settings.long_closure_s),
            longest_gap: seconds::duration(settings.longest_gap_s),
            last_time: None,
            state: State::Unknown,
        }
    }

    /// Takes the lids from `time` on: a frame's, or `None` where they are unknown.
    pub(super) fn update(&mut self, time: Duration, lids: Option<LidSample>) -> LidChange {
        let gap = self.last_time.map(|last| time.saturating_sub(last));
        let followed = gap.is_some_and(|gap| gap <= self.longest_gap);
        self.last_time = Some(time);
        let before = self.state;
        let until_now = if followed {
            before.lids()
        } else {
            LidState::Unknown
        };
        let running = match before {
            State::Closed(running) => Some(running),
            State::Unknown | State::NotClosed => None,
        };
        let (running, reopened) = match (running, lids.filter(|_| followed)) {
            (None, _) => (None, None),
            // Nobody sees how it ends, unless its end was seen already.
            (Some(running), None) => (None, running.reopening_since),
            (Some(running), Some(sample)) => self.follow(running, time, sample),
        };
        let ended = match before {
            State::Closed(running) if running.whole => {
                reopened.map(|end| self.closure(&running, end))
            }
            _ => None,
        };
        self.state = match (running, lids) {
            (Some(running), _) => State::Closed(running),
            (None, None) => State::Unknown,
            (None, Some(LidSample { frame, signal })) if signal.closed > self.closed_above => {
                State::Closed(Running {
                    start: time,
                    first_frame: frame,
                    last_frame: frame,
                    whole: followed && (reopened.is_some() || matches!(before, State::NotClosed)),
                    reopening_since: None,
                })
            }
            (None, Some(_)) => State::NotClosed,
        };
        LidChange {
            until_now,
            now: self.state.lids(),
            reopened,
            ended,
        }
    }

    /// A running closure after the next frame, or when it ended.
    fn follow(
        &self,
        mut running: Running,
        time: Duration,
        LidSample { frame, signal }: LidSample,
    ) -> (Option<Running>, Option<Duration>) {
        let reopening_since = running.reopening_since.unwrap_or(time);
        let too_long = time.saturating_sub(reopening_since) > self.longest_reopening;
        let closed = signal.closed > self.open_at_or_below;
        if too_long || (!closed && signal.openness > self.open_above) {
            return (None, Some(reopening_since));
        }
        if closed {
            running.reopening_since = None;
            running.last_frame = frame;
        } else {
            running.reopening_since = Some(reopening_since);
        }
        (Some(running), None)
    }

    fn closure(&self, running: &Running, end: Duration) -> UnnamedClosure {
        let long = end.saturating_sub(running.start) >= self.long_closure;
        UnnamedClosure {
            kind: if long {
                ClosureKind::LongClosure
            } else {
                ClosureKind::Blink
            },
            start: running.start,
            end,
            first_frame: running.first_frame,
            last_frame: running.last_frame,
        }
    }
}
