//! The command line of `train`: flags as they are typed, and what they resolve to.

use crate::{
    data::{augment::Augmentation, split::SplitShares},
    device::DeviceChoice,
    fit::FitSettings,
    harden::epsilon::EpsilonRange,
    network::{self, module::Precision},
    schedule::Schedule,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tch::Device;

/// Trains, hardens and exports Parseye's eye-state models.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    /// Another task than training.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Training itself.
    #[command(flatten)]
    pub fit: Option<FitArguments>,
}

/// Tasks besides training.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Turn a published data set into a manifest with copied pictures.
    Import(ImportArguments),
}

/// Arguments of `train import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// How the data set is laid out.
    #[arg(value_enum)]
    pub layout: Layout,
    /// Folder of the data set.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Folder for the pictures and manifest.csv.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Name of the data set, for folder-per-class layouts.
    #[arg(long, default_value = "own", value_name = "NAME")]
    pub source: String,
    /// Seed of the split by subject.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Share of the people set aside for validation.
    #[arg(long, default_value_t = SplitShares::default().val, value_parser = share)]
    pub val: f64,
    /// Share of the people set aside for the test.
    #[arg(long, default_value_t = SplitShares::default().test, value_parser = share)]
    pub test: f64,
}

/// Layouts that can be imported.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Layout {
    /// MRL Eye Dataset.
    Mrl,
    /// Closed Eyes in the Wild.
    Cew,
    /// A folder for each class.
    Folders,
}

/// Arguments of a training run as they are typed.
#[derive(Debug, Args)]
pub struct FitArguments {
    /// Folder with manifest.csv and the pictures it lists.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Network: wrn-DEPTH-WIDTH.
    #[arg(long, default_value = "wrn-16-1", value_name = "NAME")]
    pub arch: String,
    /// Harden against FGSM: half of each batch is attacked with this epsilon, or one drawn from a
    /// range such as 0.001..0.03 (standardised units; 0.03 is 30.5 dB).
    #[arg(long, value_name = "E|A..B", allow_hyphen_values = true)]
    pub fgsm_eps: Option<EpsilonRange>,
    /// Number of epochs.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: u32,
    /// Crops drawn for an epoch, balanced by label and source.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub epoch_crops: u32,
    /// Crops in a batch.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..=65_536))]
    pub batch_size: u32,
    /// Learning rate at the start.
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub learning_rate: f64,
    /// Course of the learning rate.
    #[arg(long, value_enum, default_value_t = Schedule::Cosine)]
    pub schedule: Schedule,
    /// Nesterov momentum.
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub momentum: f64,
    /// Pull of weights towards zero.
    #[arg(long, default_value_t = 5e-4, value_parser = share)]
    pub weight_decay: f64,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: auto, cpu or cuda:0.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Arithmetic of the convolutions; without it bf16 where the device multiplies it itself.
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// Threads; without it as many as there are cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Folder for the model, metrics.csv and the checkpoint.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Name of the model; without it the network's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Go on with the run in --out.
    #[arg(long)]
    pub resume: bool,
}

impl FitArguments {
    /// What the arguments mean on this device.
    ///
    /// # Errors
    /// When the architecture does not exist.
    pub fn resolve(&self, device: Device) -> Result<FitSettings, String> {
        network::by_name(&self.arch)?;
        let all_cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let fastest = || {
            if crate::device::bf16_pays(device) {
                Precision::Bf16
            } else {
                Precision::F32
            }
        };
        Ok(FitSettings {
            architecture: self.arch.clone(),
            fgsm_epsilon: self.fgsm_eps,
            epochs: self.epochs as usize,
            epoch_crops: self.epoch_crops as usize,
            batch_size: self.batch_size as usize,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            augmentation: Augmentation::default(),
            precision: self.precision.unwrap_or_else(fastest),
            seed: self.seed,
            threads: self.threads.map_or_else(all_cores, usize::from),
        })
    }

    /// Name of the model to write.
    pub fn model_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.arch)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("give a number above 0".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to below 1".into()),
    }
}
