//! The terminal dashboard: a reader of the run's [channels](crate::channels) that draws ten times a second
//! and leaves the terminal as it found it however the program ends.
//!
//! `view` is what is drawn, a pure function; `theme` what the terminal can show; `screen` the thread, the
//! keys and the terminal's modes. All but the settings come with the feature `terminal`.

#[cfg(not(feature = "terminal"))]
mod not_built;
#[cfg(feature = "terminal")]
mod screen;
mod settings;
#[cfg(feature = "terminal")]
mod theme;
#[cfg(feature = "terminal")]
mod view;

#[cfg(not(feature = "terminal"))]
pub use not_built::{TerminalDashboard, is_possible, start};
#[cfg(feature = "terminal")]
pub use screen::{TerminalDashboard, is_possible, start};
pub use settings::TerminalSettings;

use super::messages::Messages;
use std::sync::{Arc, atomic::AtomicBool};

/// What the dashboard needs to know about the program around it.
#[derive(Clone, Debug)]
pub struct TerminalOptions {
    /// Where the web dashboard is, if it is served.
    pub web: Option<String>,
    /// Set when the terminal was closed (SIGHUP).
    pub hung_up: Arc<AtomicBool>,
    /// Messages of the program; held back while its terminal is filled.
    pub messages: Messages,
    /// Whether nobody else shows or writes anything: then the program ends with its terminal.
    pub alone: bool,
}
