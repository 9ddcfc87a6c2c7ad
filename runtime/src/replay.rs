//! Replays recordings frame by frame: no frame is dropped and no clock is read into the log, so that two
//! runs write the same bytes.
//!
//! Decoding runs ahead in a thread of its own, by a few frames only, so that memory stays small.

use crate::{
    annotate::{Annotator, video::VideoWriter},
    channels::Stop,
    live::{PipelineError, ReaderThread},
};
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use parseye_capture::{DamagedFrames, FrameSource, Notice, SourceError};
use parseye_events::{
    event::{CameraEvent, EndEvent, Event, EyesEvent, Outcome},
    jsonl::EventLog,
    metrics::FrameLoss,
    rounding::seconds,
    summary::RunAccumulator,
};
use parseye_vision::{eye_monitor::EyeMonitor, frame::Frame, reading::FrameReading};
use std::time::{Duration, Instant};

/// Frames decoded ahead: one ready while one is processed hides the decoder's jitter; more would only
/// cost memory (6 MB each at 1920x1080).
const AHEAD: usize = 2;

/// Time between two looks for a request to stop while a recording delivers nothing: a pipe that nobody
/// writes to, a disk that does not answer.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Where the events and frames of a recording are written.
#[derive(Debug, Default)]
pub struct ReplayOutputs<'a> {
    /// The event log, shared by all recordings.
    pub log: Option<&'a mut EventLog>,
    /// This recording's annotated video.
    pub video: Option<VideoWriter>,
}

/// The outcome of replaying one recording.
#[derive(Debug)]
pub struct Replayed {
    /// Statistics of the frames that were read.
    pub statistics: RunAccumulator,
    /// The reading of its only frame, where it has just one.
    pub still: Option<FrameReading>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended early, where the recording is damaged or cannot be read.
    pub error: Option<SourceError>,
    /// Frames that were decoded with errors, and left out.
    pub damaged: DamagedFrames,
    /// Remarks about the recording, each a sentence.
    pub notes: Vec<String>,
}

/// What a recording reported beside its frames.
#[derive(Debug, Default)]
struct Reported {
    damaged: DamagedFrames,
    notes: Vec<String>,
}

/// Replays one recording; `eye_monitor` is reset first.
///
/// # Errors
/// When a frame cannot be processed or an output cannot be written. A damaged recording is no error
/// here: what was read is in the outputs and the statistics, and [`Replayed::error`] says what happened.
pub fn replay(
    clip: &str,
    source: Result<Box<dyn FrameSource>, SourceError>,
    eye_monitor: &mut EyeMonitor,
    mut outputs: ReplayOutputs<'_>,
    stop: &Stop,
) -> Result<Replayed, PipelineError> {
    let begin = Instant::now();
    let mut readings = Readings::default();
    let mut reported = Reported::default();
    let ended = match source {
        Ok(source) => replay_frames(
            clip,
            source,
            eye_monitor,
            &mut outputs,
            stop,
            (&mut readings, &mut reported),
        )?,
        Err(error) => Some(error),
    };
    let Readings {
        mut statistics,
        still,
    } = readings;
    statistics.end(eye_monitor.tracker(), begin.elapsed());
    // A decoder that is stopped may report the rest as damaged; the reason is the user's request.
    let (outcome, error) = match (stop.requested(), ended) {
        (Some(_), _) => (Outcome::Interrupted, None),
        (None, Some(error)) => (Outcome::Failed, Some(error)),
        (None, None) => (Outcome::Complete, None),
    };
    if let Some(log) = outputs.log {
        log.write(&Event::End(EndEvent {
            clip: clip.into(),
            frames: statistics.frames(),
            outcome,
            error: error.as_ref().map(ToString::to_string),
            lost: (reported.damaged.count() > 0).then(|| FrameLoss {
                decode: reported.damaged.count(),
                ..FrameLoss::default()
            }),
            frame_age_ms: None,
            unix_time: None,
        }))?;
        log.flush()?;
    }
    if let Some(video) = outputs.video {
        video.finish()?;
    }
    Ok(Replayed {
        statistics,
        still,
        outcome,
        error,
        damaged: reported.damaged,
        notes: reported.notes,
    })
}

/// What was read of a recording.
#[derive(Default)]
struct Readings {
    statistics: RunAccumulator,
    /// The reading of its first frame, until there is a second one.
    still: Option<FrameReading>,
}

/// Processes all frames; returns the error that ended the recording early.
fn replay_frames(
    clip: &str,
    source: Box<dyn FrameSource>,
    eye_monitor: &mut EyeMonitor,
    outputs: &mut ReplayOutputs<'_>,
    stop: &Stop,
    (readings, reported): (&mut Readings, &mut Reported),
) -> Result<Option<SourceError>, PipelineError> {
    eye_monitor.reset();
    let mut annotator = Annotator::default();
    let frames = DecodedAhead::start(source)?;
    let mut begin = Instant::now();
    while stop.requested().is_none() {
        let frame = match frames.next(POLL_EVERY) {
            Decoded::Frame(frame) => frame,
            Decoded::Notice(notice) => {
                take_notice(clip, notice, reported, outputs.log.as_deref_mut())?;
                continue;
            }
            Decoded::Failed(error) => return Ok(Some(error)),
            Decoded::Ended => break,
            Decoded::Nothing => {
                if let Some(log) = &mut outputs.log {
                    log.flush_if_due()?;
                }
                continue;
            }
        };
        let decode_wait = begin.elapsed();
        let mut result = eye_monitor.process(&frame)?;
        result.times.decode_wait = decode_wait;
        if result.change.is_some() {
            readings.statistics.begin_person();
        }
        readings
            .statistics
            .add_frame(&result.reading, result.update.uncertain, &result.times);
        readings.statistics.add_changes(&result.update);
        if let Some(log) = &mut outputs.log {
            if let Some(person) = Event::of_person(clip, &result, None) {
                log.write(&person)?;
            }
            let mut eyes = EyesEvent::new(clip, &result.reading, None);
            eyes.uncertain = result.update.uncertain;
            log.write(&Event::Eyes(eyes))?;
            for event in Event::of_changes(clip, &result.update, None) {
                log.write(&event)?;
            }
        }
        if let Some(video) = &mut outputs.video {
            let mut image = frame.rgb;
            annotator.draw(&mut image, clip, &result.reading, &result.update.ended);
            video.write(image, result.reading.time)?;
        }
        readings.still = (readings.statistics.frames() == 1).then_some(result.reading);
        begin = Instant::now();
    }
    Ok(None)
}

/// Takes what a recording reports beside its frames; a damaged frame has its line in the log as others have.
fn take_notice(
    clip: &str,
    notice: Notice,
    reported: &mut Reported,
    log: Option<&mut EventLog>,
) -> Result<(), PipelineError> {
    match notice {
        Notice::Damaged { frame, time } => {
            reported.damaged.add(frame);
            if let Some(log) = log {
                let event = CameraEvent::damaged_frame(clip, seconds(time), frame);
                log.write(&Event::Camera(event))?;
            }
        }
        Notice::Note(message) | Notice::Gap { message, .. } => reported.notes.push(message),
        _ => {}
    }
    Ok(())
}

/// What the thread that decodes hands over.
enum Item {
    Frame(Frame),
    Notice(Notice),
    Failed(SourceError),
}

/// The outcome of waiting for a frame.
enum Decoded {
    Frame(Frame),
    Notice(Notice),
    Failed(SourceError),
    Ended,
    Nothing,
}

/// A source that is read by a thread of its own. Dropping it ends the thread; one that hangs in its
/// source is left behind and ends with the program.
struct DecodedAhead {
    frames: Option<Receiver<Item>>,
    thread: Option<ReaderThread<()>>,
}

impl DecodedAhead {
    fn start(mut source: Box<dyn FrameSource>) -> Result<Self, PipelineError> {
        let (sender, frames) = bounded(AHEAD);
        let read = move || {
            loop {
                let next = source.next_frame();
                let notices = source.notices().into_iter().map(Item::Notice);
                let last = !matches!(next, Ok(Some(_)));
                let frame = match next {
                    Ok(frame) => frame.map(Item::Frame),
                    Err(error) => Some(Item::Failed(error)),
                };
                for item in notices.chain(frame) {
                    // The receiver is gone when the run was stopped or failed.
                    if sender.send(item).is_err() {
                        return;
                    }
                }
                if last {
                    return;
                }
            }
        };
        let thread = ReaderThread::start("decode", read).map_err(PipelineError::Thread)?;
        Ok(Self {
            frames: Some(frames),
            thread: Some(thread),
        })
    }

    fn next(&self, wait: Duration) -> Decoded {
        let Some(frames) = &self.frames else {
            return Decoded::Ended;
        };
        match frames.recv_timeout(wait) {
            Ok(Item::Frame(frame)) => Decoded::Frame(frame),
            Ok(Item::Notice(notice)) => Decoded::Notice(notice),
            Ok(Item::Failed(error)) => Decoded::Failed(error),
            Err(RecvTimeoutError::Timeout) => Decoded::Nothing,
            Err(RecvTimeoutError::Disconnected) => Decoded::Ended,
        }
    }
}

impl Drop for DecodedAhead {
    fn drop(&mut self) {
        // The thread notices the missing receiver at its next frame.
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            // How it ended makes no difference any more.
            let _ = thread.join();
        }
    }
}
