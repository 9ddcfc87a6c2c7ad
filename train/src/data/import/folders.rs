//! A folder for each class: `CLASS/IMAGE` or `SUBJECT/CLASS/IMAGE`, the classes named as
//! Parseye's states. Without subject folders every image counts as a person of its own, which
//! must then be true, or the test split will flatter.

use super::{Found, ImportError, images_below, stem};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Sample, Split},
    eye_state::EyeState,
};
use std::path::{Component, Path};

const EXPECTED: &str =
    "CLASS/IMAGE or SUBJECT/CLASS/IMAGE with classes open, partially_open, closed, not_visible";

/// Finds the images of the folder-per-class layout below `folder`; `source` names the data set.
///
/// # Errors
/// When a class folder has an unknown name or nothing is found.
pub fn find(folder: &Path, source: &str) -> Result<Vec<Found>, ImportError> {
    let mut found = Vec::new();
    for file in images_below(folder)? {
        let wrong = |reason: String| ImportError::Name {
            path: file.clone(),
            reason,
            expected: EXPECTED,
        };
        let inside = file.strip_prefix(folder).unwrap_or(&file);
        let parts: Vec<String> = inside
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        let (subject, class) = match parts.as_slice() {
            [class, _] => (stem(&file), class),
            [subject, class, _] => (subject.clone(), class),
            _ => {
                return Err(wrong(format!(
                    "{} folders deep",
                    parts.len().saturating_sub(1)
                )));
            }
        };
        let label: EyeState = class
            .parse()
            .map_err(|error: parseye_vision::names::UnknownName| wrong(error.to_string()))?;
        found.push(Found {
            sample: Sample {
                path: Path::new(source).join(inside),
                label,
                source: source.into(),
                subject: format!("{source}_{subject}"),
                eye: None,
                split: Split::Train,
                label_kind: LabelKind::Human,
                openness: None,
                gaze: None,
                note: String::new(),
            },
            file,
        });
    }
    if found.is_empty() {
        return Err(ImportError::Nothing {
            path: folder.into(),
            layout: "folder-per-class",
            expected: EXPECTED,
        });
    }
    Ok(found)
}
