//! The capture thread's work: reads a live source as fast as it delivers, reports when it is silent or
//! lost, and opens it again until it is back.
//!
//! A state machine: the source is open, or failed and waits for the next attempt to open it, until the run
//! or the source ends. One run has one timeline and one numbering of frames through all openings of the
//! source. All time is taken from a [`Clock`], so that tests need not wait.

mod event;
mod held_back;

pub(super) use event::{CaptureEvent, Reason, SourceChange};

use held_back::HeldBack;
use parseye_capture::{
    CameraFault, CaptureLoss, DamagedFrames, LiveOpener, LiveSource, Notice, Read, SourceError,
};
use parseye_vision::frame::Frame;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Longest single wait, so that a request to leave is soon seen.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Waits before the first, second... attempt to open a lost source again; all later waits are as the
/// last. A camera that re-enumerates is back within a second; one that was unplugged for the night is
/// tried six times a minute.
const BACK_OFF: [Duration; 7] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];

/// A source that has delivered for this long is opened again after the first wait; one that delivers a
/// frame and fails again is tried ever more rarely.
const STEADY: Duration = Duration::from_secs(2);

/// Least time between two reports of damaged frames; the frames in between are reported together.
const DAMAGE_EVERY: Duration = Duration::from_secs(1);

/// Receiver of what the capture thread delivers.
pub(super) trait FrameSink {
    /// Returns whether the run is over.
    fn leave(&self) -> bool;
    /// Takes a frame.
    fn frame(&mut self, frame: Frame);
    /// Takes a change of the source.
    fn event(&mut self, event: CaptureEvent);
    /// Takes that a frame was dropped since it was held back on its way, so that nobody knows when it was
    /// taken.
    fn late(&mut self);
    /// Takes the number of frames lost since the run began.
    fn lost(&mut self, lost: CaptureLoss);
}

/// A source of time, which can also wait.
pub(super) trait Clock {
    fn now(&self) -> Instant;
    fn wait(&self, time: Duration);
}

/// The monotonic clock of this machine.
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

/// A live source with its opener, as a run begins: open, or failed and to be opened again.
pub struct WatchedSource {
    pub(super) opener: Box<dyn LiveOpener>,
    pub(super) state: CaptureState,
}

/// The states of a capture.
pub(super) enum CaptureState {
    /// The source is open.
    Open(Box<dyn LiveSource>),
    /// The source could not be opened, or was lost.
    Failed(SourceError),
    /// The run is over, or the source came to its regular end.
    Ended,
}

impl WatchedSource {
    /// Opens a source for the first time. A camera that another program uses counts as failed, and the run
    /// waits for it.
    ///
    /// # Errors
    /// When the source cannot be opened for any other reason.
    pub fn open(mut opener: Box<dyn LiveOpener>) -> Result<Self, SourceError> {
        let state = match opener.open() {
            Ok(source) => CaptureState::Open(source),
            Err(error) if error.fault() == Some(CameraFault::Busy) => CaptureState::Failed(error),
            Err(error) => return Err(error),
        };
        Ok(Self { opener, state })
    }

    /// Takes a source that is open already; `opener` opens it again when it is lost.
    pub fn opened(opener: Box<dyn LiveOpener>, source: Box<dyn LiveSource>) -> Self {
        Self {
            opener,
            state: CaptureState::Open(source),
        }
    }

    /// Returns why the source is not open.
    pub fn failure(&self) -> Option<&SourceError> {
        match &self.state {
            CaptureState::Failed(error) => Some(error),
            CaptureState::Open(_) | CaptureState::Ended => None,
        }
    }

    /// Returns the name of the source, as events carry it.
    pub fn name(&self) -> &str {
        self.opener.name()
    }

    /// Returns the moment that is 0 in the times of the run's frames and events: when the source was
    /// opened, or else now.
    pub(super) fn begin(&self) -> Instant {
        match &self.state {
            CaptureState::Open(source) => source.opened(),
            CaptureState::Failed(_) | CaptureState::Ended => Instant::now(),
        }
    }
}

impl std::fmt::Debug for WatchedSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedSource")
            .field("name", &self.name())
            .field("failure", &self.failure())
            .finish_non_exhaustive()
    }
}

/// The capture of a source through all its openings.
pub(super) struct Capture<'a, S: FrameSink> {
    opener: Box<dyn LiveOpener>,
    clock: &'a dyn Clock,
    sink: &'a mut S,
    /// A source that is silent for this long is lost; `None` for one that may be silent for any time.
    stall_timeout: Option<Duration>,
    begin: Instant,
    /// The fault that was reported last, while the source does not deliver.
    reported: Option<CameraFault>,
    /// Attempts to open the source since it last delivered steadily.
    attempts: usize,
    /// Whether the source ever delivered.
    delivered: bool,
    last_time: Duration,
    next_sequence: u64,
    /// Frames lost in the openings before the present one.
    lost_before: CaptureLoss,
    damage: Damage,
}

/// Damaged frames that were reported.
#[derive(Debug, Default)]
struct Damage {
    /// Numbers of those that were not reported yet.
    numbers: DamagedFrames,
    reported: CaptureLoss,
    reported_at: Option<Instant>,
}

/// One opening of the source.
struct Opening {
    source: Box<dyn LiveSource>,
    /// Added to its times and numbers.
    time_offset: Duration,
    sequence_offset: u64,
    /// When it last delivered, or was opened.
    silent_since: Instant,
    /// Frames damaged before it last delivered.
    damaged_before: u64,
    first_frame: Option<Instant>,
    held_back: HeldBack,
}

impl<'a, S: FrameSink> Capture<'a, S> {
    /// Creates the capture of a run. `begin` is the moment that is 0 in the times of its frames and events.
    pub(super) fn new(
        opener: Box<dyn LiveOpener>,
        clock: &'a dyn Clock,
        sink: &'a mut S,
        stall_timeout: Option<Duration>,
        begin: Instant,
    ) -> Self {
        Self {
            opener,
            clock,
            sink,
            stall_timeout,
            begin,
            reported: None,
            attempts: 0,
            delivered: false,
            last_time: Duration::ZERO,
            next_sequence: 0,
            lost_before: CaptureLoss::default(),
            damage: Damage::default(),
        }
    }

    /// Works until the sink is to leave or the source ends.
    ///
    /// # Errors
    /// When the source failed and opening it again is of no use.
    pub(super) fn run(mut self, mut state: CaptureState) -> Result<(), SourceError> {
        loop {
            state = match state {
                CaptureState::Open(source) => self.read_until_lost(source),
                CaptureState::Failed(error) => self.reopen(error)?,
                CaptureState::Ended => return Ok(()),
            };
        }
    }

    /// Reports why the source is lost, unless that was reported, waits, and opens it again.
    ///
    /// # Errors
    /// When opening it again is of no use.
    fn reopen(&mut self, error: SourceError) -> Result<CaptureState, SourceError> {
        let Some(fault) = error.fault() else {
            return Err(error);
        };
        if self.reported != Some(fault) {
            let reason = Reason::new(fault, &error);
            let change = match self.reported {
                None => SourceChange::Lost(reason),
                Some(_) => SourceChange::Waiting(reason),
            };
            self.reported = Some(fault);
            self.event(change);
        }
        if !self.wait(BACK_OFF[self.attempts.min(BACK_OFF.len() - 1)]) {
            return Ok(CaptureState::Ended);
        }
        self.attempts += 1;
        Ok(match self.opener.open() {
            Ok(source) => CaptureState::Open(source),
            Err(error) => CaptureState::Failed(error),
        })
    }

    /// Reads one opening to its end.
    fn read_until_lost(&mut self, source: Box<dyn LiveSource>) -> CaptureState {
        let mut opening = Opening {
            time_offset: source.opened().saturating_duration_since(self.begin),
            sequence_offset: self.next_sequence,
            silent_since: self.clock.now(),
            damaged_before: 0,
            first_frame: None,
            held_back: HeldBack::default(),
            source,
        };
        let next = loop {
            if self.sink.leave() {
                break CaptureState::Ended;
            }
            let read = opening.source.read(MAX_WAIT);
            self.take_notices(&mut opening);
            let lost = opening.source.lost();
            self.report_damage(lost);
            match read {
                Ok(Read::Frame(frame)) => self.take(frame, &mut opening),
                Ok(Read::Nothing) => {
                    if let Some(error) = self.stalled(&opening, lost) {
                        break CaptureState::Failed(error);
                    }
                }
                Ok(Read::Ended) => break CaptureState::Ended,
                Err(error) => break CaptureState::Failed(error),
            }
        };
        self.lost_before = self.lost_before.plus(opening.source.lost());
        self.damage.reported = CaptureLoss::default();
        if let Some(first) = opening.first_frame {
            self.reported = None;
            if opening.silent_since.saturating_duration_since(first) >= STEADY {
                self.attempts = 0;
            }
        }
        // Closing a device that is gone makes the v4l crate panic where its driver answers
        // otherwise than expected; the source is of no use either way.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(opening)));
        next
    }

    fn take(&mut self, mut frame: Frame, opening: &mut Opening) {
        frame.time = self.last_time.max(frame.time + opening.time_offset);
        frame.sequence += opening.sequence_offset;
        self.last_time = frame.time;
        self.next_sequence = frame.sequence + 1;
        opening.silent_since = self.clock.now();
        opening.damaged_before = opening.source.lost().damaged();
        if opening.first_frame.is_none() {
            opening.first_frame = Some(opening.silent_since);
            let format = opening.source.format();
            let change = match self.delivered {
                false => SourceChange::Opened { format },
                true => SourceChange::Reopened { format },
            };
            self.delivered = true;
            let time = frame.time;
            self.sink.event(CaptureEvent { time, change });
        }
        // A recording's times are its own, however it comes.
        let is_live = self.stall_timeout.is_some();
        match is_live && opening.held_back.is_late(frame.time, frame.sequence) {
            true => self.sink.late(),
            false => self.sink.frame(frame),
        }
    }

    /// Takes what the source reports beside its frames.
    fn take_notices(&mut self, opening: &mut Opening) {
        for notice in opening.source.notices() {
            match notice {
                Notice::Damaged { frame, .. } => {
                    self.damage.numbers.add(frame + opening.sequence_offset);
                }
                Notice::Gap { length, message } => {
                    self.event(SourceChange::Gap { length, message })
                }
                Notice::Note(message) => self.event(SourceChange::Note { message }),
                _ => {}
            }
        }
    }

    /// Returns why an opening counts as lost, if it has been silent for too long.
    fn stalled(&self, opening: &Opening, lost: CaptureLoss) -> Option<SourceError> {
        let limit = match opening.first_frame {
            Some(_) => self.stall_timeout?,
            None => self.stall_timeout?.max(opening.source.startup()),
        };
        let silent = self
            .clock
            .now()
            .saturating_duration_since(opening.silent_since);
        if silent < limit {
            return None;
        }
        let damaged = lost.damaged() - opening.damaged_before;
        let (fault, reason, remedy) = match damaged {
            0 => (
                CameraFault::Stalled,
                format!("no frame for {} seconds", limit.as_secs_f64()),
                "check its cable or its network, then plug it in again",
            ),
            _ => (
                CameraFault::Corrupt,
                format!(
                    "{damaged} damaged frames and no whole one for {} seconds",
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

    /// Passes the losses on, and reports damaged frames now and then.
    fn report_damage(&mut self, lost: CaptureLoss) {
        self.sink.lost(self.lost_before.plus(lost));
        let frames = lost.damaged() - self.damage.reported.damaged();
        let now = self.clock.now();
        let soon = self
            .damage
            .reported_at
            .is_some_and(|then| now.saturating_duration_since(then) < DAMAGE_EVERY);
        if frames == 0 || soon {
            return;
        }
        let corrupt = lost.corrupt - self.damage.reported.corrupt;
        let message = match (corrupt, frames - corrupt) {
            (corrupt, 0) => format!("{corrupt} arrived damaged"),
            (0, decode) => format!("{decode} could not be decoded"),
            (corrupt, decode) => {
                format!("{corrupt} arrived damaged, {decode} could not be decoded")
            }
        };
        let numbers = self.damage.numbers.first().to_vec();
        self.damage = Damage {
            numbers: DamagedFrames::default(),
            reported: lost,
            reported_at: Some(now),
        };
        self.event(SourceChange::Damaged {
            frames,
            numbers,
            message,
        });
    }

    fn event(&mut self, change: SourceChange) {
        let now = self.clock.now().saturating_duration_since(self.begin);
        // A change after a frame is never reported with a time before it.
        let time = self.last_time.max(now);
        self.sink.event(CaptureEvent { time, change });
    }

    /// Waits; returns whether to go on.
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
            self.clock.wait(left.min(MAX_WAIT));
        }
    }
}

#[cfg(test)]
mod tests;
