//! Sources that deliver in their own time, and may stop doing so: cameras, and recordings played at
//! their own pace.
//!
//! Here are only the traits. What is done when such a source is silent or lost, and when it is
//! opened again, is decided by [`parseye::live`].

use super::SourceError;
use parseye_vision::frame::Frame;
use std::time::{Duration, Instant};

/// What came of waiting for a frame.
#[derive(Debug)]
pub enum Read {
    /// A frame.
    Frame(Frame),
    /// None that was whole, within the time given.
    Nothing,
    /// The source has come to its regular end.
    Ended,
}

/// Frames that never arrived whole, since a source was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureLoss {
    /// Lost by the driver before they could be read, by its own numbering.
    pub driver: u64,
    /// Marked damaged by the driver, or cut short.
    pub corrupt: u64,
    /// Whole, but not decodable, or of another size than agreed.
    pub decode: u64,
}

impl CaptureLoss {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            driver: self.driver + other.driver,
            corrupt: self.corrupt + other.corrupt,
            decode: self.decode + other.decode,
        }
    }

    /// Those that arrived but could not be used.
    pub const fn damaged(&self) -> u64 {
        self.corrupt + self.decode
    }
}

/// An open source that delivers in its own time.
pub trait LiveSource: Send {
    /// How it delivers, such as `MJPG 640x480 at 30 frames/s`; empty where that is unknown.
    fn format(&self) -> String;

    /// The moment that is 0 in [`Frame::time`].
    fn opened(&self) -> Instant;

    /// Frames lost since it was opened.
    fn lost(&self) -> CaptureLoss;

    /// Waits for the next frame, about `wait` at most.
    ///
    /// # Errors
    /// When the source broke off. It is then of no use any more and should be dropped.
    fn read(&mut self, wait: Duration) -> Result<Read, SourceError>;
}

/// Opens one source, and opens it again after it broke off.
pub trait LiveOpener: Send {
    /// What events call the source.
    fn name(&self) -> &str;

    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened now. [`SourceError::fault`] tells whether a later attempt makes
    /// sense.
    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError>;
}
