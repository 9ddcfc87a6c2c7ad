//! Times that settings give in seconds; [`crate::settings::check_seconds`] checks them.

use std::time::Duration;

/// Converts seconds to a duration. Values that were checked always convert; others (negative, NaN, too
/// large) give [`Duration::MAX`].
pub fn duration(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_panics() {
        assert_eq!(duration(0.25), Duration::from_millis(250));
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(duration(value), Duration::MAX);
        }
    }
}
