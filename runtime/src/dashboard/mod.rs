//! Dashboards of a live run: the terminal, the web page, metrics for Prometheus.
//!
//! Each is a reader of the run's [channels](crate::channels) and decides nothing. The features `terminal`
//! and `web` build them in; their settings are known to every build.

#[cfg(any(feature = "terminal", feature = "web"))]
mod history;
pub mod messages;
#[cfg(feature = "web")]
mod prometheus;
pub mod terminal;
pub mod web;
