//! `train`: makes Parseye's models.

use anyhow::{Context, bail};
use clap::Parser;
use parseye_command_line::one_line;
use parseye_train::{
    card_command,
    cli::{Cli, ImportArguments, Layout, Task},
    data::{import, split::SplitShares},
    fit::FitError,
    labels, robustness,
    run::train,
    study,
};
use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// Exit status of a program ended by Ctrl-C, as shells know it.
const INTERRUPTED: u8 = 130;

/// Exit status for a command line that cannot be understood, as is usual.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version: clap knows where they go.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            eprintln!("train: {}", one_line("train", &error));
            return ExitCode::from(USAGE);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train: {error:#}");
            match error.downcast_ref::<FitError>() {
                Some(FitError::Stopped) => ExitCode::from(INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match (cli.task, cli.fit.0) {
        (Some(Task::Import(arguments)), _) => import_data(&arguments),
        (Some(Task::Evaluate(arguments)), _) => robustness::command::run(&arguments),
        (Some(Task::Card(arguments)), _) => card_command::run(&arguments),
        (Some(Task::Study(arguments)), _) => {
            study::command::run(&arguments, stop_on_signals()?.as_ref())
        }
        (Some(Task::Labels(arguments)), _) => labels::command::run(&arguments),
        (None, Some(arguments)) => train(&arguments, stop_on_signals()?.as_ref()),
        (None, None) => bail!("nothing to do; see `train --help`"),
    }
}

/// A flag that Ctrl-C and a request to end set.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("cannot watch for Ctrl-C")?;
    }
    Ok(stop)
}

fn import_data(arguments: &ImportArguments) -> anyhow::Result<()> {
    let shares = SplitShares {
        val: arguments.val,
        test: arguments.test,
    };
    if shares.val + shares.test >= 1.0 {
        bail!(
            "--val {} and --test {} leave nobody to train on; give smaller shares",
            shares.val,
            shares.test
        );
    }
    let found = match arguments.layout {
        Layout::Mrl => import::mrl::find(&arguments.from)?,
        Layout::Cew => import::cew::find(&arguments.from)?,
        Layout::Folders => import::folders::find(&arguments.from, &arguments.source)?,
    };
    let count = import::write(found, &arguments.out, arguments.seed, shares)?;
    eprintln!(
        "{count} images and {} written",
        arguments.out.join("manifest.csv").display()
    );
    Ok(())
}
