//! When live checks are made, and how much of one core they may take.
//!
//! The pace is kept by resting after each step in proportion to its length, so that a check is
//! spread over seconds instead of taking a core at once. On which thread is left to the program.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr, time::Duration};

/// When live checks are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CheckMode {
    /// Never.
    Off,
    /// Only when somebody asks: SIGUSR1.
    OnDemand,
    /// When an eye's state changes, and when somebody asks.
    OnChange,
    /// One after the other.
    Steady(Share),
}

/// A share of one core, above 0 and at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

/// The share of steady checks by default: 5 %, one check of both eyes every few seconds on a
/// laptop, and no more than a fifth of what monitoring takes.
const DEFAULT_SHARE: Share = Share(0.05);

/// The share of single checks: their result should come soon, and rarely happen.
const SINGLE_SHARE: Share = Share(0.25);

impl Default for CheckMode {
    fn default() -> Self {
        Self::Steady(DEFAULT_SHARE)
    }
}

impl CheckMode {
    /// The share of a core that a check may take while it is made; `None` where none is made.
    pub const fn share(self) -> Option<Share> {
        match self {
            Self::Off => None,
            Self::OnDemand | Self::OnChange => Some(SINGLE_SHARE),
            Self::Steady(share) => Some(share),
        }
    }
}

impl Share {
    /// Returns how long to rest after a step of this length so that the share is kept.
    pub fn rest_after(self, busy: Duration) -> Duration {
        busy.mul_f64(1.0 / self.0 - 1.0)
    }
}

impl fmt::Display for CheckMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::OnDemand => f.write_str("on-demand"),
            Self::OnChange => f.write_str("on-change"),
            // Rounded to what a float of a percentage cannot garble.
            Self::Steady(Share(share)) => write!(f, "{}%", (share * 1e8).round() / 1e6),
        }
    }
}

/// A text that names no [`CheckMode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown self-check mode '{0}'; give a share of one core from above 0% to 100%, on-change, on-demand or off"
)]
pub struct UnknownMode(String);

impl FromStr for CheckMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "off" => return Ok(Self::Off),
            "on-demand" => return Ok(Self::OnDemand),
            "on-change" => return Ok(Self::OnChange),
            _ => {}
        }
        let percent = text
            .strip_suffix('%')
            .map(|number| number.trim().parse::<f64>());
        match percent {
            Some(Ok(percent)) if percent > 0.0 && percent <= 100.0 => {
                Ok(Self::Steady(Share(percent / 100.0)))
            }
            _ => Err(UnknownMode(text.into())),
        }
    }
}

impl Serialize for CheckMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CheckMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modes_are_read_and_slips_explained() {
        assert_eq!("off".parse(), Ok(CheckMode::Off));
        assert_eq!("on-change".parse(), Ok(CheckMode::OnChange));
        assert_eq!("on-demand".parse(), Ok(CheckMode::OnDemand));
        assert_eq!("5%".parse(), Ok(CheckMode::default()));
        assert_eq!(CheckMode::default().to_string(), "5%");
        for slip in ["5", "0%", "101%", "-1%", "nan%", "%", "always"] {
            let reason = slip.parse::<CheckMode>().unwrap_err().to_string();
            assert!(
                reason.contains(slip) && reason.contains("on-change"),
                "{reason}"
            );
        }
    }

    proptest! {
        #[test]
        fn busy_and_resting_time_keep_the_share(percent in 1_u32..=100, busy_us in 1_u64..100_000) {
            let mode: CheckMode = format!("{percent}%").parse().unwrap();
            prop_assert_eq!(mode.to_string(), format!("{percent}%"));
            let share = mode.share().unwrap();
            let busy = Duration::from_micros(busy_us);
            let all = busy + share.rest_after(busy);
            let kept = busy.as_secs_f64() / all.as_secs_f64();
            prop_assert!((kept - f64::from(percent) / 100.0).abs() < 1e-3, "{}", kept);
        }
    }
}
