//! The row of the self-check: what matters most, in the width that there is.

use super::row;
use parseye_events::status::{CheckStatus, EyeCheckStatus};
use parseye_vision::selfcheck::{HeadroomState, Missing};
use ratatui::text::Line;

/// Columns from which on the camera's and the attack's figures fit beside the headroom.
const WIDE: usize = 76;

pub(super) fn check_row(checks: &CheckStatus, width: usize) -> Line<'static> {
    row("Self-check", words(checks, width))
}

fn words(checks: &CheckStatus, width: usize) -> String {
    if let Some(drift) = checks.drifts.first() {
        let quantity = serde_json::to_value(drift.quantity).unwrap_or_default();
        let quantity = quantity.as_str().unwrap_or_default().replace('_', " ");
        return format!("DRIFT of {quantity}: {}", drift.advice);
    }
    if checks.time.is_none() {
        return "not measured yet".into();
    }
    let (left, right) = (checks.left.as_ref(), checks.right.as_ref());
    let headroom = format!("headroom L {}, R {} dB", room(left), room(right));
    if width < WIDE {
        return headroom;
    }
    let figure = |get: fn(&EyeCheckStatus) -> Option<f64>| {
        let of = |eye: Option<&EyeCheckStatus>| {
            eye.and_then(get)
                .map_or_else(|| "-".into(), |db| format!("{db:.0}"))
        };
        format!("{}/{}", of(left), of(right))
    };
    format!(
        "{headroom}; camera {}, attack {} dB",
        figure(|eye| eye.last.camera_snr_db),
        figure(|eye| eye.last.adversarial_margin_db),
    )
}

/// The last minute's median with its judgement in capitals where it is not well.
fn room(eye: Option<&EyeCheckStatus>) -> String {
    let Some(eye) = eye else {
        return "-".into();
    };
    let judged = match eye.last.trust {
        Some(HeadroomState::Ok) => " ok",
        Some(HeadroomState::Low) => " LOW",
        Some(HeadroomState::Exhausted) => " EXHAUSTED",
        None => "",
    };
    match (eye.headroom_median_db, eye.last.missing.get("headroom_db")) {
        (Some(db), _) => format!("{db:.0}{judged}"),
        (None, Some(Missing::NoFace | Missing::Profile)) => "unseen".into(),
        (None, _) => format!("-{judged}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_events::status::RunningDrift;
    use parseye_vision::{
        eye_state::Eye,
        selfcheck::{Shift, drift::Quantity},
    };

    #[test]
    fn what_was_not_measured_has_no_number_and_a_drift_comes_first() {
        let mut checks = CheckStatus::default();
        assert_eq!(words(&checks, 80), "not measured yet");
        checks.time = Some(3.0);
        assert_eq!(
            words(&checks, 80),
            "headroom L -, R - dB; camera -/-, attack -/- dB"
        );
        checks.drifts.push(RunningDrift {
            eye: Eye::Left,
            quantity: Quantity::CameraSnr,
            shift: Shift::Down,
            since: 1.0,
            advice: "give more light".into(),
        });
        assert_eq!(words(&checks, 60), "DRIFT of camera snr: give more light");
    }
}
