//! What event logs say about a session: statistics for people and programs, and the session over time as
//! a plot. `parseye summarize`.
//!
//! Logs of any length are read once, line by line, in bounded memory. Blinks, closures and alerts
//! are those that the log holds; PERCLOS over time, which it does not, is followed anew by
//! [`parseye_vision::temporal`].
//!
//! # Layout
//! [`log_order`] puts the parts of a log in order, [`log_reader`] reads lines, whole and damaged ones, out of
//! what [`compressed`] decompresses, `line` makes events of them; [`accumulator`] adds them up. [`digest`] adds frames up for logs that do
//! not have them. [`statistics`] is what is written,
//! [`text`] what people read; [`timeline`] keeps the session over time in a fixed number of columns, which
//! `timeline_plot` draws (feature `plots`).

mod accumulator;
mod compressed;
mod condition;
mod digest;
mod line;
mod listed;
mod log_order;
mod log_reader;
mod note;
mod quantiles;
mod record;
mod statistics;
mod text;
// Without plots no code reads the columns.
#[cfg_attr(not(feature = "plots"), allow(dead_code))]
mod timeline;
#[cfg(feature = "plots")]
mod timeline_plot;

pub(crate) use digest::FrameDigest;
pub use line::LineDefect;
pub use listed::{Listed, MOST_LISTED};
pub use note::SessionNote;
pub use quantiles::Quantiles;
pub use statistics::{
    AlertStatistics, AtTime, BlinkStatistics, DamagedLine, LogStatistics, RunStatistics,
    SessionStatistics, SourceStatistics,
};
pub use timeline::{MOST_COLUMNS, Timeline};

use accumulator::{Refusal, SessionAccumulator};
use log_reader::LogReader;
use parseye_vision::temporal::TemporalSettings;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why logs cannot be summarised: one line with the path, the reason and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A log cannot be read.
    #[error("{path}: cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// The log.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// A log was written by a later program.
    #[error(
        "{path}: line {line}: the log has layout {schema} of parseye {version}, this program knows up to {known}; use that version or a newer one"
    )]
    TooNew {
        /// The log.
        path: PathBuf,
        /// Its line.
        line: u64,
        /// Its layout.
        schema: u32,
        /// Version of the program that wrote it.
        version: String,
        /// The newest layout known here.
        known: u32,
    },
    /// No line is an event.
    #[error("{path}: no event log: line {}: {}; give a file that `parseye --log` wrote", .first.line, .first.reason)]
    NoLog {
        /// The file.
        path: PathBuf,
        /// Its first line.
        first: DamagedLine,
    },
    /// A log has no line.
    #[error("{path}: no event log: it is empty; give a file that `parseye --log` wrote")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A log is given twice.
    #[error("{path}: is given twice; name each log once")]
    Twice {
        /// The log.
        path: PathBuf,
    },
}

impl SessionError {
    fn unreadable(path: &Path, reason: io::Error) -> Self {
        Self::Unreadable {
            path: path.into(),
            reason,
        }
    }
}

/// A session: its statistics, and how it went over time.
#[derive(Debug)]
pub struct Session {
    /// The statistics.
    pub statistics: SessionStatistics,
    /// The session over time.
    pub timeline: Timeline,
}

#[cfg(feature = "plots")]
impl Session {
    /// Draws the session over time as SVG, with the thresholds of these settings.
    ///
    /// # Errors
    /// When the plotting library fails, which it does on no session.
    pub fn plot(&self, settings: &TemporalSettings) -> Result<String, parseye_plot::PlotError> {
        timeline_plot::draw(&self.statistics, &self.timeline, settings)
    }
}

/// Damaged lines of a log that are named; further ones are counted.
const NAMED_DAMAGES: usize = 20;

/// Reads logs as one session, in whatever order their parts are given.
///
/// # Errors
/// When one cannot be read, is none, is given twice, or was written by a later program. Damaged
/// lines are no error; they are named in the statistics.
pub fn read(logs: &[PathBuf], settings: &TemporalSettings) -> Result<Session, SessionError> {
    let mut accumulator = SessionAccumulator::new(settings);
    let mut logs_read = Vec::new();
    for path in log_order::in_order(logs)? {
        logs_read.push(read_log(LogReader::open(&path)?, &path, &mut accumulator)?);
    }
    let (statistics, timeline) = accumulator.finish(logs_read);
    Ok(Session {
        statistics,
        timeline,
    })
}

/// Reads one log that is already open as a session; `path` is named in errors.
///
/// # Errors
/// As [`read`].
pub fn read_open(
    log: impl Read,
    path: &Path,
    settings: &TemporalSettings,
) -> Result<Session, SessionError> {
    let mut accumulator = SessionAccumulator::new(settings);
    let logs_read = vec![read_log(
        LogReader::new(log, path)?,
        path,
        &mut accumulator,
    )?];
    let (statistics, timeline) = accumulator.finish(logs_read);
    Ok(Session {
        statistics,
        timeline,
    })
}

fn read_log(
    mut log: LogReader<'_>,
    path: &Path,
    accumulator: &mut SessionAccumulator,
) -> Result<LogStatistics, SessionError> {
    let mut statistics = LogStatistics {
        path: path.to_path_buf(),
        ..LogStatistics::default()
    };
    while let Some(line) = log.next_line()? {
        statistics.lines += 1;
        let added = line
            .map_err(Refusal::Damaged)
            .and_then(|event| accumulator.add(event));
        match added {
            Ok(()) => {}
            Err(Refusal::TooNew { schema, version }) => {
                return Err(SessionError::TooNew {
                    path: path.into(),
                    line: statistics.lines,
                    schema,
                    version,
                    known: crate::event::SCHEMA,
                });
            }
            Err(Refusal::Damaged(reason)) => {
                statistics.damaged += 1;
                if statistics.damages.len() < NAMED_DAMAGES {
                    let line = statistics.lines;
                    statistics.damages.push(DamagedLine { line, reason });
                }
            }
        }
    }
    if statistics.lines > statistics.damaged {
        return Ok(statistics);
    }
    let path = path.into();
    Err(match statistics.damages.into_iter().next() {
        None => SessionError::Empty { path },
        Some(first) => SessionError::NoLog { path, first },
    })
}

#[cfg(test)]
mod tests;
