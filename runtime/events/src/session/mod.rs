//! What an event log says about a session: sums for people and programs, and the course of it as a
//! picture. `parseye summarize`.
//!
//! Logs of any length are read once, line by line, in bounded memory. Blinks, closures and alerts
//! are those that the log holds; PERCLOS over time, which it does not, is followed anew by
//! [`parseye_vision::temporal`].
//!
//! # Layout
//! [`log_file`] reads lines, whole and damaged ones, and puts the parts of a log in order;
//! [`tally`] adds them up; [`timeline`] keeps the course in a fixed number of columns; [`figures`]
//! are the sums as they are written, [`text`] as people read them; [`course`] draws.

pub mod accumulator;
pub mod log_file;
mod record;
pub mod statistics;
pub mod text;
pub mod timeline;
#[cfg(feature = "plots")]
pub mod timeline_plot;

use accumulator::{Refusal, SessionAccumulator};
use log_file::{LogFile, ReadLine};
use parseye_vision::temporal::TemporalSettings;
use statistics::{Damage, LogStatistics, SessionStatistics};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use timeline::Timeline;

/// Why logs cannot be summed up: one line with the path, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A log cannot be read.
    #[error("{path}: cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// The log.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A log of a later program.
    #[error(
        "{path}: line {line}: the log has layout {schema} of parseye {version}, this program knows up to {known}; use that version or a newer one"
    )]
    TooNew {
        /// The log.
        path: PathBuf,
        /// Its line.
        line: u64,
        /// Its layout.
        schema: u64,
        /// What wrote it.
        version: String,
        /// The newest layout known here.
        known: u32,
    },
    /// Not one line is an event.
    #[error("{path}: no event log: {reason}; give a file that `parseye --log` wrote")]
    NoLog {
        /// The file.
        path: PathBuf,
        /// What was there instead.
        reason: String,
    },
    /// A log was given twice.
    #[error("{path}: given twice; name each log once")]
    Twice {
        /// The log.
        path: PathBuf,
    },
}

/// A session: its sums and its course.
#[derive(Debug)]
pub struct Session {
    /// The sums.
    pub figures: SessionStatistics,
    /// The course.
    pub timeline: Timeline,
}

/// Lines of a file that are named when they are damaged; further ones are counted.
const NAMED_DAMAGES: usize = 20;

/// Reads logs.
///
/// # Errors
/// When one cannot be read, is none, is given twice, or was written by a later program. Damaged
/// lines are no error; they are named in the figures.
pub fn read(logs: &[PathBuf], settings: &TemporalSettings) -> Result<Session, SessionError> {
    let mut tally = SessionAccumulator::new(settings);
    let mut files = Vec::new();
    for path in log_file::in_order(logs)? {
        files.push(read_log(LogFile::open(&path)?, &path, &mut tally)?);
    }
    let (figures, timeline) = tally.end(files);
    Ok(Session { figures, timeline })
}

/// Reads one log that is already open; `path` is named in errors.
///
/// # Errors
/// As [`read`].
pub fn read_open(
    log: impl Read,
    path: &Path,
    settings: &TemporalSettings,
) -> Result<Session, SessionError> {
    let mut tally = SessionAccumulator::new(settings);
    let files = vec![read_log(LogFile::new(log, path), path, &mut tally)?];
    let (figures, timeline) = tally.end(files);
    Ok(Session { figures, timeline })
}

fn read_log(
    mut log: LogFile<impl Read>,
    path: &Path,
    tally: &mut SessionAccumulator,
) -> Result<LogStatistics, SessionError> {
    let mut figures = LogStatistics {
        path: path.to_path_buf(),
        ..LogStatistics::default()
    };
    while let Some(line) = log.next_line()? {
        figures.lines += 1;
        let refused = match line {
            ReadLine::Event(event) => tally.take(event),
            ReadLine::Damaged(reason) => Err(Refusal::Damaged(reason)),
        };
        match refused {
            Ok(()) => {}
            Err(Refusal::TooNew { schema, version }) => {
                return Err(SessionError::TooNew {
                    path: path.into(),
                    line: figures.lines,
                    schema,
                    version,
                    known: crate::event::SCHEMA,
                });
            }
            Err(Refusal::Damaged(reason)) => {
                figures.damaged += 1;
                if figures.damages.len() < NAMED_DAMAGES {
                    let line = figures.lines;
                    figures.damages.push(Damage { line, reason });
                }
            }
        }
    }
    if figures.lines == figures.damaged {
        let reason = match figures.damages.first() {
            None => "it is empty".to_owned(),
            Some(damage) => format!("line {}: {}", damage.line, damage.reason),
        };
        return Err(SessionError::NoLog {
            path: path.into(),
            reason,
        });
    }
    Ok(figures)
}

#[cfg(test)]
mod tests;
