//! Live runs: the threads that read a source and process its newest frame, and all that shows, writes and
//! reports what they publish.
//!
//! `monitor` processes a live source and publishes to [`LiveChannels`]; [`LiveRun`] is a whole run with
//! its log, self-check, dashboards and notifiers.

mod capture;
mod dashboards;
mod latest_frame;
mod monitor;
mod present;
mod reader_thread;
mod remarks;
mod run;
mod self_check;
mod status_line;

pub use crate::channels::{
    FrameAges, FrameSnapshot, LatestStatus, LiveChannels, PreviewSlot, Stop,
};
pub use capture::WatchedSource;
pub use monitor::{MonitorOptions, Monitored, monitor};
pub use run::{LiveOptions, LiveRun, LiveRunError, LiveRunReport};
pub use self_check::{SelfCheckError, SelfCheckSlot, SelfCheckThread};

pub(crate) use reader_thread::ReaderThread;

use crate::annotate::video::VideoError;
use parseye_events::ReportError;
use parseye_vision::eye_monitor::VisionError;

/// Why a run ends before its sources do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A frame cannot be processed.
    #[error(transparent)]
    Vision(#[from] VisionError),
    /// The log cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The annotated video cannot be written.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The source cannot be used, or failed.
    #[error(transparent)]
    Source(#[from] parseye_capture::SourceError),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}; close other programs and try again")]
    Thread(std::io::Error),
}
