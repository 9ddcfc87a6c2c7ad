//! A model's most confident errors on numbered sheets, with a list, made from
//! the user's own data for the user's eyes.

use crate::{
    conditions::Predictions,
    crop::Crop,
    labels::{LabelError, csv_bytes, sheets, write_new},
};
use parseye_vision::{classify::model::softmax, eye_state::EyeState};
use serde::Serialize;
use std::path::Path;

/// A row of the list beside the sheets.
#[derive(Debug, Serialize)]
struct FailureRow {
    /// Number on the sheets, from 1.
    number: usize,
    path: String,
    label: String,
    #[serde(rename = "answer")]
    prediction: String,
    /// Calibrated probability of the prediction.
    confidence: f32,
}

/// Writes the `count` most confident errors into `folder`: sheets, and `failures.csv` with label and
/// prediction of each. Returns how many there are.
///
/// # Errors
/// When there is no font, or a file is there already or cannot be written.
pub fn write(
    folder: &Path,
    crops: &[&Crop],
    clean: &Predictions,
    temperature: f32,
    count: usize,
) -> Result<usize, LabelError> {
    let mut errors: Vec<(f32, EyeState, &Crop)> = Vec::new();
    for (crop, logits) in crops.iter().zip(&clean.logits) {
        let probabilities = softmax(logits, temperature);
        let prediction = EyeState::most_likely(&probabilities);
        if prediction != crop.sample.label {
            errors.push((probabilities[prediction.index()], prediction, crop));
        }
    }
    errors.sort_by(|a, b| b.0.total_cmp(&a.0));
    errors.truncate(count);
    let row =
        |(number, (confidence, prediction, crop)): (usize, &(f32, EyeState, &Crop))| FailureRow {
            number,
            path: crop.sample.path.to_string_lossy().into_owned(),
            label: crop.sample.label.to_string(),
            prediction: prediction.to_string(),
            confidence: *confidence,
        };
    let rows: Vec<FailureRow> = (1..).zip(&errors).map(row).collect();
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
