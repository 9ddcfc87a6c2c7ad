//! What frames come to, minute by minute, for logs in which not each has a line: made by the code that
//! otherwise reads those lines, so that a short log gives the same statistics as a whole one.

use super::accumulator::{FrameAccumulator, OpenSource};
use crate::{
    event::{EyesEvent, FramesEvent, Mode},
    rounding::millionths,
};
use parseye_vision::temporal::TemporalSettings;
use std::time::Duration;

/// Seconds of frames that are told together: as much is lost of them when the program is killed.
const TOGETHER_S: f64 = 60.0;

/// Follows the frames of a run.
#[derive(Debug)]
pub(crate) struct FrameDigest {
    settings: TemporalSettings,
    is_replay: bool,
    source: Option<OpenSource>,
    /// Those that were not told yet.
    frames: FrameAccumulator,
    /// Time until which they were told.
    from: f64,
    /// Known and closed time that was told.
    told: (Duration, Duration),
}

impl FrameDigest {
    /// Starts without a frame; PERCLOS is followed with these settings.
    pub(crate) fn new(settings: &TemporalSettings) -> Self {
        Self {
            settings: settings.clone(),
            is_replay: false,
            source: None,
            frames: FrameAccumulator::new(),
            from: 0.0,
            told: (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Takes the beginning of a run.
    pub(crate) fn begin(&mut self, mode: Mode) {
        self.is_replay = mode == Mode::Replay;
    }

    /// Takes a frame; returns what is to be told before its line: of its source, the last one, or both.
    pub(crate) fn take(&mut self, eyes: &EyesEvent) -> Vec<FramesEvent> {
        let mut told = Vec::new();
        let continues = |source: &OpenSource| source.continues_with(eyes);
        if !self.source.as_ref().is_some_and(continues) {
            told.extend(self.end());
            self.from = eyes.time;
            self.source = Some(OpenSource::new(eyes, 0.0, &self.settings));
        }
        let Some(source) = &mut self.source else {
            return told;
        };
        if !self.is_replay {
            self.frames.add_skipped(source.skipped_before(eyes));
        }
        let is_first = source.frames() == 0;
        if let Some(interval) = source.add(eyes) {
            self.frames.hold(&interval);
        }
        self.frames.add(eyes, source.perclos());
        if is_first || eyes.time - self.from >= TOGETHER_S {
            told.extend(self.tell(eyes.time, eyes.unix_time));
        }
        told
    }

    /// Ends the source, where there is one; returns what was not told of it.
    pub(crate) fn end(&mut self) -> Option<FramesEvent> {
        let mut to = self.from;
        if let Some(last) = self.source.as_mut().and_then(OpenSource::show_last_frame) {
            self.frames.hold(&last);
            to = self.source.as_ref().map_or(to, OpenSource::end);
        }
        let event = self.tell(to, None);
        self.source = None;
        self.told = (Duration::ZERO, Duration::ZERO);
        event
    }

    /// What was not told until a time.
    fn tell(&mut self, to: f64, unix_time: Option<f64>) -> Option<FramesEvent> {
        let source = self.source.as_ref()?;
        let (known, closed) = source.known_and_closed();
        // A closure that turns out to have ended before its last frame takes back a little; the next
        // event makes up for it.
        let (known, closed) = (known.max(self.told.0), closed.max(self.told.1));
        self.frames
            .add_known(known - self.told.0, closed - self.told.1);
        self.told = (known, closed);
        let frames = std::mem::replace(&mut self.frames, FrameAccumulator::new());
        let from = std::mem::replace(&mut self.from, to);
        Some(frames.event(source.clip(), millionths(from)..millionths(to), unix_time))
    }
}
