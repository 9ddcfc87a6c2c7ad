//! The terminal dashboard of a program that was built without it: a status line takes its place.

use super::TerminalOptions;
use crate::channels::{LatestStatus, Stop};
use parseye_events::{event::Event, fanout::Fanout};
use std::io;

/// A dashboard that does not exist.
pub use std::convert::Infallible as TerminalDashboard;

/// Returns false: there is no dashboard to show.
pub fn is_possible() -> bool {
    false
}

/// Refuses, since this program was built without the terminal dashboard.
///
/// # Errors
/// Always.
pub fn start(
    _: &Fanout<Event>,
    _: &LatestStatus,
    _: &Stop,
    _: TerminalOptions,
) -> io::Result<TerminalDashboard> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this parseye was built without it, build it with `--features terminal`",
    ))
}
