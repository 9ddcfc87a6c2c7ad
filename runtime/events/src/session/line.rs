//! A line of a log as an event, or what is wrong with it.

use crate::event::Event;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Longest line accepted, in bytes: a `start` line lists all sources. It bounds the memory for a file
/// that is no log and has no line ends.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// Longest line accepted of another event, in bytes: several times a self-check's. What is kept of
/// events is counted, so that this bounds its memory.
pub(super) const LONGEST_EVENT: usize = 1 << 13;

/// An event of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LoggedEvent {
    /// An event that this program knows.
    Known {
        /// Its name.
        kind: &'static str,
        /// What it says.
        event: Box<Event>,
    },
    /// An event that a later program added to the schema.
    Unknown {
        /// Its name.
        kind: String,
        /// All its fields.
        fields: Map<String, Value>,
    },
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineDefect {
    /// It ends in the middle.
    #[error("cut off")]
    CutOff,
    /// It has no text.
    #[error("empty")]
    Empty,
    /// It has more than this many bytes.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// It is no JSON.
    #[error("no JSON: {0}")]
    NotJson(String),
    /// It is JSON, but none of an event.
    #[error("{0}")]
    NotAnEvent(String),
    /// It has a time that no source can have, in seconds.
    #[error("a time of {0} s")]
    ImpossibleTime(f64),
    /// It has a name of more than this many bytes.
    #[error("a name of more than {0} bytes")]
    LongName(usize),
}

impl Serialize for LineDefect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<serde_json::Error> for LineDefect {
    fn from(error: serde_json::Error) -> Self {
        // The parser counts lines within what it is given, which is one line.
        let text = error.to_string().replace(" at line 1 column", " at column");
        match error.classify() {
            serde_json::error::Category::Eof => Self::CutOff,
            serde_json::error::Category::Syntax => Self::NotJson(text),
            _ => Self::NotAnEvent(text),
        }
    }
}

impl LoggedEvent {
    /// Parses a line without its line end.
    ///
    /// The event's name is read first: reading all fields of an unknown event only to find out that it is
    /// unknown would take twice as long.
    ///
    /// # Errors
    /// When the line is no event, is too long, or lacks a field of an event that this program knows.
    pub(super) fn parse(line: &[u8]) -> Result<Self, LineDefect> {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            event: Cow<'a, str>,
        }
        fn known<T: DeserializeOwned>(
            kind: &'static str,
            line: &[u8],
            event: impl Fn(T) -> Event,
        ) -> Result<LoggedEvent, LineDefect> {
            Ok(LoggedEvent::Known {
                kind,
                event: Box::new(event(serde_json::from_slice(line)?)),
            })
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Err(LineDefect::Empty);
        }
        let named: Named<'_> = serde_json::from_slice(line)?;
        if line.len() > LONGEST_EVENT && named.event != "start" {
            return Err(LineDefect::TooLong(LONGEST_EVENT));
        }
        match named.event.as_ref() {
            "start" => known("start", line, Event::Start),
            "eyes" => known("eyes", line, Event::Eyes),
            "frames" => known("frames", line, Event::Frames),
            "gap" => known("gap", line, Event::Gap),
            "frame_rate" => known("frame_rate", line, Event::FrameRate),
            "blink" => known("blink", line, Event::Blink),
            "partial_blink" => known("partial_blink", line, Event::PartialBlink),
            "long_closure" => known("long_closure", line, Event::LongClosure),
            "baseline" => known("baseline", line, Event::Baseline),
            "alert" => known("alert", line, Event::Alert),
            "person" => known("person", line, Event::Person),
            "camera" => known("camera", line, Event::Camera),
            "check" => known("check", line, Event::Check),
            "drift" => known("drift", line, Event::Drift),
            "log_gap" => known("log_gap", line, Event::LogGap),
            "end" => known("end", line, Event::End),
            kind => Ok(Self::Unknown {
                kind: kind.to_owned(),
                fields: serde_json::from_slice(line)?,
            }),
        }
    }
}
