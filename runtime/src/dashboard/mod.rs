//! What shows a live run: the terminal, the web page, metrics for Prometheus.
//!
//! Each is a reader of the run's [channels](crate::channels) and decides nothing.

pub mod history;
pub mod messages;
pub mod prometheus;
pub mod terminal;
pub mod web;
