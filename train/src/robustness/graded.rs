//! Metrics on crops that two graders looked at again, blind to labels and predictions: the hard cases, and
//! undecidable ones.
//!
//! The file of grades (`graded.csv`) is the data set's, not Parseye's; it corrects no label that a
//! model is trained on or chosen by. How grading is done is left to [`crate::labels`].

use super::metrics::{Metrics, metrics};
use crate::{
    crop::Crop,
    estimate::Estimate,
    labels::{Grade, LabelError, read_bytes, rows_of},
};
use parseye_vision::{
    classify::model::softmax,
    evaluate::manifest::Sample,
    eye_state::{EyeState, STATES},
    names::UnknownName,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// Remedy of a wrong row.
const REMEDY: &str =
    "columns are path, split, manifest_label, rater1, rater2, graded; correct the row";

/// A row of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GradedRow {
    path: String,
    #[serde(rename = "split")]
    _split: String,
    manifest_label: String,
    #[serde(rename = "rater1")]
    _rater1: String,
    #[serde(rename = "rater2")]
    _rater2: String,
    /// Empty where the two differ.
    graded: String,
}

/// Grades of two graders, by path.
#[derive(Clone, Debug)]
pub(crate) struct Grades {
    of_crop: HashMap<String, (EyeState, Option<Grade>)>,
    /// Hash of the file, in hexadecimal.
    pub sha256: String,
}

/// Metrics with the grades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradedReport {
    /// Crops whose state both graders agree on, by that state.
    pub hard: Metrics,
    /// Number of these whose published label is their grade.
    pub hard_labelled_so: u64,
    /// All crops, with grades for labels where both agree, without those that both find undecidable.
    pub corrected: Metrics,
    /// Crops that both graders find undecidable.
    pub undecidable: Option<Undecidable>,
}

/// Confidence of a model on crops that graders cannot decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undecidable {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Mean calibrated probability of the prediction.
    pub confidence: Estimate,
}

impl Grades {
    /// Reads a file of grades.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, LabelError> {
        let bytes = read_bytes(path, REMEDY)?;
        let mut of_crop = HashMap::new();
        for (line, row) in rows_of::<GradedRow>(path, &bytes, REMEDY)? {
            let wrong = |reason: String| LabelError::Row {
                path: path.into(),
                line,
                reason: format!("{reason}; {REMEDY}"),
            };
            let label = row.manifest_label.parse();
            let label: EyeState = label.map_err(|error| wrong(format!("{error}")))?;
            let grade = match row.graded.as_str() {
                "" => None,
                grade => {
                    let grade = grade.parse();
                    Some(grade.map_err(|error: UnknownName| wrong(error.to_string()))?)
                }
            };
            if of_crop.insert(row.path.clone(), (label, grade)).is_some() {
                return Err(wrong(format!("{} is given twice", row.path)));
            }
        }
        Ok(Self {
            of_crop,
            sha256: hex::encode(Sha256::digest(bytes)),
        })
    }

    /// Fails where a grade was given to a crop of another label than it has here.
    ///
    /// # Errors
    /// Names the crop.
    pub fn check(&self, crops: &[&Crop]) -> Result<(), LabelError> {
        for crop in crops {
            let sample = &crop.sample;
            if let Some((label, _)) = self.of_crop.get(&*sample.path.to_string_lossy())
                && *label != sample.label
            {
                return Err(LabelError::Models(format!(
                    "{} was graded as a crop labelled {label}, but is labelled {} in the manifest; give the grades of this data",
                    sample.path.display(),
                    sample.label
                )));
            }
        }
        Ok(())
    }

    fn of(&self, sample: &Sample) -> Option<Grade> {
        self.of_crop.get(&*sample.path.to_string_lossy())?.1
    }

    /// Counts the predictions `logits`, given for `samples` in the same order; `None` where none of
    /// them was graded alike. See [`metrics`].
    pub fn report(
        &self,
        samples: &[&Sample],
        logits: &[[f32; STATES]],
        temperature: f32,
        seed: u64,
    ) -> Option<GradedReport> {
        let (mut hard, mut corrected) = (RegradedCrops::default(), RegradedCrops::default());
        let mut hard_labelled_so = 0;
        let mut undecidable: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (sample, logits) in samples.iter().zip(logits) {
            match self.of(sample) {
                None => corrected.add((*sample).clone(), *logits),
                Some(Grade::State(label)) => {
                    hard_labelled_so += u64::from(label == sample.label);
                    let graded = Sample {
                        label,
                        ..(*sample).clone()
                    };
                    hard.add(graded.clone(), *logits);
                    corrected.add(graded, *logits);
                }
                Some(Grade::Undecidable) => {
                    let probabilities = softmax(logits, temperature);
                    let prediction = EyeState::most_likely(&probabilities);
                    let confidence = f64::from(probabilities[prediction.index()]);
                    undecidable
                        .entry(&sample.subject)
                        .or_default()
                        .push(confidence);
                }
            }
        }
        (!hard.samples.is_empty()).then(|| GradedReport {
            hard: hard.metrics(temperature, seed),
            hard_labelled_so,
            corrected: corrected.metrics(temperature, seed),
            undecidable: Undecidable::of(&undecidable.into_values().collect::<Vec<_>>(), seed),
        })
    }
}

impl Undecidable {
    /// Counts the confidences of each person's crops.
    fn of(by_person: &[Vec<f64>], seed: u64) -> Option<Self> {
        let mean = |people: &mut dyn Iterator<Item = &Vec<f64>>| {
            let all: Vec<f64> = people.flatten().copied().collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        (!by_person.is_empty()).then(|| Self {
            n: by_person.iter().map(|crops| crops.len() as u64).sum(),
            subjects: by_person.len(),
            confidence: Estimate {
                value: mean(&mut by_person.iter()),
                ..Estimate::interval(by_person, seed, mean)
            },
        })
    }
}

/// Crops with their predictions.
#[derive(Default)]
struct RegradedCrops {
    samples: Vec<Sample>,
    logits: Vec<[f32; STATES]>,
}

impl RegradedCrops {
    fn add(&mut self, sample: Sample, logits: [f32; STATES]) {
        self.samples.push(sample);
        self.logits.push(logits);
    }

    fn metrics(&self, temperature: f32, seed: u64) -> Metrics {
        let samples: Vec<&Sample> = self.samples.iter().collect();
        metrics(&samples, &self.logits, temperature, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    const HEADER: &str = "path,split,manifest_label,rater1,rater2,graded\n";

    fn grades(text: &str) -> Result<Grades, LabelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graded.csv");
        std::fs::write(&path, format!("{HEADER}{text}")).unwrap();
        Grades::read(&path)
    }

    fn named(path: &str, label: EyeState, subject: &str) -> Sample {
        Sample {
            path: path.into(),
            ..sample(label, subject)
        }
    }

    #[test]
    fn grades_stand_for_labels_and_what_nobody_can_tell_is_apart() {
        let grades = grades(
            "a.png,test,partially_open,open,open,open\n\
             b.png,test,closed,closed,closed,closed\n\
             c.png,test,open,open,closed,\n\
             d.png,test,closed,undecidable,undecidable,undecidable\n\
             e.png,val,closed,open,open,open\n",
        )
        .unwrap();
        let samples = [
            named("a.png", EyeState::PartiallyOpen, "p"),
            named("b.png", EyeState::Closed, "p"),
            named("c.png", EyeState::Open, "q"),
            named("d.png", EyeState::Closed, "q"),
            named("f.png", EyeState::NotVisible, "q"),
        ];
        // Always open, with logits that make it 0.5 of 1 at temperature 2.
        let open = [2.0 * 3.0_f32.ln(), 0.0, 0.0, 0.0];
        let samples: Vec<&Sample> = samples.iter().collect();
        let report = grades.report(&samples, &[open; 5], 2.0, 0).unwrap();
        // Of the two graded alike, a is open, as predicted, and b is not; b alone was labelled so.
        assert_eq!((report.hard.n, report.hard.accuracy.value), (2, 0.5));
        assert_eq!(report.hard_labelled_so, 1);
        // a and c of a, b, c and f.
        assert_eq!(
            (report.corrected.n, report.corrected.accuracy.value),
            (4, 0.5)
        );
        let undecidable = report.undecidable.unwrap();
        assert_eq!((undecidable.n, undecidable.subjects), (1, 1));
        assert!((undecidable.confidence.value - 0.5).abs() < 1e-6);
        assert!(grades.report(&samples[4..], &[open], 1.0, 0).is_none());
    }

    #[test]
    fn wrong_rows_and_other_data_are_named() {
        for (text, word) in [
            ("a.png,test,opne,open,open,open\n", "did you mean 'open'"),
            ("a.png,test,open,open,open,opne\n", "did you mean 'open'"),
            (
                "a.png,test,open,open,open,\na.png,test,open,open,open,\n",
                "twice",
            ),
            ("a.png,open\n", "columns are"),
        ] {
            let error = grades(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("line "), "{error}");
        }
        let grades = grades("a.png,test,open,open,open,open\n").unwrap();
        let crop = Crop {
            sample: named("a.png", EyeState::Closed, "p"),
            image: image::GrayImage::new(2, 2),
        };
        let error = grades.check(&[&crop]).unwrap_err().to_string();
        assert!(error.contains("a.png was graded"), "{error}");
    }
}
