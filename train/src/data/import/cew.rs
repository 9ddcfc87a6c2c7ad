//! Closed Eyes in the Wild: folders `openLeftEyes`, `openRightEyes`, `closedLeftEyes`,
//! `closedRightEyes` of 24x24 patches named `NAME_L.jpg` or `NAME_R.jpg`.

use super::{Found, ImportError, file_name, images_below, stem};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Sample, Split},
    eye_state::{Eye, EyeState},
};
use std::path::Path;

const EXPECTED: &str = "folders openLeftEyes, openRightEyes, closedLeftEyes, closedRightEyes with names such as Some_Name_0001_L.jpg";

const FOLDERS: [(&str, EyeState, Eye); 4] = [
    ("openLeftEyes", EyeState::Open, Eye::Left),
    ("openRightEyes", EyeState::Open, Eye::Right),
    ("closedLeftEyes", EyeState::Closed, Eye::Left),
    ("closedRightEyes", EyeState::Closed, Eye::Right),
];

/// Finds the patches of the CEW layout below `folder`.
///
/// # Errors
/// When nothing is found.
pub fn find(folder: &Path) -> Result<Vec<Found>, ImportError> {
    let mut found = Vec::new();
    for (name, label, eye) in FOLDERS {
        let folder = folder.join(name);
        if !folder.is_dir() {
            continue;
        }
        for file in images_below(&folder)? {
            let stem = stem(&file);
            found.push(Found {
                sample: Sample {
                    path: Path::new("cew").join(format!("{name}__{}", file_name(&file))),
                    label,
                    source: "cew".into(),
                    subject: format!("cew_{}", person(&stem)),
                    eye: Some(eye),
                    split: Split::Train,
                    label_kind: LabelKind::Human,
                    openness: None,
                    gaze: None,
                    note: String::new(),
                },
                file,
            });
        }
    }
    if found.is_empty() {
        return Err(ImportError::Nothing {
            path: folder.into(),
            layout: "CEW",
            expected: EXPECTED,
        });
    }
    Ok(found)
}

/// The person in `Some_Name_0001_L`: the name without the side and the image's number.
fn person(stem: &str) -> &str {
    let name = stem
        .strip_suffix("_L")
        .or_else(|| stem.strip_suffix("_R"))
        .unwrap_or(stem);
    match name.rsplit_once('_') {
        Some((person, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            person
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn both_eyes_and_all_images_of_a_person_share_a_subject() {
        assert_eq!(person("Aaron_Guiel_0001_L"), "Aaron_Guiel");
        assert_eq!(person("Aaron_Guiel_0002_R"), "Aaron_Guiel");
        assert_eq!(
            person("closed_eye_0117.jpg_face_3_R"),
            "closed_eye_0117.jpg_face"
        );
        assert_eq!(person("plain"), "plain");
    }
}
