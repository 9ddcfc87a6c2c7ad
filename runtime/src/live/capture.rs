//! The capture thread's work: read a live source as fast as it delivers, event when it is silent
//! or lost, and open it again until it is back.
//!
//! One run has one time and one numbering of frames, whatever happens to the source in between.
//! Everything here takes its time from a [`Clock`], so that tests need not wait.

use parseye_capture::{CameraFault, CaptureLoss, LiveOpener, LiveSource, Read, SourceError};
use parseye_vision::frame::Frame;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// A source that has delivered no whole frame for this long counts as lost. A camera in the dark
/// may slow down to 5 frames a second and needs up to a second to start.
pub const SILENCE: Duration = Duration::from_secs(2);

/// Longest single wait, so that a wish to leave is soon seen.
const SLICE: Duration = Duration::from_millis(100);

/// Waits before the first, second... attempt to open a lost source again; the last goes on for
/// ever. A camera that re-enumerates is back within a second; one that was unplugged for the night
/// is asked for six times a minute.
const BACK_OFF: [Duration; 7] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];

/// A source that has delivered for this long is opened again at once when it is lost; one that gives
/// a frame and is gone again is asked ever more rarely.
const STEADY: Duration = Duration::from_secs(2);

/// Least time between two events of damaged frames; the frames in between are told together.
const DAMAGE_EVERY: Duration = Duration::from_secs(1);

/// What happened to the source, with the time since the run began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureEvent {
    /// When.
    pub time: Duration,
    /// What.
    pub change: Change,
}

/// What happened to the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It delivered its first frame.
    Opened {
        /// How it delivers.
        format: String,
    },
    /// It delivers no more. Attempts to open it again begin.
    Lost(Reason),
    /// It could not be opened again, for a reason that was not told before.
    Waiting(Reason),
    /// It delivers again.
    Reopened {
        /// How it delivers.
        format: String,
    },
    /// Frames arrived damaged and were left out.
    Damaged {
        /// How many since this was told last.
        frames: u64,
        /// In words.
        words: String,
    },
}

/// Why a source delivers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// In one word.
    pub fault: CameraFault,
    /// In words, with what to do.
    pub words: String,
}

/// Where the capture thread delivers to.
pub(super) trait FrameSink {
    /// Whether the run is over.
    fn leave(&self) -> bool;
    /// Takes a frame.
    fn frame(&mut self, frame: Frame);
    /// Takes what happened.
    fn event(&mut self, event: CaptureEvent);
    /// Takes the frames lost since the run began.
    fn lost(&mut self, lost: CaptureLoss);
}

/// Time, and waiting for it.
pub(super) trait Clock {
    fn now(&self) -> Instant;
    fn wait(&self, time: Duration);
}

/// The clock on the wall of this machine.
#[derive(Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// How patient a run is with its source.
#[derive(Clone, Copy, Debug)]
pub(super) struct StallTimeout {
    /// See [`SILENCE`]; `None` for a source that may be silent for any time.
    pub(super) silence: Option<Duration>,
}

/// A source through all its openings.
pub(super) struct Capture<'a, O: FrameSink> {
    opener: Box<dyn LiveOpener>,
    clock: &'a dyn Clock,
    sink: &'a mut O,
    stall: StallTimeout,
    begin: Instant,
    /// Whether it ever delivered.
    delivered: bool,
    last_time: Duration,
    next_sequence: u64,
    /// Of the openings before the present one.
    lost_before: CaptureLoss,
    damage: Damage,
}

/// Damaged frames that were counted and told.
#[derive(Debug, Default)]
struct Damage {
    told: CaptureLoss,
    told_at: Option<Instant>,
}

/// One opening of the source.
struct Opening {
    source: Box<dyn LiveSource>,
    /// What is added to its times and numbers.
    time_offset: Duration,
    sequence_offset: u64,
    /// Since when it has delivered nothing.
    silent_since: Instant,
    damaged_then: u64,
    first_frame: Option<Instant>,
}

/// How an opening ended.
enum Ended {
    Left,
    Finished,
    Lost(SourceError),
}

impl<'a, O: FrameSink> Capture<'a, O> {
    /// `begin` is the moment that is 0 in the times of this run's frames and events.
    pub(super) fn new(
        opener: Box<dyn LiveOpener>,
        clock: &'a dyn Clock,
        sink: &'a mut O,
        stall: StallTimeout,
        begin: Instant,
    ) -> Self {
        Self {
            opener,
            clock,
            sink,
            stall,
            begin,
            delivered: false,
            last_time: Duration::ZERO,
            next_sequence: 0,
            lost_before: CaptureLoss::default(),
            damage: Damage::default(),
        }
    }

    /// Works until the sink wants to leave or the source ends. `first` is what the first opening
    /// gave.
    ///
    /// # Errors
    /// When the source broke off and no later attempt can mend it.
    pub(super) fn run(
        mut self,
        first: Result<Box<dyn LiveSource>, SourceError>,
    ) -> Result<(), SourceError> {
        let mut opened = first;
        // The fault that was told last, while there is one.
        let mut told = None;
        let mut attempts = 0;
        loop {
            let error = match opened {
                Ok(source) => {
                    let (ended, delivered) = self.read_until_lost(source);
                    if let Some(lasted) = delivered {
                        told = None;
                        if lasted >= STEADY {
                            attempts = 0;
                        }
                    }
                    match ended {
                        Ended::Left | Ended::Finished => return Ok(()),
                        Ended::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            let Some(fault) = error.fault() else {
                return Err(error);
            };
            if told != Some(fault) {
                let reason = Reason {
                    fault,
                    words: error.to_string(),
                };
                let change = match told {
                    None => Change::Lost(reason),
                    Some(_) => Change::Waiting(reason),
                };
                told = Some(fault);
                self.event(change);
            }
            if !self.wait(BACK_OFF[attempts.min(BACK_OFF.len() - 1)]) {
                return Ok(());
            }
            attempts += 1;
            opened = self.opener.open();
        }
    }

    /// Reads one opening to its end; tells also from its first frame to its last, where it
    /// delivered any.
    fn read_until_lost(&mut self, source: Box<dyn LiveSource>) -> (Ended, Option<Duration>) {
        let mut opening = Opening {
            time_offset: source.opened().saturating_duration_since(self.begin),
            sequence_offset: self.next_sequence,
            silent_since: self.clock.now(),
            damaged_then: 0,
            first_frame: None,
            source,
        };
        let ended = loop {
            if self.sink.leave() {
                break Ended::Left;
            }
            let read = opening.source.read(SLICE);
            let lost = opening.source.lost();
            self.tell_damage(lost);
            match read {
                Ok(Read::Frame(frame)) => self.take(frame, &mut opening),
                Ok(Read::Nothing) => {
                    if let Some(error) = self.silence(&opening, lost) {
                        break Ended::Lost(error);
                    }
                }
                Ok(Read::Ended) => break Ended::Finished,
                Err(error) => break Ended::Lost(error),
            }
        };
        self.lost_before = self.lost_before.plus(opening.source.lost());
        self.damage.told = CaptureLoss::default();
        let last_frame = opening.silent_since;
        let delivered = opening
            .first_frame
            .map(|first| last_frame.saturating_duration_since(first));
        // Closing a device that is gone makes the v4l crate panic where its driver answers
        // otherwise than expected; the camera is given up either way.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(opening)));
        (ended, delivered)
    }

    fn take(&mut self, mut frame: Frame, opening: &mut Opening) {
        frame.time = self.last_time.max(frame.time + opening.time_offset);
        frame.sequence += opening.sequence_offset;
        self.last_time = frame.time;
        self.next_sequence = frame.sequence + 1;
        opening.silent_since = self.clock.now();
        opening.damaged_then = opening.source.lost().damaged();
        if opening.first_frame.is_none() {
            opening.first_frame = Some(opening.silent_since);
            let format = opening.source.format();
            let change = match self.delivered {
                false => Change::Opened { format },
                true => Change::Reopened { format },
            };
            self.delivered = true;
            let time = frame.time;
            self.sink.event(CaptureEvent { time, change });
        }
        self.sink.frame(frame);
    }

    /// Why an opening counts as lost, if it has been silent for too long.
    fn silence(&self, opening: &Opening, lost: CaptureLoss) -> Option<SourceError> {
        let limit = self.stall.silence?;
        let silent = self
            .clock
            .now()
            .saturating_duration_since(opening.silent_since);
        if silent < limit {
            return None;
        }
        let damaged = lost.damaged() - opening.damaged_then;
        let (fault, reason, remedy) = match damaged {
            0 => (
                CameraFault::Stalled,
                format!("no picture for {} seconds", limit.as_secs_f64()),
                "check its cable, then plug it in again",
            ),
            _ => (
                CameraFault::Corrupt,
                format!(
                    "{damaged} damaged pictures and no whole one for {} seconds",
                    limit.as_secs_f64()
                ),
                "check its cable, or plug it into another port without a hub",
            ),
        };
        Some(SourceError::Camera {
            camera: self.opener.name().into(),
            fault,
            reason,
            remedy: remedy.into(),
        })
    }

    /// Passes the losses on, and tells of damaged frames now and then.
    fn tell_damage(&mut self, lost: CaptureLoss) {
        self.sink.lost(self.lost_before.plus(lost));
        let frames = lost.damaged() - self.damage.told.damaged();
        let now = self.clock.now();
        let soon = self
            .damage
            .told_at
            .is_some_and(|told| now.saturating_duration_since(told) < DAMAGE_EVERY);
        if frames == 0 || soon {
            return;
        }
        let corrupt = lost.corrupt - self.damage.told.corrupt;
        let words = match (corrupt, frames - corrupt) {
            (corrupt, 0) => format!("{corrupt} arrived damaged"),
            (0, decode) => format!("{decode} could not be decoded"),
            (corrupt, decode) => {
                format!("{corrupt} arrived damaged, {decode} could not be decoded")
            }
        };
        self.damage = Damage {
            told: lost,
            told_at: Some(now),
        };
        self.event(Change::Damaged { frames, words });
    }

    fn event(&mut self, change: Change) {
        let now = self.clock.now().saturating_duration_since(self.begin);
        // What happened after a frame is never told as before it.
        let time = self.last_time.max(now);
        self.sink.event(CaptureEvent { time, change });
    }

    /// Waits, and tells whether to go on.
    fn wait(&mut self, time: Duration) -> bool {
        let until = self.clock.now() + time;
        loop {
            if self.sink.leave() {
                return false;
            }
            let left = until.saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return true;
            }
            self.clock.wait(left.min(SLICE));
        }
    }
}

#[cfg(test)]
mod tests;
