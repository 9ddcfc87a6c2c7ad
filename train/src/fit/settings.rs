//! Settings of a training run: everything that decides its result.

use crate::{
    data::augment::Augmentation,
    harden::{added::AddedExamples, adversarial::Adversarial, constraint::Retraction, loss::Loss},
    network::{
        self, ArchitectureError, constraint::Constraint, module::Precision, spec::NetworkSpec,
    },
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Epoch whose weights a run ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeptEpoch {
    /// Those of the epoch with the best validation score.
    Best,
    /// Those of the last epoch: nothing is chosen on the validation split, so that it can be
    /// reported on.
    Last,
}

/// A model whose predictions for clean images are part of what is learnt (Hinton, Vinyals & Dean 2015;
/// clean predictions as the target for attacked images as well: Goldblum et al. 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teacher {
    /// Hash of the model's file.
    pub sha256: String,
    /// Share of its predictions in the target, the labels having the rest.
    pub weight: f64,
}

/// One of several divisions of the people into those trained on and those held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Number of folds.
    pub count: usize,
    /// The fold held out, from 0.
    pub index: usize,
    /// Seed of the division, apart from the run's own so that all runs of a study share it.
    pub seed: u64,
}

/// Everything that decides a run's result; kept in the checkpoint. Later settings default to the value
/// that runs without it had, so that they can be resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// Architecture by name.
    pub architecture: String,
    /// Constraint on its weights.
    pub constraint: Constraint,
    /// Retraction of the weights towards tight frames, where they have the constraint.
    pub retraction: Retraction,
    /// Chance of dropout in residual blocks.
    pub dropout: f64,
    /// Adversarial training; none trains on clean images alone.
    pub adversarial: Option<Adversarial>,
    /// Examples added to the training set.
    pub added: Option<AddedExamples>,
    /// Hash of the model whose training goes on; its batch norms stay as they are.
    #[serde(default)]
    pub initial_sha256: Option<String>,
    /// Whether data that must not be forgotten are mixed with the others.
    #[serde(default)]
    pub old_data: bool,
    /// Share of the target that is spread evenly over all states.
    pub label_smoothing: f64,
    /// Share of the target that goes to the states next to the label as lids close.
    #[serde(default)]
    pub neighbour_smoothing: f64,
    /// A model whose predictions are learnt beside the labels.
    #[serde(default)]
    pub teacher: Option<Teacher>,
    /// Weight of the loss of the output that says how far the lids are apart; 0 leaves the output out.
    #[serde(default)]
    pub openness_weight: f64,
    /// Hash of the corrections of labels.
    #[serde(default)]
    pub label_fixes_sha256: Option<String>,
    /// Decay of the weights' exponential moving average, which then is what is validated and kept;
    /// 0 keeps the weights themselves.
    pub weight_average: f64,
    /// Epoch that is kept.
    pub keep: KeptEpoch,
    /// Sources that are not trained on.
    #[serde(default)]
    pub left_out_sources: Vec<String>,
    /// Power of the number of a source's people that its share of the crops grows with.
    #[serde(default)]
    pub people_weight: f64,
    /// The fold held out; none validates on the manifest's own split.
    pub fold: Option<Fold>,
    /// Number of epochs.
    pub epochs: usize,
    /// Crops drawn for an epoch.
    pub epoch_crops: usize,
    /// Crops in a batch.
    pub batch_size: usize,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Course of the learning rate.
    pub schedule: Schedule,
    /// Nesterov momentum.
    pub momentum: f64,
    /// Pull of weights towards zero.
    pub weight_decay: f64,
    /// Variations of the crops.
    pub augmentation: Augmentation,
    /// Chance that a crop goes through a corruption ([`crate::corruption`]) of a random
    /// family and severity in place of the usual variations.
    #[serde(default)]
    pub corruption: f64,
    /// Arithmetic of the convolutions.
    pub precision: Precision,
    /// Seed of all randomness.
    pub seed: u64,
    /// Threads; the order of sums, and with it the last bits, depends on it.
    pub threads: usize,
}

impl FitSettings {
    /// The network to train.
    ///
    /// # Errors
    /// Names what is wrong with its name, constraint or dropout.
    pub fn network(&self) -> Result<NetworkSpec, ArchitectureError> {
        let lids = self.openness_weight > 0.0;
        network::build(&self.architecture, self.constraint, self.dropout, lids)
    }

    /// Hashes of the files besides the data that a run depends on, by the word that stands for each in
    /// [`Self::command`].
    pub fn files_sha256(&self) -> BTreeMap<String, String> {
        let base = self.added.as_ref().and_then(|a| a.base_sha256.clone());
        let base = base.or_else(|| self.initial_sha256.clone());
        let teacher = self.teacher.as_ref().map(|teacher| teacher.sha256.clone());
        let named = [
            ("BASE", base),
            ("TEACHER", teacher),
            ("FIXES", self.label_fixes_sha256.clone()),
        ];
        let named = named.into_iter();
        named
            .filter_map(|(word, sha256)| Some((word.to_owned(), sha256?)))
            .collect()
    }

    /// The command that trains this way, every setting spelt out, so that a changed default does
    /// not change what it means. DATA, OLD, OUT, BASE, TEACHER and FIXES stand for
    /// the user's folders, models and corrections.
    pub fn command(&self) -> String {
        let mut command = Command(format!("train --data DATA --arch {}", self.architecture));
        self.network_flags(&mut command);
        self.hardening_flags(&mut command);
        self.target_flags(&mut command);
        self.augmentation_flags(&mut command);
        self.sampling_flags(&mut command);
        self.optimisation_flags(&mut command);
        command.0 + " --out OUT"
    }

    fn network_flags(&self, command: &mut Command) {
        if self.constraint != Constraint::None {
            command.choice("constraint", self.constraint);
        }
        if self.constraint.orthogonality() {
            command.value("beta", self.retraction.beta);
            command.value("passes", self.retraction.passes);
            command.value("rows", self.retraction.rows);
        }
        if self.dropout > 0.0 {
            command.value("dropout", self.dropout);
        }
    }

    fn hardening_flags(&self, command: &mut Command) {
        if let Some(adversarial) = &self.adversarial {
            command.value("fgsm-eps", adversarial.epsilon);
            command.value("attack", adversarial.attack);
            command.choice("adversarial", adversarial.share);
            command.choice("loss", adversarial.loss);
            if adversarial.loss == Loss::Trades {
                command.value("trades-weight", adversarial.trades_weight);
            }
            if adversarial.weight_perturbation > 0.0 {
                command.value("awp", adversarial.weight_perturbation);
            }
        }
        if self.initial_sha256.is_some() {
            command.value("base", "BASE");
        }
        if self.old_data {
            command.value("old-data", "OLD");
        }
        if let Some(added) = &self.added {
            command.choice("augment", added.kind);
            command.value("fgsm-eps", added.epsilon);
            command.value("fraction", added.fraction);
            if added.base_sha256.is_some() {
                command.value("base", "BASE");
            }
        }
    }

    fn target_flags(&self, command: &mut Command) {
        if self.label_smoothing > 0.0 {
            command.value("label-smoothing", self.label_smoothing);
        }
        if self.neighbour_smoothing > 0.0 {
            command.value("neighbour-smoothing", self.neighbour_smoothing);
        }
        if let Some(teacher) = &self.teacher {
            command.value("teacher", "TEACHER");
            command.value("teacher-weight", teacher.weight);
        }
        if self.openness_weight > 0.0 {
            command.value("openness", self.openness_weight);
        }
        if self.label_fixes_sha256.is_some() {
            command.value("label-fixes", "FIXES");
        }
    }

    fn augmentation_flags(&self, command: &mut Command) {
        if self.corruption > 0.0 {
            command.value("corrupt", self.corruption);
        }
        command.value("blur-sigma", self.augmentation.blur_sigma);
        command.value("noise-sigma", self.augmentation.noise_sigma);
        if self.augmentation.cover > 0.0 {
            command.value("cover", self.augmentation.cover);
        }
        if self.augmentation.obstruct > 0.0 {
            command.value("obstruct", self.augmentation.obstruct);
        }
        if self.augmentation.far > 0.0 {
            command.value("far", self.augmentation.far);
        }
    }

    fn sampling_flags(&self, command: &mut Command) {
        for source in &self.left_out_sources {
            command.value("leave-out", source);
        }
        if self.people_weight > 0.0 {
            command.value("people-weight", self.people_weight);
        }
    }

    fn optimisation_flags(&self, command: &mut Command) {
        if self.weight_average > 0.0 {
            command.value("ema", self.weight_average);
        }
        if self.keep == KeptEpoch::Last {
            command.choice("keep", self.keep);
        }
        if let Some(fold) = self.fold {
            command.value("folds", fold.count);
            command.value("fold", fold.index);
            command.value("fold-seed", fold.seed);
        }
        command.value("epochs", self.epochs);
        command.value("epoch-crops", self.epoch_crops);
        command.value("batch-size", self.batch_size);
        command.value("learning-rate", self.learning_rate);
        command.choice("schedule", self.schedule);
        command.value("momentum", self.momentum);
        command.value("weight-decay", self.weight_decay);
        command.choice("precision", self.precision);
        command.value("seed", self.seed);
        command.value("threads", self.threads);
    }
}

/// A command line under construction.
struct Command(String);

impl Command {
    fn value(&mut self, flag: &str, value: impl std::fmt::Display) {
        self.0 += &format!(" --{flag} {value}");
    }

    /// Appends a choice as the command line names it.
    fn choice(&mut self, flag: &str, choice: impl clap::ValueEnum) {
        if let Some(value) = choice.to_possible_value() {
            self.value(flag, value.get_name());
        }
    }
}
