//! Which labels to doubt: those to which models that never saw the person give the least
//! probability (the self-confidence of Northcutt, Jiang & Chuang 2021, "Confident learning").

use super::{LabelError, csv_bytes, write_new};
use crate::{
    conditions::{EvaluationPlan, evaluate},
    crop::Crop,
    data::{crops::CropSet, folds::fold_of_each, sampling::draw},
    network::onnx::OnnxClassifier,
};
use anyhow::Context;
use parseye_vision::{
    classify::model::softmax,
    eye_state::{EyeState, STATES},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::Path};

/// Why a crop is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingReason {
    /// The models doubt its label.
    Suspect,
    /// It was drawn at random from the others.
    Control,
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspectRow {
    /// The crop, as the manifest names it.
    pub path: String,
    /// The manifest's label.
    pub label: String,
    /// Why it is in the list.
    pub kind: ListingReason,
    /// Calibrated probability of the label, by the model that never saw the person.
    pub self_confidence: f32,
    /// The state that this model finds most likely.
    pub predicted: String,
}

/// Choice of the crops to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Number of doubted labels.
    pub suspects: usize,
    /// A label of which every crop is listed, doubted or not.
    pub every: Option<EyeState>,
    /// Number of controls.
    pub controls: usize,
    /// Crops that were graded before, by path: they are left out.
    pub graded: HashSet<String>,
}

/// Runs each model on the people that it was not trained on. `models` are those of the folds 0,
/// 1 and so on, with the seed of the division.
///
/// # Errors
/// When a model is not that of its fold, or cannot be run.
pub(crate) fn probabilities<'a>(
    crops: &'a CropSet,
    models: &[OnnxClassifier],
    seed: u64,
) -> anyhow::Result<Vec<(&'a Crop, [f32; STATES])>> {
    let fold_of = fold_of_each(crops, models.len(), seed)?;
    let plan = EvaluationPlan {
        attacks: Vec::new(),
        snrs_db: Vec::new(),
        noise_snrs_db: Vec::new(),
        norm: crate::attack::budget::Norm::Linf,
        seed,
        corruptions: false,
    };
    let mut all = Vec::new();
    for (fold, model) in models.iter().enumerate() {
        let command = &model.card().training.command;
        let trained_for = format!("--folds {} --fold {fold} --fold-seed {seed} ", models.len());
        if !command.contains(&trained_for) {
            return Err(LabelError::Models(format!(
                "model '{}' was not trained with {trained_for}but by: {command}; give the models of all folds in their order",
                model.card().name,
            ))
            .into());
        }
        let both = crops.train.iter().chain(&crops.val);
        let held_out: Vec<&Crop> = both
            .filter(|crop| fold_of.get(&crop.sample.subject) == Some(&fold))
            .collect();
        let predictions = evaluate(model, &held_out, &plan, None, &mut |_| ())?;
        let clean = predictions
            .first()
            .context("an evaluation without a clean condition")?;
        let temperature = model.card().temperature;
        let predicted = clean.logits.iter().map(|l| softmax(l, temperature));
        all.extend(held_out.into_iter().zip(predicted));
    }
    Ok(all)
}

/// The most doubted labels, the most doubted first, then those of which every crop is wanted, then
/// crops drawn by `seed` from the others.
pub fn doubted(
    predicted: &[(&Crop, [f32; STATES])],
    wanted: &Wanted,
    seed: u64,
) -> Vec<SuspectRow> {
    let row = |(crop, probabilities): &(&Crop, [f32; STATES]), kind| SuspectRow {
        path: crop.sample.path.to_string_lossy().into_owned(),
        label: crop.sample.label.to_string(),
        kind,
        self_confidence: probabilities[crop.sample.label.index()],
        predicted: EyeState::most_likely(probabilities).to_string(),
    };
    let mut suspects: Vec<SuspectRow> = predicted
        .iter()
        .map(|predicted| row(predicted, ListingReason::Suspect))
        .filter(|row| !wanted.graded.contains(&row.path))
        .collect();
    suspects.sort_by(|a, b| a.self_confidence.total_cmp(&b.self_confidence));
    let others = suspects.split_off(wanted.suspects.min(suspects.len()));
    let (wanted_label, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|row| wanted.every.is_some_and(|state| row.label == state.name()));
    suspects.extend(wanted_label);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let controls = draw(others, wanted.controls, &mut rng);
    suspects.extend(controls.into_iter().map(|row| SuspectRow {
        kind: ListingReason::Control,
        ..row
    }));
    suspects
}

/// Writes the list.
///
/// # Errors
/// When the file is there already or cannot be written.
pub fn write(path: &Path, rows: &[SuspectRow]) -> Result<(), LabelError> {
    write_new(path, &csv_bytes(path, rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    #[test]
    fn the_least_probable_labels_come_first_and_controls_are_others() {
        let crops: Vec<Crop> = (0..10)
            .map(|number| {
                let mut sample = sample(EyeState::Closed, "p");
                sample.path = format!("{number}.png").into();
                Crop {
                    sample,
                    image: image::GrayImage::new(2, 2),
                }
            })
            .collect();
        // The label's probability falls from 0.9 to 0.
        let predicted: Vec<_> = crops
            .iter()
            .enumerate()
            .map(|(number, crop)| {
                let closed = 0.1 * (9 - number) as f32;
                (crop, [1.0 - closed, 0.0, closed, 0.0])
            })
            .collect();
        let mut wanted = Wanted {
            suspects: 3,
            controls: 4,
            ..Wanted::default()
        };
        let rows = doubted(&predicted, &wanted, 1);
        let paths: Vec<_> = rows[..3].iter().map(|row| row.path.as_str()).collect();
        assert_eq!(paths, ["9.png", "8.png", "7.png"]);
        assert_eq!(rows[0].predicted, "open");
        assert_eq!(rows.len(), 7);
        for row in &rows[3..] {
            assert_eq!(row.kind, ListingReason::Control);
            assert!(!paths.contains(&row.path.as_str()));
        }
        assert_eq!(rows, doubted(&predicted, &wanted, 1));

        // A second round passes over the first one's crops; a label can be wanted whole.
        wanted.graded = ["9.png", "8.png"].map(String::from).into();
        wanted.every = Some(EyeState::Closed);
        let rows = doubted(&predicted, &wanted, 1);
        let paths: Vec<_> = rows.iter().map(|row| row.path.as_str()).collect();
        let left = [
            "7.png", "6.png", "5.png", "4.png", "3.png", "2.png", "1.png", "0.png",
        ];
        assert_eq!(paths, left);
        assert!(rows.iter().all(|row| row.kind == ListingReason::Suspect));
    }
}
