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
    /// Damaged frames were left out: how many since the last report, the first of their numbers, and of what
    /// kind.
    Damaged {
        frames: u64,
        numbers: Vec<u64>,
        message: String,
    },
    /// For a time there are no frames, though it delivers.
    Gap { length: Duration, message: String },
    /// A remark about it.
    Note { message: String },
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
        let of = |kind| CameraEvent {
            unix_time: unix_time(),
            ..CameraEvent::new(clip, seconds(self.time), kind)
        };
        let because = |kind, Reason { fault, message }| CameraEvent {
            reason: Some(fault),
            message: Some(message),
            ..of(kind)
        };
        Event::Camera(match self.change {
            SourceChange::Opened { format } => CameraEvent {
                format: Some(format),
                ..of(CameraEventKind::Opened)
            },
            SourceChange::Reopened { format } => CameraEvent {
                format: Some(format),
                ..of(CameraEventKind::Reopened)
            },
            SourceChange::Lost(reason) => because(CameraEventKind::Lost, reason),
            SourceChange::Waiting(reason) => because(CameraEventKind::Waiting, reason),
            SourceChange::Damaged {
                frames,
                numbers,
                message,
            } => {
                let fault = CameraFault::Corrupt;
                CameraEvent {
                    frames: Some(frames),
                    numbers,
                    ..because(CameraEventKind::Damaged, Reason { fault, message })
                }
            }
            SourceChange::Gap { length, message } => CameraEvent {
                message: Some(message),
                length: Some(seconds(length)),
                ..of(CameraEventKind::Gap)
            },
            SourceChange::Note { message } => CameraEvent {
                message: Some(message),
                ..of(CameraEventKind::Note)
            },
        })
    }
}
