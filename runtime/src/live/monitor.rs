//! The vision thread of a live run: processes the newest frame of a source and publishes all events in
//! order.
//!
//! A frame that was not processed before the next came is dropped and counted, so that predictions are
//! never about old frames. The capture thread reads the source (`capture`); no reader of the events can
//! make either thread wait. A source that hangs is left behind when the run ends.

use super::{
    PipelineError,
    capture::{Capture, CaptureEvent, Reason, SourceChange, SystemClock, WatchedSource},
    latest_frame::{HANG_TIMEOUT, LatestFrame},
    present::Present,
    reader_thread::{ReaderEnd, ReaderThread},
    self_check::SelfCheckSlot,
};
use crate::channels::{FrameSnapshot, LiveChannels, Stop};
use parseye_capture::{CameraFault, SourceError};
use parseye_events::{
    clock::unix_time,
    event::{EndEvent, Event, EyesEvent, Outcome},
    metrics::{FrameLoss, Percentiles},
    rounding::milliseconds,
    summary::RunAccumulator,
};
use parseye_vision::{eye_monitor::EyeMonitor, frame::Frame, temporal::TemporalUpdate};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Least time between two statuses, and the longest sleep of the vision thread before it looks whether it
/// should stop.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// Options of a live run.
#[derive(Clone, Debug, Default)]
pub struct MonitorOptions {
    /// The run ends by itself after this time.
    pub duration: Option<Duration>,
    /// A source that has delivered nothing for this time is lost and opened again:
    /// [`parseye_capture::STALL_TIMEOUT`] for cameras, `None` for a source that may be silent for any time.
    pub stall_timeout: Option<Duration>,
    /// Name of the eye-state model, for the status.
    pub model: String,
    /// Whom the run watches, in a few words, for the status.
    pub watching: String,
    /// Where frames are offered to the self-check, and its results are found.
    pub self_check: Arc<SelfCheckSlot>,
}

/// The outcome of a live run.
#[derive(Debug)]
pub struct Monitored {
    /// Statistics of the frames that were processed.
    pub statistics: RunAccumulator,
    /// Frames that were never processed.
    pub lost: FrameLoss,
    /// Frame age, from capture to prediction; `None` without a frame.
    pub frame_age_ms: Option<Percentiles>,
    /// Whether the user stopped the run.
    pub outcome: Outcome,
}

/// Processes a source until it ends, the user stops the run, or its time is over.
///
/// All events go to `channels`, except `start`, which is left to the caller; the last is `end`. Ending the
/// channel of events is left to the caller too.
///
/// # Errors
/// When the source failed for good, or a frame cannot be processed. What was published before stands.
pub fn monitor(
    source: WatchedSource,
    eye_monitor: &mut EyeMonitor,
    channels: &LiveChannels,
    options: &MonitorOptions,
    stop: &Stop,
) -> Result<Monitored, PipelineError> {
    let begin = source.begin();
    let name = source.name().to_owned();
    let (latest, mut sink) = LatestFrame::new(begin);
    eye_monitor.reset();
    let stall_timeout = options.stall_timeout;
    let capture = ReaderThread::start("capture", move || {
        raise_priority();
        let WatchedSource { opener, state } = source;
        Capture::new(opener, &SystemClock, &mut sink, stall_timeout, begin).run(state)
    })
    .map_err(PipelineError::Thread)?;
    raise_priority();

    let mut run = VisionLoop {
        present: Present::new(&options.model, &name, &options.watching),
        name,
        channels,
        options,
        latest,
        statistics: RunAccumulator::default(),
        last_status: None,
        hung: false,
    };
    let outcome = run.run(eye_monitor, stop);
    run.latest.ask_to_leave();
    let captured = end_of(capture);
    run.statistics.end(eye_monitor.tracker(), begin.elapsed());
    let failed = captured.err().filter(|_| stop.requested().is_none());
    let (outcome, error) = match (outcome, failed) {
        (Err(error), _) => (Outcome::Failed, Some(error)),
        (Ok(_), Some(error)) => (Outcome::Failed, Some(error.into())),
        (Ok(outcome), None) => (outcome, None),
    };
    let lost = run.latest.lost();
    let frame_age_ms = run.present.ages();
    channels.events.publish(Event::End(EndEvent {
        clip: run.name,
        frames: run.statistics.frames(),
        outcome,
        error: error.as_ref().map(ToString::to_string),
        lost: Some(lost),
        frame_age_ms,
        unix_time: unix_time(),
    }));
    match error {
        Some(error) => Err(error),
        None => Ok(Monitored {
            statistics: run.statistics,
            lost,
            frame_age_ms,
            outcome,
        }),
    }
}

/// Returns what the capture thread ended with; one that hangs in its driver is left behind.
fn end_of(capture: ReaderThread<Result<(), SourceError>>) -> Result<(), SourceError> {
    match capture.join() {
        ReaderEnd::Finished(result) => result,
        ReaderEnd::Hangs => Ok(()),
        ReaderEnd::Panicked => Err(SourceError::Camera {
            camera: "(in use)".into(),
            fault: CameraFault::Failed,
            reason: "the library that reads it crashed".into(),
            remedy: "start again; please report which camera was plugged in".into(),
        }),
    }
}

/// Asks the system to run this thread before others, as far as it permits.
fn raise_priority() {
    use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
    /// Of 0 to 99: on Linux a niceness of -5, enough to go before ordinary programs and not so much
    /// that the desktop suffers.
    const RAISED: u8 = 60;
    // Without privileges the system refuses, and all is as before.
    if let Ok(value) = ThreadPriorityValue::try_from(RAISED) {
        let _ = set_current_thread_priority(ThreadPriority::Crossplatform(value));
    }
}

/// The state of the vision thread.
struct VisionLoop<'a> {
    name: String,
    channels: &'a LiveChannels,
    options: &'a MonitorOptions,
    latest: LatestFrame,
    present: Present,
    statistics: RunAccumulator,
    last_status: Option<Instant>,
    /// Whether the capture thread was reported to hang.
    hung: bool,
}

impl VisionLoop<'_> {
    fn run(&mut self, eye_monitor: &mut EyeMonitor, stop: &Stop) -> Result<Outcome, PipelineError> {
        loop {
            self.update_status(eye_monitor);
            if stop.requested().is_some() {
                return Ok(Outcome::Interrupted);
            }
            let is_over = |duration| self.latest.now() >= duration;
            if self.options.duration.is_some_and(is_over) {
                return Ok(Outcome::Complete);
            }
            let (ended, mut events, frame) = self.latest.take();
            match frame {
                Some(frame) => {
                    let later = events.partition_point(|event| event.time <= frame.time);
                    let later = events.split_off(later);
                    self.report(events, eye_monitor);
                    self.process(&frame, eye_monitor)?;
                    self.report(later, eye_monitor);
                }
                None => {
                    let idle = events.is_empty();
                    self.report(events, eye_monitor);
                    if ended {
                        return Ok(Outcome::Complete);
                    }
                    self.report_hanging(eye_monitor);
                    if idle {
                        std::thread::park_timeout(STATUS_EVERY);
                    }
                }
            }
        }
    }

    fn process(
        &mut self,
        frame: &Frame,
        eye_monitor: &mut EyeMonitor,
    ) -> Result<(), PipelineError> {
        if self.hung {
            self.hung = false;
            let format = self.present.format().to_owned();
            let change = SourceChange::Reopened { format };
            let time = frame.time;
            self.report(vec![CaptureEvent { time, change }], eye_monitor);
        }
        let result = eye_monitor.process(frame)?;
        let now = self.latest.now();
        let age = now.saturating_sub(frame.time);
        self.present.take_frame(&result, now, age);
        self.channels.frame_ages.observe(age);
        let preview = &self.channels.preview;
        if preview.is_requested() {
            preview.set(FrameSnapshot {
                rgb: frame.rgb.clone(),
                reading: result.reading.clone(),
            });
        }
        if let Some(person) = Event::of_person(&self.name, &result, unix_time()) {
            self.statistics.begin_person();
            self.channels.events.publish(person);
        }
        let uncertain = result.update.uncertain;
        self.statistics
            .add_frame(&result.reading, uncertain, &result.times);
        let mut eyes = EyesEvent::new(&self.name, &result.reading, unix_time());
        eyes.age_ms = Some(milliseconds(age));
        eyes.uncertain = result.update.uncertain;
        let checks = &self.options.self_check;
        let trust = checks.trust();
        eyes.left.trust = trust.left;
        eyes.right.trust = trust.right;
        self.channels.events.publish(Event::Eyes(eyes));
        // Afterwards, so that a drift follows the frame that showed it.
        checks.offer(&self.name, &frame.luma, &result.reading);
        self.publish(&result.update);
        Ok(())
    }

    fn publish(&mut self, update: &TemporalUpdate) {
        self.statistics.add_changes(update);
        for event in Event::of_changes(&self.name, update, unix_time()) {
            self.channels.events.publish(event);
        }
    }

    /// Reports changes of the source. While it delivers nothing, the state of the eyes is unknown.
    fn report(&mut self, events: Vec<CaptureEvent>, eye_monitor: &mut EyeMonitor) {
        for event in events {
            self.present.take_change(&event.change);
            let time = event.time;
            let is_lost = matches!(event.change, SourceChange::Lost(_));
            self.channels.events.publish(event.into_event(&self.name));
            if is_lost {
                let update = eye_monitor.interrupt(time);
                self.present.take_alerts(&update.alerts);
                self.publish(&update);
            }
        }
    }

    /// Reports a driver that does not return, since the capture thread cannot.
    fn report_hanging(&mut self, eye_monitor: &mut EyeMonitor) {
        if self.options.stall_timeout.is_none() || self.present.is_down() || !self.latest.is_hung()
        {
            return;
        }
        self.hung = true;
        let reason = Reason {
            fault: CameraFault::Stalled,
            message: format!(
                "camera {}: its driver has not answered for {} seconds; unplug the camera, and start again if that does not help",
                self.name,
                HANG_TIMEOUT.as_secs()
            ),
        };
        let time = self.latest.now();
        let change = SourceChange::Lost(reason);
        self.report(vec![CaptureEvent { time, change }], eye_monitor);
    }

    /// Sets the status when its time has come.
    fn update_status(&mut self, eye_monitor: &EyeMonitor) {
        if self
            .last_status
            .is_some_and(|last| last.elapsed() < STATUS_EVERY)
        {
            return;
        }
        self.last_status = Some(Instant::now());
        let status = self.present.status(
            self.latest.now(),
            &self.statistics,
            eye_monitor,
            self.latest.lost(),
            self.options.self_check.status(),
        );
        self.channels.status.set(status);
    }
}
