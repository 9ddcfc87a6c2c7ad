//! The events of the self-check: what was measured of an answer, and drifts of the stream.

use super::seconds;
use parseye_vision::{
    eye_state::{Eye, EyeState, PerEye},
    selfcheck::{
        CheckReading, HeadroomState, Measurement, Missing, agreement::AgreementRecord,
        drift::DriftEvent,
    },
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A frame's answers were checked.
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

/// What was found out about one eye's answer. What was not measured is null, and `missing` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// The answer that was checked; null where there was none.
    pub state: Option<EyeState>,
    /// Camera SNR of the crop in dB.
    pub camera_snr_db: Option<f64>,
    /// Its standard error in dB.
    pub camera_snr_error_db: Option<f64>,
    /// Highest SNR in dB at which an FGSM step turns the answer.
    pub adversarial_margin_db: Option<f64>,
    /// SNR in dB of the noise that changes one answer of ten.
    pub noise_flip_snr_db: Option<f64>,
    /// Camera SNR less noise flip SNR in dB.
    pub headroom_db: Option<f64>,
    /// First-order chance that the camera's own noise changes the answer, 0 to 1.
    pub flip_probability: Option<f64>,
    /// Share of draws of the camera's noise that keep the answer, and what it is at least with 95 %
    /// confidence.
    pub agreement: Option<AgreementRecord>,
    /// Share of small shifts, scalings, blurs and changes of light that keep the answer.
    pub corruption_agreement: Option<f64>,
    /// Headroom over the last checks: `ok`, `low`, `exhausted`; null where it is not known.
    pub trust: Option<HeadroomState>,
    /// For each figure that is null, the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, Missing>,
}

/// Two decimals: figures scatter by a decibel.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0 + 0.0
}

fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

impl CheckRecord {
    /// A reading as the log holds it.
    pub fn new(reading: &CheckReading, trust: Option<HeadroomState>) -> Self {
        let mut missing = BTreeMap::new();
        let mut figure = |name: &str, value: Measurement| {
            value
                .inspect_err(|reason| {
                    missing.insert(name.to_owned(), *reason);
                })
                .ok()
        };
        let agreement = match reading.agreement {
            Ok(agreement) => (agreement.draws > 0).then(|| {
                let record = AgreementRecord::from(agreement);
                AgreementRecord {
                    share: record.share.map(millionths),
                    at_least: record.at_least.map(millionths),
                    ..record
                }
            }),
            Err(reason) => {
                let _ = figure("agreement", Err(reason));
                None
            }
        };
        Self {
            state: reading.state,
            camera_snr_db: figure("camera_snr_db", reading.camera_snr_db()).map(hundredths),
            camera_snr_error_db: reading
                .camera
                .ok()
                .map(|snr| hundredths(snr.standard_error_db)),
            adversarial_margin_db: figure("adversarial_margin_db", reading.adversarial_margin_db())
                .map(hundredths),
            noise_flip_snr_db: figure("noise_flip_snr_db", reading.noise_flip_snr_db)
                .map(hundredths),
            headroom_db: figure("headroom_db", reading.headroom_db).map(hundredths),
            flip_probability: figure("flip_probability", reading.flip_probability).map(millionths),
            agreement,
            corruption_agreement: reading.corruption_agreement().map(millionths),
            trust,
            missing,
        }
    }
}

impl CheckEvent {
    /// The readings of a frame as a line of the log.
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

/// A drift of one eye's stream began or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftRecord {
    /// Source.
    pub clip: String,
    /// Which eye's stream.
    pub eye: Eye,
    /// What drifted, which way, since when.
    #[serde(flatten)]
    pub drift: DriftEvent,
    /// What to do.
    pub advice: String,
    /// Wall clock in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

impl DriftRecord {
    /// A drift as a line of the log.
    pub fn new(clip: &str, eye: Eye, drift: &DriftEvent, unix_time: Option<f64>) -> Self {
        Self {
            clip: clip.into(),
            eye,
            drift: DriftEvent {
                time: millionths(drift.time),
                since: millionths(drift.since),
                reference: drift.reference.map(millionths),
                now: drift.now.map(millionths),
                psi: drift.psi.map(millionths),
                ..drift.clone()
            },
            advice: drift.quantity.advice(drift.shift).into(),
            unix_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_drift_survives_its_line_and_says_what_to_do() {
        use crate::event::Event;
        use parseye_vision::selfcheck::{
            Shift,
            drift::{Detector, DriftPhase, Quantity},
        };
        let drift = DriftEvent {
            quantity: Quantity::CameraSnr,
            detector: Detector::PageHinkley,
            phase: DriftPhase::Raised,
            shift: Shift::Down,
            time: 300.123_456_789,
            since: 290.0,
            reference: Some(31.5),
            now: Some(12.0),
            psi: None,
        };
        let event = Event::Drift(DriftRecord::new("a", Eye::Left, &drift, None));
        let line = serde_json::to_string(&event).unwrap();
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(fields["event"], "drift");
        assert_eq!(fields["quantity"], "camera_snr");
        assert_eq!(fields["time"], 300.123_457);
        assert!(fields["psi"].is_null());
        assert!(fields["advice"].as_str().unwrap().contains("more light"));
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
