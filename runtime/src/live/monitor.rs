//! A live source, always at its newest frame: one that was not judged before the next came is
//! dropped and counted, so that what is said is never old.
//!
//! The capture thread reads the source (`capture.rs`); the calling thread judges and
//! says everything, in order, through a [`Fanout`]. Nobody who listens can make either wait. A
//! source that hangs is left behind when the run ends.

use super::{
    Fanout, Picture, PipelineError, Stop,
    capture::{Capture, Change, Notice, Outlet, Patience, Reason, SystemClock},
    present::Present,
    wait_for,
};
use crossbeam::{
    channel::{self, Receiver, Sender},
    queue::ArrayQueue,
};
use parseye_capture::{CameraFault, CaptureLoss, LiveOpener, LiveSource, SourceError};
use parseye_events::{
    event::{CameraEvent, CameraEventKind, EndEvent, Event, EyesEvent, Outcome, seconds},
    fanout::locked,
    metrics::{FrameLoss, Percentiles},
    summary::Tally,
};
use parseye_vision::{eye_monitor::VisionChain, frame::Frame, temporal::OverTimeStep};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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
    pub tally: Tally,
    /// Frames that were never judged.
    pub lost: FrameLoss,
    /// From capture to reading; `None` without a frame.
    pub frame_age_ms: Option<Percentiles>,
    /// Whether the user stopped it.
    pub outcome: Outcome,
}

/// From the capture thread to the vision thread.
struct HandOver {
    newest: ArrayQueue<Frame>,
    displaced: AtomicU64,
    captured: Mutex<CaptureLoss>,
    /// Milliseconds since the run began when the capture thread last gave a sign of life.
    alive_ms: AtomicU64,
    begin: Instant,
    /// Set when the capture thread ends, after its last frame.
    ended: AtomicBool,
    leave: AtomicBool,
}

impl HandOver {
    fn new(begin: Instant) -> Self {
        Self {
            newest: ArrayQueue::new(1),
            displaced: AtomicU64::new(0),
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
            hand_over: self.displaced.load(Ordering::Relaxed),
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
struct ToVision {
    hand_over: Arc<HandOver>,
    notices: Sender<Notice>,
    vision: Thread,
}

impl Outlet for ToVision {
    fn leave(&self) -> bool {
        let now = u64::try_from(self.hand_over.now().as_millis()).unwrap_or(u64::MAX);
        self.hand_over.alive_ms.store(now, Ordering::Relaxed);
        self.hand_over.leave.load(Ordering::Relaxed)
    }

    fn frame(&mut self, frame: Frame) {
        if self.hand_over.newest.force_push(frame).is_some() {
            self.hand_over.displaced.fetch_add(1, Ordering::Relaxed);
        }
        self.vision.unpark();
    }

    fn notice(&mut self, notice: Notice) {
        // The vision thread has left only if the run is over.
        let _ = self.notices.send(notice);
        self.vision.unpark();
    }

    fn lost(&mut self, lost: CaptureLoss) {
        *locked(&self.hand_over.captured) = lost;
    }
}

impl Drop for ToVision {
    fn drop(&mut self) {
        // Also when the thread panicked.
        self.hand_over.ended.store(true, Ordering::Release);
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
    chain: &mut VisionChain,
    fanout: &Fanout,
    options: &MonitorOptions,
    stop: &Stop,
) -> Result<Monitored, PipelineError> {
    let begin = first
        .as_ref()
        .map_or_else(|_| Instant::now(), |source| source.opened());
    let hand_over = Arc::new(HandOver::new(begin));
    let (sender, notices) = channel::unbounded();
    chain.reset();
    let mut watch = Watch {
        name: opener.name().to_owned(),
        fanout,
        hand_over: Arc::clone(&hand_over),
        present: Present::new(&options.model, opener.name()),
        tally: Tally::default(),
        last_status: None,
        hung: false,
    };
    let outlet = ToVision {
        hand_over: Arc::clone(&hand_over),
        notices: sender,
        vision: std::thread::current(),
    };
    let patience = Patience {
        silence: options.silence,
    };
    let capture = std::thread::Builder::new()
        .name("capture".into())
        .spawn(move || {
            prefer_this_thread();
            let mut outlet = outlet;
            Capture::new(opener, &SystemClock, &mut outlet, patience, begin).run(first)
        })
        .map_err(PipelineError::Thread)?;
    prefer_this_thread();

    let outcome = watch.run(&notices, chain, options, stop);
    hand_over.leave.store(true, Ordering::Relaxed);
    let captured = join(capture);
    watch.tally.end(chain.over_time(), begin.elapsed());
    let broken = captured.err().filter(|_| stop.requested().is_none());
    let (outcome, error) = match (outcome, broken) {
        (Err(error), _) => (Outcome::Failed, Some(error)),
        (Ok(_), Some(error)) => (Outcome::Failed, Some(error.into())),
        (Ok(outcome), None) => (outcome, None),
    };
    let lost = hand_over.lost();
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
    hand_over: Arc<HandOver>,
    present: Present,
    tally: Tally,
    last_status: Option<Instant>,
    /// Whether it was told that the capture thread hangs.
    hung: bool,
}

impl Watch<'_> {
    fn run(
        &mut self,
        notices: &Receiver<Notice>,
        chain: &mut VisionChain,
        options: &MonitorOptions,
        stop: &Stop,
    ) -> Result<Outcome, PipelineError> {
        loop {
            self.show(chain);
            if stop.requested().is_some() {
                return Ok(Outcome::Interrupted);
            }
            let is_over = |duration| self.hand_over.now() >= duration;
            if options.duration.is_some_and(is_over) {
                return Ok(Outcome::Complete);
            }
            // In this order nothing is missed: what was noticed before a frame is there when the
            // frame is, and both are when the end is.
            let ended = self.hand_over.ended.load(Ordering::Acquire);
            let mut noticed: Vec<Notice> = notices.try_iter().collect();
            match self.hand_over.newest.pop() {
                Some(frame) => {
                    let later = noticed.partition_point(|notice| notice.time <= frame.time);
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

    fn judge(&mut self, frame: &Frame, chain: &mut VisionChain) -> Result<(), PipelineError> {
        if self.hung {
            self.hung = false;
            let format = self.present.format().to_owned();
            let change = Change::Reopened { format };
            let time = frame.time;
            self.tell(vec![Notice { time, change }], chain);
        }
        let judged = chain.judge(frame)?;
        let now = self.hand_over.now();
        let age = now.saturating_sub(frame.time);
        self.present.take(&judged, now, age);
        self.fanout.frame_ages().observe(age);
        let picture = self.fanout.picture();
        if picture.wanted() {
            picture.set(Arc::new(Picture {
                rgb: frame.rgb.clone(),
                reading: judged.reading.clone(),
            }));
        }
        self.tally.add_frame(&judged.reading, &judged.times);
        let mut eyes = EyesEvent::new(&self.name, &judged.reading, unix_time());
        eyes.age_ms = Some((age.as_secs_f64() * 1e6).round() / 1e3);
        let checks = self.fanout.self_check();
        let trust = checks.trust();
        eyes.left.trust = trust.left;
        eyes.right.trust = trust.right;
        checks.offer(&frame.luma, &judged.reading);
        self.fanout.publish(Event::Eyes(eyes));
        self.say(&judged.changes);
        Ok(())
    }

    fn say(&mut self, changes: &OverTimeStep) {
        self.tally.add_changes(changes);
        for event in Event::of_changes(&self.name, changes, unix_time()) {
            self.fanout.publish(event);
        }
    }

    /// Tells what happened to the source. While it delivers nothing, nobody knows what the eyes do.
    fn tell(&mut self, notices: Vec<Notice>, chain: &mut VisionChain) {
        for notice in notices {
            self.present.take_notice(&notice);
            let time = notice.time;
            let is_lost = matches!(notice.change, Change::Lost(_));
            self.fanout.publish(camera_event(&self.name, notice));
            if is_lost {
                let unseen = chain.unseen(time);
                self.present.take_alerts(&unseen.alerts);
                self.say(&unseen);
            }
        }
    }

    /// A driver that does not return is told of from here, since the capture thread cannot.
    fn look_for_hanging(&mut self, options: &MonitorOptions, chain: &mut VisionChain) {
        if options.silence.is_none() || self.present.is_down() || !self.hand_over.is_hung() {
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
        let time = self.hand_over.now();
        let change = Change::Lost(reason);
        self.tell(vec![Notice { time, change }], chain);
    }

    /// Sets the status when its time has come.
    fn show(&mut self, chain: &VisionChain) {
        if self
            .last_status
            .is_some_and(|last| last.elapsed() < STATUS_EVERY)
        {
            return;
        }
        self.last_status = Some(Instant::now());
        let now = self.hand_over.now();
        let lost = self.hand_over.lost();
        let checks = self.fanout.self_check().status();
        let status = self.present.status(now, &self.tally, chain, lost, checks);
        self.fanout.set_status(status);
    }
}

fn camera_event(clip: &str, notice: Notice) -> Event {
    let mut event = CameraEvent {
        clip: clip.into(),
        time: seconds(notice.time),
        kind: CameraEventKind::Opened,
        reason: None,
        words: None,
        format: None,
        frames: None,
        unix_time: unix_time(),
    };
    match notice.change {
        Change::Opened { format } => event.format = Some(format),
        Change::Reopened { format } => {
            event.kind = CameraEventKind::Reopened;
            event.format = Some(format);
        }
        Change::Lost(reason) => {
            event.kind = CameraEventKind::Lost;
            event.reason = Some(reason.fault);
            event.words = Some(reason.words);
        }
        Change::Waiting(reason) => {
            event.kind = CameraEventKind::Waiting;
            event.reason = Some(reason.fault);
            event.words = Some(reason.words);
        }
        Change::Damaged { frames, words } => {
            event.kind = CameraEventKind::Damaged;
            event.reason = Some(CameraFault::Corrupt);
            event.words = Some(words);
            event.frames = Some(frames);
        }
    }
    Event::Camera(event)
}

/// The wall clock in seconds since 1970, to the microsecond; `None` for a clock set before that.
pub fn unix_time() -> Option<f64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(seconds(since))
}
