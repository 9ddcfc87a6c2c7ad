//! Recordings, frame by frame: nothing is dropped and no clock is read into the log, so two runs
//! write the same bytes.
//!
//! Decoding runs ahead in a thread of its own, by a few frames only, so that memory stays small.

use super::{PipelineError, Stop, VisionChain};
use crate::{
    report::{
        annotate::Annotator,
        event::{EndEvent, Event, EyesEvent, Outcome},
        jsonl::EventLog,
        summary::Tally,
        video::VideoWriter,
    },
    source::{Frame, FrameSource, SourceError},
};
use crossbeam::channel::{Receiver, bounded};
use std::{thread::JoinHandle, time::Instant};

/// Frames decoded ahead: one ready while one is judged hides the decoder's jitter; more would only
/// cost memory (6 MB each at 1920x1080).
const AHEAD: usize = 2;

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
    pub tally: Tally,
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
    chain: &mut VisionChain,
    mut outputs: ReplayOutputs<'_>,
    stop: &Stop,
) -> Result<Replayed, PipelineError> {
    let begin = Instant::now();
    let mut tally = Tally::default();
    let ended = match source {
        Ok(source) => replay_frames(clip, source, chain, &mut outputs, stop, &mut tally)?,
        Err(error) => Some(error),
    };
    tally.end(chain.over_time(), begin.elapsed());
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
    chain: &mut VisionChain,
    outputs: &mut ReplayOutputs<'_>,
    stop: &Stop,
    tally: &mut Tally,
) -> Result<Option<SourceError>, PipelineError> {
    chain.reset();
    let mut annotator = Annotator::default();
    let mut frames = DecodedAhead::start(source)?;
    while stop.requested().is_none() {
        let begin = Instant::now();
        let frame = match frames.next() {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Ok(Some(error)),
            None => break,
        };
        let decode_wait = begin.elapsed();
        let mut judged = chain.judge(&frame)?;
        judged.times.decode_wait = decode_wait;
        tally.add_frame(&judged.reading, &judged.times);
        tally.add_changes(&judged.changes);
        if let Some(log) = &mut outputs.log {
            log.write(&Event::Eyes(EyesEvent::new(clip, &judged.reading, None)))?;
            for event in Event::of_changes(clip, &judged.changes, None) {
                log.write(&event)?;
            }
        }
        if let Some(video) = &mut outputs.video {
            let mut picture = frame.rgb;
            annotator.draw(&mut picture, clip, &judged.reading, &judged.changes.ended);
            video.write(picture, judged.reading.time)?;
        }
    }
    Ok(None)
}

/// A source that is read by a thread of its own. Dropping it ends the thread.
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

    fn next(&mut self) -> Option<Result<Frame, SourceError>> {
        self.frames.as_ref().and_then(|frames| frames.recv().ok())
    }
}

impl Drop for DecodedAhead {
    fn drop(&mut self) {
        // The thread notices the missing receiver at its next frame.
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
