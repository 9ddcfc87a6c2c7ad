//! The only place where the study meets the rest of the library: training, reading a model,
//! attacking it, counting its answers.

use super::{
    cell::Evaluation,
    folder::Answers,
    stand_in::{Access, Condition, Figures},
    suite::Scale,
};
use crate::{
    cli::FitArguments,
    data::{
        crops::{Crop, CropSet},
        folds::fold_of_each,
    },
};
use anyhow::{anyhow, bail};
use clap::{Args, FromArgMatches};
use parseye::{
    classify::input::PIXELS,
    evaluate::manifest::Sample,
    eye_state::{EyeState, STATES},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// One evaluation to be done.
#[derive(Clone, Debug)]
pub struct EvaluationJob<'a> {
    /// The model's file.
    pub model: &'a Path,
    /// The model that makes the examples, for a transfer attack.
    pub from: Option<&'a Path>,
    /// What is measured.
    pub evaluation: &'a Evaluation,
    /// Whose people are held out, from 0.
    pub fold: usize,
}

/// A ROC curve: true against false positives as the threshold falls.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// A state's name, `micro` or `macro`.
    pub name: String,
    /// False and true positive rate, 0 to 1, both ascending.
    pub points: Vec<[f64; 2]>,
    /// Area under it.
    pub auc: f64,
}

/// Crops of one kind of disturbance, for the gallery.
#[derive(Clone, Debug)]
pub struct Disturbed {
    /// The standardised pictures.
    pub pictures: Vec<[f32; PIXELS]>,
    /// What the model says of each.
    pub answers: Vec<EyeState>,
}

/// What does the work of a study.
pub trait Runner {
    /// Hash of the data.
    fn data_sha256(&self) -> &str;

    /// Rows of the manifest that are not in the test split.
    fn samples(&self) -> Vec<&Sample>;

    /// Trains by the command line of `train`, without the program's name.
    ///
    /// # Errors
    /// As training.
    fn train(&mut self, arguments: &[String], stop: &AtomicBool) -> anyhow::Result<()>;

    /// Measures a model on the people that its fold held out; the first condition is clean. With a
    /// model to make the examples, only clean and transfer conditions are given.
    ///
    /// # Errors
    /// When a model cannot be read or an attack fails.
    fn evaluate(&mut self, job: &EvaluationJob) -> anyhow::Result<Answers>;

    /// Figures of merit with intervals bootstrapped by subject.
    ///
    /// # Errors
    /// When they cannot be counted.
    fn figures(
        &self,
        samples: &[&Sample],
        logits: &[[f32; STATES]],
        temperature: f32,
        seed: u64,
    ) -> anyhow::Result<Figures>;

    /// ROC curves of each state, micro and macro, from calibrated logits.
    fn roc(&self, samples: &[&Sample], logits: &[[f32; STATES]]) -> Vec<RocCurve>;

    /// The first crop of each state that the fold held out, disturbed; undisturbed without an
    /// attack.
    ///
    /// # Errors
    /// As [`Runner::evaluate`].
    fn disturb(
        &mut self,
        model: &Path,
        fold: usize,
        scale: Scale,
        attack: Option<(&str, f64)>,
    ) -> anyhow::Result<Disturbed>;
}

/// The library itself.
#[derive(Debug)]
pub struct Library {
    crops: CropSet,
}

impl Library {
    /// Reads the data once for all cells.
    ///
    /// # Errors
    /// Names the row or picture that is wrong.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let crops = CropSet::read(data)?;
        Ok(Self { crops })
    }

    /// Checks that people can be split this way.
    ///
    /// # Errors
    /// When there are more folds than people.
    pub fn check(&self, scale: Scale) -> anyhow::Result<()> {
        fold_of_each(&self.crops, scale.folds, scale.seed)
            .map(|_| ())
            .map_err(|error| anyhow!("--folds: {error}"))
    }

    fn held_out(&self, folds: usize, fold: usize, seed: u64) -> anyhow::Result<Vec<&Crop>> {
        let fold_of = fold_of_each(&self.crops, folds, seed).map_err(anyhow::Error::msg)?;
        let all = self.crops.train.iter().chain(&self.crops.val);
        let held_out = all.filter(|crop| fold_of.get(&crop.sample.subject) == Some(&fold));
        Ok(held_out.collect())
    }
}

/// `count` of the items, drawn by the seed, in their own order.
fn some<T>(mut items: Vec<T>, count: Option<usize>, seed: u64) -> Vec<T> {
    let Some(count) = count else { return items };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    while items.len() > count {
        items.remove(rng.random_range(0..items.len()));
    }
    items
}

/// Arguments of `train` as it would read them from the command line.
///
/// # Errors
/// In the words of the command line's parser.
pub fn parse(arguments: &[String]) -> anyhow::Result<FitArguments> {
    let command = FitArguments::augment_args(clap::Command::new("train")).no_binary_name(true);
    let matches = command.try_get_matches_from(arguments);
    let matches = matches.map_err(|error| anyhow!("{}", error.render().to_string().trim_end()))?;
    Ok(FitArguments::from_arg_matches(&matches)?)
}

const NOT_MERGED: &str = "this version of `train` cannot do this part of a study yet";

impl Runner for Library {
    fn data_sha256(&self) -> &str {
        &self.crops.sha256
    }

    fn samples(&self) -> Vec<&Sample> {
        let all = self.crops.train.iter().chain(&self.crops.val);
        all.map(|crop| &crop.sample).collect()
    }

    fn train(&mut self, arguments: &[String], _stop: &AtomicBool) -> anyhow::Result<()> {
        let _arguments = parse(arguments)?;
        bail!("{NOT_MERGED} (run::train)")
    }

    fn evaluate(&mut self, job: &EvaluationJob) -> anyhow::Result<Answers> {
        let Evaluation {
            folds,
            seed,
            at_most,
            ..
        } = *job.evaluation;
        let crops = some(self.held_out(folds, job.fold, seed)?, at_most, seed);
        let _paths: Vec<PathBuf> = crops.iter().map(|crop| crop.sample.path.clone()).collect();
        bail!("{NOT_MERGED} (robustness::judge)")
    }

    fn figures(
        &self,
        _samples: &[&Sample],
        _logits: &[[f32; STATES]],
        _temperature: f32,
        _seed: u64,
    ) -> anyhow::Result<Figures> {
        bail!("{NOT_MERGED} (robustness::figures)")
    }

    fn roc(&self, _: &[&Sample], _: &[[f32; STATES]]) -> Vec<RocCurve> {
        Vec::new()
    }

    fn disturb(
        &mut self,
        _model: &Path,
        fold: usize,
        scale: Scale,
        _attack: Option<(&str, f64)>,
    ) -> anyhow::Result<Disturbed> {
        let _crops = self.held_out(scale.folds, fold, scale.seed)?;
        bail!("{NOT_MERGED} (attack::by_name)")
    }
}

/// Whether a condition is to be kept of an evaluation: of a transfer evaluation only clean and
/// transfer, so that no white-box figure is ever taken for a transfer one.
pub fn is_wanted(condition: &Condition, is_transfer: bool) -> bool {
    !is_transfer || matches!(condition.access, None | Some(Access::Transfer))
}
