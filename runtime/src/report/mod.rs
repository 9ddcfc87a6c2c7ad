//! What the user gets: the event log, the summary, the annotated video.
//!
//! Nothing here decides anything about eyes; it writes down what the pipeline says.

pub mod alarm;
pub mod annotate;
pub mod event;
pub mod history;
pub mod jsonl;
pub mod messages;
pub mod mqtt;
pub mod prometheus;
#[cfg(target_os = "linux")]
pub mod service;
pub mod status;
pub mod summary;
pub mod terminal;
pub mod video;
pub mod web;

#[cfg(test)]
#[path = "../../../tests/support/script.rs"]
pub(crate) mod script;

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
    /// The annotated video.
    #[error(
        "{path}: the annotated video cannot be written: {reason}; free some space or give another path with --annotate"
    )]
    Video {
        /// The video.
        path: PathBuf,
        /// The words of the system or of ffmpeg.
        reason: String,
    },
    /// ffmpeg, which writes the video, cannot be started.
    #[error(transparent)]
    NoFfmpeg(crate::source::SourceError),
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
