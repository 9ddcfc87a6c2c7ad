//! Reads a log line by line. A line that is no event is returned with what is wrong with it, and the next
//! one is read as if nothing had happened.

use super::{
    SessionError,
    compressed::{LogText, text_of},
    line::{LONGEST_LINE, LineDefect, LoggedEvent},
};
use crate::jsonl::STANDARD;
use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
};

/// An open log.
pub(super) struct LogReader<'a> {
    path: PathBuf,
    log: LogText<'a>,
    line: Vec<u8>,
    /// What became of compressed text.
    text: TextState,
}

/// What became of compressed text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextState {
    /// Nothing was read yet.
    New,
    /// Something was read.
    Read,
    /// It broke off, which is still to be reported.
    Broken,
    /// It broke off, and a line that was cut off was reported.
    Reported,
}

impl<'a> LogReader<'a> {
    /// Opens a log; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, SessionError> {
        if path.as_os_str() == STANDARD {
            return Self::new(io::stdin(), path);
        }
        let file = File::open(path).map_err(|reason| SessionError::unreadable(path, reason))?;
        Self::new(file, path)
    }

    /// Reads a log that is already open; `path` is named in errors.
    ///
    /// # Errors
    /// When its beginning cannot be read.
    pub(super) fn new(log: impl Read + 'a, path: &Path) -> Result<Self, SessionError> {
        Ok(Self {
            path: path.into(),
            log: text_of(log).map_err(|reason| SessionError::unreadable(path, reason))?,
            line: Vec::new(),
            text: TextState::New,
        })
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
            let broken = self.text == TextState::Broken;
            self.text = TextState::Reported;
            return Ok(broken.then_some(Err(LineDefect::CutOff)));
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
            if matches!(self.text, TextState::Broken | TextState::Reported) {
                return Ok(length);
            }
            let bytes = match self.log.text.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A compressed log that is still being written, or is damaged: what there is of it counts.
                Err(_) if self.log.compressed && self.text == TextState::Read => {
                    self.text = match length {
                        0 => TextState::Broken,
                        // That line is cut off, and reported so.
                        _ => TextState::Reported,
                    };
                    return Ok(length);
                }
                other => other?,
            };
            self.text = TextState::Read;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let room = (LONGEST_LINE + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&bytes[..taken.min(room)]);
            length += taken as u64;
            self.log.text.consume(taken);
            if taken == 0 || end.is_some() {
                return Ok(length);
            }
        }
    }
}
