//! Corrections of labels beside a manifest that stays as it was published: `path, old, new, reason`.
//!
//! A crop whose `new` is `undecidable` is left out: crops that graders cannot decide are not trained on.

use super::{Grade, LabelError, csv_bytes, read_bytes, rows_of, write_new};
use crate::{crop::Crop, data::crops::CropSet};
use parseye_vision::{eye_state::EyeState, names::UnknownName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// Remedy of a wrong row.
const REMEDY: &str = "columns are path, old, new, reason; correct the row, or make the file with `train labels agree`";

/// A row of the file of corrections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectionRow {
    /// The crop, as the manifest names it.
    pub path: String,
    /// The manifest's label: a correction of another manifest must not go unnoticed.
    pub old: String,
    /// Its new label, or `undecidable`.
    pub new: String,
    /// Why.
    pub reason: String,
}

/// Corrections of the labels of a manifest's train and val splits.
#[derive(Clone, Debug)]
pub(crate) struct LabelFixes {
    path: std::path::PathBuf,
    rows: BTreeMap<String, Correction>,
    sha256: String,
}

/// A checked row, by the path of its crop.
#[derive(Clone, Debug)]
struct Correction {
    line: u64,
    old: EyeState,
    new: Grade,
    reason: String,
}

/// Number of labels that corrections changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Crops with another label.
    pub changed: usize,
    /// Crops left out.
    pub left_out: usize,
}

impl LabelFixes {
    /// Reads and checks a file of corrections.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, LabelError> {
        let mut rows = BTreeMap::new();
        let bytes = read_bytes(path, REMEDY)?;
        for (line, row) in rows_of::<CorrectionRow>(path, &bytes, REMEDY)? {
            let wrong = |reason: String| LabelError::Row {
                path: path.into(),
                line,
                reason: format!("{reason}; {REMEDY}"),
            };
            let old: EyeState = row.old.parse().map_err(|error| wrong(format!("{error}")))?;
            let new = row.new.parse();
            let new: Grade = new.map_err(|error: UnknownName| wrong(error.to_string()))?;
            if new == Grade::State(old) {
                return Err(wrong(format!("{} is {old} before and after", row.path)));
            }
            let crop = row.path.clone();
            let correction = Correction {
                line,
                old,
                new,
                reason: row.reason,
            };
            if rows.insert(row.path, correction).is_some() {
                return Err(wrong(format!("{crop} is corrected twice")));
            }
        }
        Ok(Self {
            path: path.into(),
            rows,
            sha256: hex::encode(Sha256::digest(bytes)),
        })
    }

    /// Hash of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Corrects the crops. Every correction must find its crop with its old label.
    ///
    /// # Errors
    /// Names the correction that fits no crop of the train or val split.
    pub(crate) fn apply(&self, crops: &mut CropSet) -> Result<Applied, LabelError> {
        let mut left: BTreeMap<&str, _> = self
            .rows
            .iter()
            .map(|(path, row)| (path.as_str(), row))
            .collect();
        let mut applied = Applied::default();
        for split in [&mut crops.train, &mut crops.val] {
            let mut kept = Vec::with_capacity(split.len());
            for mut crop in std::mem::take(split) {
                let name = crop.sample.path.to_string_lossy().into_owned();
                match left.remove(name.as_str()) {
                    None => kept.push(crop),
                    Some(correction) => {
                        self.check(correction, &crop)?;
                        match &correction.new {
                            Grade::Undecidable => applied.left_out += 1,
                            Grade::State(state) => {
                                applied.changed += 1;
                                crop.sample.label = *state;
                                kept.push(crop);
                            }
                        }
                    }
                }
            }
            *split = kept;
        }
        match left.into_iter().next() {
            None => Ok(applied),
            Some((path, correction)) => Err(self.wrong(
                correction.line,
                format!("{path} is not in the manifest's train or val split; remove the row"),
            )),
        }
    }

    fn check(&self, correction: &Correction, crop: &Crop) -> Result<(), LabelError> {
        let Correction { line, old, .. } = correction;
        if crop.sample.label == *old {
            return Ok(());
        }
        let reason = format!(
            "{} is labelled {} in the manifest, not {old}; the corrections were made for other data",
            crop.sample.path.display(),
            crop.sample.label
        );
        Err(self.wrong(*line, reason))
    }

    fn wrong(&self, line: u64, reason: String) -> LabelError {
        LabelError::Row {
            path: self.path.clone(),
            line,
            reason,
        }
    }
}

/// The corrections in the file at `earlier` and these, sorted by path.
///
/// # Errors
/// When the file is wrong, or corrects a crop that these correct too.
pub(crate) fn joined(
    earlier: &Path,
    rows: Vec<CorrectionRow>,
) -> Result<Vec<CorrectionRow>, LabelError> {
    let fixes = LabelFixes::read(earlier)?;
    if let Some(row) = rows.iter().find(|row| fixes.rows.contains_key(&row.path)) {
        return Err(LabelError::Unreadable {
            path: earlier.into(),
            reason: format!("{} is corrected there and now again", row.path),
            remedy: "give the earlier round's key.csv to `train labels suspects --graded`",
        });
    }
    let earlier_rows = fixes
        .rows
        .into_iter()
        .map(|(path, correction)| CorrectionRow {
            path,
            old: correction.old.to_string(),
            new: correction.new.to_string(),
            reason: correction.reason,
        });
    let mut all: Vec<CorrectionRow> = earlier_rows.chain(rows).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

/// Writes corrections to a file that is not there yet.
///
/// # Errors
/// When it is, or cannot be written.
pub fn write(path: &Path, rows: &[CorrectionRow]) -> Result<(), LabelError> {
    write_new(path, &csv_bytes(path, rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    fn crop(path: &str, state: EyeState) -> Crop {
        let mut sample = sample(state, "p");
        sample.path = path.into();
        Crop {
            sample,
            image: image::GrayImage::new(2, 2),
        }
    }

    fn set() -> CropSet {
        CropSet {
            train: vec![
                crop("a.png", EyeState::Open),
                crop("b.png", EyeState::Closed),
            ],
            val: vec![crop("c.png", EyeState::PartiallyOpen)],
            sha256: "hash".into(),
        }
    }

    fn fixes(text: &str) -> Result<LabelFixes, LabelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fixes.csv");
        std::fs::write(&path, format!("path,old,new,reason\n{text}")).unwrap();
        LabelFixes::read(&path)
    }

    #[test]
    fn labels_are_changed_and_what_nobody_can_tell_is_left_out() {
        let fixes = fixes("b.png,closed,undecidable,x\nc.png,partially_open,open,\"two, blind\"\n")
            .unwrap();
        let mut crops = set();
        let applied = fixes.apply(&mut crops).unwrap();
        assert_eq!((applied.changed, applied.left_out), (1, 1));
        assert_eq!(crops.train.len(), 1);
        assert_eq!(crops.train[0].sample.label, EyeState::Open);
        assert_eq!(crops.val[0].sample.label, EyeState::Open);
        assert_eq!(fixes.sha256().len(), 64);
    }

    #[test]
    fn corrections_of_other_data_are_refused() {
        for (text, words) in [
            ("a.png,closed,open,x\n", ["line 2", "labelled open"]),
            ("z.png,closed,open,x\n", ["line 2", "z.png is not in"]),
        ] {
            let error = fixes(text).unwrap().apply(&mut set()).unwrap_err();
            for word in words {
                assert!(error.to_string().contains(word), "{error}");
            }
        }
    }

    #[test]
    fn rounds_are_joined_unless_both_correct_a_crop() {
        let folder = tempfile::tempdir().unwrap();
        let earlier = folder.path().join("earlier.csv");
        let row = |path: &str| CorrectionRow {
            path: path.into(),
            old: "open".into(),
            new: "closed".into(),
            reason: "x".into(),
        };
        write(&earlier, &[row("b.png")]).unwrap();
        let all = joined(&earlier, vec![row("c.png"), row("a.png")]).unwrap();
        assert_eq!(all, ["a.png", "b.png", "c.png"].map(row));
        let error = joined(&earlier, vec![row("b.png")]).unwrap_err();
        assert!(error.to_string().contains("b.png is corrected"), "{error}");
    }

    #[test]
    fn wrong_rows_are_named() {
        for (text, word) in [
            ("a.png,open,opne,x\n", "did you mean 'open'"),
            ("a.png,opened,closed,x\n", "unknown eye state"),
            ("a.png,open,open,x\n", "before and after"),
            ("a.png,open,closed,x\na.png,open,closed,x\n", "twice"),
            ("a.png,open\n", "columns are"),
        ] {
            let error = fixes(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("line "), "{error}");
        }
    }
}
