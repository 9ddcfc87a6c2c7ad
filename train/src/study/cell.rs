//! A cell: one training or one evaluation of a study, as data.
//!
//! A cell is known by what it does: its id ends in a hash of everything that decides its result, so
//! the same training in two suites is one cell, done once. How cells are done is left to
//! [`super::run`].

use crate::attack::budget::Norm;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes of the hash in an id: eight hexadecimal digits tell some ten thousand cells apart.
const HASH_BYTES: usize = 4;

/// One training or one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Group of its folds, such as `wrn-16-1-hardened`.
    pub group: String,
    /// The fold it holds out, from 0.
    pub fold: usize,
    /// Varied settings, for the tables, such as `epsilon` = `0.003`.
    pub settings: BTreeMap<String, String>,
    /// Its work.
    pub work: Work,
}

/// Work of a cell. Other cells are named by their id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Train a model.
    Train {
        /// Arguments of `train` without those of place and speed: `--data`, `--out`, `--name`,
        /// `--base`, `--threads`, `--resume`.
        arguments: Vec<String>,
        /// The cell whose model makes the added examples.
        base: Option<String>,
    },
    /// Measure a model on the people that its fold held out.
    Evaluate {
        /// The cell that trained the model.
        model: String,
        /// The cell whose model makes the examples of a transfer attack; without it the attacked
        /// model's own gradient is used.
        from: Option<String>,
        /// The evaluation.
        evaluation: Evaluation,
    },
}

/// Evaluation of a model; a clean pass always comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Name in ids and tables, such as `whitebox`.
    pub name: String,
    /// Attacks by the names that `train evaluate --attack` takes.
    pub attacks: Vec<String>,
    /// Perturbation SNRs of the attacks, in dB.
    pub snrs_db: Vec<f64>,
    /// Perturbation SNRs of random noise, in dB.
    pub noise_snrs_db: Vec<f64>,
    /// Norm of the perturbations.
    pub norm: Norm,
    /// Measure on at most so many crops of the fold, drawn by the seed.
    pub at_most: Option<usize>,
    /// Seed of what is random in attacks and of the draw above.
    pub seed: u64,
    /// Number of folds and seed of the split: which people are held out.
    pub folds: usize,
}

impl Cell {
    /// Readable name of the cell, such as `wrn-16-1-hardened-whitebox-fold0`.
    pub fn name(&self) -> String {
        match &self.work {
            Work::Train { .. } => format!("{}-fold{}", self.group, self.fold),
            Work::Evaluate { evaluation, .. } => {
                format!("{}-{}-fold{}", self.group, evaluation.name, self.fold)
            }
        }
    }

    /// Name of the cell's folder: the name, and a hash of what decides the result.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        // Serialising plain data to a string cannot fail; an empty text would still be a valid id.
        hash.update(serde_json::to_string(&self.work).unwrap_or_default());
        hash.update(self.fold.to_le_bytes());
        format!(
            "{}-{}",
            self.name(),
            hex::encode(&hash.finalize()[..HASH_BYTES])
        )
    }

    /// Ids of the cells that must be done first.
    pub fn needs(&self) -> Vec<&str> {
        let needs: [Option<&String>; 2] = match &self.work {
            Work::Train { base, .. } => [base.as_ref(), None],
            Work::Evaluate { model, from, .. } => [Some(model), from.as_ref()],
        };
        needs.into_iter().flatten().map(String::as_str).collect()
    }

    /// Images that a training sees in all: epochs times crops of an epoch; 0 for an evaluation.
    pub fn images(&self) -> u64 {
        let Work::Train { arguments, .. } = &self.work else {
            return 0;
        };
        let value = |flag: &str| {
            let position = arguments.iter().position(|argument| argument == flag)?;
            arguments.get(position + 1)?.parse::<u64>().ok()
        };
        let product = |a: u64, b: u64| a.saturating_mul(b);
        value("--epochs")
            .zip(value("--epoch-crops"))
            .map_or(0, |(epochs, crops)| product(epochs, crops))
    }
}
