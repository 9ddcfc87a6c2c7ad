//! White-box FGSM on labelled crops: the runtime's attack, which must be the same as that of
//! `train evaluate`.

use crate::{
    classify::{EyeStateModel, StandardisedCrop, gradient::GradientModel},
    evaluate::{
        crops::{EvaluateError, read_gray, standardised},
        manifest::{Manifest, Sample, Split},
        metrics::Confusion,
    },
    eye_state::EyeState,
    selfcheck::adversarial::Direction,
    snr::epsilon_of_db,
    statistics,
};
use serde::Serialize;

/// Threads that attack crops; the results do not depend on it.
const THREADS: usize = 2;

/// Accuracy at one size of the attack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttackRow {
    /// Perturbation SNR in dB; `None` for the unattacked crops.
    pub snr_db: Option<f64>,
    /// The step on every pixel in standardised units.
    pub epsilon: f64,
    /// The same in gray levels of an 8-bit image, for a crop of median contrast.
    pub gray_levels: Option<f64>,
    /// Share predicted correctly.
    pub accuracy: f64,
    /// Mean over the states that occur of the share of each predicted correctly.
    pub macro_accuracy: f64,
    /// Share predicted as without the attack.
    pub agreement: f64,
}

/// Result of attacking labelled crops.
#[derive(Clone, Debug, Serialize)]
pub struct LabelledAttack {
    /// Name of the model.
    pub model: String,
    /// Hash of its file.
    pub model_sha256: String,
    /// Split of the crops.
    pub split: Split,
    /// Number of crops.
    pub n: usize,
    /// Number of crops whose gradient with the true label is zero: no step goes anywhere from them.
    pub no_gradient: u64,
    /// Unattacked first, then from the weakest step to the strongest.
    pub rows: Vec<AttackRow>,
}

/// The predictions for one crop: its label, its contrast, whether it has a gradient, and the states
/// without and with each step.
struct Attacked {
    label: EyeState,
    contrast: f32,
    has_gradient: bool,
    states: Vec<EyeState>,
}

/// Takes at most `most` of the items, spread evenly over them: every `ceil(n / most)`th, as `train` takes
/// crops for a model's card.
fn spread<T: Copy>(items: &[T], most: usize) -> Vec<T> {
    let every = items.len().div_ceil(most.max(1)).max(1);
    items.iter().copied().step_by(every).collect()
}

/// Attacks crops of a split with their true labels, in steps of the given SNRs.
///
/// # Errors
/// When the split is empty, an image cannot be read, or the model or its gradient fails.
pub fn attack(
    manifest: &Manifest,
    split: Split,
    at_most: usize,
    model: &EyeStateModel,
    gradient: &GradientModel,
    snrs_db: &[f64],
) -> Result<LabelledAttack, EvaluateError> {
    let mut snrs_db = snrs_db.to_vec();
    snrs_db.sort_by(|a, b| b.total_cmp(a));
    let samples = spread(&manifest.of_split(split)?, at_most);
    let share = samples.len().div_ceil(THREADS).max(1);
    let snrs = &snrs_db;
    let attacked = std::thread::scope(|scope| {
        let workers: Vec<_> = samples
            .chunks(share)
            .map(|chunk| scope.spawn(move || attack_some(manifest, chunk, model, gradient, snrs)))
            .collect();
        let mut all = Vec::with_capacity(samples.len());
        for worker in workers {
            all.extend(worker.join().map_err(|_| EvaluateError::ThreadDied)??);
        }
        Ok::<_, EvaluateError>(all)
    })?;
    let contrasts = attacked.iter().map(|crop| f64::from(crop.contrast));
    // A split that is empty was refused.
    let contrast = statistics::median(contrasts).unwrap_or(f64::NAN);
    let row = |index: usize, snr_db: Option<f64>| {
        let mut confusion = Confusion::default();
        for crop in &attacked {
            confusion.add(crop.label, crop.states[index]);
        }
        let same = attacked
            .iter()
            .filter(|c| c.states[index] == c.states[0])
            .count();
        let epsilon = snr_db.map_or(0.0, epsilon_of_db);
        AttackRow {
            snr_db,
            epsilon,
            gray_levels: snr_db.map(|_| epsilon * contrast),
            accuracy: confusion.accuracy(),
            macro_accuracy: confusion.macro_accuracy(),
            agreement: same as f64 / attacked.len() as f64,
        }
    };
    let mut rows = vec![row(0, None)];
    rows.extend(
        snrs_db
            .iter()
            .enumerate()
            .map(|(i, db)| row(i + 1, Some(*db))),
    );
    Ok(LabelledAttack {
        model: model.card().name.clone(),
        model_sha256: model.file().sha256.clone(),
        split,
        n: attacked.len(),
        no_gradient: attacked.iter().filter(|crop| !crop.has_gradient).count() as u64,
        rows,
    })
}

fn attack_some(
    manifest: &Manifest,
    samples: &[&Sample],
    model: &EyeStateModel,
    gradient: &GradientModel,
    snrs_db: &[f64],
) -> Result<Vec<Attacked>, EvaluateError> {
    let (mut classifier, mut runner) = (model.classifier()?, gradient.runner()?);
    let mut all = Vec::with_capacity(samples.len());
    for sample in samples {
        let image = read_gray(&manifest.folder.join(&sample.path))?;
        let crop = standardised(&image, model.side());
        let mut state_of = |crop: &StandardisedCrop| -> Result<EyeState, EvaluateError> {
            Ok(EyeState::most_likely(&classifier.logits(crop)?))
        };
        let mut states = vec![state_of(&crop)?];
        let values = runner.gradient(&crop, sample.label)?.values;
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let direction = Direction::of(&values);
        for snr_db in snrs_db {
            states.push(match &direction {
                Ok(direction) => state_of(&direction.step(&crop, epsilon_of_db(*snr_db)))?,
                Err(_) => states[0],
            });
        }
        all.push(Attacked {
            label: sample.label,
            contrast: crop.contrast,
            has_gradient: direction.is_ok(),
            states,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_spread_over_the_split() {
        let items: Vec<u32> = (0..3056).collect();
        assert_eq!(spread(&items, 2000).len(), 1528);
        assert_eq!(spread(&items, usize::MAX).len(), 3056);
        assert_eq!(spread(&items, 0), [0]);
        assert_eq!(spread(&items[..10], 3), [0, 4, 8]);
    }
}
