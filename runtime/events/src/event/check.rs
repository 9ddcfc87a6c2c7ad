//! The event of the self-check: what was measured of a frame's predictions.

use crate::rounding::{hundredths, millionths, seconds};
use parseye_vision::{
    eye_state::{Eye, EyeState, PerEye},
    selfcheck::{CheckReading, HeadroomState, Measurement, Missing},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The predictions of a frame, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds of the frame that was checked.
    pub time: f64,
    /// Its number.
    pub frame: u64,
    /// The subject's left eye.
    pub left: CheckRecord,
    /// The subject's right eye.
    pub right: CheckRecord,
    /// Wall clock in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// What was measured of one eye's prediction. What was not measured is null, and `missing` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// The prediction that was checked; null where there was none.
    pub state: Option<EyeState>,
    /// Camera SNR of the crop in dB.
    pub camera_snr_db: Option<f64>,
    /// Its standard error in dB.
    pub camera_snr_error_db: Option<f64>,
    /// Highest SNR in dB at which an FGSM step changes the prediction.
    pub adversarial_margin_db: Option<f64>,
    /// SNR in dB of the noise that changes one prediction of ten.
    pub noise_flip_snr_db: Option<f64>,
    /// Camera SNR minus noise flip SNR in dB.
    pub headroom_db: Option<f64>,
    /// First-order chance that the camera's own noise changes the prediction, 0 to 1.
    pub flip_probability: Option<f64>,
    /// Share of draws of the camera's noise that keep the prediction, and its lower bound at 95 %
    /// confidence.
    pub agreement: Option<AgreementRecord>,
    /// Share of small shifts, scalings, blurs and changes of light that keep the prediction. Schema 1
    /// said `natural_agreement`.
    #[serde(alias = "natural_agreement")]
    pub corruption_agreement: Option<f64>,
    /// Headroom over the last checks: `ok`, `low`, `exhausted`; null where it is not known.
    pub trust: Option<HeadroomState>,
    /// For each value that is null, the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, Missing>,
}

/// Predictions under noise like the camera's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementRecord {
    /// Share that kept the state, 0 to 1.
    pub share: f64,
    /// Lower bound of the share at 95 % confidence (Clopper and Pearson).
    pub at_least: f64,
    /// Number of draws.
    pub draws: u64,
}

impl CheckRecord {
    /// Makes the record of one eye's reading.
    pub fn new(reading: &CheckReading, trust: Option<HeadroomState>) -> Self {
        let mut missing = BTreeMap::new();
        let mut measured = |name: &str, value: Measurement| {
            value
                .inspect_err(|reason| {
                    missing.insert(name.to_owned(), *reason);
                })
                .ok()
        };
        let agreement = match reading.agreement {
            Ok(agreement) => agreement.share().map(|share| AgreementRecord {
                share: millionths(share),
                at_least: millionths(agreement.lower_bound()),
                draws: agreement.draws,
            }),
            Err(reason) => {
                let _ = measured("agreement", Err(reason));
                None
            }
        };
        Self {
            state: reading.state,
            camera_snr_db: measured("camera_snr_db", reading.camera_snr_db()).map(hundredths),
            camera_snr_error_db: reading
                .camera
                .ok()
                .map(|snr| hundredths(snr.standard_error_db)),
            adversarial_margin_db: measured(
                "adversarial_margin_db",
                reading.adversarial_margin_db(),
            )
            .map(hundredths),
            noise_flip_snr_db: measured("noise_flip_snr_db", reading.noise_flip_snr_db)
                .map(hundredths),
            headroom_db: measured("headroom_db", reading.headroom_db).map(hundredths),
            flip_probability: measured("flip_probability", reading.flip_probability)
                .map(millionths),
            agreement,
            corruption_agreement: reading.corruption_agreement().map(millionths),
            trust,
            missing,
        }
    }
}

impl CheckEvent {
    /// Makes the event of a frame's readings; `trust` is the state of each eye's headroom.
    pub fn new(
        clip: &str,
        (frame, time): (u64, Duration),
        readings: &PerEye<CheckReading>,
        trust: &PerEye<Option<HeadroomState>>,
        unix_time: Option<f64>,
    ) -> Self {
        let record = |eye| CheckRecord::new(readings.get(eye), *trust.get(eye));
        Self {
            clip: clip.into(),
            time: seconds(time),
            frame,
            left: record(Eye::Left),
            right: record(Eye::Right),
            unix_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::selfcheck::HeadroomState;

    #[test]
    fn what_was_not_measured_is_null_with_its_reason() {
        let reading = CheckReading {
            headroom_db: Ok(12.345),
            ..CheckReading::missing(Missing::NoFace)
        };
        let record = CheckRecord::new(&reading, Some(HeadroomState::Low));
        assert_eq!(record.headroom_db, Some(12.35));
        assert_eq!(record.camera_snr_db, None);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["missing"]["camera_snr_db"], "no_face");
        assert_eq!(json["missing"]["agreement"], "no_face");
        assert!(json["missing"].get("headroom_db").is_none());
        assert_eq!(json["trust"], "low");
        let back: CheckRecord = serde_json::from_value(json).unwrap();
        assert_eq!(back, record);
    }
}
