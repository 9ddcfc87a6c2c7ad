//! Settings of the self-check: one documented place for every threshold and effort. How a configuration
//! file is read is left to the program.

use super::schedule::CheckMode;
use crate::settings::{SettingError, check_range};
use serde::{Deserialize, Serialize};

/// How much is measured and when, and which headroom is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfCheckSettings {
    /// When live checks are made: a share of one core such as `5%`, `on-change`, `on-demand` or `off`.
    pub mode: CheckMode,
    /// Seed of all random draws; with the frame's number it gives the same check again.
    pub seed: u64,
    /// Draws of noise at one SNR at most, while the noise flip SNR is searched.
    ///
    /// 60: the result then scatters by 1.5 dB, which the median over some checks makes small; levels
    /// far from it are clear after 3 to 40.
    pub draws: u32,
    /// Draws at the camera's own SNR for the agreement; 29 that all agree show more than 90 %.
    pub agreement_draws: u32,
    /// Headroom in dB from which it is ok. 6: the noise may double before one prediction of ten changes.
    pub headroom_ok_db: f64,
    /// Headroom in dB below which it is exhausted. 0: the camera's own noise changes one prediction of
    /// ten.
    pub headroom_exhausted_db: f64,
    /// A state of the headroom is left only when its border is passed by this many dB: checks
    /// scatter by as much.
    pub hysteresis_db: f64,
}

impl Default for SelfCheckSettings {
    fn default() -> Self {
        Self {
            mode: CheckMode::default(),
            seed: 0,
            draws: 60,
            agreement_draws: 30,
            headroom_ok_db: 6.0,
            headroom_exhausted_db: 0.0,
            hysteresis_db: 1.5,
        }
    }
}

/// Most draws that make sense: a check of one eye then takes seconds.
const MOST_DRAWS: u32 = 10_000;

impl SelfCheckSettings {
    /// Checks that every value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        // Fewer than ten draws cannot show one of ten.
        check_range(
            "draws",
            self.draws,
            10..=MOST_DRAWS,
            format!("10 to {MOST_DRAWS}"),
        )?;
        check_range(
            "agreement_draws",
            self.agreement_draws,
            ..=MOST_DRAWS,
            format!("0 to {MOST_DRAWS}"),
        )?;
        for (key, value) in [
            ("headroom_ok_db", self.headroom_ok_db),
            ("headroom_exhausted_db", self.headroom_exhausted_db),
        ] {
            check_range(key, value, -60.0..=60.0, "-60 to 60 dB")?;
        }
        check_range(
            "headroom_exhausted_db",
            self.headroom_exhausted_db,
            ..=self.headroom_ok_db,
            format!("at most headroom_ok_db, which is {}", self.headroom_ok_db),
        )?;
        check_range(
            "hysteresis_db",
            self.hysteresis_db,
            0.0..=20.0,
            "0 to 20 dB",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_meaning_are_named() {
        assert_eq!(SelfCheckSettings::default().check(), Ok(()));
        type Change = fn(&mut SelfCheckSettings);
        let changes: [(&str, Change); 6] = [
            ("draws", |s| s.draws = 9),
            ("agreement_draws", |s| s.agreement_draws = 1_000_000),
            ("headroom_ok_db", |s| s.headroom_ok_db = f64::NAN),
            ("headroom_exhausted_db", |s| s.headroom_exhausted_db = 7.0),
            ("headroom_exhausted_db", |s| {
                s.headroom_exhausted_db = f64::NEG_INFINITY
            }),
            ("hysteresis_db", |s| s.hysteresis_db = -1.0),
        ];
        for (key, change) in changes {
            let mut settings = SelfCheckSettings::default();
            change(&mut settings);
            let reason = settings.check().unwrap_err().to_string();
            assert!(reason.starts_with(key), "{reason}");
        }
    }
}
