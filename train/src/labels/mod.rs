//! Labels looked at again: which of them to doubt, contact sheets to grade them on, and
//! the corrections that two graders agree on.
//!
//! # Layout
//! [`suspects`] runs models on people that they were not trained on and lists the labels they
//! doubt most, with some drawn at random among them so that a grader cannot know which is which;
//! [`sheets`] draws them without label or prediction; [`agree`] compares two graders and writes
//! down where both contradict a label; [`fixes`] is that file, which training reads
//! (`train --label-fixes`). The test split is never loaded here, so no correction can reach it.
//! [`command`] is the command line.

pub mod agree;
pub mod command;
pub mod fixes;
pub mod sheets;
pub mod suspects;

use parseye_vision::{eye_state::EyeState, names::UnknownName};
use std::path::{Path, PathBuf};

/// Name of the grade of an undecidable crop.
pub(crate) const UNDECIDABLE: &str = "undecidable";

/// Grade of a crop by a person: its state, or undecidable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// It shows this state.
    State(EyeState),
    /// It can be read in more than one way.
    Undecidable,
}

impl Grade {
    /// All grades.
    pub fn all() -> impl Iterator<Item = Self> {
        let states = EyeState::ALL.into_iter().map(Self::State);
        states.chain([Self::Undecidable])
    }

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::Undecidable => UNDECIDABLE,
        }
    }
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Grade {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::all().find(|grade| grade.name() == text);
        found.ok_or_else(|| UnknownName {
            what: "grade",
            given: text.into(),
            known: Self::all().map(Self::name).collect(),
        })
    }
}

/// Why labels cannot be graded or corrected.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A file of the audit is wrong.
    #[error("{path}, line {line}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// The mistake and its remedy.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path}: cannot be read: {reason}; {remedy}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A file would be lost, or cannot be written.
    #[error("{path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The mistake and its remedy.
        reason: String,
    },
    /// The models do not fit the folds.
    #[error("{0}")]
    Models(String),
}

/// Reads the rows of a CSV file with a header, giving each its line.
fn read_rows<T: serde::de::DeserializeOwned>(
    path: &Path,
    remedy: &'static str,
) -> Result<Vec<(u64, T)>, LabelError> {
    rows_of(path, &read_bytes(path, remedy)?, remedy)
}

pub(crate) fn read_bytes(path: &Path, remedy: &'static str) -> Result<Vec<u8>, LabelError> {
    std::fs::read(path).map_err(|error| LabelError::Unreadable {
        path: path.into(),
        reason: error.to_string(),
        remedy,
    })
}

/// The rows of a CSV file that was read from `path`.
pub(crate) fn rows_of<T: serde::de::DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    remedy: &'static str,
) -> Result<Vec<(u64, T)>, LabelError> {
    let mut rows = Vec::new();
    for row in csv::Reader::from_reader(bytes).deserialize() {
        // One line a row; the header is the first.
        let line = rows.len() as u64 + 2;
        let row = row.map_err(|error| LabelError::Row {
            path: path.into(),
            line: error.position().map_or(line, csv::Position::line),
            reason: format!("{error}; {remedy}"),
        })?;
        rows.push((line, row));
    }
    Ok(rows)
}

/// Writes a file that must not be there yet: grading by hand is not done twice.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), LabelError> {
    let failed = |reason: String| LabelError::Write {
        path: path.into(),
        reason,
    };
    if path.exists() {
        return Err(failed(
            "is there already; remove it, or give another --out".into(),
        ));
    }
    crate::files::write_atomically(path, bytes).map_err(|error| failed(error.to_string()))
}

/// Rows as the bytes of a CSV file.
pub(crate) fn csv_bytes<T: serde::Serialize>(
    path: &Path,
    rows: &[T],
) -> Result<Vec<u8>, LabelError> {
    let failed = |reason: String| LabelError::Write {
        path: path.into(),
        reason,
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| failed(error.to_string()))?;
    }
    writer
        .into_inner()
        .map_err(|error| failed(error.to_string()))
}
