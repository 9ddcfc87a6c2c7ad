//! The event log: JSON lines that stay whole whatever happens to the program or the disk.
//!
//! # Layout
//! [`EventLog`] gathers lines and hands them to the system in one piece at least once a second and
//! at the end; the writer gets the errors, which suits a replay. [`LogWriter`] is for a monitor: a
//! thread that keeps lines until they can be written. `detail` says which events have lines, `file` is where
//! lines end up, and `rotation` says when a new file begins and which old ones stay.

mod detail;
mod file;
mod live;
mod rotation;

pub use detail::LogDetail;
pub use live::{LogReport, LogWriter};
pub use rotation::Rotation;

use super::{
    ReportError,
    event::{Event, StartEvent},
};
use file::{LineOutput, LogFile, Unwritten};
pub use parseye_vision::bounded::STANDARD;
use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest time that a line waits in memory. A crash loses at most this much, and a memory card
/// is written to about once a second instead of for each frame.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Bytes gathered at most; a frame's line is about 700.
const GATHER: usize = 64 << 10;

/// What happens to a log that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced: a replay can be run again.
    Replace,
    /// It is continued: what a camera saw comes only once.
    Continue,
}

/// An open event log.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: LogFile,
    detail: LogDetail,
    gathered: Vec<u8>,
    last_flush: Instant,
}

impl EventLog {
    /// Opens a log that is one file whatever its length; [`STANDARD`] is standard output. A folder that does
    /// not exist is made.
    ///
    /// # Errors
    /// When the file cannot be opened for writing, or another program writes it.
    pub fn open(path: &Path, existing: Existing) -> Result<Self, ReportError> {
        Ok(Self {
            file: LogFile::open(path, existing).map_err(|reason| failed(path, reason))?,
            path: path.into(),
            detail: LogDetail::all(),
            gathered: Vec::with_capacity(GATHER),
            last_flush: Instant::now(),
        })
    }

    /// Returns the same log, which begins a new file when `rotation` says so.
    #[must_use]
    pub fn rotated(mut self, rotation: Rotation) -> Self {
        self.file.set_rotation(rotation);
        self
    }

    /// Returns the same log with lines for these events only.
    #[must_use]
    pub fn detailed(mut self, detail: LogDetail) -> Self {
        self.detail = detail;
        self
    }

    /// Takes out which events have lines, for whoever decides on that instead.
    fn take_detail(&mut self) -> LogDetail {
        std::mem::take(&mut self.detail)
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When gathered lines cannot be written; those written before stay whole.
    pub fn write(&mut self, event: &Event) -> Result<(), ReportError> {
        let (file, gathered) = (&mut self.file, &mut self.gathered);
        let added = self.detail.take(event, |event| {
            if let Event::Start(start) = event {
                file.begin(start);
            }
            gathered.extend(line_of(event)?);
            Ok(())
        });
        added.map_err(|reason| failed(&self.path, reason))?;
        if self.gathered.len() >= GATHER {
            self.flush()?;
        }
        self.flush_if_due()
    }

    /// Hands all lines to the system if the last time is a second ago. Call it now and then while nothing
    /// is added.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn flush_if_due(&mut self) -> Result<(), ReportError> {
        if self.last_flush.elapsed() < FLUSH_EVERY {
            return Ok(());
        }
        self.flush()
    }

    /// Hands all lines to the system.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn flush(&mut self) -> Result<(), ReportError> {
        self.flush_gathered()
            .map_err(|unwritten| failed(&self.path, unwritten.reason))
    }

    fn flush_gathered(&mut self) -> Result<(), Unwritten> {
        self.last_flush = Instant::now();
        if self.gathered.is_empty() {
            return Ok(());
        }
        let outcome = self.file.append(&self.gathered);
        let written = match &outcome {
            Ok(()) => self.gathered.len(),
            Err(unwritten) => unwritten.written,
        };
        self.gathered.drain(..written);
        outcome
    }

    /// Writes the last lines; later writes are impossible.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<(), ReportError> {
        self.flush()
    }
}

impl LineOutput for EventLog {
    fn name(&self) -> String {
        self.file.name()
    }

    fn begin(&mut self, start: &StartEvent) {
        self.file.begin(start);
    }

    fn take_note(&mut self) -> Option<String> {
        self.file.take_note()
    }

    fn is_over(&self) -> bool {
        self.file.is_over()
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        self.flush_gathered().map_err(|unwritten| Unwritten {
            written: 0,
            reason: unwritten.reason,
        })?;
        self.file.append(lines)
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        // An error elsewhere ends the program; the lines up to then still belong into the log. Its
        // own error was or will be reported by `flush` or `finish`.
        let _ = self.flush();
    }
}

/// An event with its line end.
fn line_of(event: &Event) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

fn failed(path: &Path, reason: io::Error) -> ReportError {
    let path = path.into();
    match reason.kind() {
        io::ErrorKind::ResourceBusy => ReportError::LogInUse { path },
        _ => ReportError::Log { path, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_events::end;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn nothing_is_lost_at_the_end_nor_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = EventLog::open(&path, Existing::Replace).unwrap();
        (0..1000).for_each(|frames| log.write(&end(frames)).unwrap());
        log.finish().unwrap();
        assert_eq!(lines(&path).len(), 1000);
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&end(1)).unwrap();
        drop(log);
        assert_eq!(lines(&path).len(), 1001);
        EventLog::open(&path, Existing::Replace)
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(lines(&path).len(), 0);
    }

    #[test]
    fn a_torn_last_line_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, "{\"event\":\"eyes\",\"cl").unwrap();
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&end(3)).unwrap();
        log.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(serde_json::from_str::<Event>(last).unwrap(), end(3));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_made() {
        let folder = tempfile::tempdir().unwrap();
        for existing in [Existing::Replace, Existing::Continue] {
            let path = folder.path().join(format!("{existing:?}/sub/log.jsonl"));
            let mut log = EventLog::open(&path, existing).unwrap();
            log.write(&end(1)).unwrap();
            log.finish().unwrap();
            assert_eq!(lines(&path).len(), 1);
        }
    }

    #[test]
    fn a_log_that_is_being_written_is_no_second_writer_s_and_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&end(1)).unwrap();
        log.flush().unwrap();
        for existing in [Existing::Replace, Existing::Continue] {
            let error = EventLog::open(&path, existing).unwrap_err();
            assert!(matches!(error, ReportError::LogInUse { .. }), "{error}");
            assert!(error.to_string().contains("log.jsonl"), "{error}");
        }
        log.write(&end(2)).unwrap();
        log.finish().unwrap();
        assert_eq!(lines(&path).len(), 2);
        assert!(EventLog::open(&path, Existing::Continue).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_line_with_the_path() {
        let full = Path::new("/dev/full");
        let mut log = EventLog::open(full, Existing::Replace).unwrap();
        log.write(&end(1)).unwrap();
        let error = log.finish().unwrap_err().to_string();
        assert!(
            error.contains("/dev/full") && error.contains("space"),
            "{error}"
        );
        let nowhere = Path::new("/proc/nowhere/log.jsonl");
        assert!(EventLog::open(nowhere, Existing::Replace).is_err());
    }
}
