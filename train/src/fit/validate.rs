//! Validation of each epoch, and the check for catastrophic overfitting.

use super::{EpochRow, FitError, FitSettings, KeptEpoch};
use crate::{
    attack::{
        Attack,
        budget::Budget,
        fgsm::Fgsm,
        pgd::{self, Pgd},
    },
    crop::Crop,
    measure,
    network::module::Network,
};
use parseye_vision::{
    classify::StandardisedCrop, evaluate::metrics::Confusion, eye_state::EyeState,
};

/// Crops of the part that PGD is run on each epoch, spread evenly over the split: an interval of
/// about 4 points, and few enough to cost a fraction of the epoch.
const PART: usize = 512;

/// Crops that a run which keeps its last epoch is watched by, spread evenly: nothing is chosen, so
/// the whole of a large fold would only cost time.
const WATCHED: usize = 2048;

/// Steps of PGD: enough to find what a single step misses.
const PGD_STEPS: u32 = 10;

/// Accuracy under FGSM above that under PGD, on the same crops within the same budget, that indicates
/// catastrophic overfitting (Wong et al. 2020). Sound trainings here stay within 0.05; overfitted ones
/// reach 0.5 and more.
const CATASTROPHIC_GAP: f64 = 0.2;

/// The validation split, prepared once.
pub(crate) struct Validation {
    all: Vec<(StandardisedCrop, EyeState)>,
    part: Vec<(StandardisedCrop, EyeState)>,
}

impl Validation {
    /// Prepares the crops for a network that reads `side` rows and columns: all of them where an epoch is chosen by
    /// them.
    pub fn new(crops: &[Crop], side: usize, keep: KeptEpoch) -> Self {
        let most = match keep {
            KeptEpoch::Best => usize::MAX,
            KeptEpoch::Last => WATCHED,
        };
        let all: Vec<_> = measure::spread(crops, most)
            .map(|crop| (crop.standardised(side), crop.sample.label))
            .collect();
        Self {
            part: measure::spread(&all, PART).cloned().collect(),
            all,
        }
    }

    /// Fills in the validation columns of `row`.
    ///
    /// # Errors
    /// When the device cannot hold the crops.
    pub(crate) fn fill(
        &self,
        settings: &FitSettings,
        network: &Network,
        row: &mut EpochRow,
    ) -> Result<(), FitError> {
        let clean: Confusion = measure::confusion(network, &self.all, None)?;
        row.val_accuracy = clean.accuracy();
        row.val_macro_accuracy = clean.macro_accuracy();
        row.score = (row.val_accuracy + row.val_macro_accuracy) / 2.0;
        let Some(adversarial) = &settings.adversarial else {
            return Ok(());
        };
        let budget = Budget::linf(adversarial.epsilon.high);
        let fgsm = measure::confusion(network, &self.all, Some((&Fgsm, budget)))?;
        let attacked = fgsm.macro_accuracy();
        row.val_fgsm_macro_accuracy = Some(attacked);
        row.score = (row.val_accuracy + row.val_macro_accuracy + attacked) / 3.0;
        let on_part = |attack: &dyn Attack| -> Result<f64, tch::TchError> {
            Ok(measure::confusion(network, &self.part, Some((attack, budget)))?.accuracy())
        };
        row.val_part_fgsm_accuracy = Some(on_part(&Fgsm)?);
        row.val_part_pgd_accuracy = Some(on_part(&Pgd::new(PGD_STEPS, 1, pgd::KeptPoint::Last))?);
        Ok(())
    }

    /// The error that a row whose FGSM and PGD accuracies have parted company ends the run with.
    pub(crate) fn overfitting(&self, row: &EpochRow) -> Option<FitError> {
        let (fgsm, pgd) = (row.val_part_fgsm_accuracy?, row.val_part_pgd_accuracy?);
        (fgsm - pgd > CATASTROPHIC_GAP).then_some(FitError::CatastrophicOverfitting {
            epoch: row.epoch,
            fgsm,
            pgd,
            n: self.part.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parted_accuracies_stop_a_run_and_close_ones_do_not() {
        let validation = Validation::new(&[], 32, KeptEpoch::Best);
        let row = |fgsm, pgd| EpochRow {
            epoch: 3,
            val_part_fgsm_accuracy: Some(fgsm),
            val_part_pgd_accuracy: Some(pgd),
            ..Default::default()
        };
        assert!(validation.overfitting(&row(0.80, 0.75)).is_none());
        assert!(validation.overfitting(&EpochRow::default()).is_none());
        let message = validation
            .overfitting(&row(0.85, 0.02))
            .map(|e| e.to_string());
        let message = message.unwrap_or_default();
        for words in ["catastrophic overfitting", "epoch 3", "85 %", "n-fgsm"] {
            assert!(message.contains(words), "{message}");
        }
    }
}
