//! Everything that readers of a live run can get: its events, its newest status and frame, the ages of its
//! frames, and the self-check's place beside them.

use super::{FrameAges, PreviewSlot, SelfCheckSlot};
use parseye_events::{
    event::Event,
    fanout::{self, Subscription, locked},
    status::LiveStatus,
};
use std::sync::{Arc, Mutex};

/// Hands events to readers; cheap to clone, all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Fanout {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    events: fanout::Fanout<Event>,
    status: Mutex<Option<Arc<LiveStatus>>>,
    picture: PreviewSlot,
    self_check: SelfCheckSlot,
    ages: FrameAges,
}

impl Fanout {
    /// Nobody reads yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new reader, who gets every event from now on as long as no more than `capacity` wait.
    pub fn subscribe(&self, capacity: usize) -> Subscription<Event> {
        self.shared.events.subscribe(capacity)
    }

    /// Hands an event to every reader without waiting for any.
    pub fn publish(&self, event: Event) {
        self.shared.events.publish(event);
    }

    /// Where the vision thread and the self-check meet.
    pub fn self_check(&self) -> &SelfCheckSlot {
        &self.shared.self_check
    }

    /// Replaces the present.
    pub fn set_status(&self, status: LiveStatus) {
        *locked(&self.shared.status) = Some(Arc::new(status));
    }

    /// The present; `None` before the first.
    pub fn status(&self) -> Option<Arc<LiveStatus>> {
        locked(&self.shared.status).clone()
    }

    /// The newest picture, for readers that asked for one.
    pub fn picture(&self) -> &PreviewSlot {
        &self.shared.picture
    }

    /// Times from capture to reading of all frames since the start.
    pub fn frame_ages(&self) -> &FrameAges {
        &self.shared.ages
    }

    /// Ends all subscriptions: readers get what waits for them, then the end.
    pub fn end(&self) {
        self.shared.events.end();
        self.shared.self_check.end();
    }

    /// Number of present readers, those that have gone since the last event included.
    pub fn readers(&self) -> usize {
        self.shared.events.readers()
    }
}
