//! How well a network in training does on the validation split, clean and attacked.

use crate::{
    attack::Attack,
    data::batch::Batch,
    export::parity::rows,
    network::module::{Mode, Network},
};
use parseye::{
    classify::{StandardisedCrop, card::AttackCard},
    evaluate::metrics::Confusion,
    eye_state::EyeState,
    snr::db_of_epsilon,
};

/// Crops that go through the network at once; bounds the memory.
const CHUNK: usize = 256;

/// The network's answers on `crops`, attacked with `attack` at its epsilon where one is given.
///
/// # Errors
/// When the device cannot hold the crops.
pub fn confusion(
    network: &Network,
    crops: &[(StandardisedCrop, EyeState)],
    attack: Option<(&dyn Attack, f64)>,
) -> Result<Confusion, tch::TchError> {
    let mut confusion = Confusion::default();
    for chunk in crops.chunks(CHUNK) {
        let batch = Batch::new(chunk, network.device())?;
        let images = match attack {
            None => batch.images.shallow_clone(),
            Some((attack, epsilon)) => attack.perturb(network, &batch, epsilon),
        };
        let logits = tch::no_grad(|| network.forward(&images, Mode::Eval));
        for (logits, (_, truth)) in rows(&logits)?.iter().zip(chunk) {
            confusion.add(*truth, EyeState::most_likely(logits));
        }
    }
    Ok(confusion)
}

/// Accuracy under `attack` at `epsilon` as a row of the model card.
///
/// # Errors
/// As [`confusion`].
pub fn under_attack(
    network: &Network,
    crops: &[(StandardisedCrop, EyeState)],
    attack: &dyn Attack,
    epsilon: f64,
) -> Result<AttackCard, tch::TchError> {
    let answers = confusion(network, crops, Some((attack, epsilon)))?;
    Ok(AttackCard {
        attack: attack.name().into(),
        epsilon,
        snr_db: db_of_epsilon(epsilon),
        n: crops.len(),
        accuracy: answers.accuracy(),
        macro_accuracy: answers.macro_accuracy(),
    })
}
