//! A recording that is read only up to a given time.

use super::{FrameSource, Notice, SourceError};
use parseye_vision::frame::Frame;
use std::time::Duration;

/// The beginning of a recording: its frames before a given time.
pub struct ShortenedRecording {
    recording: Box<dyn FrameSource>,
    length: Duration,
}

impl ShortenedRecording {
    /// Limits a recording to its frames before `length`.
    pub fn new(recording: Box<dyn FrameSource>, length: Duration) -> Self {
        Self { recording, length }
    }
}

impl FrameSource for ShortenedRecording {
    fn name(&self) -> &str {
        self.recording.name()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let next = self.recording.next_frame()?;
        Ok(next.filter(|frame| frame.time < self.length))
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.recording.notices()
    }
}
