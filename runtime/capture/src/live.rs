//! Sources that deliver in their own time, and may stop doing so: cameras, and recordings played at
//! their own pace.
//!
//! Only the traits are here. What to do when such a source is silent or lost, and when to open it
//! again, is left to the caller.

use super::{Notice, SourceError, camera::pixels::Damage};
use parseye_vision::frame::Frame;
use std::time::{Duration, Instant};

/// How long a camera may deliver no whole frame before it counts as stalled. In the dark a camera may
/// slow down to 5 frames per second, and it needs up to a second to start.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The outcome of waiting for a frame.
#[derive(Debug)]
pub enum Read {
    /// A frame.
    Frame(Frame),
    /// No whole frame within the time given.
    Nothing,
    /// The regular end of the source.
    Ended,
}

/// Number of frames that never arrived whole, since a source was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureLoss {
    /// Lost by the driver before they could be read, by the driver's own numbering.
    pub driver: u64,
    /// Marked corrupt by the driver, or truncated.
    pub corrupt: u64,
    /// Whole, but not decodable, or of another size than was negotiated.
    pub decode: u64,
}

impl CaptureLoss {
    /// Returns the sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            driver: self.driver + other.driver,
            corrupt: self.corrupt + other.corrupt,
            decode: self.decode + other.decode,
        }
    }

    /// Counts a damaged frame.
    pub(crate) fn count(&mut self, damage: Damage) {
        match damage {
            Damage::Truncated => self.corrupt += 1,
            Damage::Undecodable => self.decode += 1,
        }
    }

    /// Returns the number of frames that arrived but could not be used.
    pub const fn damaged(&self) -> u64 {
        self.corrupt + self.decode
    }
}

/// An open source that delivers frames in its own time.
pub trait LiveSource: Send {
    /// Describes the format, such as `MJPG 640x480 at 30 frames/s`; empty where it is unknown.
    fn format(&self) -> String;

    /// Returns the moment that is 0 in [`Frame::time`].
    fn opened(&self) -> Instant;

    /// Returns the frames lost since the source was opened.
    fn lost(&self) -> CaptureLoss;

    /// Returns how long it may take until the first frame. A network camera may begin with one that needs
    /// the ones before it.
    fn startup(&self) -> Duration {
        STALL_TIMEOUT
    }

    /// Returns what is to be reported beside the frames, since the last call. The numbers of damaged frames
    /// may be fewer than [`Self::lost`] counts.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Waits for the next frame, for about `wait` at most.
    ///
    /// # Errors
    /// When the source failed. It delivers nothing more and should be dropped.
    fn read(&mut self, wait: Duration) -> Result<Read, SourceError>;
}

/// Opens one source, and opens it again after it failed.
pub trait LiveOpener: Send {
    /// Returns the name of the source, as events carry it.
    fn name(&self) -> &str;

    /// Returns how long the source may be silent before it counts as stalled; `None` where it may for any
    /// time.
    fn stall_timeout(&self) -> Option<Duration> {
        Some(STALL_TIMEOUT)
    }

    /// Opens the source.
    ///
    /// # Errors
    /// When it cannot be opened now. [`SourceError::fault`] tells whether a later attempt may succeed.
    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError>;
}
