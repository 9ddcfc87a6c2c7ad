//! Finds closures in a stream of lid signals: the step from "closed in this frame" to "blinked".
//!
//! A frame's prediction holds until the next frame. So a closure lasts from its first closed frame to
//! the first frame after it that is known and not closed, and a blink of one frame lasts one frame.
//! Lids that part for a moment without opening have not ended their closure: readings of closed
//! eyes flicker between closed and partially open, and lids flutter. Nothing is ever smoothed, for
//! that would erase blinks of one frame; benches/temporal_filters.sh compares the ways.
//!
//! Closed eyes that are lost from sight for a moment (a nod, a hand, a detector that flickers) go on with
//! their closure when they are seen closed again. Where frames are missing altogether nothing is joined;
//! [`super::frame_rate`] says how far apart frames may be.

use super::{
    TemporalSettings,
    eyelids::{LidSample, LidSignal},
    frame_rate::Spacing,
};
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
    /// The part of it in which the eye could not be seen; zero for most.
    pub unseen: Duration,
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
    pub(super) unseen: Duration,
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
            unseen: self.unseen,
        }
    }
}

/// Closed frames from which on a closure counts as one that lasts. In fewer, blinks that happen to meet
/// frames far apart look the same: at one frame a second, an eye that blinks for 0.2 s fifteen times a
/// minute is closed in one frame of twenty, in three in a row once in two hours.
pub(super) const LEAST_FRAMES: u32 = 3;

/// What is known of the lids at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LidState {
    /// Nothing.
    Unknown,
    /// Not closed.
    NotClosed,
    /// Closed.
    Closed(Lasting),
    /// Closed until a moment ago, and now not closed, but not open either and for so short a time that the
    /// closure may go on.
    Reopening(Lasting),
    /// Closed until a moment ago, and now out of sight, but for so short a time that the closure is taken to
    /// go on.
    Unseen(Lasting),
}

/// A closure so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lasting {
    /// Time of the first closed frame.
    pub(super) since: Duration,
    /// Time from which it surely counts: that of the first closed frame, or [`TemporalSettings::longest_uncertain_s`]
    /// later where the eyes may only have looked down then. Shut lids alone never show which it was.
    pub(super) surely_since: Duration,
    /// Number of closed frames.
    pub(super) frames: u32,
}

impl Lasting {
    /// For how long it has surely lasted at a time.
    pub(super) fn length_at(self, time: Duration) -> Duration {
        time.saturating_sub(self.surely_since)
    }

    /// Whether at a time it may still be that the eyes only look down.
    pub(super) fn is_uncertain_at(self, time: Duration) -> bool {
        time < self.surely_since
    }

    /// Whether enough frames show it for it to be one that lasts, however long it is.
    pub(super) const fn is_sure(self) -> bool {
        self.frames >= LEAST_FRAMES
    }
}

/// What one reading changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LidChange {
    /// The lids until this reading, since the reading before; unknown over a long gap.
    pub(super) until_now: LidState,
    /// The lids from this reading on.
    pub(super) now: LidState,
    /// When the closure that went on until now turns out to have ended, by lids that were seen
    /// not closed: at this reading, or up to [`TemporalSettings::longest_reopening_s`] before, or before they
    /// were lost from sight.
    pub(super) reopened: Option<Duration>,
    /// The closure that ended then, if its beginning was seen.
    pub(super) ended: Option<UnnamedClosure>,
}

/// Follows one stream of lid signals.
#[derive(Clone, Debug)]
pub(super) struct ClosureDetector {
    /// How far the lids are closed, 0 to 1.
    degree: fn(&LidSignal) -> f64,
    closed_above: f64,
    open_at_or_below: f64,
    open_above: f64,
    longest_reopening: Duration,
    longest_unseen: Duration,
    longest_uncertain: Duration,
    long_closure: Duration,
    longest_blink: Duration,
    state: ClosureState,
}

#[derive(Clone, Copy, Debug)]
enum ClosureState {
    Unknown,
    NotClosed,
    Closed(Running),
}

/// A closure that has not ended.
#[derive(Clone, Copy, Debug)]
struct Running {
    start: Duration,
    /// Time from which it surely counts, see [`Lasting`].
    surely_since: Duration,
    first_frame: u64,
    last_frame: u64,
    /// Number of closed frames.
    frames: u32,
    /// Whether the frame before the closure was known and not closed.
    whole: bool,
    /// Since when the lids have been seen not closed; `None` while they are closed.
    reopening_since: Option<Duration>,
    /// When they were seen to part; `None` while they are closed, and where they parted out of sight.
    parted: Option<Duration>,
    /// Time of the first of the latest frames that do not show the lids.
    unseen_since: Option<Duration>,
    /// How long they were out of sight before, between frames that show them closed.
    unseen: Duration,
    /// How long they were out of sight since the last of these.
    unseen_since_closed: Duration,
}

impl ClosureState {
    fn lids(self) -> LidState {
        let running = match self {
            Self::Unknown => return LidState::Unknown,
            Self::NotClosed => return LidState::NotClosed,
            Self::Closed(running) => running,
        };
        let lasting = Lasting {
            since: running.start,
            surely_since: running.surely_since,
            frames: running.frames,
        };
        match (running.unseen_since, running.reopening_since) {
            (Some(_), _) => LidState::Unseen(lasting),
            (None, Some(_)) => LidState::Reopening(lasting),
            (None, None) => LidState::Closed(lasting),
        }
    }
}

impl ClosureDetector {
    /// Starts with nothing known. `degree` says how far lids are closed, 0 to 1.
    pub(super) fn new(settings: &TemporalSettings, degree: fn(&LidSignal) -> f64) -> Self {
        Self {
            degree,
            closed_above: settings.closed_above,
            open_at_or_below: settings.open_at_or_below,
            open_above: settings.open_above,
            longest_reopening: seconds::duration(settings.longest_reopening_s),
            longest_unseen: seconds::duration(settings.longest_unseen_s),
            longest_uncertain: seconds::duration(settings.longest_uncertain_s),
            longest_blink: seconds::duration(settings.warn_after_s.min(settings.long_closure_s)),
            long_closure: seconds::duration(settings.long_closure_s),
            state: ClosureState::Unknown,
        }
    }

    /// Takes the lids from `time` on: a frame's, or `None` where they are unknown.
    pub(super) fn update(
        &mut self,
        time: Duration,
        lids: Option<LidSample>,
        spacing: Spacing,
    ) -> LidChange {
        let followed = spacing != Spacing::Gap;
        let before = self.state;
        let until_now = if followed {
            before.lids()
        } else {
            LidState::Unknown
        };
        let step = match (before, lids.filter(|_| followed)) {
            (ClosureState::Unknown | ClosureState::NotClosed, _) => Step::Over,
            (ClosureState::Closed(running), None) if !followed => Step::lost(running),
            (ClosureState::Closed(running), None) => self.lose_sight(running, time),
            (ClosureState::Closed(running), Some(sample)) => self.follow(running, time, sample),
        };
        let (ended, reopened) = match step {
            Step::Ended(running, end) if running.whole => {
                (self.closure(&running, end, spacing), Some(end))
            }
            Step::Ended(_, end) => (None, Some(end)),
            Step::Over | Step::On(_) => (None, None),
        };
        self.state = match (step, lids) {
            (Step::On(running), _) => ClosureState::Closed(running),
            (_, None) => ClosureState::Unknown,
            (_, Some(sample)) if (self.degree)(&sample.signal) > self.closed_above => {
                let frame = sample.frame;
                let in_doubt = match sample.uncertain {
                    true => self.longest_uncertain,
                    false => Duration::ZERO,
                };
                ClosureState::Closed(Running {
                    start: time,
                    surely_since: time + in_doubt,
                    first_frame: frame,
                    last_frame: frame,
                    frames: 1,
                    whole: followed
                        && (reopened.is_some() || matches!(before, ClosureState::NotClosed)),
                    reopening_since: None,
                    parted: None,
                    unseen_since: None,
                    unseen: Duration::ZERO,
                    unseen_since_closed: Duration::ZERO,
                })
            }
            (_, Some(_)) => ClosureState::NotClosed,
        };
        LidChange {
            until_now,
            now: self.state.lids(),
            reopened,
            ended,
        }
    }

    /// A running closure after a frame that does not show the lids.
    fn lose_sight(&self, mut running: Running, time: Duration) -> Step {
        let since = *running.unseen_since.get_or_insert(time);
        let unseen = time.saturating_sub(since);
        match !self.longest_unseen.is_zero() && unseen <= self.longest_unseen {
            true => Step::On(running),
            false => Step::lost(running),
        }
    }

    /// A running closure after the next frame that shows the lids.
    fn follow(
        &self,
        mut running: Running,
        time: Duration,
        LidSample { frame, signal, .. }: LidSample,
    ) -> Step {
        let closed = (self.degree)(&signal) > self.open_at_or_below;
        let open = !closed && signal.openness > self.open_above;
        if let Some(since) = running.unseen_since.take() {
            let unseen = time.saturating_sub(since);
            if unseen > self.longest_unseen || open {
                return Step::lost(running);
            }
            running.unseen_since_closed += unseen;
            // They may flicker: they have as long as ever to close again.
            running.reopening_since = (!closed).then_some(time);
        } else if !closed && running.reopening_since.is_none() {
            (running.reopening_since, running.parted) = (Some(time), Some(time));
        }
        let reopening = running.reopening_since;
        let too_long =
            reopening.is_some_and(|since| time.saturating_sub(since) > self.longest_reopening);
        if too_long || open {
            return Step::lost(running);
        }
        if closed {
            (running.reopening_since, running.parted) = (None, None);
            running.unseen += std::mem::take(&mut running.unseen_since_closed);
            running.last_frame = frame;
            running.frames = running.frames.saturating_add(1);
        }
        Step::On(running)
    }

    /// The closure that ended, unless frames are too far apart, or it was out of sight for too much of its
    /// length, to say what it was.
    fn closure(
        &self,
        running: &Running,
        end: Duration,
        spacing: Spacing,
    ) -> Option<UnnamedClosure> {
        let duration = end.saturating_sub(running.start);
        let long = end.saturating_sub(running.surely_since) >= self.long_closure;
        // Too long for a blink, and perhaps no closure: somebody who looked down for a moment.
        if !long && running.surely_since > running.start && duration >= self.longest_blink {
            return None;
        }
        let kind = match (long, spacing) {
            (true, Spacing::Sparse) if running.frames < LEAST_FRAMES => return None,
            (true, _) => ClosureKind::LongClosure,
            (false, Spacing::Sparse) => return None,
            (false, _) => ClosureKind::Blink,
        };
        (running.unseen <= duration / 2).then_some(UnnamedClosure {
            kind,
            start: running.start,
            end,
            first_frame: running.first_frame,
            last_frame: running.last_frame,
            unseen: running.unseen,
        })
    }
}

/// What became of a running closure.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// There is none, or nobody saw how it ended.
    Over,
    /// It goes on.
    On(Running),
    /// It turned out to have ended then.
    Ended(Running, Duration),
}

impl Step {
    /// A closure that is not followed any further: it ended when its lids parted, if that was seen.
    fn lost(running: Running) -> Self {
        running
            .parted
            .map_or(Self::Over, |end| Self::Ended(running, end))
    }
}
