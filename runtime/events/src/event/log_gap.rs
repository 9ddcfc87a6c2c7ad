//! The event of a log about itself: lines that it lacks.

use serde::{Deserialize, Serialize};

/// Lines that could be neither written nor kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGapEvent {
    /// How many are missing.
    pub lost: u64,
    /// Time of the first of them in seconds; null where it is not known.
    pub from: Option<f64>,
    /// Time of the last of them.
    pub to: Option<f64>,
    /// Why they are missing.
    pub reason: GapReason,
    /// Wall clock in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// Why lines are missing in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GapReason {
    /// The log could not be written for so long that the memory for waiting lines was full. Only
    /// `eyes` lines are dropped as long as there are any.
    Unwritable,
    /// The system took so long to write that more events came than can wait.
    Slow,
}
