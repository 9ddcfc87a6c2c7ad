//! The command line of `train`: its tasks and the arguments of each.

use crate::{
    card_command::CardArguments,
    data::split::SplitShares,
    fit_arguments::{FitArguments, share},
    labels::command::LabelArguments,
    robustness::command::EvaluateArguments,
    study::command::StudyArguments,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Trains, hardens and exports Parseye's eye-state models.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    /// Training itself; read before the task, which is taken out of what was given.
    #[command(flatten)]
    pub fit: Training,
    /// Another task than training.
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// The arguments of a training, where no other task is given.
///
/// By hand, since clap takes an optional group that consists of groups for absent.
#[derive(Debug)]
pub struct Training(pub Option<FitArguments>);

impl clap::FromArgMatches for Training {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(match matches.subcommand_name() {
            Some(_) => None,
            None => Some(FitArguments::from_arg_matches(matches)?),
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Training {
    fn augment_args(command: clap::Command) -> clap::Command {
        FitArguments::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        FitArguments::augment_args_for_update(command)
    }
}

/// Tasks besides training.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Turn a published data set into a manifest with copied images.
    Import(ImportArguments),
    /// Evaluate models on labelled crops: clean, attacked, under noise and corruptions.
    Evaluate(EvaluateArguments),
    /// Measure again the reference that live streams of a model are compared with, and write it on its card; or
    /// adopt a model of others (--adopt).
    Card(CardArguments),
    /// Do a whole study of many trainings: plan, run, collect.
    Study(StudyArguments),
    /// Find doubtful labels, draw them for blind grading, and write corrections.
    Labels(LabelArguments),
}

/// Arguments of `train import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// Layout of the data set.
    #[arg(value_enum)]
    pub layout: Layout,
    /// Folder of the data set.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Folder for the images and manifest.csv.
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
