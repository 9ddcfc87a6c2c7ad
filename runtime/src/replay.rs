//! Recordings, frame by frame: nothing is dropped and no clock is read into the log, so two runs
//! write the same bytes.
//!
//! Decoding runs ahead in a thread of its own, by a few frames only, so that memory stays small.

use crate::{
    annotate::{Annotator, video::VideoWriter},
    live::{PipelineError, Stop, wait_for},
};
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use parseye_capture::{FrameSource, SourceError};
use parseye_events::{
    event::{EndEvent, Event, EyesEvent, Outcome},
    jsonl::EventLog,
    summary::RunAccumulator,
};
use parseye_vision::{eye_monitor::EyeMonitor, frame::Frame};
use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Frames decoded ahead: one ready while one is judged hides the decoder's jitter; more would only
/// cost memory (6 MB each at 1920x1080).
const AHEAD: usize = 2;

/// How often a wish to stop is looked for while a recording delivers nothing: a pipe that nobody
/// writes to, a disk that does not answer.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Where what is said about a recording goes, apart from the sums.
#[derive(Debug, Default)]
pub struct ReplayOutputs<'a> {
    /// The event log, shared by all recordings.
    pub log: Option<&'a mut EventLog>,
    /// This recording's annotated video.
    pub video: Option<VideoWriter>,
}

/// What came of one recording.
#[derive(Debug)]
pub struct Replayed {
    /// Sums over the frames that were read.
    pub tally: RunAccumulator,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended early, where the recording is at fault.
    pub error: Option<SourceError>,
}

/// Replays one recording through a chain without a past.
///
/// # Errors
/// When a frame cannot be judged or an output cannot be written. A damaged recording is no error
/// here: what was read is in the outputs and the sums, and [`Replayed::error`] says what happened.
pub fn replay(
    clip: &str,
    source: Result<Box<dyn FrameSource>, SourceError>,
    chain: &mut EyeMonitor,
    mut outputs: ReplayOutputs<'_>,
    stop: &Stop,
) -> Result<Replayed, PipelineError> {
    let begin = Instant::now();
    let mut tally = RunAccumulator::default();
    let ended = match source {
        Ok(source) => replay_frames(clip, source, chain, &mut outputs, stop, &mut tally)?,
        Err(error) => Some(error),
    };
    tally.end(chain.tracker(), begin.elapsed());
    // A decoder that is stopped may call the rest damaged; the user's wish is the reason.
    let (outcome, error) = match (stop.requested(), ended) {
        (Some(_), _) => (Outcome::Interrupted, None),
        (None, Some(error)) => (Outcome::Failed, Some(error)),
        (None, None) => (Outcome::Complete, None),
    };
    if let Some(log) = outputs.log {
        log.write(&Event::End(EndEvent {
            clip: clip.into(),
            frames: tally.frames(),
            outcome,
            error: error.as_ref().map(ToString::to_string),
            lost: None,
            frame_age_ms: None,
            unix_time: None,
        }))?;
        log.flush()?;
    }
    if let Some(video) = outputs.video {
        video.finish()?;
    }
    Ok(Replayed {
        tally,
        outcome,
        error,
    })
}

/// Passes all frames through the chain; gives the error that ended the recording early.
fn replay_frames(
    clip: &str,
    source: Box<dyn FrameSource>,
    chain: &mut EyeMonitor,
    outputs: &mut ReplayOutputs<'_>,
    stop: &Stop,
    tally: &mut RunAccumulator,
) -> Result<Option<SourceError>, PipelineError> {
    chain.reset();
    let mut annotator = Annotator::default();
    let frames = DecodedAhead::start(source)?;
    let mut begin = Instant::now();
    while stop.requested().is_none() {
        let frame = match frames.next(POLL_EVERY) {
            Decoded::Frame(frame) => frame,
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
        let mut judged = chain.process(&frame)?;
        judged.times.decode_wait = decode_wait;
        tally.add_frame(&judged.reading, &judged.times);
        tally.add_changes(&judged.update);
        if let Some(log) = &mut outputs.log {
            log.write(&Event::Eyes(EyesEvent::new(clip, &judged.reading, None)))?;
            for event in Event::of_changes(clip, &judged.update, None) {
                log.write(&event)?;
            }
        }
        if let Some(video) = &mut outputs.video {
            let mut picture = frame.rgb;
            annotator.draw(&mut picture, clip, &judged.reading, &judged.update.ended);
            video.write(picture, judged.reading.time)?;
        }
        begin = Instant::now();
    }
    Ok(None)
}

/// What came of waiting for a frame.
enum Decoded {
    Frame(Frame),
    Failed(SourceError),
    Ended,
    Nothing,
}

/// A source that is read by a thread of its own. Dropping it ends the thread; one that hangs in its
/// source is left behind and ends with the program.
struct DecodedAhead {
    frames: Option<Receiver<Result<Frame, SourceError>>>,
    thread: Option<JoinHandle<()>>,
}

impl DecodedAhead {
    fn start(mut source: Box<dyn FrameSource>) -> Result<Self, PipelineError> {
        let (sender, frames) = bounded(AHEAD);
        let read = move || {
            while let Some(item) = source.next_frame().transpose() {
                let last = item.is_err();
                // The receiver is gone when the run was stopped or failed.
                if sender.send(item).is_err() || last {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("decode".into())
            .spawn(read);
        Ok(Self {
            frames: Some(frames),
            thread: Some(thread.map_err(PipelineError::Thread)?),
        })
    }

    fn next(&self, patience: Duration) -> Decoded {
        let Some(frames) = &self.frames else {
            return Decoded::Ended;
        };
        match frames.recv_timeout(patience) {
            Ok(Ok(frame)) => Decoded::Frame(frame),
            Ok(Err(error)) => Decoded::Failed(error),
            Err(RecvTimeoutError::Timeout) => Decoded::Nothing,
            Err(RecvTimeoutError::Disconnected) => Decoded::Ended,
        }
    }
}

impl Drop for DecodedAhead {
    fn drop(&mut self) {
        // The thread notices the missing receiver at its next frame.
        self.frames = None;
        if let Some(thread) = self.thread.take()
            && wait_for(&thread)
        {
            let _ = thread.join();
        }
    }
}
