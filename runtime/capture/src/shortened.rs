//! A recording of which only the beginning is read.

use super::{FrameSource, SourceError};
use parseye_vision::frame::Frame;
use std::time::Duration;

/// Ends where the recording does, or before its first frame that is due at `length` or later.
pub struct ShortenedRecording {
    recording: Box<dyn FrameSource>,
    length: Duration,
}

impl ShortenedRecording {
    /// The first `length` of a recording.
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
}
