//! Reads a log line by line. A line that is no event is returned with what is wrong with it, and the next
//! one is read as if nothing had happened.

use super::{
    SessionError,
    line::{LONGEST_LINE, LineDefect, LoggedEvent},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// An open log.
#[derive(Debug)]
pub(super) struct LogReader<R = File> {
    path: PathBuf,
    reader: BufReader<R>,
    line: Vec<u8>,
}

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

impl LogReader {
    /// Opens a log.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, SessionError> {
        let file = File::open(path).map_err(|reason| SessionError::unreadable(path, reason))?;
        Ok(Self::new(file, path))
    }
}

impl<R: Read> LogReader<R> {
    /// Reads a log that is already open; `path` is named in errors.
    pub(super) fn new(log: R, path: &Path) -> Self {
        Self {
            path: path.into(),
            reader: BufReader::with_capacity(BUFFER, log),
            line: Vec::new(),
        }
    }

    /// Reads the next line; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub(super) fn next_line(
        &mut self,
    ) -> Result<Option<Result<LoggedEvent, LineDefect>>, SessionError> {
        let length = self
            .read_line()
            .map_err(|reason| SessionError::unreadable(&self.path, reason))?;
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST_LINE as u64 {
            return Ok(Some(Err(LineDefect::TooLong(LONGEST_LINE))));
        }
        let whole = self.line.pop_if(|byte| *byte == b'\n').is_some();
        let event = LoggedEvent::parse(&self.line);
        Ok(Some(match whole {
            true => event,
            false => event.map_err(|_| LineDefect::CutOff),
        }))
    }

    /// Reads a line into `self.line`, of a too long one the beginning only; returns its length in bytes.
    fn read_line(&mut self) -> io::Result<u64> {
        self.line.clear();
        let mut length = 0;
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let room = (LONGEST_LINE + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&bytes[..taken.min(room)]);
            length += taken as u64;
            self.reader.consume(taken);
            if taken == 0 || end.is_some() {
                return Ok(length);
            }
        }
    }
}
