//! Learning curves: validation (held-out people) and training accuracy, the mean over the folds
//! with a band from the lowest to the highest fold.

use crate::{
    chart::{Axis, Chart, Dash, Line, Mark, PALETTE, Point},
    study::{
        StudyError,
        cell::{Cell, Work},
        folder::StudyFolder,
    },
};
use std::{collections::BTreeMap, path::Path};

/// Networks in one chart: more could not be told apart.
const NETWORKS: usize = 4;

/// A row of metrics.csv, as far as it is drawn; other columns may come and go.
#[derive(Debug, serde::Deserialize)]
struct LearningRow {
    epoch: usize,
    accuracy: f64,
    val_macro_accuracy: f64,
}

/// Value of a row that a line shows.
type RowValue = fn(&LearningRow) -> f64;

/// Charts of the trainings that are done.
///
/// # Errors
/// When a metrics.csv is damaged.
pub(crate) fn charts(
    cells: &[Cell],
    folder: &StudyFolder,
) -> Result<Vec<(String, Chart)>, StudyError> {
    let mut groups: Vec<(&str, Vec<Vec<LearningRow>>)> = Vec::new();
    for cell in cells {
        let id = cell.id();
        if !matches!(cell.work, Work::Train { .. }) || !folder.is_done(&id) {
            continue;
        }
        let rows = read(&folder.of(&id).join("metrics.csv"))?;
        match groups.iter_mut().find(|(group, _)| *group == cell.group) {
            Some((_, folds)) => folds.push(rows),
            None => groups.push((&cell.group, vec![rows])),
        }
    }
    let charts = groups.chunks(NETWORKS).enumerate().map(|(number, groups)| {
        let mut lines = Vec::new();
        for (index, (group, folds)) in groups.iter().enumerate() {
            let colour = PALETTE[index % PALETTE.len()];
            let kinds: [(&str, Dash, RowValue); 2] = [
                ("held-out people", Dash::Solid, |row| row.val_macro_accuracy),
                ("training", Dash::Dashed, |row| row.accuracy),
            ];
            for (words, dash, value) in kinds {
                lines.push(Line {
                    name: format!("{group}, {words}"),
                    points: over_folds(folds, value),
                    colour,
                    dash,
                    mark: Mark::None,
                });
            }
        }
        let last = lines.iter().flat_map(|line| line.points.last());
        let epochs = last.map(|point| point.x).fold(2.0, f64::max);
        let chart = Chart {
            title: "Learning curves".into(),
            x: Axis::new("epoch", 1.0, epochs),
            y: Axis::new("accuracy", 0.0, 1.0),
            lines,
            notes: vec![
                "held-out people: mean over the states".into(),
                "training: crops as varied and attacked".into(),
                "bands: lowest to highest fold".into(),
            ],
        };
        (format!("learning-{number}"), chart)
    });
    Ok(charts.collect())
}

fn read(path: &Path) -> Result<Vec<LearningRow>, StudyError> {
    let damaged = |reason: String| StudyError::Damaged {
        path: path.into(),
        reason,
        remedy: "delete the cell's folder and run the study again",
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| damaged(error.to_string()))?;
    let rows: Result<Vec<LearningRow>, csv::Error> = reader.deserialize().collect();
    rows.map_err(|error| damaged(error.to_string()))
}

fn over_folds(folds: &[Vec<LearningRow>], value: RowValue) -> Vec<Point> {
    let mut by_epoch: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for row in folds.iter().flatten() {
        by_epoch.entry(row.epoch).or_default().push(value(row));
    }
    let points = by_epoch.into_iter().map(|(epoch, values)| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Point {
            x: epoch as f64,
            y: values.iter().sum::<f64>() / values.len() as f64,
            band: (values.len() > 1).then_some((low, high)),
        }
    });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_spans_the_folds_and_the_line_is_their_mean() {
        let fold = |values: [f64; 2]| {
            let rows = values.iter().enumerate().map(|(epoch, value)| LearningRow {
                epoch: epoch + 1,
                accuracy: 0.0,
                val_macro_accuracy: *value,
            });
            rows.collect()
        };
        let points = over_folds(&[fold([0.2, 0.6]), fold([0.4, 0.8])], |row| {
            row.val_macro_accuracy
        });
        assert_eq!(points.len(), 2);
        assert!((points[1].y - 0.7).abs() < 1e-12);
        assert_eq!(points[0].band, Some((0.2, 0.4)));
    }
}
