//! Arguments of a training run as they are typed, in groups, and the settings that each group stands for.

mod usual;

use crate::{
    data::{augment::Augmentation, demo},
    device::{self, DeviceChoice},
    fit::{FitSettings, Fold, KeptEpoch, settings::Teacher},
    harden::{
        added::{AddedExamples, AddedKind},
        adversarial::{Adversarial, AttackedShare},
        constraint::{Retraction, Rows},
        epsilon::EpsilonRange,
        loss::{Loss, TrainingAttack},
    },
    network::{self, ArchitectureError, constraint::Constraint, module::Precision},
    schedule::Schedule,
};
use clap::Args;
use std::path::{Path, PathBuf};
use tch::Device;
use usual::Usual;

/// The network that is trained unless another is given.
const DEFAULT_ARCHITECTURE: &str = "wrn-16-1";

/// Weight of the loss of the lids where a training goes on from a model that has them and none is given.
const USUAL_OPENNESS_WEIGHT: f64 = 0.3;

/// Arguments of a training run.
#[derive(Clone, Debug, Args)]
pub struct FitArguments {
    /// Folder with manifest.csv and the images it lists; `demo` for eyes that are drawn. Given several times, all are
    /// read together.
    #[arg(long, value_name = "DIR|demo", required = true)]
    pub data: Vec<PathBuf>,
    /// Folder for the model, metrics.csv and the checkpoint; runs/demo without it for --data demo.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name of the model; without it the network's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Go on with the run in --out.
    #[arg(long)]
    pub resume: bool,
    /// The network and its constraints.
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Adversarial training and added examples.
    #[command(flatten)]
    pub hardening: HardeningArguments,
    /// Labels and what else is learnt.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Variations of the training crops.
    #[command(flatten)]
    pub augmentation: AugmentationArguments,
    /// Sources and their weights.
    #[command(flatten)]
    pub sampling: SamplingArguments,
    /// Folds by person.
    #[command(flatten)]
    pub folds: FoldArguments,
    /// Epochs, optimiser and choice of the epoch.
    #[command(flatten)]
    pub optimisation: OptimisationArguments,
    /// Device, arithmetic, threads and seed.
    #[command(flatten)]
    pub computation: ComputationArguments,
}

/// The network and its constraints.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArguments {
    /// Network: wrn-DEPTH-WIDTH, parseval-DEPTH-WIDTH (either with -s2 for half the size) or cnn-4.
    #[arg(long, default_value = DEFAULT_ARCHITECTURE, value_name = "NAME")]
    pub arch: String,
    /// Constraint on the weights; without it both for parseval networks and none for others.
    #[arg(long, value_enum)]
    pub constraint: Option<Constraint>,
    /// Length of the pull towards tight frames after each step.
    #[arg(long, default_value_t = Retraction::default().beta, value_parser = share)]
    pub beta: f64,
    /// Pulls after each step.
    #[arg(long, default_value_t = Retraction::default().passes, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub passes: u32,
    /// Rows of a weight that a pull works on: all, or a share drawn for each.
    #[arg(long, default_value_t = Rows::All, value_name = "all|SHARE")]
    pub rows: Rows,
    /// Chance of dropout in residual blocks.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub dropout: f64,
}

/// Adversarial training, or examples added to the training set.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Hardening")]
pub struct HardeningArguments {
    /// Harden against attacks with this epsilon, or one drawn for each batch from a range such as
    /// 0.001..0.03 (standardised units; 0.03 is 30.5 dB).
    #[arg(long, value_name = "E|A..B", allow_hyphen_values = true)]
    pub fgsm_eps: Option<EpsilonRange>,
    /// Attack that the examples are made with: fgsm, n-fgsm or pgd-STEPS.
    #[arg(
        long,
        value_name = "NAME",
        requires = "fgsm_eps",
        conflicts_with = "augment"
    )]
    pub attack: Option<TrainingAttack>,
    /// Share of each batch that is replaced by adversarial examples of the network in training
    /// (the study's second approach).
    #[arg(long, value_enum, requires = "fgsm_eps", conflicts_with = "augment")]
    pub adversarial: Option<AttackedShare>,
    /// Loss that is minimised.
    #[arg(long, value_enum, requires = "fgsm_eps", conflicts_with = "augment")]
    pub loss: Option<Loss>,
    /// Weight of the divergence in TRADES.
    #[arg(long, default_value_t = 6.0, value_parser = positive)]
    pub trades_weight: f64,
    /// Adversarial weight perturbation as a share of a weight's norm, such as 0.005.
    #[arg(long, value_parser = share, requires = "fgsm_eps", conflicts_with = "augment")]
    pub awp: Option<f64>,
    /// Add examples to the training set (the study's first approach), with --fgsm-eps and
    /// --fraction; fgsm needs --base.
    #[arg(long, value_enum, requires = "fgsm_eps")]
    pub augment: Option<AddedKind>,
    /// Number of added examples over that of the clean ones, above 0 and at most 1.
    #[arg(long, default_value_t = 0.5, value_parser = fraction)]
    pub fraction: f64,
    /// Model that the added examples are made from; without --augment the model whose training goes on, with what was
    /// learnt kept by batch norms that stay as they are.
    #[arg(long, value_name = "MODEL.onnx")]
    pub base: Option<PathBuf>,
    /// Data that the base was trained on, or other data that it must not forget: mixed with --data, and reported on
    /// before and after.
    #[arg(
        long,
        value_name = "DIR|demo",
        requires = "base",
        conflicts_with = "augment"
    )]
    pub old_data: Option<PathBuf>,
}

/// What a network learns: labels, smoothed or corrected, and a teacher's predictions.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Targets")]
pub struct TargetArguments {
    /// Share of the target that is spread evenly over all states.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub label_smoothing: f64,
    /// Share of the target that goes to the states next to the label as lids close: an eye labelled
    /// open may be a little closed, but never not visible.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub neighbour_smoothing: f64,
    /// Learn this model's predictions beside the labels.
    #[arg(long, value_name = "MODEL.onnx")]
    pub teacher: Option<PathBuf>,
    /// Share of the teacher's predictions in the target, above 0 and at most 1.
    #[arg(long, default_value_t = 0.5, value_parser = fraction, requires = "teacher")]
    pub teacher_weight: f64,
    /// Learn a second output, how far the lids are apart and whether the eye looks down, with this weight of its loss,
    /// such as 0.3; where a training goes on, with the base's output.
    #[arg(long, default_value_t = 0.0, value_name = "WEIGHT", value_parser = weight)]
    pub openness: f64,
    /// Corrections of the manifest's labels, made by `train labels agree`.
    #[arg(long, value_name = "FILE.csv")]
    pub label_fixes: Option<PathBuf>,
}

/// Variations of the training crops.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Augmentation")]
pub struct AugmentationArguments {
    /// Chance that a crop goes through a corruption (blur, glare, JPEG, ...) of a random family and
    /// severity in place of the usual augmentation.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub corrupt: f64,
    /// Largest sigma of the usual augmentation's blur, in pixels of the 32-pixel crop.
    #[arg(long, default_value_t = Augmentation::default().blur_sigma, value_parser = sigma)]
    pub blur_sigma: f32,
    /// Largest sigma of the usual augmentation's noise, as a share of the crop's contrast; 0.3 is 10 dB.
    #[arg(long, default_value_t = Augmentation::default().noise_sigma, value_parser = sigma)]
    pub noise_sigma: f32,
    /// Chance that something is painted over the eye, which is then labelled not visible.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub cover: f64,
    /// Chance that a bar or a reflection is painted over a part of the eye, beside the usual augmentation.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub obstruct: f64,
    /// Chance that a crop is seen from afar, with 12 to 40 pixels a side, in the usual augmentation.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub far: f64,
}

/// Sources that are trained on, and how often each is drawn.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArguments {
    /// Do not train on this source; its validation crops stay. Can be given several times.
    #[arg(long, value_name = "SOURCE")]
    pub leave_out: Vec<String>,
    /// Weight of people: a source's share of the crops of a label grows with this power of the number of its people;
    /// at 0 all sources have the same share.
    #[arg(long, default_value_t = 0.0, value_name = "POWER", value_parser = power)]
    pub people_weight: f64,
}

/// Folds by person.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Folds")]
pub struct FoldArguments {
    /// Divide the people of the train and val splits into this many folds and hold one out.
    #[arg(long = "folds", value_name = "K", requires = "fold", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub folds: Option<u32>,
    /// The fold to hold out, from 0.
    #[arg(long, value_name = "I", requires = "folds")]
    pub fold: Option<u32>,
    /// Seed of the division into folds.
    #[arg(long, default_value_t = 0)]
    pub fold_seed: u64,
}

/// Epochs, optimiser and choice of the epoch.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Optimisation")]
pub struct OptimisationArguments {
    /// Number of epochs; 15 without it, 8 for --data demo, 6 where a training goes on from --base.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: Option<u32>,
    /// Crops drawn for an epoch, balanced by label and source; 20000 without it, 8000 for --data demo, 4000 where a
    /// training goes on from --base.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub epoch_crops: Option<u32>,
    /// Crops in a batch.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..=65_536))]
    pub batch_size: u32,
    /// Learning rate at the start; 0.1 without it, 0.01 where a training goes on from --base.
    #[arg(long, value_parser = positive)]
    pub learning_rate: Option<f64>,
    /// Schedule of the learning rate.
    #[arg(long, value_enum, default_value_t = Schedule::Cosine)]
    pub schedule: Schedule,
    /// Nesterov momentum.
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub momentum: f64,
    /// Pull of weights towards zero.
    #[arg(long, default_value_t = 5e-4, value_parser = share)]
    pub weight_decay: f64,
    /// Decay of the weights' moving average, such as 0.999; the average is then the model.
    #[arg(long, value_parser = share)]
    pub ema: Option<f64>,
    /// Epoch whose weights are kept: the best on the validation split, or the last.
    #[arg(long, value_enum, default_value_t = KeptEpoch::Best)]
    pub keep: KeptEpoch,
}

/// Device, arithmetic, threads and seed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Computation")]
pub struct ComputationArguments {
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: auto, cpu or cuda:0.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Arithmetic of the convolutions; without it the faster one, measured at the start.
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Threads; without it as many as there are cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// Hashes of the files that the arguments name, where they name one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileHashes {
    /// Of the base model.
    pub base: Option<String>,
    /// Of the teacher.
    pub teacher: Option<String>,
    /// Of the corrections of labels.
    pub label_fixes: Option<String>,
}

/// Arguments that contradict each other, or lack one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// There is no folder to write to.
    #[error("--out DIR is missing: the folder for the model, metrics.csv and the checkpoint")]
    NoFolder,
    /// The base has another architecture.
    #[error("--arch {given} is not that of --base, which is {base}; leave out --arch")]
    OtherArchitecture {
        /// The architecture given.
        given: String,
        /// That of the base.
        base: String,
    },
    /// The base says nothing of the lids.
    #[error(
        "--openness: the base has no output for it; leave out --openness, or train anew without --base"
    )]
    BaseWithoutLids,
    /// No such architecture, or not with this constraint or dropout.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// Added examples have one epsilon.
    #[error("--augment takes one --fgsm-eps, not the range {0}; give one such as 0.003")]
    EpsilonRange(EpsilonRange),
    /// Added FGSM examples need a model.
    #[error(
        "--augment fgsm needs --base MODEL.onnx to make examples from; train one without hardening first"
    )]
    NoBase,
    /// Added examples say nothing of openness.
    #[error(
        "--openness is not learnt from the examples that --augment adds; leave one of them out"
    )]
    OpennessOfAdded,
    /// TRADES attacks every image.
    #[error(
        "--loss trades compares every image with its attacked one; leave out --adversarial half"
    )]
    HalfTrades,
    /// No such fold.
    #[error("--fold {index} does not exist: of {count} folds the last is {}", count - 1)]
    NoSuchFold {
        /// The fold to hold out.
        index: u32,
        /// Number of folds, at least 2.
        count: u32,
    },
}

impl FitArguments {
    /// The settings that the arguments stand for on this device, where the files they name have these hashes.
    ///
    /// # Errors
    /// When the architecture does not exist or arguments contradict each other.
    pub(crate) fn resolve(
        &self,
        device: Device,
        files: FileHashes,
    ) -> Result<FitSettings, ArgumentError> {
        let all_cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (network, target) = (&self.network, &self.target);
        let (optimisation, computation) = (&self.optimisation, &self.computation);
        let goes_on = self.goes_on_from().is_some();
        let initial_sha256 = files.base.clone().filter(|_| goes_on);
        let usual = Usual::of(goes_on, self.is_drawn());
        let (adversarial, added) = self.hardening.resolve(files.base)?;
        if added.is_some() && target.openness > 0.0 {
            return Err(ArgumentError::OpennessOfAdded);
        }
        let usual_constraint = network::usual_constraint(&network.arch);
        let mut settings = FitSettings {
            initial_sha256,
            old_data: self.hardening.old_data.is_some(),
            architecture: network.arch.clone(),
            constraint: network.constraint.unwrap_or(usual_constraint),
            retraction: network.retraction(),
            dropout: network.dropout,
            adversarial,
            added,
            label_smoothing: target.label_smoothing,
            neighbour_smoothing: target.neighbour_smoothing,
            teacher: files.teacher.map(|sha256| Teacher {
                sha256,
                weight: target.teacher_weight,
            }),
            openness_weight: target.openness,
            label_fixes_sha256: files.label_fixes,
            weight_average: optimisation.ema.unwrap_or(0.0),
            keep: optimisation.keep,
            left_out_sources: self.sampling.leave_out.clone(),
            people_weight: self.sampling.people_weight,
            fold: self.folds.resolve()?,
            epochs: optimisation.epochs.unwrap_or(usual.epochs) as usize,
            epoch_crops: optimisation.epoch_crops.unwrap_or(usual.epoch_crops) as usize,
            batch_size: optimisation.batch_size as usize,
            learning_rate: optimisation.learning_rate.unwrap_or(usual.learning_rate),
            schedule: optimisation.schedule,
            momentum: optimisation.momentum,
            weight_decay: optimisation.weight_decay,
            augmentation: self.augmentation.resolve(),
            corruption: self.augmentation.corrupt,
            precision: computation.precision.unwrap_or(Precision::F32),
            seed: computation.seed,
            threads: computation.threads.map_or_else(all_cores, usize::from),
        };
        let spec = settings.network()?;
        if computation.precision.is_none() {
            settings.precision = device::faster_precision(&spec, device, settings.threads);
        }
        Ok(settings)
    }

    /// The model whose training goes on.
    pub(crate) fn goes_on_from(&self) -> Option<&Path> {
        let base = self.hardening.base.as_deref();
        base.filter(|_| self.hardening.augment.is_none())
    }

    /// Takes over the architecture of the model whose training goes on, and its outputs.
    ///
    /// # Errors
    /// When another one was given.
    pub(crate) fn go_on_with(
        &mut self,
        architecture: &str,
        has_lids: bool,
    ) -> Result<(), ArgumentError> {
        let given = &mut self.network.arch;
        if given != DEFAULT_ARCHITECTURE && given != architecture {
            return Err(ArgumentError::OtherArchitecture {
                given: given.clone(),
                base: architecture.into(),
            });
        }
        architecture.clone_into(given);
        let weight = &mut self.target.openness;
        *weight = match (has_lids, *weight > 0.0) {
            (true, false) => USUAL_OPENNESS_WEIGHT,
            (true, true) => *weight,
            (false, true) => return Err(ArgumentError::BaseWithoutLids),
            (false, false) => 0.0,
        };
        Ok(())
    }

    /// Folder of the run.
    ///
    /// # Errors
    /// When none is given for data that are not drawn.
    pub(crate) fn folder(&self) -> Result<PathBuf, ArgumentError> {
        match &self.out {
            Some(out) => Ok(out.clone()),
            None if self.is_drawn() => Ok(Path::new("runs").join(demo::NAME)),
            None => Err(ArgumentError::NoFolder),
        }
    }

    /// Whether all eyes are drawn.
    fn is_drawn(&self) -> bool {
        self.data.iter().all(|folder| demo::is_demo(folder))
    }

    /// Name of the model to write.
    pub(crate) fn model_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.network.arch)
    }
}

impl NetworkArguments {
    fn retraction(&self) -> Retraction {
        Retraction {
            beta: self.beta,
            passes: self.passes,
            rows: self.rows,
        }
    }
}

impl AugmentationArguments {
    fn resolve(&self) -> Augmentation {
        Augmentation {
            blur_sigma: self.blur_sigma,
            noise_sigma: self.noise_sigma,
            cover: self.cover as f32,
            obstruct: self.obstruct as f32,
            far: self.far as f32,
            ..Augmentation::default()
        }
    }
}

impl HardeningArguments {
    /// Adversarial training or added examples; neither without `--fgsm-eps`.
    fn resolve(
        &self,
        base_sha256: Option<String>,
    ) -> Result<(Option<Adversarial>, Option<AddedExamples>), ArgumentError> {
        let Some(epsilon) = self.fgsm_eps else {
            return Ok((None, None));
        };
        if let Some(kind) = self.augment {
            return Ok((None, Some(self.added(kind, epsilon, base_sha256)?)));
        }
        let loss = self.loss.unwrap_or(Loss::CrossEntropy);
        let share = match (loss, self.adversarial) {
            (Loss::Trades, Some(AttackedShare::Half)) => return Err(ArgumentError::HalfTrades),
            (Loss::Trades, _) => AttackedShare::All,
            (Loss::CrossEntropy, share) => share.unwrap_or(AttackedShare::Half),
        };
        let adversarial = Adversarial {
            epsilon,
            attack: self.attack.unwrap_or(TrainingAttack::Fgsm),
            share,
            loss,
            trades_weight: self.trades_weight,
            weight_perturbation: self.awp.unwrap_or(0.0),
        };
        Ok((Some(adversarial), None))
    }

    fn added(
        &self,
        kind: AddedKind,
        epsilon: EpsilonRange,
        base_sha256: Option<String>,
    ) -> Result<AddedExamples, ArgumentError> {
        if epsilon.low < epsilon.high {
            return Err(ArgumentError::EpsilonRange(epsilon));
        }
        if kind == AddedKind::Fgsm && base_sha256.is_none() {
            return Err(ArgumentError::NoBase);
        }
        Ok(AddedExamples {
            kind,
            epsilon: epsilon.high,
            fraction: self.fraction,
            base_sha256: base_sha256.filter(|_| kind == AddedKind::Fgsm),
        })
    }
}

impl FoldArguments {
    fn resolve(&self) -> Result<Option<Fold>, ArgumentError> {
        let (Some(count), Some(index)) = (self.folds, self.fold) else {
            return Ok(None);
        };
        if index >= count {
            return Err(ArgumentError::NoSuchFold { index, count });
        }
        Ok(Some(Fold {
            count: count as usize,
            index: index as usize,
            seed: self.fold_seed,
        }))
    }
}

fn positive(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("give a number above 0"),
    }
}

pub(crate) fn share(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to below 1"),
    }
}

fn weight(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to 100, such as 0.3"),
    }
}

fn power(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to 1"),
    }
}

fn fraction(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("give a number above 0 and at most 1, such as 0.25"),
    }
}

fn sigma(text: &str) -> Result<f32, &'static str> {
    match text.parse::<f32>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("give a number of 0 or more, such as 1.5"),
    }
}
