//! What a model is wrong about: its most confident errors on numbered sheets, with a list, made from
//! the user's own data for the user's eyes.

use super::evaluate::Answers;
use crate::{
    data::crops::Crop,
    labels::{LabelError, csv_bytes, sheets, write_new},
};
use parseye_vision::{classify::model::softmax, eye_state::EyeState};
use serde::Serialize;
use std::path::Path;

/// A row of the list beside the sheets.
#[derive(Debug, Serialize)]
struct Row {
    /// Number on the sheets, from 1.
    number: usize,
    path: String,
    label: String,
    answer: String,
    /// Calibrated probability of the answer.
    confidence: f32,
}

/// Writes the `count` most confident errors into `folder`: sheets, and `failures.csv` with label and
/// answer of each. Returns how many there are.
///
/// # Errors
/// When there is no font, or a file is there already or cannot be written.
pub fn write(
    folder: &Path,
    crops: &[&Crop],
    clean: &Answers,
    temperature: f32,
    count: usize,
) -> Result<usize, LabelError> {
    let mut errors: Vec<(f32, EyeState, &Crop)> = Vec::new();
    for (crop, logits) in crops.iter().zip(&clean.logits) {
        let probabilities = softmax(logits, temperature);
        let answer = EyeState::most_likely(&probabilities);
        if answer != crop.sample.label {
            errors.push((probabilities[answer.index()], answer, crop));
        }
    }
    errors.sort_by(|a, b| b.0.total_cmp(&a.0));
    errors.truncate(count);
    let row = |(number, (confidence, answer, crop)): (usize, &(f32, EyeState, &Crop))| Row {
        number,
        path: crop.sample.path.to_string_lossy().into_owned(),
        label: crop.sample.label.to_string(),
        answer: answer.to_string(),
        confidence: *confidence,
    };
    let rows: Vec<Row> = (1..).zip(&errors).map(row).collect();
    std::fs::create_dir_all(folder).map_err(|error| LabelError::Write {
        path: folder.into(),
        reason: error.to_string(),
    })?;
    let list = folder.join("failures.csv");
    write_new(&list, &csv_bytes(&list, &rows)?)?;
    let shown: Vec<&Crop> = errors.iter().map(|(_, _, crop)| *crop).collect();
    sheets::draw_numbered(&shown, folder)?;
    Ok(rows.len())
}
