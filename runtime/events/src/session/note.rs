//! Events that say something at a time and are listed as they are, such as a camera's.

use serde::Serialize;
use serde_json::{Map, Value};

/// Fields that a note does not repeat in its text.
const NOT_IN_TEXT: [&str; 4] = ["event", "time", "unix_time", "clip"];

/// An event that says something at a time.
#[derive(Clone, Debug, Serialize)]
pub struct SessionNote {
    /// The event's name.
    pub event: String,
    /// Seconds of the source.
    pub time: Option<f64>,
    /// What it says: its other plain fields, each name with its value.
    pub text: String,
    /// Wall clock in seconds since 1970; monitors only.
    pub unix_time: Option<f64>,
}

impl SessionNote {
    /// Makes a note of an event's fields; `time` is what it says about that, checked.
    pub(super) fn new(kind: &str, time: Option<f64>, fields: &Map<String, Value>) -> Self {
        let plain = fields.iter().filter(|(name, value)| {
            let is_plain = value.is_string() || value.is_number() || value.is_boolean();
            is_plain && !NOT_IN_TEXT.contains(&name.as_str())
        });
        let pairs = plain.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
        let text = pairs.collect::<Vec<_>>().join(", ");
        Self {
            event: kind.into(),
            time,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            unix_time: fields.get("unix_time").and_then(Value::as_f64),
        }
    }
}
