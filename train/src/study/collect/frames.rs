//! How far each layer's weight is from a tight frame at the end of a training: one row for a layer,
//! one column for a network, the mean over the folds.

use crate::study::{
    StudyError,
    cell::{Cell, Work},
    folder::{StudyFolder, write_text},
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

/// A row of a training's frames.csv.
#[derive(Debug, serde::Deserialize)]
struct FrameDeviationRow {
    epoch: usize,
    layer: String,
    frame_deviation: f64,
}

/// Distances of one network's layers, in the network's order, one for each fold.
type Layers = Vec<(String, Vec<f64>)>;

/// Writes `frames.md` of the trainings that are done.
///
/// # Errors
/// When a frames.csv is damaged or the table cannot be written.
pub fn write(cells: &[Cell], folder: &StudyFolder, out: &Path) -> Result<PathBuf, StudyError> {
    let mut networks: BTreeMap<String, Layers> = BTreeMap::new();
    for cell in cells {
        let id = cell.id();
        let path = folder.of(&id).join("frames.csv");
        // The study's tests train nothing and leave no such file.
        if !matches!(cell.work, Work::Train { .. }) || !folder.is_done(&id) || !path.exists() {
            continue;
        }
        let layers = networks.entry(cell.group.clone()).or_default();
        for row in last_epoch(&path)? {
            match layers.iter_mut().find(|(layer, _)| *layer == row.layer) {
                Some((_, folds)) => folds.push(row.frame_deviation),
                None => layers.push((row.layer, vec![row.frame_deviation])),
            }
        }
    }
    let path = out.join("frames.md");
    write_text(&path, &markdown(&networks))?;
    Ok(path)
}

fn last_epoch(path: &Path) -> Result<Vec<FrameDeviationRow>, StudyError> {
    let damaged = |reason: String| StudyError::Damaged {
        path: path.into(),
        reason,
        remedy: "delete the cell's folder and run the study again",
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| damaged(error.to_string()))?;
    let rows: Result<Vec<FrameDeviationRow>, csv::Error> = reader.deserialize().collect();
    let mut rows = rows.map_err(|error| damaged(error.to_string()))?;
    let last = rows.iter().map(|row| row.epoch).max();
    rows.retain(|row| Some(row.epoch) == last);
    Ok(rows)
}

/// Networks with the same layers share a table.
fn markdown(networks: &BTreeMap<String, Layers>) -> String {
    let mut text = String::from(
        "# Distance of the weights from tight frames\n\nAfter training: `||G - I||_F / sqrt(n)` of the \
         smaller Gram matrix of each weight, `W W^T` where it has more columns than rows; 0 is a tight \
         frame. Mean over the folds.\n",
    );
    let names = |layers: &Layers| -> Vec<String> {
        layers.iter().map(|(layer, _)| layer.clone()).collect()
    };
    let mut kinds: Vec<Vec<String>> = Vec::new();
    for layers in networks.values() {
        let names = names(layers);
        if !kinds.contains(&names) {
            kinds.push(names);
        }
    }
    for kind in kinds {
        let alike: Vec<(&String, &Layers)> = networks
            .iter()
            .filter(|(_, layers)| names(layers) == kind)
            .collect();
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "\n| layer |");
        for (network, _) in &alike {
            let _ = write!(text, " {network} |");
        }
        let _ = writeln!(text, "\n|---|{}", "---:|".repeat(alike.len()));
        for (position, layer) in kind.iter().enumerate() {
            let _ = write!(text, "| {layer} |");
            for (_, layers) in &alike {
                let _ = write!(text, " {:.4} |", mean(&layers[position].1));
            }
            let _ = writeln!(text);
        }
        let _ = write!(text, "| **mean** |");
        for (_, layers) in &alike {
            let means: Vec<f64> = layers.iter().map(|(_, folds)| mean(folds)).collect();
            let _ = write!(text, " **{:.4}** |", mean(&means));
        }
        let _ = writeln!(text);
    }
    text
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_with_the_same_layers_stand_side_by_side() {
        let layers = |values: [f64; 2]| -> Layers {
            vec![
                ("stem".into(), vec![values[0], values[0] + 0.2]),
                ("dense".into(), vec![values[1]]),
            ]
        };
        let networks = BTreeMap::from([
            ("a".to_owned(), layers([0.1, 0.4])),
            ("b".to_owned(), layers([0.5, 0.2])),
            ("c".to_owned(), vec![("other".to_owned(), vec![1.0])]),
        ]);
        let text = markdown(&networks);
        assert!(text.contains("| layer | a | b |"), "{text}");
        assert!(text.contains("| stem | 0.2000 | 0.6000 |"), "{text}");
        assert!(
            text.contains("| **mean** | **0.3000** | **0.4000** |"),
            "{text}"
        );
        assert!(text.contains("| layer | c |"), "{text}");
    }
}
