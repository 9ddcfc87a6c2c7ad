//! Made-up events for the tests of this crate.

use crate::event::{EndEvent, Event, Outcome};

/// The end of a source of so many frames.
pub(crate) fn end(frames: u64) -> Event {
    Event::End(EndEvent {
        clip: "script".into(),
        frames,
        outcome: Outcome::Complete,
        error: None,
        lost: None,
        frame_age_ms: None,
        unix_time: None,
    })
}
