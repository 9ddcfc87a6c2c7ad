//! The readings of a single image, as `parseye replay` prints them: states and probabilities instead of statistics
//! over time.

use parseye_vision::{
    eye_state::{Eye, EyeState},
    reading::{EyeReading, FrameReading, Unseen},
};

/// Formats the readings of an image for people: one line for each eye.
pub(super) fn text(clip: &str, reading: &FrameReading) -> String {
    let line = |(eye, name)| {
        let eye = reading.eyes.get(eye);
        let state = words(eye.state());
        format!("{clip}: {name} eye {state} ({})\n", detail(eye))
    };
    [(Eye::Left, "left"), (Eye::Right, "right")]
        .map(line)
        .concat()
}

fn detail(eye: &EyeReading) -> String {
    match eye {
        EyeReading::Measured {
            probabilities,
            lids,
            ..
        } => {
            let share =
                |state: EyeState| format!("{} {:.3}", words(state), probabilities[state.index()]);
            let states = EyeState::ALL.map(share).join(", ");
            let lids = lids.map_or_else(String::new, |lids| {
                format!(
                    "; lids {:.2} +/- {:.2} apart, looking down {:.3}",
                    lids.openness, lids.openness_error, lids.looking_down
                )
            });
            states + &lids
        }
        EyeReading::Unmeasured(Unseen::NoFace) => "no face was found".into(),
        EyeReading::Unmeasured(Unseen::Profile) => "the head is turned to profile".into(),
        EyeReading::Unmeasured(Unseen::TooSmall) => "the face is too small".into(),
    }
}

fn words(state: EyeState) -> String {
    state.name().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{eye_state::PerEye, locate::Roi};
    use std::time::Duration;

    #[test]
    fn each_eye_has_a_line_with_its_state_and_why() {
        let measured = EyeReading::Measured {
            probabilities: [0.1, 0.2, 0.65, 0.05],
            lids: None,
            square: Roi {
                centre: [10.0; 2],
                side: 20.0,
                angle: 0.0,
            },
        };
        let reading = FrameReading {
            frame: 0,
            time: Duration::ZERO,
            face: None,
            eyes: PerEye {
                left: measured,
                right: EyeReading::Unmeasured(Unseen::Profile),
            },
        };
        assert_eq!(
            text("a", &reading),
            "a: left eye closed (open 0.100, partially open 0.200, closed 0.650, not visible 0.050)\n\
             a: right eye not visible (the head is turned to profile)\n"
        );
    }
}
