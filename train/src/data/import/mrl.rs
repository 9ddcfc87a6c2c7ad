//! The MRL Eye Dataset: images named
//! `s0001_00001_0_0_0_0_0_01.png` = subject, number, gender, glasses, state (0 closed, 1 open),
//! reflections, light, sensor.

use super::{Found, ImportError, file_name, images_below, stem};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Sample, Split},
    eye_state::EyeState,
};
use std::path::Path;

const EXPECTED: &str = "names such as s0001_00001_0_0_0_0_0_01.png (subject, number, gender, glasses, state, reflections, light, sensor)";

/// Finds the images of the MRL layout below `folder`.
///
/// # Errors
/// When a name breaks the rule or nothing is found.
pub fn find(folder: &Path) -> Result<Vec<Found>, ImportError> {
    let mut found = Vec::new();
    for file in images_below(folder)? {
        let stem = stem(&file);
        let parts: Vec<&str> = stem.split('_').collect();
        let wrong = |reason: &str| ImportError::Name {
            path: file.clone(),
            reason: reason.into(),
            expected: EXPECTED,
        };
        let [
            subject,
            _,
            gender,
            glasses,
            state,
            reflections,
            light,
            sensor,
        ] = parts.as_slice()
        else {
            return Err(wrong("the name does not have eight parts"));
        };
        let label = match *state {
            "0" => EyeState::Closed,
            "1" => EyeState::Open,
            _ => return Err(wrong("the fifth part, the state, is neither 0 nor 1")),
        };
        found.push(Found {
            sample: Sample {
                path: Path::new("mrl").join(file_name(&file)),
                label,
                source: "mrl".into(),
                subject: (*subject).into(),
                eye: None,
                split: Split::Train,
                label_kind: LabelKind::Human,
                openness: None,
                gaze: None,
                note: format!("glasses={glasses};refl={reflections};light={light};sensor={sensor};gender={gender}"),
            },
            file,
        });
    }
    if found.is_empty() {
        return Err(ImportError::Nothing {
            path: folder.into(),
            layout: "MRL",
            expected: EXPECTED,
        });
    }
    Ok(found)
}
