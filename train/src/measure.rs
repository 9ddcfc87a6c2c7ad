//! Accuracy of a network in training on the validation split, clean and attacked.

use crate::{
    attack::{Attack, Classifier, budget::Budget},
    data::batch::Batch,
    logits::rows,
};
use parseye_vision::{
    classify::{StandardisedCrop, card::AttackCard},
    evaluate::metrics::Confusion,
    eye_state::EyeState,
};

/// At most `most` of the items, spread evenly over them.
pub(crate) fn spread<T>(items: &[T], most: usize) -> impl Iterator<Item = &T> {
    items
        .iter()
        .step_by(items.len().div_ceil(most.max(1)).max(1))
}

/// Crops that go through the network at once; bounds the memory.
const CHUNK: usize = 256;

/// Seed of attacks on the validation split: the same perturbation in every epoch, so that epochs
/// can be compared.
const ATTACK_SEED: u64 = 0;

/// Predictions on `crops`, attacked within a budget where an attack is given.
///
/// # Errors
/// When the device cannot hold the crops.
pub fn confusion(
    network: &dyn Classifier,
    crops: &[(StandardisedCrop, EyeState)],
    attack: Option<(&dyn Attack, Budget)>,
) -> Result<Confusion, tch::TchError> {
    let mut confusion = Confusion::default();
    for chunk in crops.chunks(CHUNK) {
        let batch = Batch::new(chunk, network.device())?;
        let images = match attack {
            None => batch.images.shallow_clone(),
            Some((attack, budget)) => attack.perturb(network, &batch, budget, ATTACK_SEED)?,
        };
        let logits = tch::no_grad(|| network.logits(&images));
        for (logits, (_, truth)) in rows(&logits)?.iter().zip(chunk) {
            confusion.add(*truth, EyeState::most_likely(logits));
        }
    }
    Ok(confusion)
}

/// Accuracy under `attack` within `budget` as a row of the model card.
///
/// # Errors
/// As [`confusion`].
pub(crate) fn under_attack(
    network: &dyn Classifier,
    crops: &[(StandardisedCrop, EyeState)],
    attack: &dyn Attack,
    budget: Budget,
) -> Result<AttackCard, tch::TchError> {
    let predictions = confusion(network, crops, Some((attack, budget)))?;
    Ok(AttackCard {
        attack: attack.name().into(),
        epsilon: budget.epsilon,
        snr_db: budget.snr_db(),
        n: crops.len(),
        accuracy: predictions.accuracy(),
        macro_accuracy: predictions.macro_accuracy(),
    })
}
