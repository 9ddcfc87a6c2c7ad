//! Does cells one after the other, each after those that it needs, and goes on where an earlier run
//! stopped: what is done is left alone, a training that was begun is resumed.

use super::{
    StudyError,
    cell::{Cell, Work},
    execute::{EvaluationJob, Runner},
    folder::{CellPredictions, CellRecord, CellResult, StudyFolder},
};
use crate::fit::{FitError, checkpoint};
use parseye_vision::evaluate::manifest::Sample;
use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Settings that all cells of a run share.
#[derive(Clone, Copy, Debug)]
pub struct RunSettings<'a> {
    /// Folder of the data.
    pub data: &'a Path,
    /// Threads; without it as many as there are cores.
    pub threads: Option<u16>,
    /// Seed of all randomness.
    pub seed: u64,
}

/// Does `cells[only]` and what it needs first, or all cells. `report` is called with each cell before it
/// begins, not with those that are done already.
///
/// # Errors
/// When a cell fails; those done before it are kept. When `stop` is set the run ends as a stopped
/// training does.
pub fn run(
    cells: &[Cell],
    only: Option<usize>,
    folder: &StudyFolder,
    settings: RunSettings,
    runner: &mut dyn Runner,
    stop: &AtomicBool,
    mut report: impl FnMut(usize, &Cell),
) -> Result<(), StudyError> {
    let positions: HashMap<String, usize> = cells
        .iter()
        .enumerate()
        .map(|(position, cell)| (cell.id(), position))
        .collect();
    let mut wanted: Vec<usize> = match only {
        None => (0..cells.len()).collect(),
        Some(cell) => needed_by(cell, cells, &positions),
    };
    // Cells are listed after those that they need.
    wanted.sort_unstable();
    for position in wanted {
        let Some(cell) = cells.get(position) else {
            continue;
        };
        let id = cell.id();
        if folder.is_done(&id) {
            continue;
        }
        if stop.load(Ordering::Relaxed) {
            return Err(StudyError::Work(FitError::Stopped.into()));
        }
        report(position, cell);
        let begun = std::time::Instant::now();
        let path = folder.begin(&CellRecord {
            cell: cell.clone(),
            data_sha256: runner.data_sha256().into(),
            seed: settings.seed,
            commit: env!("PARSEYE_COMMIT").into(),
            threads: settings.threads,
        })?;
        let named = |id: &str| positions.get(id).and_then(|position| cells.get(*position));
        let model_of = |id: &str| {
            named(id)
                .map(|cell| folder.model(cell))
                .ok_or_else(|| StudyError::Setting(format!("no cell {id} in this suite")))
        };
        let mut metrics = Vec::new();
        match &cell.work {
            Work::Train { arguments, base } => {
                let base = base.as_deref().map(model_of).transpose()?;
                let arguments = whole_command(arguments, cell, &path, base.as_deref(), settings);
                runner.train(&arguments, stop)?;
            }
            Work::Evaluate {
                model,
                from,
                evaluation,
            } => {
                let from = from.as_deref().map(model_of).transpose()?;
                let predictions = runner.evaluate(&EvaluationJob {
                    model: &model_of(model)?,
                    from: from.as_deref(),
                    evaluation,
                    fold: cell.fold,
                })?;
                metrics = metrics_of(&predictions, runner, settings.seed)?;
                folder.write_predictions(&id, &predictions)?;
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        folder.finish(&id, &CellResult { seconds, metrics })?;
    }
    Ok(())
}

/// Positions of a cell and of all that it needs.
fn needed_by(cell: usize, cells: &[Cell], positions: &HashMap<String, usize>) -> Vec<usize> {
    let mut found = vec![cell];
    let mut next = 0;
    while let Some(cell) = found.get(next).and_then(|position| cells.get(*position)) {
        for needed in cell.needs() {
            if let Some(position) = positions.get(needed)
                && !found.contains(position)
            {
                found.push(*position);
            }
        }
        next += 1;
    }
    found
}

/// A cell's arguments with those of place and speed.
fn whole_command(
    arguments: &[String],
    cell: &Cell,
    path: &Path,
    base: Option<&Path>,
    settings: RunSettings,
) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut whole = arguments.to_vec();
    let mut add = |flag: &str, value: String| whole.extend([flag.to_owned(), value]);
    add("--data", text(settings.data));
    add("--out", text(path));
    add("--name", cell.name());
    if let Some(base) = base {
        add("--base", text(base));
    }
    if let Some(threads) = settings.threads {
        add("--threads", threads.to_string());
    }
    if path.join(checkpoint::FILE).exists() {
        whole.push("--resume".into());
    }
    whole
}

fn metrics_of(
    predictions: &CellPredictions,
    runner: &dyn Runner,
    seed: u64,
) -> Result<Vec<(crate::conditions::Condition, crate::robustness::Metrics)>, StudyError> {
    let by_path: HashMap<String, &Sample> = runner
        .samples()
        .into_iter()
        .map(|sample| (sample.path.to_string_lossy().into_owned(), sample))
        .collect();
    let samples: Vec<&Sample> = predictions
        .paths
        .iter()
        .filter_map(|path| by_path.get(path).copied())
        .collect();
    let mut all = Vec::new();
    for (condition, logits) in &predictions.conditions {
        let metrics = runner.metrics(&samples, logits, predictions.temperature, seed)?;
        all.push((condition.clone(), metrics));
    }
    Ok(all)
}
