//! The row of the self-check: the most important results that fit in the width.

use super::{HEADING, row};
use parseye_events::status::{CheckStatus, EyeCheckStatus};
use parseye_vision::selfcheck::{HeadroomState, Missing};
use ratatui::text::Line;

pub(super) fn check_row(checks: &CheckStatus, width: usize) -> Line<'static> {
    row("Self-check", text(checks, width))
}

fn text(checks: &CheckStatus, width: usize) -> String {
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
    let both = |get: fn(&EyeCheckStatus) -> Option<f64>| {
        let of = |eye: Option<&EyeCheckStatus>| {
            eye.and_then(get)
                .map_or_else(|| "-".into(), |db| format!("{db:.0}"))
        };
        format!("{}/{}", of(left), of(right))
    };
    let all = format!(
        "{headroom}; camera {}, attack {} dB",
        both(|eye| eye.last.camera_snr_db),
        both(|eye| eye.last.adversarial_margin_db),
    );
    // A row's heading has a blank on either side.
    match HEADING + 2 + all.chars().count() <= width {
        true => all,
        false => headroom,
    }
}

/// The last minute's median headroom with its level, in capitals where it is not ok.
fn room(eye: Option<&EyeCheckStatus>) -> String {
    let Some(eye) = eye else {
        return "-".into();
    };
    let level = match eye.last.trust {
        Some(HeadroomState::Ok) => " ok",
        Some(HeadroomState::Low) => " LOW",
        Some(HeadroomState::Exhausted) => " EXHAUSTED",
        None => "",
    };
    match (eye.headroom_median_db, eye.last.missing.get("headroom_db")) {
        (Some(db), _) => format!("{db:.0}{level}"),
        (None, Some(Missing::NoFace | Missing::Profile | Missing::TooSmall)) => {
            "not visible".into()
        }
        (None, _) => format!("-{level}"),
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
        assert_eq!(text(&checks, 80), "not measured yet");
        checks.time = Some(3.0);
        assert_eq!(
            text(&checks, 80),
            "headroom L -, R - dB; camera -/-, attack -/- dB"
        );
        checks.drifts.push(RunningDrift {
            eye: Eye::Left,
            quantity: Quantity::CameraSnr,
            shift: Shift::Down,
            since: 1.0,
            advice: "give more light".into(),
        });
        assert_eq!(text(&checks, 60), "DRIFT of camera snr: give more light");
    }
}
