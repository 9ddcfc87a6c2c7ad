//! Brings the folds of a network together: each person outside of the test split is held out once,
//! so the folds' predictions together are predictions about everybody.

use crate::{
    conditions::Condition,
    robustness::Metrics,
    study::{
        StudyError,
        cell::{Cell, Work},
        execute::Runner,
        folder::StudyFolder,
        suite::Scale,
    },
};
use parseye_vision::{evaluate::manifest::Sample, eye_state::STATES};
use std::collections::{BTreeMap, HashMap};

/// One network under one evaluation, all folds that are done.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// Group of the folds, such as `wrn-16-1-hardened`.
    pub group: String,
    /// Name of the evaluation.
    pub evaluation: String,
    /// Varied settings of the cells.
    pub settings: BTreeMap<String, String>,
    /// Number of folds.
    pub folds: usize,
    /// The images, as the manifest names them.
    pub paths: Vec<String>,
    /// Condition by condition, clean first.
    pub measured: Vec<Measured>,
}

/// Metrics and logits under one condition.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The condition.
    pub condition: Condition,
    /// Metrics over all folds' images, the intervals by subject.
    pub metrics: Metrics,
    /// Calibrated logits (each fold's divided by its model's temperature), in the order of the
    /// images.
    pub logits: Vec<[f32; STATES]>,
}

impl Pooled {
    /// The manifest's rows of the images.
    pub fn samples<'a>(&self, runner: &'a dyn Runner) -> Vec<&'a Sample> {
        rows(&self.paths, runner)
    }
}

fn rows<'a>(paths: &[String], runner: &'a dyn Runner) -> Vec<&'a Sample> {
    let by_path: HashMap<String, &Sample> = runner
        .samples()
        .into_iter()
        .map(|sample| (sample.path.to_string_lossy().into_owned(), sample))
        .collect();
    let found = paths.iter().filter_map(|path| by_path.get(path).copied());
    found.collect()
}

/// Pools the evaluations that are done, in the order of the cells.
///
/// # Errors
/// When a cell's files are damaged.
pub(crate) fn pool(
    cells: &[Cell],
    folder: &StudyFolder,
    scale: Scale,
    runner: &dyn Runner,
) -> Result<Vec<Pooled>, StudyError> {
    let mut groups: Vec<(Pooled, Vec<String>)> = Vec::new();
    for cell in cells {
        let (Work::Evaluate { evaluation, .. }, id) = (&cell.work, cell.id()) else {
            continue;
        };
        if !folder.is_done(&id) {
            continue;
        }
        let same = |(pooled, _): &&mut (Pooled, Vec<String>)| {
            pooled.group == cell.group && pooled.evaluation == evaluation.name
        };
        match groups.iter_mut().find(same) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((
                Pooled {
                    group: cell.group.clone(),
                    evaluation: evaluation.name.clone(),
                    settings: cell.settings.clone(),
                    folds: 0,
                    paths: Vec::new(),
                    measured: Vec::new(),
                },
                vec![id],
            )),
        }
    }
    let mut pooled = Vec::new();
    for (mut group, ids) in groups {
        fill(&mut group, &ids, folder, scale, runner)?;
        pooled.push(group);
    }
    Ok(pooled)
}

fn fill(
    group: &mut Pooled,
    ids: &[String],
    folder: &StudyFolder,
    scale: Scale,
    runner: &dyn Runner,
) -> Result<(), StudyError> {
    group.folds = ids.len();
    let mut conditions: Vec<(Condition, Vec<[f32; STATES]>)> = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let predictions = folder.predictions(id)?;
        group.paths.extend(predictions.paths);
        for (position, (condition, logits)) in predictions.conditions.into_iter().enumerate() {
            let calibrated = logits
                .into_iter()
                .map(|logits| logits.map(|logit| logit / predictions.temperature));
            if number == 0 {
                conditions.push((condition, calibrated.collect()));
            } else if let Some((same, all)) = conditions.get_mut(position)
                && *same == condition
            {
                all.extend(calibrated);
            } else {
                return Err(StudyError::Damaged {
                    path: folder.of(id),
                    reason: format!("measured under other conditions than {}", ids[0]),
                    remedy: "delete the cell's folder and run the study again",
                });
            }
        }
    }
    let samples = rows(&group.paths, runner);
    if samples.len() != group.paths.len() {
        return Err(StudyError::Damaged {
            path: folder.of(&ids[0]),
            reason: "names images that the data does not hold".into(),
            remedy: "give the --data that the study was run with",
        });
    }
    for (condition, logits) in conditions {
        // Each fold has its own temperature, so the pooled logits are calibrated before: their
        // metric "uncalibrated" means nothing, the folds' own results have it.
        let metrics = runner.metrics(&samples, &logits, 1.0, scale.seed)?;
        group.measured.push(Measured {
            condition,
            metrics,
            logits,
        });
    }
    Ok(())
}
