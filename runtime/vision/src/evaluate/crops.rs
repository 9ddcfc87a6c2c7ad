//! Evaluation of the classifier alone on labelled crops: what `parseye evaluate` measures.
//!
//! Crops pass the same sampler and standardisation as a live eye. Where the eye is, and what a
//! blink is, is not measured here.

use super::{
    manifest::{Gaze, LabelKind, Manifest, ManifestError, Sample, Split},
    metrics::{Confusion, Interval, clustered_interval, expected_calibration_error},
};
use crate::{
    classify::{EyeClassifier, EyeStateModel, ModelError, StandardisedCrop},
    eye_crop::eye_crop,
    eye_state::{EyeState, STATES},
    frame::{is_too_large, luma_of},
    locate::crop::Roi,
};
use image::{DynamicImage, GrayImage, ImageDecoder};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Threads that classify crops: the boards this is meant for have at least two cores, and the predictions
/// do not depend on it.
const THREADS: usize = 2;

/// Seed of the bootstrap intervals, so that they are the same on every run.
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
    /// An image is wrong.
    #[error(
        "{path}: not a readable image: {reason}; replace it or remove its row from the manifest"
    )]
    Image {
        /// The image.
        path: PathBuf,
        /// The decoder's message.
        reason: String,
    },
    /// A thread died: a defect of the program.
    #[error("a thread that classified crops died; please report this with the manifest at hand")]
    ThreadDied,
}

/// The prediction for one labelled crop.
#[derive(Clone, Debug)]
struct Prediction<'a> {
    sample: &'a Sample,
    probabilities: [f32; STATES],
}

impl Prediction<'_> {
    fn state(&self) -> EyeState {
        EyeState::most_likely(&self.probabilities)
    }

    fn is_correct(&self) -> bool {
        self.state() == self.sample.label
    }
}

/// Metrics over some crops.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Share predicted correctly.
    pub accuracy: f64,
    /// Mean over the states that occur of the share of each predicted correctly.
    pub macro_accuracy: f64,
    /// 95 % interval of the macro accuracy over people; absent for fewer than two.
    pub macro_accuracy_ci95: Option<Interval>,
    /// Share of each state predicted correctly.
    pub recall: BTreeMap<String, f64>,
    /// Expected calibration error.
    pub ece: f64,
    /// Rows are the label, columns the prediction, both open, partially_open, closed, not_visible.
    pub confusion: Confusion,
}

/// Open against closed on the crops that people labelled so: the prediction is "closed" where
/// P(closed) > P(open), whatever the other two states got.
#[derive(Clone, Debug, Serialize)]
pub struct OpenAgainstClosed {
    /// Number of crops.
    pub n: u64,
    /// Share predicted correctly.
    pub accuracy: f64,
    /// 95 % interval over people; absent for fewer than two.
    pub ci95: Option<Interval>,
}

/// Eyes that look down, labelled open or partially open: how many are read as closed.
#[derive(Clone, Debug, Serialize)]
pub struct LookingDown {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Share that is predicted closed.
    pub read_as_closed: f64,
    /// 95 % interval over people; absent for fewer than two.
    pub ci95: Option<Interval>,
}

/// Everything `parseye evaluate` reports.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Split that was evaluated.
    pub split: Split,
    /// Name of the model.
    pub model: String,
    /// Hash of the model's file.
    pub model_sha256: String,
    /// Over all crops.
    #[serde(flatten)]
    pub all: Metrics,
    /// By data set.
    pub by_source: BTreeMap<String, Metrics>,
    /// By data set with open and closed crops labelled by people.
    pub open_against_closed: BTreeMap<String, OpenAgainstClosed>,
    /// By data set with crops of eyes that look down.
    pub looking_down: BTreeMap<String, LookingDown>,
}

/// Classifies one split of a manifest and computes the metrics.
///
/// # Errors
/// When the split is empty, an image cannot be read, or the model fails.
pub fn evaluate(
    manifest: &Manifest,
    split: Split,
    model: &EyeStateModel,
) -> Result<Evaluation, EvaluateError> {
    let samples = manifest.of_split(split)?;
    let predictions = classify(&manifest.folder, &samples, model)?;
    let all: Vec<&Prediction> = predictions.iter().collect();
    let mut by_source: BTreeMap<String, Vec<&Prediction>> = BTreeMap::new();
    for prediction in &predictions {
        by_source
            .entry(prediction.sample.source.clone())
            .or_default()
            .push(prediction);
    }
    let open_against_closed = by_source
        .iter()
        .filter_map(|(source, predictions)| {
            Some((source.clone(), open_against_closed(predictions)?))
        })
        .collect();
    let looking_down = by_source
        .iter()
        .filter_map(|(source, predictions)| Some((source.clone(), looking_down(predictions)?)))
        .collect();
    Ok(Evaluation {
        split,
        model: model.card().name.clone(),
        model_sha256: model.file().sha256.clone(),
        all: metrics(&all),
        by_source: by_source
            .iter()
            .map(|(source, predictions)| (source.clone(), metrics(predictions)))
            .collect(),
        open_against_closed,
        looking_down,
    })
}

/// Classifies crops on [`THREADS`] threads; the predictions come in the order of the samples.
fn classify<'a>(
    folder: &Path,
    samples: &[&'a Sample],
    model: &EyeStateModel,
) -> Result<Vec<Prediction<'a>>, EvaluateError> {
    let share = samples.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = samples
            .chunks(share)
            .map(|chunk| {
                scope.spawn(move || {
                    let mut classifier = model.classifier()?;
                    chunk
                        .iter()
                        .map(|sample| classify_one(folder, sample, &mut classifier))
                        .collect::<Result<Vec<_>, EvaluateError>>()
                })
            })
            .collect();
        let mut predictions = Vec::with_capacity(samples.len());
        for worker in workers {
            predictions.extend(worker.join().map_err(|_| EvaluateError::ThreadDied)??);
        }
        Ok(predictions)
    })
}

fn classify_one<'a>(
    folder: &Path,
    sample: &'a Sample,
    classifier: &mut EyeClassifier,
) -> Result<Prediction<'a>, EvaluateError> {
    let image = read_gray(&folder.join(&sample.path))?;
    let crop = standardised(&image, classifier.model().side());
    Ok(Prediction {
        sample,
        probabilities: classifier.probabilities(&crop)?,
    })
}

/// Reads an image as gray by [`luma_of`], the convention of live frames; gray files as they are.
pub(crate) fn read_gray(path: &Path) -> Result<GrayImage, EvaluateError> {
    let wrong = |reason: String| EvaluateError::Image {
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
    let image = DynamicImage::from_decoder(decoder).map_err(|error| wrong(error.to_string()))?;
    Ok(if image.color().has_color() {
        luma_of(&image.to_rgb8())
    } else {
        image.to_luma8()
    })
}

/// The whole crop as the network's input, see [`eye_crop`]; one that is not square is taken by its longer side.
pub(crate) fn standardised(image: &GrayImage, side: usize) -> StandardisedCrop {
    eye_crop(image, &Roi::whole(image.width(), image.height()), side)
}

fn confusion<'a>(predictions: impl IntoIterator<Item = &'a Prediction<'a>>) -> Confusion {
    let mut confusion = Confusion::default();
    for prediction in predictions {
        confusion.add(prediction.sample.label, prediction.state());
    }
    confusion
}

fn of_subjects<'a>(predictions: &[&'a Prediction<'a>]) -> Vec<Vec<&'a Prediction<'a>>> {
    let mut subjects: BTreeMap<&str, Vec<&Prediction>> = BTreeMap::new();
    for prediction in predictions {
        subjects
            .entry(&prediction.sample.subject)
            .or_default()
            .push(prediction);
    }
    subjects.into_values().collect()
}

fn metrics<'a>(predictions: &[&'a Prediction<'a>]) -> Metrics {
    let counts = confusion(predictions.iter().copied());
    let of_subject: Vec<Confusion> = of_subjects(predictions)
        .iter()
        .map(|predictions| confusion(predictions.iter().copied()))
        .collect();
    let interval = clustered_interval(&of_subject, INTERVAL_SEED, |drawn| {
        let mut sum = Confusion::default();
        drawn.for_each(|confusion| sum.merge(confusion));
        sum.macro_accuracy()
    });
    let confidences = predictions.iter().map(|prediction| {
        (
            prediction.probabilities[prediction.state().index()],
            prediction.is_correct(),
        )
    });
    Metrics {
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

/// `None` where people labelled no crop open or no crop closed: there is nothing to separate.
fn open_against_closed<'a>(predictions: &[&'a Prediction<'a>]) -> Option<OpenAgainstClosed> {
    let labelled: Vec<&Prediction> = predictions
        .iter()
        .copied()
        .filter(|prediction| prediction.sample.label_kind == LabelKind::Human)
        .filter(|prediction| matches!(prediction.sample.label, EyeState::Open | EyeState::Closed))
        .collect();
    let labels: BTreeSet<EyeState> = labelled
        .iter()
        .map(|prediction| prediction.sample.label)
        .collect();
    if labels.len() < 2 {
        return None;
    }
    let is_correct = |prediction: &Prediction| {
        let p = &prediction.probabilities;
        let closed = p[EyeState::Closed.index()] > p[EyeState::Open.index()];
        closed == (prediction.sample.label == EyeState::Closed)
    };
    let share = Share::of(&labelled, is_correct);
    Some(OpenAgainstClosed {
        n: share.n,
        accuracy: share.share,
        ci95: share.ci95,
    })
}

/// `None` without a crop of an eye that looks down with its lids apart.
fn looking_down<'a>(predictions: &[&'a Prediction<'a>]) -> Option<LookingDown> {
    let is_down = |prediction: &&Prediction| {
        let Sample { gaze, label, .. } = prediction.sample;
        *gaze == Some(Gaze::Down) && matches!(label, EyeState::Open | EyeState::PartiallyOpen)
    };
    let down: Vec<&Prediction> = predictions.iter().copied().filter(is_down).collect();
    if down.is_empty() {
        return None;
    }
    let share = Share::of(&down, |prediction| prediction.state() == EyeState::Closed);
    Some(LookingDown {
        n: share.n,
        subjects: of_subjects(&down).len(),
        read_as_closed: share.share,
        ci95: share.ci95,
    })
}

/// A share of crops with its interval over people.
struct Share {
    n: u64,
    share: f64,
    ci95: Option<Interval>,
}

impl Share {
    fn of<'a>(crops: &[&'a Prediction<'a>], counts: impl Fn(&Prediction) -> bool) -> Self {
        let count = |crops: &[&Prediction]| {
            let counted = crops.iter().filter(|crop| counts(crop)).count();
            (counted as u64, crops.len() as u64)
        };
        let share = |(counted, n): (u64, u64)| counted as f64 / n as f64;
        let subjects: Vec<(u64, u64)> = of_subjects(crops).iter().map(|a| count(a)).collect();
        let ci95 = clustered_interval(&subjects, INTERVAL_SEED, |drawn| {
            share(drawn.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
        });
        Self {
            n: crops.len() as u64,
            share: share(count(crops)),
            ci95,
        }
    }
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
            gaze: None,
            note: String::new(),
        }
    }

    #[test]
    fn an_enormous_image_is_refused_before_it_is_decoded() {
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
    fn looking_down_counts_lids_that_are_apart_only() {
        let down = |label, subject| Sample {
            gaze: Some(Gaze::Down),
            ..sample(label, subject, LabelKind::Pseudo)
        };
        let samples = [
            down(EyeState::Open, "p"),
            down(EyeState::PartiallyOpen, "q"),
            down(EyeState::Closed, "q"),
            sample(EyeState::Open, "q", LabelKind::Pseudo),
        ];
        let of = |states: [EyeState; 4]| -> Vec<Prediction> {
            let predict = |(sample, state): (_, EyeState)| Prediction {
                sample,
                probabilities: EyeState::ALL.map(|other| f32::from(u8::from(other == state))),
            };
            samples.iter().zip(states).map(predict).collect()
        };
        let predictions = of([EyeState::Closed; 4]);
        let all: Vec<&Prediction> = predictions.iter().collect();
        let found = looking_down(&all).unwrap();
        assert_eq!((found.n, found.subjects, found.read_as_closed), (2, 2, 1.0));
        assert!(found.ci95.is_some());
        let predictions = of([
            EyeState::Open,
            EyeState::Closed,
            EyeState::Open,
            EyeState::Closed,
        ]);
        let all: Vec<&Prediction> = predictions.iter().collect();
        assert_eq!(looking_down(&all).unwrap().read_as_closed, 0.5);
        assert!(looking_down(&all[2..]).is_none());
    }

    #[test]
    fn open_against_closed_ignores_the_other_two_outputs() {
        let open = sample(EyeState::Open, "a", LabelKind::Human);
        let closed = sample(EyeState::Closed, "b", LabelKind::Human);
        let half = sample(EyeState::PartiallyOpen, "b", LabelKind::Pseudo);
        let predictions = [
            Prediction {
                sample: &open,
                probabilities: [0.3, 0.6, 0.1, 0.0],
            },
            Prediction {
                sample: &closed,
                probabilities: [0.1, 0.1, 0.2, 0.6],
            },
            Prediction {
                sample: &half,
                probabilities: [0.9, 0.1, 0.0, 0.0],
            },
        ];
        let all: Vec<&Prediction> = predictions.iter().collect();
        let two = open_against_closed(&all).unwrap();
        assert_eq!((two.n, two.accuracy), (2, 1.0));
        let four = metrics(&all);
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
        assert_eq!(standardised(&a, 32), standardised(&b, 32));
        assert!(read_gray(&folder.path().join("c.png")).is_err());
    }
}
