//! From the capture thread to the vision thread: the newest frame, changes of the source, and counts.
//!
//! A frame that was not taken before the next comes is dropped and counted, so that predictions are never
//! about old frames.

use super::capture::{CaptureEvent, FrameSink};
use crossbeam::{
    channel::{self, Receiver, Sender},
    queue::ArrayQueue,
};
use parseye_capture::CaptureLoss;
use parseye_events::{fanout::locked, metrics::FrameLoss};
use parseye_vision::frame::Frame;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant},
};

/// A capture thread that has given no sign of life for this long hangs in its driver. Cameras may
/// take a second or two to open.
pub(super) const HANG_TIMEOUT: Duration = Duration::from_secs(5);

/// The vision thread's end.
#[derive(Debug)]
pub(super) struct LatestFrame {
    shared: Arc<FrameSlot>,
    events: Receiver<CaptureEvent>,
}

/// The capture thread's end.
#[derive(Debug)]
pub(super) struct LatestFrameSink {
    shared: Arc<FrameSlot>,
    events: Sender<CaptureEvent>,
    vision: Thread,
}

#[derive(Debug)]
struct FrameSlot {
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
    /// Creates both ends. The calling thread is the one to wake when something comes; times count from
    /// `begin`.
    pub(super) fn new(begin: Instant) -> (Self, LatestFrameSink) {
        let shared = Arc::new(FrameSlot {
            newest: ArrayQueue::new(1),
            dropped: AtomicU64::new(0),
            captured: Mutex::new(CaptureLoss::default()),
            alive_ms: AtomicU64::new(0),
            begin,
            ended: AtomicBool::new(false),
            leave: AtomicBool::new(false),
        });
        let (sender, events) = channel::unbounded();
        let sink = LatestFrameSink {
            shared: Arc::clone(&shared),
            events: sender,
            vision: std::thread::current(),
        };
        (Self { shared, events }, sink)
    }

    /// Returns the time since the run began.
    pub(super) fn now(&self) -> Duration {
        self.shared.begin.elapsed()
    }

    /// Returns the number of frames lost so far.
    pub(super) fn lost(&self) -> FrameLoss {
        let captured = *locked(&self.shared.captured);
        FrameLoss {
            driver: captured.driver,
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            decode: captured.decode,
            corrupt: captured.corrupt,
        }
    }

    /// Returns whether the capture thread hangs.
    pub(super) fn is_hung(&self) -> bool {
        let alive = Duration::from_millis(self.shared.alive_ms.load(Ordering::Relaxed));
        self.now().saturating_sub(alive) >= HANG_TIMEOUT
    }

    /// Takes what came since the last call: whether the capture has ended, the changes of the source, and
    /// the newest frame.
    pub(super) fn take(&self) -> (bool, Vec<CaptureEvent>, Option<Frame>) {
        // In this order nothing is missed: a change that was noticed before a frame is there when the
        // frame is, and both are when the end is.
        let ended = self.shared.ended.load(Ordering::Acquire);
        let events = self.events.try_iter().collect();
        (ended, events, self.shared.newest.pop())
    }

    /// Asks the capture thread to end.
    pub(super) fn ask_to_leave(&self) {
        self.shared.leave.store(true, Ordering::Relaxed);
    }
}

impl FrameSink for LatestFrameSink {
    fn leave(&self) -> bool {
        let now = u64::try_from(self.shared.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.alive_ms.store(now, Ordering::Relaxed);
        self.shared.leave.load(Ordering::Relaxed)
    }

    fn frame(&mut self, frame: Frame) {
        if self.shared.newest.force_push(frame).is_some() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.vision.unpark();
    }

    fn late(&mut self) {
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn event(&mut self, event: CaptureEvent) {
        // The vision thread has left only if the run is over.
        let _ = self.events.send(event);
        self.vision.unpark();
    }

    fn lost(&mut self, lost: CaptureLoss) {
        *locked(&self.shared.captured) = lost;
    }
}

impl Drop for LatestFrameSink {
    fn drop(&mut self) {
        // Also when the thread panicked.
        self.shared.ended.store(true, Ordering::Release);
        self.vision.unpark();
    }
}
