//! The whole study as cells that are done one after the other, here or by Slurm, and collected into
//! tables and plots.
//!
//! # Layout
//! [`suite`] defines the [`cell`]s, [`plan`] lists them, [`folder`] keeps them,
//! [`run`] does them through [`execute`] (the only file that knows how a model is trained and
//! measured), [`slurm`] hands them to an existing scheduler, [`collect`] reads what is there.
//! [`command`] is the command line. Which epsilon or learning rate is best is left to the reader of
//! the tables.

pub mod cell;
pub mod collect;
pub mod command;
pub mod execute;
pub mod folder;
pub mod plan;
pub mod run;
pub mod slurm;
pub mod suite;

use std::path::PathBuf;

/// Why a study cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// A number on the command line is out of range, or folds are impossible.
    #[error("{0}")]
    Setting(String),
    /// The folder holds another study.
    #[error(
        "{path}: belongs to another plan: its {what} is {theirs}, this one's is {ours}; give the same, or another --out"
    )]
    OtherPlan {
        /// The study's record.
        path: PathBuf,
        /// The part that differs.
        what: &'static str,
        /// Its value there.
        theirs: String,
        /// Its value now.
        ours: String,
    },
    /// A file of the study cannot be read.
    #[error("{path}: {reason}; {remedy}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The mistake.
        reason: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A file or folder cannot be written.
    #[error("{path}: cannot be written: {reason}; free some space or give another --out")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// There is nothing to collect.
    #[error(
        "{path}: none of the {cells} cells of '{suite}' is done; `train study {suite} run` does them"
    )]
    NothingDone {
        /// The study's folder.
        path: PathBuf,
        /// Name of the suite.
        suite: &'static str,
        /// Number of its cells.
        cells: usize,
    },
    /// A plot cannot be drawn.
    #[error("{path}: cannot be drawn: {reason}; please report this with the study at hand")]
    Plot {
        /// The plot.
        path: PathBuf,
        /// The library's message.
        reason: String,
    },
    /// A chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] parseye_plot::PlotError),
    /// A training or an evaluation failed, or was stopped.
    #[error(transparent)]
    Work(#[from] anyhow::Error),
}
