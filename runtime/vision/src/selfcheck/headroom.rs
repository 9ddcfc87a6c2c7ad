//! Headroom: how much worse the picture may get before the answer starts to turn, over the last
//! minute, and the state that a user sees.

use super::{Measurement, Missing, SelfCheckSettings};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};

/// What is remembered.
const WINDOW: Duration = Duration::from_secs(60);

/// Checks whose median decides the state: one outlier changes nothing, and a change shows after
/// three checks.
const DECIDING: usize = 5;

/// Without a check for this long nothing is known any more.
///
/// 30 s: at 5 % of a slow board's core a check takes some 20 s.
pub const KNOWN_FOR: Duration = Duration::from_secs(30);

/// Up to where an answer that no noise turns counts: to noise as strong as the picture.
///
/// Such an answer is one that noise itself gives, commonly that no eye is visible. While the picture is
/// the stronger it is the picture's; beyond, an open eye may be answered so as well, and more noise
/// would not change that wrong answer either.
const NEVER_FLIPS_DB: f64 = 0.0;

/// Headroom of one crop: camera SNR less noise flip SNR, in dB; where no noise turns the answer, less
/// 0 dB.
///
/// # Errors
/// The reason why either is missing.
pub fn headroom(camera_snr_db: Measurement, noise_flip_snr_db: Measurement) -> Measurement {
    let camera = camera_snr_db?;
    match noise_flip_snr_db {
        Err(Missing::NeverFlips) => Ok(camera - NEVER_FLIPS_DB),
        flip => Ok(camera - flip?),
    }
}

/// How far an eye's readings can be trusted; an eye event carries it as `trust`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadroomState {
    /// Noise must grow well before answers change.
    Ok,
    /// Little more noise would change one answer of ten.
    #[serde(rename = "low", alias = "thin")]
    Thin,
    /// The camera's own noise changes more than one answer of ten.
    #[serde(rename = "exhausted", alias = "none")]
    None,
}

/// `trust` of an eye event: the headroom's state, or `None` where it is not known.
pub type Trust = Option<HeadroomState>;

/// Follows the headroom of one eye.
#[derive(Clone, Debug)]
pub struct Headroom {
    ok_db: f64,
    none_db: f64,
    hysteresis_db: f64,
    checks: VecDeque<(Duration, f64)>,
    state: Trust,
}

impl Headroom {
    /// Nothing known.
    pub fn new(settings: &SelfCheckSettings) -> Self {
        Self {
            ok_db: settings.headroom_ok_db,
            none_db: settings.headroom_exhausted_db,
            hysteresis_db: settings.hysteresis_db,
            checks: VecDeque::new(),
            state: None,
        }
    }

    /// Takes the headroom of a check. A crop of noise alone counts as none at all; other reasons for a
    /// missing measurement say nothing.
    pub fn add(&mut self, time: Duration, headroom_db: Measurement) {
        let value = match headroom_db {
            Ok(db) if !db.is_nan() => db,
            Err(Missing::NoiseOnly) => f64::NEG_INFINITY,
            _ => return,
        };
        self.forget(time);
        self.checks.push_back((time, value));
        let mut last: Vec<f64> = self
            .checks
            .iter()
            .rev()
            .take(DECIDING)
            .map(|c| c.1)
            .collect();
        last.sort_by(f64::total_cmp);
        self.state = Some(self.judge(last[last.len() / 2]));
    }

    fn judge(&self, db: f64) -> HeadroomState {
        // The border of the present state is shifted away from it.
        let shifted = |border: f64, above: bool| match above {
            true => border - self.hysteresis_db,
            false => border + self.hysteresis_db,
        };
        let (ok, none) = match self.state {
            None => (self.ok_db, self.none_db),
            Some(state) => (
                shifted(self.ok_db, state == HeadroomState::Ok),
                shifted(self.none_db, state != HeadroomState::None),
            ),
        };
        if db >= ok {
            HeadroomState::Ok
        } else if db >= none {
            HeadroomState::Thin
        } else {
            HeadroomState::None
        }
    }

    fn forget(&mut self, now: Duration) {
        // A time before the last means another recording: nothing of the past holds.
        if self.checks.back().is_some_and(|(last, _)| *last > now) {
            self.checks.clear();
            self.state = None;
        }
        let old = now.saturating_sub(WINDOW);
        while self.checks.front().is_some_and(|(time, _)| *time < old) {
            self.checks.pop_front();
        }
    }

    /// The state at a time; `None` where no check of the last [`KNOWN_FOR`] had a measurement.
    pub fn trust(&self, now: Duration) -> Trust {
        let (last, _) = self.checks.back()?;
        (now.checked_sub(*last)? <= KNOWN_FOR).then_some(self.state?)
    }

    /// Median over the last minute before `now` in dB; `None` without checks, or where most of them
    /// have no finite headroom.
    pub fn median(&self, now: Duration) -> Option<f64> {
        let sorted = self.of_last_minute(now);
        sorted
            .get(sorted.len() / 2)
            .copied()
            .filter(|db| db.is_finite())
    }

    /// Lowest of the last minute before `now` in dB; `None` where no check had a finite one.
    pub fn worst(&self, now: Duration) -> Option<f64> {
        self.of_last_minute(now)
            .into_iter()
            .find(|db| db.is_finite())
    }

    fn of_last_minute(&self, now: Duration) -> Vec<f64> {
        let old = now.saturating_sub(WINDOW);
        let recent = self
            .checks
            .iter()
            .filter(|(time, _)| *time >= old && *time <= now);
        let mut values: Vec<f64> = recent.map(|(_, db)| *db).collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn after(values: &[f64]) -> Headroom {
        let mut headroom = Headroom::new(&SelfCheckSettings::default());
        for (index, value) in values.iter().enumerate() {
            headroom.add(at(index as f64), Ok(*value));
        }
        headroom
    }

    #[test]
    fn one_outlier_changes_nothing_and_three_do() {
        assert_eq!(after(&[20.0; 5]).trust(at(5.0)), Some(HeadroomState::Ok));
        assert_eq!(
            after(&[20.0, 20.0, 20.0, 20.0, -9.0]).trust(at(5.0)),
            Some(HeadroomState::Ok)
        );
        assert_eq!(
            after(&[20.0, 20.0, -9.0, -9.0, -9.0]).trust(at(5.0)),
            Some(HeadroomState::None)
        );
    }

    #[test]
    fn a_state_is_left_only_when_its_border_is_passed_clearly() {
        let state = |values: &[f64]| after(values).trust(at(values.len() as f64)).unwrap();
        let steady = |value: f64| [value; 5];
        assert_eq!(
            state(&[steady(8.0), steady(5.0)].concat()),
            HeadroomState::Ok
        );
        assert_eq!(state(&steady(5.0)), HeadroomState::Thin);
        assert_eq!(
            state(&[steady(5.0), steady(7.0)].concat()),
            HeadroomState::Thin
        );
        assert_eq!(
            state(&[steady(5.0), steady(7.6)].concat()),
            HeadroomState::Ok
        );
        assert_eq!(
            state(&[steady(5.0), steady(-1.0)].concat()),
            HeadroomState::Thin
        );
        assert_eq!(
            state(&[steady(-5.0), steady(1.0)].concat()),
            HeadroomState::None
        );
    }

    #[test]
    fn an_answer_that_noise_itself_gives_is_trusted_while_the_picture_is_the_stronger() {
        let state = |camera_snr_db: f64| {
            let mut followed = Headroom::new(&SelfCheckSettings::default());
            let db = headroom(Ok(camera_snr_db), Err(Missing::NeverFlips));
            followed.add(at(0.0), db);
            followed.trust(at(0.0))
        };
        assert_eq!(state(30.0), Some(HeadroomState::Ok));
        assert_eq!(state(-5.0), Some(HeadroomState::None));
        assert_eq!(
            headroom(Err(Missing::NoNoiseEstimate), Err(Missing::NeverFlips)),
            Err(Missing::NoNoiseEstimate)
        );
        assert_eq!(headroom(Ok(20.0), Ok(-3.0)), Ok(23.0));
    }

    #[test]
    fn what_was_not_measured_is_not_known() {
        let mut headroom = Headroom::new(&SelfCheckSettings::default());
        headroom.add(at(0.0), Err(Missing::NoFace));
        headroom.add(at(0.5), Ok(f64::NAN));
        assert_eq!(headroom.trust(at(1.0)), None);
        headroom.add(at(1.0), Err(Missing::NoiseOnly));
        assert_eq!(headroom.trust(at(1.0)), Some(HeadroomState::None));
        assert_eq!(
            (headroom.median(at(1.0)), headroom.worst(at(1.0))),
            (None, None)
        );
        assert_eq!(headroom.trust(at(32.0)), None);
        headroom.add(at(40.0), Ok(3.0));
        headroom.add(at(0.1), Ok(9.0));
        assert_eq!(headroom.median(at(0.2)), Some(9.0));
    }

    proptest! {
        #[test]
        fn the_last_minute_and_nothing_else_counts(values in prop::collection::vec(-40.0_f64..60.0, 1..200)) {
            let headroom = after(&values);
            let now = at(values.len() as f64 - 1.0);
            let recent = &values[values.len().saturating_sub(61)..];
            let worst = recent.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert_eq!(headroom.worst(now), Some(worst));
            prop_assert!(headroom.median(now).unwrap() >= worst);
        }
    }
}
