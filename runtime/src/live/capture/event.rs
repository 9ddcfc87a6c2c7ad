//! What happens to a live source, as the capture thread notices it, and as the event log has it.

use parseye_capture::{CameraFault, SourceError};
use parseye_events::{
    clock::unix_time,
    event::{CameraEvent, CameraEventKind, Event},
    rounding::seconds,
};
use std::time::Duration;

/// A change of a source, with the time since the run began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct CaptureEvent {
    pub(in crate::live) time: Duration,
    pub(in crate::live) change: SourceChange,
}

/// What happened to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) enum SourceChange {
    /// It delivered its first frame.
    Opened { format: String },
    /// It delivers no more. Attempts to open it again begin.
    Lost(Reason),
    /// It could not be opened again, for another reason than was reported before.
    Waiting(Reason),
    /// It delivers again.
    Reopened { format: String },
    /// Damaged frames were left out: how many since the last report, and of what kind.
    Damaged { frames: u64, message: String },
}

/// Why a source delivers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct Reason {
    pub(in crate::live) fault: CameraFault,
    /// What happened, and what to do.
    pub(in crate::live) message: String,
}

impl Reason {
    pub(super) fn new(fault: CameraFault, error: &SourceError) -> Self {
        Self {
            fault,
            message: error.to_string(),
        }
    }
}

impl CaptureEvent {
    /// Converts to an event of the log, with the present wall-clock time.
    pub(in crate::live) fn into_event(self, clip: &str) -> Event {
        let (kind, reason, message, format, frames) = match self.change {
            SourceChange::Opened { format } => {
                (CameraEventKind::Opened, None, None, Some(format), None)
            }
            SourceChange::Reopened { format } => {
                (CameraEventKind::Reopened, None, None, Some(format), None)
            }
            SourceChange::Lost(Reason { fault, message }) => (
                CameraEventKind::Lost,
                Some(fault),
                Some(message),
                None,
                None,
            ),
            SourceChange::Waiting(Reason { fault, message }) => (
                CameraEventKind::Waiting,
                Some(fault),
                Some(message),
                None,
                None,
            ),
            SourceChange::Damaged { frames, message } => {
                let fault = Some(CameraFault::Corrupt);
                (
                    CameraEventKind::Damaged,
                    fault,
                    Some(message),
                    None,
                    Some(frames),
                )
            }
        };
        Event::Camera(CameraEvent {
            clip: clip.into(),
            time: seconds(self.time),
            kind,
            reason,
            message,
            format,
            frames,
            unix_time: unix_time(),
        })
    }
}
