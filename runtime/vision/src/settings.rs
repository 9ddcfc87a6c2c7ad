//! What a setting that cannot be used says: one error for all sections of settings.
//!
//! Which settings there are is decided where they are used; where a value was read from (a file, the
//! environment, a flag) is added by whoever read it.

use std::{
    fmt,
    ops::{Bound, RangeBounds},
};

/// A setting's value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}; give {expected}")]
pub struct SettingError {
    /// Name of the setting, with its sections once they are known: `temporal.closed_above`.
    pub key: String,
    /// What was given, or what is wrong with it where the value is a secret.
    pub value: String,
    /// What is accepted.
    pub expected: String,
}

impl SettingError {
    /// Creates the error of a key within its section.
    pub fn new(
        key: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    /// Puts the name of the section before the key.
    #[must_use]
    pub fn in_section(mut self, section: &str) -> Self {
        self.key = format!("{section}.{}", self.key);
        self
    }
}

/// Checks that a number lies in what is accepted; `expected` says what that is. `NaN` never does.
///
/// # Errors
/// With the key, its value and `expected`.
pub fn check_range<T: PartialOrd + fmt::Display>(
    key: &str,
    value: T,
    accepted: impl RangeBounds<T>,
    expected: impl Into<String>,
) -> Result<(), SettingError> {
    if accepted.contains(&value) {
        return Ok(());
    }
    Err(SettingError::new(key, value, expected))
}

/// Checks that a time in seconds lies in what is accepted. `NaN` never does.
///
/// # Errors
/// With the key, its value and the accepted range.
pub fn check_seconds(
    key: &str,
    value: f64,
    accepted: impl RangeBounds<f64>,
) -> Result<(), SettingError> {
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
    check_range(key, value, accepted, format!("seconds {least}{most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_section_key_value_and_remedy() {
        let error = SettingError::new("closed_above", 7, "a probability from 0 to 1");
        assert_eq!(
            error.in_section("temporal").to_string(),
            "temporal.closed_above is 7; give a probability from 0 to 1"
        );
    }

    #[test]
    fn the_accepted_seconds_are_named() {
        let above_0 = (Bound::Excluded(0.0), Bound::Included(2.0));
        assert_eq!(check_seconds("a_s", 2.0, above_0), Ok(()));
        assert_eq!(check_seconds("a_s", 0.0, 0.0..=2.0), Ok(()));
        let refused = |value| {
            check_seconds("a_s", value, above_0)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(0.0), "a_s is 0; give seconds above 0 to 2");
        assert_eq!(
            check_seconds("a_s", 3.0, 1.0..=2.0)
                .unwrap_err()
                .to_string(),
            "a_s is 3; give seconds from 1 to 2"
        );
        assert!(refused(f64::NAN).contains("NaN"));
    }
}
