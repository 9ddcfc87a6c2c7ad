//! Times that settings give in seconds.

use std::{
    ops::{Bound, RangeBounds},
    time::Duration,
};

/// Checks that a setting lies in what is accepted.
///
/// # Errors
/// The key, its value, and what is accepted. `NaN` never is.
pub fn check(key: &str, value: f64, accepted: impl RangeBounds<f64>) -> Result<(), String> {
    if accepted.contains(&value) {
        return Ok(());
    }
    let least = match accepted.start_bound() {
        Bound::Included(least) => format!("from {least}"),
        Bound::Excluded(least) => format!("above {least}"),
        Bound::Unbounded => "of any size".into(),
    };
    let most = match accepted.end_bound() {
        Bound::Included(most) => format!(" to {most}"),
        Bound::Excluded(most) => format!(" to less than {most}"),
        Bound::Unbounded => String::new(),
    };
    Err(format!("{key} is {value}; give seconds {least}{most}"))
}

/// Seconds that were checked always convert; unchecked ones saturate.
pub fn duration(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_told() {
        let above_0 = (Bound::Excluded(0.0), Bound::Included(2.0));
        assert_eq!(check("a_s", 2.0, above_0), Ok(()));
        assert_eq!(check("a_s", 0.0, 0.0..=2.0), Ok(()));
        let refused = |value| check("a_s", value, above_0).unwrap_err();
        assert_eq!(refused(0.0), "a_s is 0; give seconds above 0 to 2");
        assert_eq!(
            check("a_s", 3.0, 1.0..=2.0).unwrap_err(),
            "a_s is 3; give seconds from 1 to 2"
        );
        assert!(refused(f64::NAN).contains("NaN"));
    }

    #[test]
    fn no_value_panics() {
        assert_eq!(duration(0.25), Duration::from_millis(250));
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(duration(value), Duration::MAX);
        }
    }
}
