//! Everything that decides what a training run comes to.

use crate::{
    data::augment::Augmentation,
    harden::{
        added::AddedExamples,
        adversarial::Adversarial,
        constraint::{Constraint, Retraction},
        loss::Loss,
    },
    network::{self, module::Precision, spec::NetworkSpec},
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which epoch's weights a run ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those of the epoch with the best validation score.
    Best,
    /// Those of the last epoch: nothing is chosen on the validation split, so that it can be
    /// reported on.
    Last,
}

/// A model whose answers to clean pictures are part of what is learnt (Hinton, Vinyals & Dean 2015;
/// clean answers as the goal for attacked pictures as well: Goldblum et al. 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teacher {
    /// Hash of the model's file.
    pub sha256: String,
    /// Share of its answers in the target, the labels having the rest.
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

/// Everything that decides what a run comes to; kept in the checkpoint. What came later has the value
/// that runs without it had, so that they can be resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitSettings {
    /// Architecture by name.
    pub architecture: String,
    /// Constraint on its weights.
    pub constraint: Constraint,
    /// How weights are pulled towards tight frames, where they are.
    pub retraction: Retraction,
    /// Chance of dropout in residual blocks.
    pub dropout: f64,
    /// Adversarial training; none trains on clean pictures alone.
    pub adversarial: Option<Adversarial>,
    /// Examples added to the training set.
    pub added: Option<AddedExamples>,
    /// Share of the target that is spread evenly over all states.
    pub label_smoothing: f64,
    /// Share of the target that goes to the states next to the label as lids close.
    #[serde(default)]
    pub neighbour_smoothing: f64,
    /// A model whose answers are learnt beside the labels.
    #[serde(default)]
    pub teacher: Option<Teacher>,
    /// Hash of the corrections of labels.
    #[serde(default)]
    pub label_fixes_sha256: Option<String>,
    /// Decay of the weights' exponential moving average, which then is what is validated and kept;
    /// 0 keeps the weights themselves.
    pub weight_average: f64,
    /// Which epoch is kept.
    pub keep: Keep,
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
    /// Chance that a crop goes through a natural transformation ([`crate::corruption`]) of a random
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
    /// A sentence that says what is wrong with its name, constraint or dropout.
    pub fn network(&self) -> Result<NetworkSpec, String> {
        network::build(&self.architecture, self.constraint, self.dropout)
    }

    /// Hashes of the files besides the data that a run depends on, by the word that stands for each in
    /// [`Self::command`].
    pub fn files_sha256(&self) -> BTreeMap<String, String> {
        let base = self.added.as_ref().and_then(|a| a.base_sha256.clone());
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
    /// not change what it means. DATA, OUT, BASE, TEACHER and FIXES stand for
    /// the user's folders, models and corrections.
    pub fn command(&self) -> String {
        let mut command = format!("train --data DATA --arch {}", self.architecture);
        let mut add = |name: &str, value: &dyn std::fmt::Display| {
            command.push_str(&format!(" --{name} {value}"));
        };
        if self.constraint != Constraint::None {
            add("constraint", &flag(self.constraint));
        }
        if self.constraint.orthogonality() {
            add("beta", &self.retraction.beta);
            add("passes", &self.retraction.passes);
            add("rows", &self.retraction.rows);
        }
        if self.dropout > 0.0 {
            add("dropout", &self.dropout);
        }
        if let Some(adversarial) = &self.adversarial {
            add("fgsm-eps", &adversarial.epsilon);
            add("attack", &adversarial.attack);
            add("adversarial", &flag(adversarial.share));
            add("loss", &flag(adversarial.loss));
            if adversarial.loss == Loss::Trades {
                add("trades-weight", &adversarial.trades_weight);
            }
            if adversarial.weight_perturbation > 0.0 {
                add("awp", &adversarial.weight_perturbation);
            }
        }
        if let Some(added) = &self.added {
            add("augment", &flag(added.kind));
            add("fgsm-eps", &added.epsilon);
            add("fraction", &added.fraction);
            if added.base_sha256.is_some() {
                add("base", &"BASE");
            }
        }
        if self.label_smoothing > 0.0 {
            add("label-smoothing", &self.label_smoothing);
        }
        if self.neighbour_smoothing > 0.0 {
            add("neighbour-smoothing", &self.neighbour_smoothing);
        }
        if let Some(teacher) = &self.teacher {
            add("teacher", &"TEACHER");
            add("teacher-weight", &teacher.weight);
        }
        if self.label_fixes_sha256.is_some() {
            add("label-fixes", &"FIXES");
        }
        if self.corruption > 0.0 {
            add("corrupt", &self.corruption);
        }
        add("blur-sigma", &self.augmentation.blur_sigma);
        add("noise-sigma", &self.augmentation.noise_sigma);
        if self.augmentation.cover > 0.0 {
            add("cover", &self.augmentation.cover);
        }
        if self.augmentation.obstruct > 0.0 {
            add("obstruct", &self.augmentation.obstruct);
        }
        if self.weight_average > 0.0 {
            add("ema", &self.weight_average);
        }
        if self.keep == Keep::Last {
            add("keep", &flag(self.keep));
        }
        if let Some(fold) = self.fold {
            add("folds", &fold.count);
            add("fold", &fold.index);
            add("fold-seed", &fold.seed);
        }
        add("epochs", &self.epochs);
        add("epoch-crops", &self.epoch_crops);
        add("batch-size", &self.batch_size);
        add("learning-rate", &self.learning_rate);
        add("schedule", &flag(self.schedule));
        add("momentum", &self.momentum);
        add("weight-decay", &self.weight_decay);
        add("precision", &flag(self.precision));
        add("seed", &self.seed);
        add("threads", &self.threads);
        command + " --out OUT"
    }
}

/// A choice as the command line names it.
fn flag(choice: impl clap::ValueEnum) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
