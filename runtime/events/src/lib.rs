//! What Parseye writes down: the schema of its events, JSON-lines logs, summaries, the status of a live
//! run, and sessions read back from logs.
//!
//! # Layout
//! [`event`] is the schema, [`jsonl`] the log, [`summary`] adds up a run, [`status`] is a live run at one
//! moment, [`session`] summarises logs. [`metrics`] and [`per_laterality`] hold what these share,
//! [`rounding`] the numbers as reports show them, [`fanout`] hands events to any number of readers. Nothing
//! here decides anything about eyes, and what shows events is left to dashboards.

pub mod clock;
pub mod event;
pub mod fanout;
pub mod jsonl;
pub mod metrics;
pub mod per_laterality;
pub mod rounding;
pub mod session;
pub mod status;
pub mod summary;
#[cfg(test)]
mod test_events;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why a report cannot be written: one line with the path, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The event log.
    #[error(
        "{path}: the event log cannot be written: {reason}; what was written before is whole, free some space or give another path with --log"
    )]
    Log {
        /// The log.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The event log is another program's.
    #[error(
        "{path}: the event log is being written by another parseye; stop that one, or give another path with --log"
    )]
    LogInUse {
        /// The log.
        path: PathBuf,
    },
    /// Any other file.
    #[error("{path}: cannot be written: {reason}; free some space or give another path")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

/// Writes a value as indented JSON with a line end; [`STANDARD`](jsonl::STANDARD) is standard output.
///
/// # Errors
/// When the file cannot be written. A reader of standard output that has gone is none.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), ReportError> {
    let failed = |reason: io::Error| ReportError::File {
        path: path.into(),
        reason,
    };
    let mut text = serde_json::to_string_pretty(value).map_err(|error| failed(error.into()))?;
    text.push('\n');
    if path.as_os_str() == jsonl::STANDARD {
        return write_standard(text.as_bytes()).map_err(failed);
    }
    std::fs::write(path, text).map_err(failed)
}

/// Writes bytes to standard output. A reader that has closed its end, as in `| head -1`, is no error.
///
/// # Errors
/// When they cannot be written for another reason.
pub fn write_standard(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
