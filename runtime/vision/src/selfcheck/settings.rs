//! The constants of the self-check: one documented place for every threshold and effort.

use super::schedule::CheckMode;
use serde::{Deserialize, Serialize};

/// How much is tried, and what counts as trustworthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfCheckSettings {
    /// When live checks are made: a share of one core such as `5%`, `on-change`, `on-demand` or `off`.
    pub mode: CheckMode,
    /// Seed of all random draws; with the frame's number it gives the same check again.
    pub seed: u64,
    /// Draws of noise at one SNR at most, while the noise flip SNR is looked for.
    ///
    /// 60: the result then scatters by 1.5 dB, which the median over some checks makes small; levels
    /// far from it are clear after 3 to 40.
    pub draws: u32,
    /// Draws at the camera's own SNR for the agreement; 29 that all agree show more than 90 %.
    pub agreement_draws: u32,
    /// Headroom in dB from which it is called ok. 6: the noise may double before one answer of ten
    /// changes.
    pub headroom_ok_db: f64,
    /// Headroom in dB below which there is none. 0: the camera's own noise changes one answer of
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
    /// `key is value; what to give`.
    pub fn check(&self) -> Result<(), String> {
        // Fewer than ten draws cannot show one of ten.
        if !(10..=MOST_DRAWS).contains(&self.draws) {
            return Err(format!("draws is {}; give 10 to {MOST_DRAWS}", self.draws));
        }
        if self.agreement_draws > MOST_DRAWS {
            return Err(format!(
                "agreement_draws is {}; give 0 to {MOST_DRAWS}",
                self.agreement_draws
            ));
        }
        for (key, value) in [
            ("headroom_ok_db", self.headroom_ok_db),
            ("headroom_none_db", self.headroom_exhausted_db),
        ] {
            if !(-60.0..=60.0).contains(&value) {
                return Err(format!("{key} is {value}; give -60 to 60 dB"));
            }
        }
        if self.headroom_exhausted_db > self.headroom_ok_db {
            return Err(format!(
                "headroom_none_db is {}, above headroom_ok_db ({}); give at most that",
                self.headroom_exhausted_db, self.headroom_ok_db
            ));
        }
        if !(0.0..=20.0).contains(&self.hysteresis_db) {
            return Err(format!(
                "hysteresis_db is {}; give 0 to 20 dB",
                self.hysteresis_db
            ));
        }
        Ok(())
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
            ("headroom_none_db", |s| s.headroom_exhausted_db = 7.0),
            ("headroom_none_db", |s| {
                s.headroom_exhausted_db = f64::NEG_INFINITY
            }),
            ("hysteresis_db", |s| s.hysteresis_db = -1.0),
        ];
        for (key, change) in changes {
            let mut settings = SelfCheckSettings::default();
            change(&mut settings);
            let reason = settings.check().unwrap_err();
            assert!(reason.starts_with(key), "{reason}");
        }
    }
}
