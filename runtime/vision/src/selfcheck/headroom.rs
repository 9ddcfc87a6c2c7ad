//! Headroom: by how many decibels the noise may grow before predictions start to change, over the last
//! minute, and the state that a user sees.
//!
//! ```text
//! headroom = camera SNR - noise flip SNR      (both in dB)
//! ```

use super::{Measurement, Missing, SelfCheckSettings};
use crate::{
    frame::MAX_FRAME_RATE,
    statistics,
    timed_window::{TimedWindow, capacity_for},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::IntoStaticStr;

/// How long checks are remembered.
const WINDOW: Duration = Duration::from_secs(60);

/// Checks whose median decides the state: one outlier changes nothing, and a change shows after
/// three checks.
const DECIDING: usize = 5;

/// Without a check for this long nothing is known any more.
///
/// 30 s: at 5 % of a slow board's core a check takes some 20 s.
pub const KNOWN_FOR: Duration = Duration::from_secs(30);

/// The noise flip SNR of a prediction that no noise changes: noise as strong as the image.
///
/// Such a prediction is one that noise itself gets, commonly that no eye is visible. While the image is the
/// stronger it is the image's; beyond, an open eye may be classified so as well, and more noise would not
/// change that wrong prediction either.
const NEVER_FLIPS_DB: f64 = 0.0;

/// Computes the headroom of one crop: camera SNR less noise flip SNR, in dB; where no noise changes the
/// prediction, less 0 dB.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum HeadroomState {
    /// Noise must grow well before predictions change.
    Ok,
    /// Little more noise would change one prediction of ten.
    #[serde(alias = "thin")]
    Low,
    /// The camera's own noise changes more than one prediction of ten.
    #[serde(alias = "none")]
    Exhausted,
}

impl HeadroomState {
    /// Name in logs and reports.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Follows the headroom of one eye.
#[derive(Clone, Debug)]
pub struct Headroom {
    ok_db: f64,
    exhausted_db: f64,
    hysteresis_db: f64,
    /// Time and headroom of each check. At most one check is made of a frame, so that the greatest frame
    /// rate bounds their number.
    checks: TimedWindow<(Duration, f64)>,
    state: Option<HeadroomState>,
}

impl Headroom {
    /// Starts with nothing known.
    pub fn new(settings: &SelfCheckSettings) -> Self {
        Self {
            ok_db: settings.headroom_ok_db,
            exhausted_db: settings.headroom_exhausted_db,
            hysteresis_db: settings.hysteresis_db,
            checks: TimedWindow::new(WINDOW, capacity_for(MAX_FRAME_RATE, WINDOW)),
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
        // A time before the last means another recording: nothing of the past holds.
        if self.checks.back().is_some_and(|(last, _)| *last > time) {
            self.checks.clear();
            self.state = None;
        }
        self.checks.expire(time);
        self.checks.push((time, value));
        let last = self.checks.iter().rev().take(DECIDING);
        let median = statistics::median(last.map(|(_, db)| *db));
        self.state = median.map(|db| self.state_of(db));
    }

    fn state_of(&self, db: f64) -> HeadroomState {
        // The border of the present state is shifted away from it.
        let shifted = |border: f64, above: bool| match above {
            true => border - self.hysteresis_db,
            false => border + self.hysteresis_db,
        };
        let (ok, exhausted) = match self.state {
            None => (self.ok_db, self.exhausted_db),
            Some(state) => (
                shifted(self.ok_db, state == HeadroomState::Ok),
                shifted(self.exhausted_db, state != HeadroomState::Exhausted),
            ),
        };
        if db >= ok {
            HeadroomState::Ok
        } else if db >= exhausted {
            HeadroomState::Low
        } else {
            HeadroomState::Exhausted
        }
    }

    /// The state at a time; `None` where no check of the last [`KNOWN_FOR`] had a measurement.
    pub fn state(&self, now: Duration) -> Option<HeadroomState> {
        let (last, _) = self.checks.back()?;
        (now.checked_sub(*last)? <= KNOWN_FOR).then_some(self.state?)
    }

    /// Median over the last minute before `now` in dB; `None` without checks, where most of them have no
    /// finite headroom, and while more checks came than the greatest frame rate allows.
    pub fn median(&self, now: Duration) -> Option<f64> {
        statistics::median(self.of_last_minute(now)?).filter(|db| db.is_finite())
    }

    /// Lowest of the last minute before `now` in dB; `None` where no check had a finite one, and as for
    /// [`Self::median`].
    pub fn worst(&self, now: Duration) -> Option<f64> {
        let finite = self.of_last_minute(now)?.filter(|db| db.is_finite());
        finite.min_by(f64::total_cmp)
    }

    fn of_last_minute(&self, now: Duration) -> Option<impl Iterator<Item = f64>> {
        let oldest = self.checks.oldest(now);
        let recent = self.checks.iter();
        let recent = recent.filter(move |(time, _)| *time >= oldest && *time <= now);
        (self.checks.is_complete()).then(|| recent.map(|(_, db)| *db))
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
        assert_eq!(after(&[20.0; 5]).state(at(5.0)), Some(HeadroomState::Ok));
        assert_eq!(
            after(&[20.0, 20.0, 20.0, 20.0, -9.0]).state(at(5.0)),
            Some(HeadroomState::Ok)
        );
        assert_eq!(
            after(&[20.0, 20.0, -9.0, -9.0, -9.0]).state(at(5.0)),
            Some(HeadroomState::Exhausted)
        );
    }

    #[test]
    fn a_state_is_left_only_when_its_border_is_passed_clearly() {
        let state = |values: &[f64]| after(values).state(at(values.len() as f64)).unwrap();
        let steady = |value: f64| [value; 5];
        assert_eq!(
            state(&[steady(8.0), steady(5.0)].concat()),
            HeadroomState::Ok
        );
        assert_eq!(state(&steady(5.0)), HeadroomState::Low);
        assert_eq!(
            state(&[steady(5.0), steady(7.0)].concat()),
            HeadroomState::Low
        );
        assert_eq!(
            state(&[steady(5.0), steady(7.6)].concat()),
            HeadroomState::Ok
        );
        assert_eq!(
            state(&[steady(5.0), steady(-1.0)].concat()),
            HeadroomState::Low
        );
        assert_eq!(
            state(&[steady(-5.0), steady(1.0)].concat()),
            HeadroomState::Exhausted
        );
    }

    #[test]
    fn a_prediction_that_noise_itself_gets_is_trusted_while_the_image_is_the_stronger() {
        let state = |camera_snr_db: f64| {
            let mut followed = Headroom::new(&SelfCheckSettings::default());
            let db = headroom(Ok(camera_snr_db), Err(Missing::NeverFlips));
            followed.add(at(0.0), db);
            followed.state(at(0.0))
        };
        assert_eq!(state(30.0), Some(HeadroomState::Ok));
        assert_eq!(state(-5.0), Some(HeadroomState::Exhausted));
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
        assert_eq!(headroom.state(at(1.0)), None);
        headroom.add(at(1.0), Err(Missing::NoiseOnly));
        assert_eq!(headroom.state(at(1.0)), Some(HeadroomState::Exhausted));
        assert_eq!(
            (headroom.median(at(1.0)), headroom.worst(at(1.0))),
            (None, None)
        );
        assert_eq!(headroom.state(at(32.0)), None);
        headroom.add(at(40.0), Ok(3.0));
        headroom.add(at(0.1), Ok(9.0));
        assert_eq!(headroom.median(at(0.2)), Some(9.0));
    }

    #[test]
    fn states_of_earlier_logs_are_read() {
        for (name, state) in [
            ("ok", HeadroomState::Ok),
            ("low", HeadroomState::Low),
            ("thin", HeadroomState::Low),
            ("exhausted", HeadroomState::Exhausted),
            ("none", HeadroomState::Exhausted),
        ] {
            let read: HeadroomState = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(read, state);
        }
        for state in [
            HeadroomState::Ok,
            HeadroomState::Low,
            HeadroomState::Exhausted,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }

    #[test]
    fn more_checks_than_frames_can_come_give_no_statistics() {
        let mut headroom = Headroom::new(&SelfCheckSettings::default());
        let most = headroom.checks.capacity() as u64;
        for check in 0..=most {
            headroom.add(Duration::from_micros(check), Ok(9.0));
        }
        let now = Duration::from_micros(most);
        assert_eq!((headroom.median(now), headroom.worst(now)), (None, None));
        assert_eq!(headroom.state(now), Some(HeadroomState::Ok));
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
