//! `train study`: its arguments and actions.

use super::{
    StudyError,
    cell::Cell,
    collect,
    execute::{Library, Runner},
    folder::{Identity, StudyFolder},
    plan,
    run::{RunSettings, run as run_cells},
    slurm,
    suite::{Scale, Suite},
};
use clap::{Args, ValueEnum};
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

/// Arguments of `train study`.
#[derive(Clone, Debug, Args)]
pub struct StudyArguments {
    /// Suite: grid, added, whitebox, noise or transfer.
    #[arg(value_name = "SUITE")]
    pub suite: Suite,
    /// Action.
    #[arg(value_enum)]
    pub action: Action,
    /// Folder with manifest.csv and the images it lists.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder of the study; suites may share it, and then share their models.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of folds by person: each person outside of the test split is held out once.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..))]
    pub folds: u16,
    /// Fewer epochs and crops, for a small machine.
    #[arg(long)]
    pub quick: bool,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Threads; without it as many as there are cores.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Run this cell of the plan only, and what it needs first.
    #[arg(long, value_name = "I")]
    pub cell: Option<usize>,
    /// Write job array scripts for Slurm beside the plan.
    #[arg(long)]
    pub slurm: bool,
}

/// Action on a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// List the cells.
    Plan,
    /// Do the cells that are left.
    Run,
    /// Make tables and plots of the cells that are done.
    Collect,
}

impl StudyArguments {
    fn scale(&self) -> Scale {
        Scale {
            folds: usize::from(self.folds),
            quick: self.quick,
            seed: self.seed,
        }
    }

    /// Fails on arguments that do not go together, before any data is read.
    fn check(&self, cells: &[Cell]) -> Result<(), StudyError> {
        if self.slurm && self.action != Action::Plan {
            return Err(StudyError::Setting(
                "--slurm goes with `plan`, which writes the job scripts".into(),
            ));
        }
        let Some(cell) = self.cell else { return Ok(()) };
        if self.action != Action::Run {
            return Err(StudyError::Setting("--cell goes with `run`".into()));
        }
        if cell >= cells.len() {
            return Err(StudyError::Setting(format!(
                "there is no cell {cell} in '{}': its cells are 0 to {}; `train study {} plan` lists them",
                self.suite,
                cells.len().saturating_sub(1),
                self.suite
            )));
        }
        Ok(())
    }
}

/// Runs `train study`.
///
/// # Errors
/// See [`StudyError`]; a stopped training comes back as [`crate::fit::FitError::Stopped`].
pub fn run(arguments: &StudyArguments, stop: &AtomicBool) -> anyhow::Result<()> {
    let cells = arguments.suite.cells(arguments.scale());
    arguments.check(&cells)?;
    let mut library = Library::open(&arguments.data)?;
    library.check(arguments.scale())?;
    run_with(arguments, &mut library, stop)
}

/// The same with another runner.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    arguments: &StudyArguments,
    runner: &mut dyn Runner,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    act(arguments, runner, stop).map_err(|error| match error {
        // Handed on as it is, for the exit status depends on what stopped a training.
        StudyError::Work(error) => error,
        other => other.into(),
    })
}

fn act(
    arguments: &StudyArguments,
    runner: &mut dyn Runner,
    stop: &AtomicBool,
) -> Result<(), StudyError> {
    let suite = arguments.suite;
    let cells = suite.cells(arguments.scale());
    arguments.check(&cells)?;
    let identity = Identity::new(runner.data_sha256(), arguments.scale());
    let folder = StudyFolder::open(&arguments.out, &identity)?;
    match arguments.action {
        Action::Plan => {
            print(&plan::listing(suite, &cells, |id| folder.is_done(id)))?;
            if arguments.slurm {
                folder.create(&identity)?;
                let program = program(arguments)?;
                let is_done = |id: &str| folder.is_done(id);
                let script =
                    slurm::write(suite, &cells, &program, &absolute(&arguments.out)?, is_done)?;
                eprintln!(
                    "submit the cells that are left with: sh {}",
                    script.display()
                );
            }
            Ok(())
        }
        Action::Run => {
            folder.create(&identity)?;
            let settings = RunSettings {
                data: &arguments.data,
                threads: arguments.threads,
                seed: arguments.seed,
            };
            let count = cells.len();
            let report = |number: usize, cell: &Cell| {
                eprintln!("cell {number} of 0 to {}: {}", count - 1, cell.name());
            };
            run_cells(
                &cells,
                arguments.cell,
                &folder,
                settings,
                runner,
                stop,
                report,
            )
        }
        Action::Collect => {
            let collected = collect::collect(suite, &cells, &folder, arguments.scale(), runner)?;
            for path in &collected.written {
                eprintln!("{}", path.display());
            }
            if let Some(reason) = collected.no_png {
                eprintln!("train: no PNG plots: {reason}");
            }
            if collected.missing > 0 {
                eprintln!(
                    "{} of {} cells are not done yet and not in these tables",
                    collected.missing,
                    cells.len()
                );
            }
            Ok(())
        }
    }
}

/// This program and its arguments as a job on another machine is to call them.
fn program(arguments: &StudyArguments) -> Result<slurm::Program, StudyError> {
    let path = std::env::current_exe().map_err(|error| {
        StudyError::Setting(format!("the path of this program is unknown: {error}"))
    })?;
    let text = |path: &Path| -> Result<String, StudyError> {
        Ok(absolute(path)?.to_string_lossy().into_owned())
    };
    let mut words = vec![
        "study".to_owned(),
        arguments.suite.to_string(),
        "run".into(),
        "--data".into(),
        text(&arguments.data)?,
        "--out".into(),
        text(&arguments.out)?,
        "--folds".into(),
        arguments.folds.to_string(),
        "--seed".into(),
        arguments.seed.to_string(),
    ];
    if arguments.quick {
        words.push("--quick".into());
    }
    if let Some(threads) = arguments.threads {
        words.extend(["--threads".into(), threads.to_string()]);
    }
    Ok(slurm::Program {
        path,
        arguments: words,
        threads: arguments.threads,
    })
}

fn absolute(path: &Path) -> Result<PathBuf, StudyError> {
    std::path::absolute(path)
        .map_err(|error| StudyError::Setting(format!("{}: {error}", path.display())))
}

fn print(text: &str) -> Result<(), StudyError> {
    parseye_command_line::print(text).map_err(|error| StudyError::Setting(error.to_string()))
}
