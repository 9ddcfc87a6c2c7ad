//! The classifier alone on labelled crops: what `parseye evaluate` measures.
//!
//! Crops pass the same sampler and standardisation as a live eye. Where the eye is, and what a
//! blink is, is not measured here.

use super::{
    manifest::{LabelKind, Manifest, ManifestError, Sample, Split},
    metrics::{Confusion, Interval, clustered_interval, expected_calibration_error},
};
use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    eye_state::{EyeState, STATES},
    frame::{is_too_large, luma_of},
    locate::crop::{Roi, sample_gray},
};
use image::{DynamicImage, GrayImage, ImageDecoder};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Threads that judge crops: the boards this is meant for have at least two cores, and the answers
/// do not depend on it.
const THREADS: usize = 2;

/// Seed of the bootstrap intervals, so that a figure is the same on every run.
const INTERVAL_SEED: u64 = 0;

/// Why crops cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The model is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A picture is wrong.
    #[error(
        "{path}: not a readable picture: {reason}; replace it or remove its row from the manifest"
    )]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// A thread died: a defect of the program.
    #[error("a thread that judged crops died; please report this with the manifest at hand")]
    ThreadDied,
}

/// The answer to one labelled crop.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// What was asked.
    pub sample: &'a Sample,
    /// Probabilities of the states.
    pub probabilities: [f32; STATES],
}

impl Answer<'_> {
    fn state(&self) -> EyeState {
        EyeState::most_likely(&self.probabilities)
    }

    fn is_right(&self) -> bool {
        self.state() == self.sample.label
    }
}

/// Figures over some crops.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Share answered rightly.
    pub accuracy: f64,
    /// Mean over the states that occur of the share of each answered rightly.
    pub macro_accuracy: f64,
    /// 95 % interval of the macro accuracy over people; absent for fewer than two.
    pub macro_accuracy_ci95: Option<Interval>,
    /// Share of each state answered rightly.
    pub recall: BTreeMap<String, f64>,
    /// Expected calibration error.
    pub ece: f64,
    /// Rows are the label, columns the answer, both open, partially_open, closed, not_visible.
    pub confusion: Confusion,
}

/// Open against closed on the crops that people labelled so: the answer is "closed" where
/// P(closed) > P(open), whatever the other two states got.
#[derive(Clone, Debug, Serialize)]
pub struct OpenAgainstClosed {
    /// Number of crops.
    pub n: u64,
    /// Share answered rightly.
    pub accuracy: f64,
    /// 95 % interval over people; absent for fewer than two.
    pub ci95: Option<Interval>,
}

/// Everything `parseye evaluate` reports.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Split that was judged.
    pub split: Split,
    /// Name of the model.
    pub model: String,
    /// Hash of the model's file.
    pub model_sha256: String,
    /// Over all crops.
    #[serde(flatten)]
    pub all: Figures,
    /// By data set.
    pub by_source: BTreeMap<String, Figures>,
    /// By data set with open and closed crops labelled by people.
    pub open_against_closed: BTreeMap<String, OpenAgainstClosed>,
}

/// Judges one split of a manifest.
///
/// # Errors
/// When the split is empty, a picture cannot be read, or the model fails.
pub fn evaluate(
    manifest: &Manifest,
    split: Split,
    model: &EyeStateModel,
) -> Result<Evaluation, EvaluateError> {
    let samples = manifest.of_split(split)?;
    let answers = judge(&manifest.folder, &samples, model)?;
    let all: Vec<&Answer> = answers.iter().collect();
    let mut by_source: BTreeMap<String, Vec<&Answer>> = BTreeMap::new();
    for answer in &answers {
        by_source
            .entry(answer.sample.source.clone())
            .or_default()
            .push(answer);
    }
    let open_against_closed = by_source
        .iter()
        .filter_map(|(source, answers)| Some((source.clone(), open_against_closed(answers)?)))
        .collect();
    Ok(Evaluation {
        split,
        model: model.card().name.clone(),
        model_sha256: model.file().sha256.clone(),
        all: figures(&all),
        by_source: by_source
            .iter()
            .map(|(source, answers)| (source.clone(), figures(answers)))
            .collect(),
        open_against_closed,
    })
}

/// Judges crops on [`THREADS`] threads; the answers come in the order of the samples.
fn judge<'a>(
    folder: &Path,
    samples: &[&'a Sample],
    model: &EyeStateModel,
) -> Result<Vec<Answer<'a>>, EvaluateError> {
    let share = samples.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = samples
            .chunks(share)
            .map(|chunk| {
                scope.spawn(move || {
                    let mut classifier = model.classifier()?;
                    chunk
                        .iter()
                        .map(|sample| judge_one(folder, sample, &mut classifier))
                        .collect::<Result<Vec<_>, EvaluateError>>()
                })
            })
            .collect();
        let mut answers = Vec::with_capacity(samples.len());
        for worker in workers {
            answers.extend(worker.join().map_err(|_| EvaluateError::ThreadDied)??);
        }
        Ok(answers)
    })
}

fn judge_one<'a>(
    folder: &Path,
    sample: &'a Sample,
    classifier: &mut EyeClassifier,
) -> Result<Answer<'a>, EvaluateError> {
    let crop = standardised(&read_gray(&folder.join(&sample.path))?);
    Ok(Answer {
        sample,
        probabilities: classifier.probabilities(&crop)?,
    })
}

/// Reads a picture as gray by [`luma_of`], the convention of live frames; gray files as they are.
pub(crate) fn read_gray(path: &Path) -> Result<GrayImage, EvaluateError> {
    let wrong = |reason: String| EvaluateError::Picture {
        path: path.into(),
        reason: reason.replace('\n', " "),
    };
    let decoder = image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(|error| wrong(error.to_string()))?
        .into_decoder()
        .map_err(|error| wrong(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(wrong("it has no pixels".into()));
    }
    if is_too_large(width, height) {
        return Err(wrong(format!("{width}x{height} pixels are too many")));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| wrong(error.to_string()))?;
    Ok(if picture.color().has_color() {
        luma_of(&picture.to_rgb8())
    } else {
        picture.to_luma8()
    })
}

/// The whole crop as the network's input; one that is not square is taken by its longer side.
pub(crate) fn standardised(picture: &GrayImage) -> StandardisedCrop {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let square = Roi {
        centre: [width / 2.0, height / 2.0],
        side: width.max(height),
        angle: 0.0,
    };
    let mut gray = [0.0; PIXELS];
    sample_gray(picture, &square, SIDE, &mut gray);
    StandardisedCrop::new(&gray)
}

fn confusion<'a>(answers: impl IntoIterator<Item = &'a Answer<'a>>) -> Confusion {
    let mut confusion = Confusion::default();
    for answer in answers {
        confusion.add(answer.sample.label, answer.state());
    }
    confusion
}

fn of_subjects<'a>(answers: &[&'a Answer<'a>]) -> Vec<Vec<&'a Answer<'a>>> {
    let mut subjects: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        subjects
            .entry(&answer.sample.subject)
            .or_default()
            .push(answer);
    }
    subjects.into_values().collect()
}

fn figures<'a>(answers: &[&'a Answer<'a>]) -> Figures {
    let counts = confusion(answers.iter().copied());
    let of_subject: Vec<Confusion> = of_subjects(answers)
        .iter()
        .map(|answers| confusion(answers.iter().copied()))
        .collect();
    let interval = clustered_interval(&of_subject, INTERVAL_SEED, |drawn| {
        let mut sum = Confusion::default();
        drawn.for_each(|confusion| sum.merge(confusion));
        sum.macro_accuracy()
    });
    let confidences = answers.iter().map(|answer| {
        (
            answer.probabilities[answer.state().index()],
            answer.is_right(),
        )
    });
    Figures {
        n: counts.n(),
        subjects: of_subject.len(),
        accuracy: counts.accuracy(),
        macro_accuracy: counts.macro_accuracy(),
        macro_accuracy_ci95: interval,
        recall: counts.recalls(),
        ece: expected_calibration_error(confidences),
        confusion: counts,
    }
}

/// `None` where people labelled no crop open or no crop closed: there is nothing to tell apart.
fn open_against_closed<'a>(answers: &[&'a Answer<'a>]) -> Option<OpenAgainstClosed> {
    let labelled: Vec<&Answer> = answers
        .iter()
        .copied()
        .filter(|answer| answer.sample.label_kind == LabelKind::Human)
        .filter(|answer| matches!(answer.sample.label, EyeState::Open | EyeState::Closed))
        .collect();
    let labels: BTreeSet<EyeState> = labelled.iter().map(|answer| answer.sample.label).collect();
    if labels.len() < 2 {
        return None;
    }
    let is_right = |answer: &Answer| {
        let p = &answer.probabilities;
        let closed = p[EyeState::Closed.index()] > p[EyeState::Open.index()];
        closed == (answer.sample.label == EyeState::Closed)
    };
    let count = |answers: &[&Answer]| {
        let right = answers.iter().filter(|answer| is_right(answer)).count();
        (right as u64, answers.len() as u64)
    };
    let share = |(right, n): (u64, u64)| right as f64 / n as f64;
    let subjects: Vec<(u64, u64)> = of_subjects(&labelled).iter().map(|a| count(a)).collect();
    let ci95 = clustered_interval(&subjects, INTERVAL_SEED, |drawn| {
        share(drawn.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    });
    Some(OpenAgainstClosed {
        n: labelled.len() as u64,
        accuracy: share(count(&labelled)),
        ci95,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(label: EyeState, subject: &str, label_kind: LabelKind) -> Sample {
        Sample {
            path: "a.png".into(),
            label,
            source: "s".into(),
            subject: subject.into(),
            eye: None,
            split: Split::Test,
            label_kind,
            openness: None,
            note: String::new(),
        }
    }

    #[test]
    fn an_enormous_picture_is_refused_before_it_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.png");
        let save = |side| GrayImage::new(side, 1).save(&path).unwrap();
        save(crate::frame::MAX_SIDE);
        assert_eq!(read_gray(&path).unwrap().height(), 1);
        save(crate::frame::MAX_SIDE + 1);
        let error = read_gray(&path).unwrap_err().to_string();
        assert!(
            error.contains("long.png") && error.contains("too many"),
            "{error}"
        );
    }

    #[test]
    fn open_against_closed_ignores_the_other_two_outputs() {
        let open = sample(EyeState::Open, "a", LabelKind::Human);
        let closed = sample(EyeState::Closed, "b", LabelKind::Human);
        let half = sample(EyeState::PartiallyOpen, "b", LabelKind::Pseudo);
        let answers = [
            Answer {
                sample: &open,
                probabilities: [0.3, 0.6, 0.1, 0.0],
            },
            Answer {
                sample: &closed,
                probabilities: [0.1, 0.1, 0.2, 0.6],
            },
            Answer {
                sample: &half,
                probabilities: [0.9, 0.1, 0.0, 0.0],
            },
        ];
        let all: Vec<&Answer> = answers.iter().collect();
        let two = open_against_closed(&all).unwrap();
        assert_eq!((two.n, two.accuracy), (2, 1.0));
        let four = figures(&all);
        assert_eq!((four.n, four.accuracy, four.subjects), (3, 0.0, 2));
        assert!(open_against_closed(&all[..1]).is_none());
    }

    #[test]
    fn a_gray_file_and_its_colour_twin_are_the_same_input() {
        let folder = tempfile::tempdir().unwrap();
        let gray = GrayImage::from_fn(40, 30, |x, y| image::Luma([(x * 5 + y) as u8]));
        let (a, b) = (folder.path().join("a.png"), folder.path().join("b.png"));
        gray.save(&a).unwrap();
        DynamicImage::from(gray.clone()).to_rgb8().save(&b).unwrap();
        let (a, b) = (read_gray(&a).unwrap(), read_gray(&b).unwrap());
        assert_eq!(standardised(&a), standardised(&b));
        assert!(read_gray(&folder.path().join("c.png")).is_err());
    }
}
