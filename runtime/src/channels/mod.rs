//! What the readers of a live run get of it, one typed channel for each: events, the newest status, the
//! newest frame, frame ages. Each reader is handed only those that it needs.
//!
//! Nobody who reads can make the writer wait. Who writes and who reads is left to the caller.

mod frame_ages;
mod preview;
mod stop;

pub use frame_ages::FrameAges;
pub use preview::{FrameSnapshot, PreviewSlot};
pub use stop::Stop;

use parseye_events::{
    event::Event,
    fanout::{Fanout, locked},
    status::LiveStatus,
};
use std::sync::{Arc, Mutex};

/// The channels of a live run; clones share them.
#[derive(Clone, Debug, Default)]
pub struct LiveChannels {
    /// Events in their order. Each reader has a queue of its own.
    pub events: Fanout<Event>,
    /// The newest status.
    pub status: LatestStatus,
    /// The newest frame, for readers that ask for one.
    pub preview: PreviewSlot,
    /// Times from capture to prediction of all frames since the start.
    pub frame_ages: FrameAges,
}

impl LiveChannels {
    /// Creates channels without readers.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The newest status of a live run; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LatestStatus(Arc<Mutex<Option<Arc<LiveStatus>>>>);

impl LatestStatus {
    /// Replaces the status.
    pub fn set(&self, status: LiveStatus) {
        *locked(&self.0) = Some(Arc::new(status));
    }

    /// Returns the newest status; `None` before the first.
    pub fn get(&self) -> Option<Arc<LiveStatus>> {
        locked(&self.0).clone()
    }
}
