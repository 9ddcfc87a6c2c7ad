//! A live source, always at its newest frame: one that was not judged before the next came is
//! dropped and counted, so that what is said is never old.
//!
//! The capture thread reads the source (`capture.rs`); the calling thread judges and
//! says everything, in order, through a [`Fanout`]. Nobody who listens can make either wait. A
//! source that hangs is left behind when the run ends.

use super::{
    Fanout, FrameSnapshot, PipelineError, Stop,
    capture::{Capture, CaptureEvent, Change, FrameSink, Reason, StallTimeout, SystemClock},
    present::Present,
    wait_for,
};
use crossbeam::{
    channel::{self, Receiver, Sender},
    queue::ArrayQueue,
};
use parseye_capture::{CameraFault, CaptureLoss, LiveOpener, LiveSource, SourceError};
use parseye_events::{
    clock::unix_time,
    event::{CameraEvent, CameraEventKind, EndEvent, Event, EyesEvent, Outcome},
    fanout::locked,
    metrics::{FrameLoss, Percentiles},
    rounding::{milliseconds, seconds},
    summary::RunAccumulator,
};
use parseye_vision::{eye_monitor::EyeMonitor, frame::Frame, temporal::TemporalUpdate};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

pub use super::capture::SILENCE;

/// Least time between two statuses, and how long the vision thread sleeps at most before it looks
/// whether it should stop.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// A capture thread that has given no sign of life for this long hangs in its driver. Cameras may
/// take a second or two to open.
const HUNG: Duration = Duration::from_secs(5);

/// What a monitor does beside watching.
#[derive(Clone, Debug, Default)]
pub struct MonitorOptions {
    /// Ends by itself after this long.
    pub duration: Option<Duration>,
    /// A source that has delivered nothing for this long is lost and opened again; [`SILENCE`] for
    /// cameras, `None` for a source that may be silent for any time.
    pub silence: Option<Duration>,
    /// Name of the eye-state model, for the status.
    pub model: String,
}

/// What came of watching.
#[derive(Debug)]
pub struct Monitored {
    /// Sums over the frames that were judged.
    pub tally: RunAccumulator,
    /// Frames that were never judged.
    pub lost: FrameLoss,
    /// From capture to reading; `None` without a frame.
    pub frame_age_ms: Option<Percentiles>,
    /// Whether the user stopped it.
    pub outcome: Outcome,
}

/// From the capture thread to the vision thread.
struct LatestFrame {
    newest: ArrayQueue<Frame>,
    dropped: AtomicU64,
    captured: Mutex<CaptureLoss>,
    /// Milliseconds since the run began when the capture thread last gave a sign of life.
    alive_ms: AtomicU64,
    begin: Instant,
    /// Set when the capture thread ends, after its last frame.
    ended: AtomicBool,
    leave: AtomicBool,
}

impl LatestFrame {
    fn new(begin: Instant) -> Self {
        Self {
            newest: ArrayQueue::new(1),
            dropped: AtomicU64::new(0),
            captured: Mutex::new(CaptureLoss::default()),
            alive_ms: AtomicU64::new(0),
            begin,
            ended: AtomicBool::new(false),
            leave: AtomicBool::new(false),
        }
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn lost(&self) -> FrameLoss {
        let captured = *locked(&self.captured);
        FrameLoss {
            driver: captured.driver,
            dropped: self.dropped.load(Ordering::Relaxed),
            decode: captured.decode,
            corrupt: captured.corrupt,
        }
    }

    /// Whether the capture thread hangs.
    fn is_hung(&self) -> bool {
        let alive = Duration::from_millis(self.alive_ms.load(Ordering::Relaxed));
        self.now().saturating_sub(alive) >= HUNG
    }
}

/// The capture thread's end of it.
struct VisionSink {
    latest: Arc<LatestFrame>,
    events: Sender<CaptureEvent>,
    vision: Thread,
}

impl FrameSink for VisionSink {
    fn leave(&self) -> bool {
        let now = u64::try_from(self.latest.now().as_millis()).unwrap_or(u64::MAX);
        self.latest.alive_ms.store(now, Ordering::Relaxed);
        self.latest.leave.load(Ordering::Relaxed)
    }

    fn frame(&mut self, frame: Frame) {
        if self.latest.newest.force_push(frame).is_some() {
            self.latest.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.vision.unpark();
    }

    fn event(&mut self, event: CaptureEvent) {
        // The vision thread has left only if the run is over.
        let _ = self.events.send(event);
        self.vision.unpark();
    }

    fn lost(&mut self, lost: CaptureLoss) {
        *locked(&self.latest.captured) = lost;
    }
}

impl Drop for VisionSink {
    fn drop(&mut self) {
        // Also when the thread panicked.
        self.latest.ended.store(true, Ordering::Release);
        self.vision.unpark();
    }
}

/// Watches a source until it ends, the user stops it, or its time is over. `first` is what opening
/// it gave; a camera that is busy may be waited for.
///
/// Everything is said through `fanout`, but the `start` event, which is the caller's; the last
/// event is `end`. [`Fanout::end`] is the caller's too.
///
/// # Errors
/// When the source broke off for good, or a frame cannot be judged. What was said before stands.
pub fn monitor(
    opener: Box<dyn LiveOpener>,
    first: Result<Box<dyn LiveSource>, SourceError>,
    chain: &mut EyeMonitor,
    fanout: &Fanout,
    options: &MonitorOptions,
    stop: &Stop,
) -> Result<Monitored, PipelineError> {
    let begin = first
        .as_ref()
        .map_or_else(|_| Instant::now(), |source| source.opened());
    let latest = Arc::new(LatestFrame::new(begin));
    let (sender, events) = channel::unbounded();
    chain.reset();
    let mut watch = Watch {
        name: opener.name().to_owned(),
        fanout,
        latest: Arc::clone(&latest),
        present: Present::new(&options.model, opener.name()),
        tally: RunAccumulator::default(),
        last_status: None,
        hung: false,
    };
    let sink = VisionSink {
        latest: Arc::clone(&latest),
        events: sender,
        vision: std::thread::current(),
    };
    let stall = StallTimeout {
        silence: options.silence,
    };
    let capture = std::thread::Builder::new()
        .name("capture".into())
        .spawn(move || {
            prefer_this_thread();
            let mut sink = sink;
            Capture::new(opener, &SystemClock, &mut sink, stall, begin).run(first)
        })
        .map_err(PipelineError::Thread)?;
    prefer_this_thread();

    let outcome = watch.run(&events, chain, options, stop);
    latest.leave.store(true, Ordering::Relaxed);
    let captured = join(capture);
    watch.tally.end(chain.tracker(), begin.elapsed());
    let broken = captured.err().filter(|_| stop.requested().is_none());
    let (outcome, error) = match (outcome, broken) {
        (Err(error), _) => (Outcome::Failed, Some(error)),
        (Ok(_), Some(error)) => (Outcome::Failed, Some(error.into())),
        (Ok(outcome), None) => (outcome, None),
    };
    let lost = latest.lost();
    let frame_age_ms = watch.present.ages();
    fanout.publish(Event::End(EndEvent {
        clip: watch.name,
        frames: watch.tally.frames(),
        outcome,
        error: error.as_ref().map(ToString::to_string),
        lost: Some(lost),
        frame_age_ms,
        unix_time: unix_time(),
    }));
    match error {
        Some(error) => Err(error),
        None => Ok(Monitored {
            tally: watch.tally,
            lost,
            frame_age_ms,
            outcome,
        }),
    }
}

/// What the capture thread ended with. One that hangs in its driver is left behind: it ends with
/// the program, or when the driver answers.
fn join(capture: JoinHandle<Result<(), SourceError>>) -> Result<(), SourceError> {
    if !wait_for(&capture) {
        return Ok(());
    }
    capture.join().unwrap_or_else(|_| {
        Err(SourceError::Camera {
            camera: "(watched)".into(),
            fault: CameraFault::Failed,
            reason: "its driver's library gave up on it".into(),
            remedy: "start again; please report what was plugged in".into(),
        })
    })
}

/// Asks the system to run this thread before others, as far as it lets us.
fn prefer_this_thread() {
    use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
    /// Of 0 to 99: on Linux a niceness of -5, enough to go before ordinary programs and not so much
    /// that the desktop suffers.
    const PREFERRED: u8 = 60;
    // Without privileges the system refuses, and all is as before.
    if let Ok(value) = ThreadPriorityValue::try_from(PREFERRED) {
        let _ = set_current_thread_priority(ThreadPriority::Crossplatform(value));
    }
}

/// What the vision thread keeps while it watches.
struct Watch<'a> {
    name: String,
    fanout: &'a Fanout,
    latest: Arc<LatestFrame>,
    present: Present,
    tally: RunAccumulator,
    last_status: Option<Instant>,
    /// Whether it was told that the capture thread hangs.
    hung: bool,
}

impl Watch<'_> {
    fn run(
        &mut self,
        events: &Receiver<CaptureEvent>,
        chain: &mut EyeMonitor,
        options: &MonitorOptions,
        stop: &Stop,
    ) -> Result<Outcome, PipelineError> {
        loop {
            self.show(chain);
            if stop.requested().is_some() {
                return Ok(Outcome::Interrupted);
            }
            let is_over = |duration| self.latest.now() >= duration;
            if options.duration.is_some_and(is_over) {
                return Ok(Outcome::Complete);
            }
            // In this order nothing is missed: what was noticed before a frame is there when the
            // frame is, and both are when the end is.
            let ended = self.latest.ended.load(Ordering::Acquire);
            let mut noticed: Vec<CaptureEvent> = events.try_iter().collect();
            match self.latest.newest.pop() {
                Some(frame) => {
                    let later = noticed.partition_point(|event| event.time <= frame.time);
                    let later = noticed.split_off(later);
                    self.tell(noticed, chain);
                    self.judge(&frame, chain)?;
                    self.tell(later, chain);
                }
                None => {
                    let any = !noticed.is_empty();
                    self.tell(noticed, chain);
                    if ended {
                        return Ok(Outcome::Complete);
                    }
                    self.look_for_hanging(options, chain);
                    if !any {
                        std::thread::park_timeout(STATUS_EVERY);
                    }
                }
            }
        }
    }

    fn judge(&mut self, frame: &Frame, chain: &mut EyeMonitor) -> Result<(), PipelineError> {
        if self.hung {
            self.hung = false;
            let format = self.present.format().to_owned();
            let change = Change::Reopened { format };
            let time = frame.time;
            self.tell(vec![CaptureEvent { time, change }], chain);
        }
        let judged = chain.process(frame)?;
        let now = self.latest.now();
        let age = now.saturating_sub(frame.time);
        self.present.take(&judged, now, age);
        self.fanout.frame_ages().observe(age);
        let picture = self.fanout.picture();
        if picture.wanted() {
            picture.set(Arc::new(FrameSnapshot {
                rgb: frame.rgb.clone(),
                reading: judged.reading.clone(),
            }));
        }
        self.tally.add_frame(&judged.reading, &judged.times);
        let mut eyes = EyesEvent::new(&self.name, &judged.reading, unix_time());
        eyes.age_ms = Some(milliseconds(age));
        let checks = self.fanout.self_check();
        let trust = checks.trust();
        eyes.left.trust = trust.left;
        eyes.right.trust = trust.right;
        self.fanout.publish(Event::Eyes(eyes));
        // Afterwards, so that a drift follows the frame that showed it.
        let checks = self.fanout.self_check();
        checks.offer(&self.name, &frame.luma, &judged.reading);
        self.say(&judged.update);
        Ok(())
    }

    fn say(&mut self, changes: &TemporalUpdate) {
        self.tally.add_changes(changes);
        for event in Event::of_changes(&self.name, changes, unix_time()) {
            self.fanout.publish(event);
        }
    }

    /// Tells what happened to the source. While it delivers nothing, nobody knows what the eyes do.
    fn tell(&mut self, events: Vec<CaptureEvent>, chain: &mut EyeMonitor) {
        for event in events {
            self.present.take_notice(&event);
            let time = event.time;
            let is_lost = matches!(event.change, Change::Lost(_));
            self.fanout.publish(camera_event(&self.name, event));
            if is_lost {
                let unseen = chain.interrupt(time);
                self.present.take_alerts(&unseen.alerts);
                self.say(&unseen);
            }
        }
    }

    /// A driver that does not return is told of from here, since the capture thread cannot.
    fn look_for_hanging(&mut self, options: &MonitorOptions, chain: &mut EyeMonitor) {
        if options.silence.is_none() || self.present.is_down() || !self.latest.is_hung() {
            return;
        }
        self.hung = true;
        let reason = Reason {
            fault: CameraFault::Stalled,
            words: format!(
                "camera {}: its driver has not answered for {} seconds; unplug the camera, and start again if that does not help",
                self.name,
                HUNG.as_secs()
            ),
        };
        let time = self.latest.now();
        let change = Change::Lost(reason);
        self.tell(vec![CaptureEvent { time, change }], chain);
    }

    /// Sets the status when its time has come.
    fn show(&mut self, chain: &EyeMonitor) {
        if self
            .last_status
            .is_some_and(|last| last.elapsed() < STATUS_EVERY)
        {
            return;
        }
        self.last_status = Some(Instant::now());
        let now = self.latest.now();
        let lost = self.latest.lost();
        let checks = self.fanout.self_check().status();
        let status = self.present.status(now, &self.tally, chain, lost, checks);
        self.fanout.set_status(status);
    }
}

fn camera_event(clip: &str, event: CaptureEvent) -> Event {
    let mut record = CameraEvent {
        clip: clip.into(),
        time: seconds(event.time),
        kind: CameraEventKind::Opened,
        reason: None,
        message: None,
        format: None,
        frames: None,
        unix_time: unix_time(),
    };
    match event.change {
        Change::Opened { format } => record.format = Some(format),
        Change::Reopened { format } => {
            record.kind = CameraEventKind::Reopened;
            record.format = Some(format);
        }
        Change::Lost(reason) => {
            record.kind = CameraEventKind::Lost;
            record.reason = Some(reason.fault);
            record.message = Some(reason.words);
        }
        Change::Waiting(reason) => {
            record.kind = CameraEventKind::Waiting;
            record.reason = Some(reason.fault);
            record.message = Some(reason.words);
        }
        Change::Damaged { frames, words } => {
            record.kind = CameraEventKind::Damaged;
            record.reason = Some(CameraFault::Corrupt);
            record.message = Some(words);
            record.frames = Some(frames);
        }
    }
    Event::Camera(record)
}
