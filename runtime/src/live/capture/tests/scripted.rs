//! A camera that does what a script says, on a clock that only moves when somebody waits.

use super::super::*;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

pub(super) const FRAME_EVERY: Duration = Duration::from_millis(40);

/// A clock that only moves when somebody waits.
#[derive(Clone)]
pub(super) struct FakeClock {
    start: Instant,
    passed: Arc<AtomicU64>,
}

impl FakeClock {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            passed: Arc::default(),
        }
    }

    fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap();
        self.passed.fetch_add(nanos, Ordering::Relaxed);
    }

    fn passed(&self) -> Duration {
        Duration::from_nanos(self.passed.load(Ordering::Relaxed))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.start + self.passed()
    }

    fn wait(&self, time: Duration) {
        self.pass(time);
    }
}

/// What a scripted source does, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Frames(u64),
    /// Frames that were held back and come all at once.
    Burst(u64),
    Corrupt(u64),
    Lose(u64),
    Silent(Duration),
    Fail(CameraFault),
    Finish,
}

/// What one attempt to open the source gives.
#[derive(Clone, Debug)]
pub(super) enum Attempt {
    Refused(CameraFault),
    Hopeless,
    Opens(Vec<Act>),
}

pub(super) fn failed(fault: CameraFault) -> SourceError {
    SourceError::Camera {
        camera: "scripted".into(),
        fault,
        reason: fault.name().into(),
        remedy: "none".into(),
    }
}

pub(super) struct Opener {
    clock: FakeClock,
    attempts: std::vec::IntoIter<Attempt>,
    opened_at: Arc<Mutex<Vec<Duration>>>,
}

impl LiveOpener for Opener {
    fn name(&self) -> &str {
        "scripted"
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        self.opened_at.lock().unwrap().push(self.clock.passed());
        match self.attempts.next() {
            None => Err(SourceError::NoFfmpeg {
                reason: "the script is over".into(),
                remedy: "none",
            }),
            Some(Attempt::Refused(fault)) => Err(failed(fault)),
            Some(Attempt::Hopeless) => Err(SourceError::NoFfmpeg {
                reason: "hopeless".into(),
                remedy: "none",
            }),
            Some(Attempt::Opens(acts)) => Ok(Box::new(Scripted {
                clock: self.clock.clone(),
                opened: self.clock.now(),
                acts: acts.into_iter().rev().collect(),
                sequence: 0,
                lost: CaptureLoss::default(),
                notices: Vec::new(),
            })),
        }
    }
}

pub(super) struct Scripted {
    clock: FakeClock,
    opened: Instant,
    /// The next one last.
    acts: Vec<Act>,
    sequence: u64,
    lost: CaptureLoss,
    notices: Vec<Notice>,
}

impl Scripted {
    fn frame_after(&mut self, time: Duration) -> Frame {
        self.clock.pass(time);
        let sequence = self.sequence;
        self.sequence += 1;
        let time = self.clock.now() - self.opened;
        Frame::from_rgb(sequence, time, image::RgbImage::new(2, 2))
    }
}

impl LiveSource for Scripted {
    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn format(&self) -> String {
        "MJPG 2x2".into()
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        self.lost
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        match self.acts.pop() {
            // At the end of its script it is silent for ever.
            None => {
                self.clock.pass(wait);
                Ok(Read::Nothing)
            }
            Some(Act::Frames(0) | Act::Burst(0) | Act::Corrupt(0)) => Ok(Read::Nothing),
            Some(Act::Frames(count)) => {
                self.acts.push(Act::Frames(count - 1));
                Ok(Read::Frame(self.frame_after(FRAME_EVERY)))
            }
            Some(Act::Burst(count)) => {
                self.acts.push(Act::Burst(count - 1));
                Ok(Read::Frame(self.frame_after(Duration::from_millis(4))))
            }
            Some(Act::Corrupt(count)) => {
                self.acts.push(Act::Corrupt(count - 1));
                self.clock.pass(FRAME_EVERY);
                let (frame, time) = (self.sequence, self.clock.passed());
                self.notices.push(Notice::Damaged { frame, time });
                self.sequence += 1;
                self.lost.corrupt += 1;
                Ok(Read::Nothing)
            }
            Some(Act::Lose(count)) => {
                self.sequence += count;
                self.lost.driver += count;
                Ok(Read::Nothing)
            }
            Some(Act::Silent(time)) => {
                let now = time.min(wait);
                self.clock.pass(now);
                if time > now {
                    self.acts.push(Act::Silent(time - now));
                }
                Ok(Read::Nothing)
            }
            Some(Act::Fail(fault)) => Err(failed(fault)),
            Some(Act::Finish) => Ok(Read::Ended),
        }
    }
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) frames: Vec<(u64, Duration)>,
    pub(super) events: Vec<CaptureEvent>,
    pub(super) lost: CaptureLoss,
    pub(super) late: usize,
    leave_after: Option<(FakeClock, Duration)>,
}

impl FrameSink for Record {
    fn leave(&self) -> bool {
        self.leave_after
            .as_ref()
            .is_some_and(|(clock, time)| clock.passed() >= *time)
    }

    fn frame(&mut self, frame: Frame) {
        self.frames.push((frame.sequence, frame.time));
    }

    fn event(&mut self, event: CaptureEvent) {
        self.events.push(event);
    }

    fn late(&mut self) {
        self.late += 1;
    }

    fn lost(&mut self, lost: CaptureLoss) {
        self.lost = lost;
    }
}

pub(super) struct Played {
    pub(super) record: Record,
    pub(super) outcome: Result<(), SourceError>,
    pub(super) opened_at: Vec<Duration>,
}

impl Played {
    /// The events in short: `opened`, `lost stalled`, `waiting busy`, ...
    pub(super) fn story(&self) -> Vec<String> {
        let events = self.record.events.iter();
        events
            .map(|event| match &event.change {
                SourceChange::Opened { .. } => "opened".into(),
                SourceChange::Reopened { .. } => "reopened".into(),
                SourceChange::Lost(reason) => format!("lost {}", reason.fault),
                SourceChange::Waiting(reason) => format!("waiting {}", reason.fault),
                SourceChange::Damaged { frames, .. } => format!("damaged {frames}"),
                SourceChange::Gap { .. } => "gap".into(),
                SourceChange::Note { .. } => "note".into(),
            })
            .collect()
    }
}

/// Plays the attempts, the first of which is the first opening, for an hour at most.
pub(super) fn play(attempts: Vec<Attempt>, stall_timeout: Option<Duration>) -> Played {
    let clock = FakeClock::new();
    let opened_at = Arc::default();
    let mut opener = Opener {
        clock: clock.clone(),
        attempts: attempts.into_iter(),
        opened_at: Arc::clone(&opened_at),
    };
    let begin = clock.now();
    let state = match opener.open() {
        Ok(source) => CaptureState::Open(source),
        Err(error) => CaptureState::Failed(error),
    };
    let mut record = Record {
        leave_after: Some((clock.clone(), Duration::from_secs(3600))),
        ..Record::default()
    };
    let capture = Capture::new(Box::new(opener), &clock, &mut record, stall_timeout, begin);
    let outcome = capture.run(state);
    let opened_at = opened_at.lock().unwrap().clone();
    Played {
        record,
        outcome,
        opened_at,
    }
}

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
