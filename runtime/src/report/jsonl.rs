//! The event log: JSON lines that stay whole whatever happens to the program or the disk.
//!
//! Lines are gathered and handed to the system in one piece at least once a second and at the end;
//! no line is ever split over two writes, and one that did not fit on the disk is cut off again.

use super::{ReportError, event::Event};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
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
    file: File,
    gathered: Vec<u8>,
    last_flush: Instant,
}

impl EventLog {
    /// Opens a log.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(path: &Path, existing: Existing) -> Result<Self, ReportError> {
        let open = || -> io::Result<File> {
            match existing {
                Existing::Replace => File::create(path),
                Existing::Continue => {
                    let mut file = OpenOptions::new()
                        .create(true)
                        .append(true)
                        .read(true)
                        .open(path)?;
                    end_last_line(&mut file)?;
                    Ok(file)
                }
            }
        };
        Ok(Self {
            file: open().map_err(|error| failed(path, &error))?,
            path: path.into(),
            gathered: Vec::with_capacity(GATHER),
            last_flush: Instant::now(),
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When gathered lines cannot be written; those written before stay whole.
    pub fn write(&mut self, event: &Event) -> Result<(), ReportError> {
        serde_json::to_writer(&mut self.gathered, event)
            .map_err(|error| failed(&self.path, &error.into()))?;
        self.gathered.push(b'\n');
        if self.gathered.len() >= GATHER || self.last_flush.elapsed() >= FLUSH_EVERY {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands all lines to the system.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn flush(&mut self) -> Result<(), ReportError> {
        self.last_flush = Instant::now();
        let lines = std::mem::take(&mut self.gathered);
        let mut written = 0;
        let outcome = loop {
            match self.file.write(&lines[written..]) {
                _ if written == lines.len() => break Ok(()),
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = outcome {
            self.cut_off(written - whole_lines(&lines[..written]));
            return Err(failed(&self.path, &error));
        }
        self.gathered = lines;
        self.gathered.clear();
        Ok(())
    }

    /// Writes the last lines; later writes are impossible.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<(), ReportError> {
        self.flush()
    }

    /// Takes back the last bytes, the beginning of a line that did not fit.
    fn cut_off(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        // Devices and pipes have no length; there is nothing more to be done for those.
        if let Ok(end) = self.file.seek(SeekFrom::End(0)) {
            let _ = self.file.set_len(end.saturating_sub(bytes as u64));
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        // An error elsewhere ends the program; the lines up to then still belong into the log. Its
        // own error was or will be reported by `flush` or `finish`.
        let _ = self.flush();
    }
}

/// Length of the whole lines at the beginning of `bytes`.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1)
}

/// A log that a power cut left in the middle of a line gets a line end, so that the next line
/// begins on its own.
fn end_last_line(file: &mut File) -> io::Result<()> {
    if !file.metadata()?.is_file() || file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> ReportError {
    ReportError::Log {
        path: path.into(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{EndEvent, Outcome};
    use super::*;
    use proptest::prelude::*;

    fn event(frames: u64) -> Event {
        Event::End(EndEvent {
            clip: "a".into(),
            frames,
            outcome: Outcome::Complete,
            error: None,
            lost: None,
            frame_age_ms: None,
            unix_time: None,
        })
    }

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
        (0..1000).for_each(|frames| log.write(&event(frames)).unwrap());
        log.finish().unwrap();
        assert_eq!(lines(&path).len(), 1000);
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&event(1)).unwrap();
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
        log.write(&event(3)).unwrap();
        log.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(serde_json::from_str::<Event>(last).unwrap(), event(3));
    }

    #[test]
    fn a_line_that_does_not_fit_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&event(3)).unwrap();
        log.flush().unwrap();
        log.file.write_all(b"{\"event\":").unwrap();
        log.cut_off(9);
        assert_eq!(lines(&path).len(), 1);
    }

    #[test]
    fn a_full_disk_is_one_line_with_the_path() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            eprintln!("skipped: this system has no /dev/full");
            return;
        }
        let mut log = EventLog::open(full, Existing::Replace).unwrap();
        log.write(&event(1)).unwrap();
        let error = log.finish().unwrap_err().to_string();
        assert!(
            error.contains("/dev/full") && error.contains("space"),
            "{error}"
        );
        assert!(EventLog::open(Path::new("/nowhere/log.jsonl"), Existing::Replace).is_err());
    }

    proptest! {
        #[test]
        fn only_whole_lines_are_kept(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'x')], 0..40)) {
            let kept = whole_lines(&bytes);
            prop_assert!(kept == 0 || bytes[kept - 1] == b'\n');
            prop_assert!(!bytes[kept..].contains(&b'\n'));
        }
    }
}
