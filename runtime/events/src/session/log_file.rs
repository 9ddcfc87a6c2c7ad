//! Reads a log line by line. A line that is no event is said to be damaged and why; the next one is
//! read as if nothing had happened.

use super::SessionError;
use crate::event::{Event, StartEvent};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// The event's name.
    pub kind: Cow<'static, str>,
    /// What it says.
    pub body: EventBody,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    /// An event that this program sums up.
    Known(Box<Event>),
    /// Another one, with all its fields.
    Other(serde_json::Value),
}

/// What came of reading a line.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadLine {
    /// An event.
    Event(LoggedEvent),
    /// No event, and why not.
    Damaged(String),
}

/// An open log.
#[derive(Debug)]
pub struct LogFile<R = File> {
    path: PathBuf,
    reader: BufReader<R>,
    line: Vec<u8>,
}

/// Longest line accepted, in bytes: a `start` line lists all sources. It bounds the memory for a file
/// that is no log and has no line ends.
const LONGEST_LINE: usize = 1 << 20;

/// Longest line accepted of another event, in bytes: several times a self-check's. What is kept of
/// events is counted, so that this bounds its memory.
pub(super) const LONGEST_EVENT: usize = 1 << 13;

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

impl LogFile {
    /// Opens a log.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Self::new(file, path))
    }
}

impl<R: Read> LogFile<R> {
    /// A log that is already open; `path` is named in errors.
    pub fn new(log: R, path: &Path) -> Self {
        Self {
            path: path.into(),
            reader: BufReader::with_capacity(BUFFER, log),
            line: Vec::new(),
        }
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub fn next_line(&mut self) -> Result<Option<ReadLine>, SessionError> {
        let length = self
            .read_line()
            .map_err(|error| unreadable(&self.path, &error))?;
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST_LINE as u64 {
            let reason = format!("longer than {LONGEST_LINE} bytes");
            return Ok(Some(ReadLine::Damaged(reason)));
        }
        let whole = self.line.pop_if(|byte| *byte == b'\n').is_some();
        Ok(Some(match parse(&self.line) {
            Ok(event) => ReadLine::Event(event),
            Err(_) if !whole => ReadLine::Damaged("cut off".into()),
            Err(reason) => ReadLine::Damaged(reason),
        }))
    }

    /// Reads a line into `self.line`, of a too long one the beginning only; gives its length.
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

/// Reads an event. Its name is looked at first, since reading all fields of an unknown event in
/// order to find out that it is unknown would take twice as long.
fn parse(line: &[u8]) -> Result<LoggedEvent, String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    fn known<T: DeserializeOwned>(
        kind: &'static str,
        line: &[u8],
        event: impl Fn(T) -> Event,
    ) -> Result<LoggedEvent, String> {
        let fields = serde_json::from_slice(line).map_err(|error| words(&error))?;
        Ok(LoggedEvent {
            kind: kind.into(),
            body: EventBody::Known(Box::new(event(fields))),
        })
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err("empty".into());
    }
    let named: Named<'_> = serde_json::from_slice(line).map_err(|error| words(&error))?;
    if line.len() > LONGEST_EVENT && named.event != "start" {
        return Err(format!("longer than {LONGEST_EVENT} bytes"));
    }
    match named.event.as_ref() {
        "start" => known("start", line, Event::Start),
        "eyes" => known("eyes", line, Event::Eyes),
        "blink" => known("blink", line, Event::Blink),
        "partial_blink" => known("partial_blink", line, Event::PartialBlink),
        "long_closure" => known("long_closure", line, Event::LongClosure),
        "alert" => known("alert", line, Event::Alert),
        "log_gap" => known("log_gap", line, Event::LogGap),
        "end" => known("end", line, Event::End),
        kind => Ok(LoggedEvent {
            kind: kind.to_owned().into(),
            body: EventBody::Other(serde_json::from_slice(line).map_err(|error| words(&error))?),
        }),
    }
}

/// What is wrong with a line, without the line number, which counts from the line itself.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string().replace(" at line 1 column", " at column");
    match error.classify() {
        serde_json::error::Category::Eof => "cut off".into(),
        serde_json::error::Category::Syntax => format!("no JSON: {text}"),
        _ => text,
    }
}

/// Logs in the order of their times, where their first lines tell it: runs by their beginning,
/// parts of a run by their number. Otherwise in the order given.
///
/// # Errors
/// When one cannot be opened, or is given twice.
pub fn in_order(logs: &[PathBuf]) -> Result<Vec<PathBuf>, SessionError> {
    let mut seen = Vec::new();
    let mut keyed = Vec::new();
    for path in logs {
        let real = path
            .canonicalize()
            .map_err(|error| unreadable(path, &error))?;
        if seen.contains(&real) {
            return Err(SessionError::Twice { path: path.clone() });
        }
        // A pipe can be read once only.
        let key = match real.is_file() {
            true => first_start(path)?.and_then(|start| Some((start.unix_time?, start.part))),
            false => None,
        };
        seen.push(real);
        keyed.push((key, path.clone()));
    }
    if keyed.iter().all(|(key, _)| key.is_some()) {
        keyed.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    }
    Ok(keyed.into_iter().map(|(_, path)| path).collect())
}

fn first_start(path: &Path) -> Result<Option<StartEvent>, SessionError> {
    Ok(match LogFile::open(path)?.next_line()? {
        Some(ReadLine::Event(LoggedEvent {
            body: EventBody::Known(event),
            ..
        })) => match *event {
            Event::Start(start) => Some(start),
            _ => None,
        },
        _ => None,
    })
}

fn unreadable(path: &Path, error: &io::Error) -> SessionError {
    SessionError::Unreadable {
        path: path.into(),
        reason: error.to_string(),
    }
}
