//! The wall clock, as events name it.

use crate::rounding::seconds;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the seconds since 1970, rounded to microseconds; `None` where the clock stands before that.
pub fn unix_time() -> Option<f64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(seconds(since))
}
