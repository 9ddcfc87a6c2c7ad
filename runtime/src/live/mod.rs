//! The threads and queues of a run.
//!
//! [`monitor`] always works on the newest frame of a live source. What it says goes to any number of
//! readers through a [`Fanout`].

mod capture;
mod fanout;
mod frame_ages;
pub mod monitor;
mod present;
pub mod preview;
pub mod self_check;
pub mod stop;

pub use fanout::Fanout;
pub use frame_ages::FrameAges;
pub use preview::{FrameSnapshot, PreviewSlot};
pub use self_check::{SelfCheckSlot, SelfCheckThread};
pub use stop::Stop;

use crate::annotate::video::VideoError;
use parseye_events::ReportError;
use parseye_vision::eye_monitor::VisionError;
use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long the end of a run waits for its source to be closed.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Waits for a thread that reads a source; `false` for one that hangs in it and is to be left behind.
pub(crate) fn wait_for<T>(reader: &JoinHandle<T>) -> bool {
    const POLL_EVERY: Duration = Duration::from_millis(1);
    let begin = Instant::now();
    while !reader.is_finished() {
        if begin.elapsed() >= CLOSE_WITHIN {
            return false;
        }
        std::thread::sleep(POLL_EVERY);
    }
    true
}

/// Why a run ends before its sources do.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A frame could not be judged.
    #[error(transparent)]
    Vision(#[from] VisionError),
    /// What was said could not be written down.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The annotated video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The camera cannot be used or broke off.
    #[error(transparent)]
    Source(#[from] parseye_capture::SourceError),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}; close other programs and try again")]
    Thread(std::io::Error),
}
