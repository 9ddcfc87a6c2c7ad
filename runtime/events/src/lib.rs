//! What Parseye writes down: the schema of its events, JSON-lines logs, summaries, the status of a live
//! run, and sessions read back from logs.
//!
//! # Layout
//! [`event`] is the schema, [`jsonl`] the log, [`summary`] adds up a run, [`status`] is a live run at one
//! moment, [`session`] sums up logs. [`metrics`] holds what these share, [`fanout`] hands events to any
//! number of readers. Nothing here decides anything about eyes, and what shows events is left to
//! dashboards.

pub mod clock;
pub mod event;
pub mod fanout;
pub mod jsonl;
pub mod metrics;
pub mod session;
pub mod status;
pub mod summary;
#[cfg(test)]
mod test_events;

use std::path::PathBuf;

/// Why a report cannot be written: one line with the path, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The event log.
    #[error(
        "{path}: the event log cannot be written: {reason}; what was written before is whole, free some space or give another path with --log"
    )]
    Log {
        /// The log.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The summary or the evaluation.
    #[error("{path}: cannot be written: {reason}; free some space or give another path")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// Writes a value as indented JSON with a line end.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(
    path: &std::path::Path,
    value: &impl serde::Serialize,
) -> Result<(), ReportError> {
    let failed = |reason: String| ReportError::File {
        path: path.into(),
        reason,
    };
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| failed(error.to_string()))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}
