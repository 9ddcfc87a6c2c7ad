//! Compares two graders and finds the labels that both contradict.
//!
//! # Definition of the states
//! One for graders, training and PERCLOS:
//! - *closed*: the lids meet, or neither iris nor white of the eye is to be seen;
//! - *partially open*: iris or white is to be seen, and less than about two thirds of the iris;
//! - *open*: about two thirds of the iris or more;
//! - *not visible*: something hides the eye, or the crop shows none.
//!
//! An eye that looks down is partially open or open as long as any iris is to be seen, however low the lid hangs:
//! networks that were taught otherwise took reading people for sleeping ones.
//!
//! A label by a person has been graded once already: it is kept where the graders differ.

use super::{Grade, LabelError, fixes, read_rows, sheets::KeyRow};
use crate::data::crops::CropSet;
use parseye_vision::{evaluate::manifest::LabelKind, eye_state::EyeState, names::UnknownName};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
};

/// Remedy of a wrong row.
const REMEDY: &str = "columns are number, grade; correct the row";

/// A row of a grader's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GradeRow {
    number: usize,
    grade: String,
}

/// Agreement of two graders with each other and with the labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Crops that both graded.
    pub graded: usize,
    /// Crops that both gave the same grade.
    pub agreed: usize,
    /// Cohen's kappa of the two, 1 for perfect agreement, 0 for that of chance.
    pub kappa: f64,
    /// By label: crops on which both agree, and on how many of them with the label.
    pub by_label: BTreeMap<EyeState, (usize, usize)>,
}

/// Treatment of a crop on which the graders differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Contested {
    /// Its label stays as it was published.
    #[default]
    Keep,
    /// It is left out, like an undecidable one.
    LeaveOut,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} crops graded twice, alike in {} ({:.0} %), Cohen's kappa {:.2}",
            self.graded,
            self.agreed,
            100.0 * self.agreed as f64 / self.graded.max(1) as f64,
            self.kappa
        )?;
        for (label, (agreed, stands)) in &self.by_label {
            writeln!(f, "labelled {label:<15} {stands:>5} of {agreed:>5} stand")?;
        }
        Ok(())
    }
}

/// Reads a grader's file: every number of the key once.
fn grades(path: &Path, key: &[KeyRow]) -> Result<HashMap<usize, Grade>, LabelError> {
    let mut grades = HashMap::new();
    for (line, row) in read_rows::<GradeRow>(path, REMEDY)? {
        let wrong = |reason: String| LabelError::Row {
            path: path.into(),
            line,
            reason: format!("{reason}; {REMEDY}"),
        };
        if !(1..=key.len()).contains(&row.number) {
            return Err(wrong(format!(
                "there is no crop {}, the last is {}",
                row.number,
                key.len()
            )));
        }
        let grade = row.grade.parse();
        let grade = grade.map_err(|error: UnknownName| wrong(error.to_string()))?;
        if grades.insert(row.number, grade).is_some() {
            return Err(wrong(format!("crop {} is graded twice", row.number)));
        }
    }
    match (1..=key.len()).find(|number| !grades.contains_key(number)) {
        None => Ok(grades),
        Some(number) => Err(LabelError::Unreadable {
            path: path.into(),
            reason: format!("crop {number} is not graded"),
            remedy: "grade every crop of the sheets",
        }),
    }
}

/// Compares two graders of the same sheets; returns their agreement and the corrections.
///
/// # Errors
/// Names the file and line that is wrong.
pub fn compare(
    crops: &CropSet,
    key: &Path,
    graders: [&Path; 2],
    contested: Contested,
) -> Result<(Agreement, Vec<fixes::CorrectionRow>), LabelError> {
    let key_rows = read_rows::<KeyRow>(key, "give the key.csv that lies beside the sheets")?;
    let sample_of: HashMap<_, _> = crops
        .train
        .iter()
        .chain(&crops.val)
        .map(|crop| (crop.sample.path.to_string_lossy(), &crop.sample))
        .collect();
    let key_of: Vec<KeyRow> = key_rows.iter().map(|(_, row)| row.clone()).collect();
    let [first, second] = [grades(graders[0], &key_of)?, grades(graders[1], &key_of)?];
    let (mut corrections, mut by_label) = (Vec::new(), BTreeMap::new());
    let (mut agreed, mut chance) = (0, HashMap::<Grade, [usize; 2]>::new());
    for (line, row) in &key_rows {
        let sample = sample_of.get(row.path.as_str()).ok_or_else(|| LabelError::Row {
            path: key.into(),
            line: *line,
            reason: format!(
                "{} is in neither the train nor the val split; give the --data that the sheets were drawn from",
                row.path
            ),
        })?;
        let label = sample.label;
        let by_person = sample.label_kind == LabelKind::Human;
        // Both files hold every number of the key.
        let (Some(a), Some(b)) = (first.get(&row.number), second.get(&row.number)) else {
            continue;
        };
        chance.entry(*a).or_default()[0] += 1;
        chance.entry(*b).or_default()[1] += 1;
        let correction = |new: Grade, reason: &str| fixes::CorrectionRow {
            path: row.path.clone(),
            old: label.to_string(),
            new: new.to_string(),
            reason: reason.into(),
        };
        if a != b {
            if contested == Contested::LeaveOut && !by_person {
                corrections.push(correction(Grade::Undecidable, "two graders differ"));
            }
            continue;
        }
        agreed += 1;
        let of_label: &mut (usize, usize) = by_label.entry(label).or_default();
        of_label.0 += 1;
        if *a == Grade::State(label) {
            of_label.1 += 1;
        } else {
            let reason = "graded so twice, blind to label and prediction";
            corrections.push(correction(*a, reason));
        }
    }
    let graded = key_rows.len();
    let n = graded.max(1) as f64;
    let by_chance: f64 = chance
        .values()
        .map(|[a, b]| (*a as f64 / n) * (*b as f64 / n))
        .sum();
    let observed = agreed as f64 / n;
    let kappa = if by_chance < 1.0 {
        (observed - by_chance) / (1.0 - by_chance)
    } else {
        1.0
    };
    corrections.sort_by(|a, b| a.path.cmp(&b.path));
    let agreement = Agreement {
        graded,
        agreed,
        kappa,
        by_label,
    };
    Ok((agreement, corrections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crop::Crop, robustness::metrics::tests::sample};

    fn crops() -> CropSet {
        let crop = |number: usize, state| {
            let mut sample = sample(state, "p");
            sample.path = format!("{number}.png").into();
            if state == EyeState::PartiallyOpen {
                sample.label_kind = LabelKind::Pseudo;
            }
            Crop {
                sample,
                image: image::GrayImage::new(2, 2),
            }
        };
        CropSet {
            train: (1..=3).map(|n| crop(n, EyeState::PartiallyOpen)).collect(),
            val: vec![crop(4, EyeState::Closed)],
            sha256: "hash".into(),
        }
    }

    fn compared(
        first: &str,
        second: &str,
        contested: Contested,
    ) -> Result<(Agreement, Vec<fixes::CorrectionRow>), LabelError> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let key = file(
            "key.csv",
            "number,path\n1,1.png\n2,2.png\n3,3.png\n4,4.png\n",
        );
        let first = file("first.csv", &format!("number,grade\n{first}"));
        let second = file("second.csv", &format!("number,grade\n{second}"));
        compare(&crops(), &key, [&first, &second], contested)
    }

    #[test]
    fn a_label_falls_where_both_contradict_it_alike() {
        let grades = [
            "1,open\n2,partially_open\n3,open\n4,undecidable\n",
            "4,undecidable\n1,open\n2,partially_open\n3,closed\n",
        ];
        let compared = |contested| compared(grades[0], grades[1], contested).unwrap();
        let (agreement, corrections) = compared(Contested::Keep);
        assert_eq!((agreement.graded, agreement.agreed), (4, 3));
        // Observed 3/4; by chance (2/4)(1/4) + (1/4)(1/4) + 0 + (1/4)(1/4) = 1/4.
        assert!((agreement.kappa - (0.75 - 0.25) / 0.75).abs() < 1e-12);
        assert_eq!(agreement.by_label[&EyeState::PartiallyOpen], (2, 1));
        let said: Vec<_> = corrections
            .iter()
            .map(|row| (row.path.as_str(), row.old.as_str(), row.new.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("1.png", "partially_open", "open"),
                ("4.png", "closed", "undecidable")
            ]
        );
        let (same, with_contested) = compared(Contested::LeaveOut);
        assert_eq!(same, agreement);
        let more: Vec<_> = with_contested
            .iter()
            .filter(|row| !corrections.contains(row))
            .map(|row| (row.path.as_str(), row.new.as_str()))
            .collect();
        assert_eq!(more, [("3.png", "undecidable")]);
    }

    #[test]
    fn a_persons_closed_eye_stays_closed_for_a_split_vote_alone() {
        let rest = "1,partially_open\n2,partially_open\n3,partially_open\n";
        let fourth = |first: &str, second: &str| {
            let [first, second] = [first, second].map(|grade| format!("{rest}4,{grade}\n"));
            let (_, corrections) = compared(&first, &second, Contested::LeaveOut).unwrap();
            corrections
                .into_iter()
                .map(|row| row.new)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            fourth("partially_open", "partially_open"),
            ["partially_open"]
        );
        assert!(fourth("closed", "open").is_empty());
        assert_eq!(fourth("open", "open"), ["open"]);
        assert_eq!(fourth("undecidable", "undecidable"), ["undecidable"]);
    }

    #[test]
    fn slips_of_a_grader_are_named() {
        let whole = "1,open\n2,open\n3,open\n4,closed\n";
        for (text, word) in [
            ("1,open\n2,open\n3,open\n", "crop 4 is not graded"),
            ("1,open\n1,open\n", "graded twice"),
            ("5,open\n", "no crop 5"),
            ("1,clsoed\n", "did you mean 'closed'"),
        ] {
            let error = compared(whole, text, Contested::Keep)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(word) && error.contains("second.csv"),
                "{error}"
            );
        }
    }
}
