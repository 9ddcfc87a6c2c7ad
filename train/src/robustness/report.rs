//! The report of `train evaluate`, as JSON: written whole after each model, read back to go on.

use super::{
    graded::{GradedReport, Grades},
    metrics::{Metrics, mean_accuracy, metrics, reliability},
    roc::{RocCurves, roc_curves},
    spread::{SubjectSpread, spread},
};
use crate::{
    conditions::{Condition, EvaluationPlan, Predictions},
    corruption::Family,
    crop::Crop,
    estimate::Estimate,
    files::{WriteError, write_atomically},
};
use parseye_vision::{
    evaluate::{
        manifest::{Sample, Split},
        metrics::ReliabilityBin,
    },
    eye_state::STATES,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use strum::VariantArray;

/// Layout of the report that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Metrics of models measured in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Layout of this report, [`FORMAT`].
    pub format: u32,
    /// Data and conditions of the evaluation.
    pub setup: Setup,
    /// Each model's metrics, in the order that they were measured.
    pub models: Vec<ModelReport>,
}

/// Everything that decides a model's metrics besides the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Hash over the manifest and every image it lists.
    pub data_sha256: String,
    /// Split that was evaluated.
    pub split: Split,
    /// Number of crops drawn from it, class-balanced; none for all of them.
    pub crops: Option<usize>,
    /// Conditions of the evaluation.
    pub plan: EvaluationPlan,
    /// Hash of the model whose examples were transferred.
    pub transfer_from_sha256: Option<String>,
    /// Hash of the file of grades.
    #[serde(default)]
    pub graded_sha256: Option<String>,
    /// Whether sanity checks were made.
    pub sanity: bool,
}

/// Metrics of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Name in its card.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Hash of its file.
    pub sha256: String,
    /// Architecture in its card.
    pub architecture: String,
    /// Divisor of its logits, fitted on the validation split.
    pub temperature: f32,
    /// Name of the model whose examples were transferred.
    pub transfer_from: Option<String>,
    /// Under each condition, clean first.
    pub results: Vec<ConditionReport>,
    /// Clean crops by data set.
    pub by_source: BTreeMap<String, Metrics>,
    /// Clean crops by who labelled them.
    pub by_label_kind: BTreeMap<String, Metrics>,
    /// Clean crops that two graders looked at again, where their grades were given.
    #[serde(default)]
    pub graded: Option<GradedReport>,
    /// Clean accuracy person by person.
    #[serde(default)]
    pub by_subject: Option<SubjectSpread>,
    /// Clean crops by calibrated confidence, the lowest bin first.
    #[serde(default)]
    pub reliability: Vec<ReliabilityBin>,
    /// Curves on clean crops.
    pub roc: RocCurves,
    /// Corruptions, where they were evaluated.
    pub corruption: Option<CorruptionReport>,
    /// Failed sanity checks, a sentence each.
    #[serde(alias = "suspicions")]
    pub failed_checks: Vec<String>,
}

impl ModelReport {
    /// Metrics on the crops as they are; none where the report holds no result.
    pub fn clean(&self) -> Option<&Metrics> {
        Some(&self.results.first()?.metrics)
    }
}

/// The items, each once, in the order in which they come first.
pub(crate) fn in_order<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

/// Metrics under one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionReport {
    /// Attack or corruption of the crops.
    #[serde(flatten)]
    pub condition: Condition,
    /// Metrics under it.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// Mean corruption accuracy: over the severities of each family, and over all families.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorruptionReport {
    /// By family's name.
    pub by_family: BTreeMap<String, MeanAccuracy>,
    /// Over all families.
    pub all: MeanAccuracy,
}

/// Means over several conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanAccuracy {
    /// Mean accuracy.
    pub accuracy: Estimate,
    /// Mean macro accuracy.
    pub macro_accuracy: Estimate,
}

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be read.
    #[error("{path}: cannot be read as an evaluation ({reason}); remove it or give another --json")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reader's message.
        reason: String,
    },
    /// It was made with other arguments.
    #[error(
        "{path}: {what} was {before} in the evaluation that it holds and is {now} now; give the same, remove the file, or give another --json"
    )]
    OtherSetup {
        /// The file.
        path: PathBuf,
        /// The argument.
        what: String,
        /// Its value in the file.
        before: String,
        /// Its value now.
        now: String,
    },
    /// It cannot be written as JSON.
    #[error("the evaluation cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// It cannot be written to the disk.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Report {
    /// The report at `path` to go on with, or an empty one where there is none.
    ///
    /// # Errors
    /// When what is there is no report, or one of another setup.
    pub fn open(path: &Path, setup: Setup) -> Result<Self, ReportError> {
        let unreadable = |reason: String| ReportError::Unreadable {
            path: path.into(),
            reason,
        };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    format: FORMAT,
                    setup,
                    models: Vec::new(),
                });
            }
            text => text.map_err(|error| unreadable(error.to_string()))?,
        };
        let report: Self =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if report.format != FORMAT {
            return Err(unreadable(format!("its layout is {}", report.format)));
        }
        report.setup.same_as(&setup, path)?;
        Ok(report)
    }

    /// Writes the report, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        Ok(write_atomically(path, &serde_json::to_vec_pretty(self)?)?)
    }

    /// The metrics of the model whose file has this hash, where they are there.
    pub fn of_model(&self, sha256: &str) -> Option<&ModelReport> {
        self.models.iter().find(|model| model.sha256 == sha256)
    }
}

impl Setup {
    /// Fails on the first argument in which two setups differ.
    fn same_as(&self, now: &Self, path: &Path) -> Result<(), ReportError> {
        let flat =
            |setup: &Self| -> Result<serde_json::Map<String, serde_json::Value>, ReportError> {
                let mut all = serde_json::Map::new();
                let mut setup = serde_json::to_value(setup)?;
                let plan = setup.as_object_mut().and_then(|setup| setup.remove("plan"));
                for part in [Some(setup), plan].into_iter().flatten() {
                    all.extend(part.as_object().cloned().unwrap_or_default());
                }
                Ok(all)
            };
        let (before, now) = (flat(self)?, flat(now)?);
        for (what, value) in &now {
            let was = before.get(what).unwrap_or(&serde_json::Value::Null);
            if was != value {
                return Err(ReportError::OtherSetup {
                    path: path.into(),
                    what: what.clone(),
                    before: was.to_string(),
                    now: value.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// The model of a report.
#[derive(Clone, Debug)]
pub(crate) struct ModelIdentity {
    /// Name in its card.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Hash of its file.
    pub sha256: String,
    /// Architecture in its card.
    pub architecture: String,
    /// Temperature in its card.
    pub temperature: f32,
    /// Name of the model whose examples were transferred.
    pub transfer_from: Option<String>,
}

/// Counts a model's `predictions` on `crops`, also with `grades` where there are any; `seed`
/// is that of the intervals.
pub(crate) fn from_predictions(
    model: ModelIdentity,
    crops: &[&Crop],
    predictions: &[Predictions],
    grades: Option<&Grades>,
    failed_checks: Vec<String>,
    seed: u64,
) -> ModelReport {
    let samples: Vec<&Sample> = crops.iter().map(|crop| &crop.sample).collect();
    let clean = predictions.first().map_or(&[][..], |clean| &clean.logits);
    let grouped = |name: &dyn Fn(&Sample) -> String| {
        let mut groups: BTreeMap<String, (Vec<&Sample>, Vec<[f32; STATES]>)> = BTreeMap::new();
        for (sample, logits) in samples.iter().zip(clean) {
            let group = groups.entry(name(sample)).or_default();
            group.0.push(sample);
            group.1.push(*logits);
        }
        let of_group = |(name, (samples, logits)): (String, (Vec<&Sample>, Vec<_>))| {
            (name, metrics(&samples, &logits, model.temperature, seed))
        };
        groups.into_iter().map(of_group).collect()
    };
    let results = predictions.iter().map(|one| ConditionReport {
        condition: one.condition.clone(),
        metrics: metrics(&samples, &one.logits, model.temperature, seed),
    });
    ModelReport {
        by_source: grouped(&|sample| sample.source.clone()),
        by_label_kind: grouped(&|sample| sample.label_kind.name().to_owned()),
        graded: grades.and_then(|g| g.report(&samples, clean, model.temperature, seed)),
        by_subject: spread(&samples, clean),
        reliability: reliability(&samples, clean, model.temperature).to_vec(),
        roc: roc_curves(&samples, clean, model.temperature),
        results: results.collect(),
        corruption: corruption(&samples, predictions, seed),
        failed_checks,
        name: model.name,
        path: model.path,
        sha256: model.sha256,
        architecture: model.architecture,
        temperature: model.temperature,
        transfer_from: model.transfer_from,
    }
}

fn corruption(
    samples: &[&Sample],
    predictions: &[Predictions],
    seed: u64,
) -> Option<CorruptionReport> {
    let mean = |of: &dyn Fn(Family) -> bool| {
        let logits: Vec<&[[f32; STATES]]> = predictions
            .iter()
            .filter(|one| {
                one.condition
                    .corruption()
                    .is_some_and(|(family, _)| of(family))
            })
            .map(|one| one.logits.as_slice())
            .collect();
        (!logits.is_empty()).then(|| {
            let (accuracy, macro_accuracy) = mean_accuracy(samples, &logits, seed);
            MeanAccuracy {
                accuracy,
                macro_accuracy,
            }
        })
    };
    let of_family = |family: &Family| Some((family.to_string(), mean(&|f| f == *family)?));
    Some(CorruptionReport {
        by_family: Family::VARIANTS.iter().filter_map(of_family).collect(),
        all: mean(&|_| true)?,
    })
}
