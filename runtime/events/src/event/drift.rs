//! The event of a drift: predictions or camera SNR of one eye that changed for good.

use crate::rounding::millionths;
use parseye_vision::{eye_state::Eye, selfcheck::drift::DriftEvent};
use serde::{Deserialize, Serialize};

/// A drift of one eye's predictions that began or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftRecord {
    /// Source.
    pub clip: String,
    /// Which eye.
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
    /// Makes the event of a drift.
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
    use crate::event::Event;
    use parseye_vision::selfcheck::{
        Shift,
        drift::{Detector, DriftPhase, Quantity},
    };

    #[test]
    fn a_drift_survives_its_line_and_says_what_to_do() {
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
