//! Metrics of an epoch, as metrics.csv and the checkpoint keep them.

use serde::{Deserialize, Serialize};

/// Metrics of an epoch: a row of metrics.csv.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: usize,
    /// Learning rate at its end.
    pub learning_rate: f64,
    /// Mean loss over its batches, as trained on.
    pub loss: f64,
    /// Share of its (augmented, attacked) crops classified correctly.
    pub accuracy: f64,
    /// Crops trained on in a second.
    pub images_per_second: f64,
    /// Clean validation accuracy.
    pub val_accuracy: f64,
    /// Clean validation accuracy, mean over the states.
    pub val_macro_accuracy: f64,
    /// Validation accuracy, mean over the states, under FGSM at the largest epsilon trained
    /// against; empty without adversarial training.
    pub val_fgsm_macro_accuracy: Option<f64>,
    /// Plain accuracy under the same FGSM on a part of the validation split; empty without
    /// adversarial training.
    pub val_part_fgsm_accuracy: Option<f64>,
    /// Accuracy under PGD within the same budget on the same part: far below FGSM's it indicates
    /// catastrophic overfitting.
    pub val_part_pgd_accuracy: Option<f64>,
    /// Score by which epochs are compared: the mean of the clean columns and the FGSM macro accuracy where
    /// there is one. Plain accuracy counts beside the macro one, or balanced batches would reward
    /// calling the rare state too often.
    pub score: f64,
    /// Mean distance of the weights from tight frames ([`crate::harden::constraint::deviation`]) over all
    /// convolutions and the dense layer.
    pub mean_frame_deviation: f64,
}
