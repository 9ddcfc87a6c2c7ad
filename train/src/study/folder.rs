//! Where a study lies: `study.json` says what it belongs to, and each cell has a folder of its own.
//!
//! A cell's folder holds `cell.json` (what it is), for a training the model and `metrics.csv`, for
//! an evaluation `answers.safetensors`, and last of all `result.json`: with it the cell is done.

use super::{StudyError, cell::Cell, suite::Scale};
use crate::{
    float_bytes::{self, FloatArray},
    robustness::{Condition, Figures},
};
use parseye_vision::eye_state::STATES;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

const STUDY: &str = "study.json";
const CELL: &str = "cell.json";
const RESULT: &str = "result.json";
const ANSWERS: &str = "answers.safetensors";

/// Name of the tensor f32 `[conditions, crops, states]` in the answers' file, and of the JSON
/// beside it.
const LOGITS: &str = "logits";
const ABOUT: &str = "parseye.answers";

/// What a study belongs to: cells of two data sets or seeds are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Hash of the data.
    pub data_sha256: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Number of folds.
    pub folds: usize,
    /// The smaller plan.
    pub quick: bool,
}

impl Identity {
    /// What a study of this scale on this data belongs to.
    pub fn new(data_sha256: &str, scale: Scale) -> Self {
        Self {
            data_sha256: data_sha256.into(),
            seed: scale.seed,
            folds: scale.folds,
            quick: scale.quick,
        }
    }
}

/// A cell as `cell.json` keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellRecord {
    /// What it is.
    pub cell: Cell,
    /// Hash of the data.
    pub data_sha256: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Version control commit of the program.
    pub commit: String,
    /// Threads it was done with; absent for all cores.
    pub threads: Option<u16>,
}

/// What a done cell came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellResult {
    /// Wall-clock seconds of the last, uninterrupted part.
    pub seconds: f64,
    /// The figures of an evaluation, condition by condition; empty for a training.
    pub figures: Vec<(Condition, Figures)>,
}

/// The answers of one model on the people it never saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// The pictures, as the manifest names them.
    pub paths: Vec<String>,
    /// What the logits are divided by before the softmax.
    pub temperature: f32,
    /// What was measured, and the logits of each picture in the order of `paths`.
    pub conditions: Vec<(Condition, Vec<[f32; STATES]>)>,
}

#[derive(Serialize, Deserialize)]
struct About {
    paths: Vec<String>,
    temperature: f32,
    conditions: Vec<Condition>,
}

/// The folder of a study.
#[derive(Clone, Debug)]
pub struct StudyFolder {
    /// Where it lies.
    pub path: PathBuf,
}

impl StudyFolder {
    /// Opens the folder, which need not exist yet, after checking that it belongs to this plan.
    ///
    /// # Errors
    /// When it belongs to another plan, or its record is damaged.
    pub fn open(path: &Path, identity: &Identity) -> Result<Self, StudyError> {
        let record = path.join(STUDY);
        if record.exists() {
            let theirs: Identity = read_json(
                &record,
                "restore it, or give another --out and start afresh",
            )?;
            let differs = |what, theirs: String, ours: String| {
                if theirs == ours {
                    return Ok(());
                }
                Err(StudyError::OtherPlan {
                    path: record.clone(),
                    what,
                    theirs,
                    ours,
                })
            };
            differs(
                "data hash",
                theirs.data_sha256,
                identity.data_sha256.clone(),
            )?;
            differs("seed", theirs.seed.to_string(), identity.seed.to_string())?;
            differs(
                "number of folds",
                theirs.folds.to_string(),
                identity.folds.to_string(),
            )?;
            let size = |quick| if quick { "quick" } else { "full" };
            differs(
                "size",
                size(theirs.quick).into(),
                size(identity.quick).into(),
            )?;
        }
        Ok(Self { path: path.into() })
    }

    /// Makes the folder and its record, where they are not there yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(&self, identity: &Identity) -> Result<(), StudyError> {
        make(&self.path)?;
        let record = self.path.join(STUDY);
        if record.exists() {
            return Ok(());
        }
        write_json(&record, identity)
    }

    /// Folder of a cell.
    pub fn of(&self, id: &str) -> PathBuf {
        self.path.join("cells").join(id)
    }

    /// The model of a training cell.
    pub fn model(&self, cell: &Cell) -> PathBuf {
        self.of(&cell.id()).join(format!("{}.onnx", cell.name()))
    }

    /// Whether a cell is done.
    pub fn is_done(&self, id: &str) -> bool {
        self.of(id).join(RESULT).exists()
    }

    /// Makes a cell's folder and writes what the cell is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, record: &CellRecord) -> Result<PathBuf, StudyError> {
        let folder = self.of(&record.cell.id());
        make(&folder)?;
        write_json(&folder.join(CELL), record)?;
        Ok(folder)
    }

    /// Marks a cell as done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&self, id: &str, result: &CellResult) -> Result<(), StudyError> {
        write_json(&self.of(id).join(RESULT), result)
    }

    /// What a done cell came to; `None` where it is not done.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn result(&self, id: &str) -> Result<Option<CellResult>, StudyError> {
        let path = self.of(id).join(RESULT);
        if !path.exists() {
            return Ok(None);
        }
        read_json(&path, DO_AGAIN).map(Some)
    }

    /// Keeps an evaluation's answers.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_answers(&self, id: &str, answers: &Answers) -> Result<(), StudyError> {
        let path = self.of(id).join(ANSWERS);
        let failed = |reason: String| StudyError::Write {
            path: path.clone(),
            reason,
        };
        let about = About {
            paths: answers.paths.clone(),
            temperature: answers.temperature,
            conditions: answers
                .conditions
                .iter()
                .map(|(of, _)| of.clone())
                .collect(),
        };
        let about = serde_json::to_string(&about).map_err(|error| failed(error.to_string()))?;
        let logits = answers.conditions.iter().flat_map(|(_, logits)| logits);
        let array = FloatArray {
            shape: vec![answers.conditions.len(), answers.paths.len(), STATES],
            data: float_bytes::to_bytes(logits.flatten()),
        };
        let metadata = Some(HashMap::from([(ABOUT.to_owned(), about)]));
        let bytes = safetensors::serialize([(LOGITS, array)], &metadata)
            .map_err(|error| failed(error.to_string()))?;
        crate::export::write_whole(&path, &bytes).map_err(|error| failed(error.to_string()))
    }

    /// The answers of a done evaluation.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn answers(&self, id: &str) -> Result<Answers, StudyError> {
        let path = self.of(id).join(ANSWERS);
        let bytes = std::fs::read(&path).map_err(|error| damaged(&path, error))?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(&path, error))?;
        let about = metadata.metadata().as_ref().and_then(|all| all.get(ABOUT));
        let about = about.ok_or_else(|| damaged(&path, "no answers of a study"))?;
        let about: About = serde_json::from_str(about).map_err(|error| damaged(&path, error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
        let tensor = file.tensor(LOGITS).map_err(|error| damaged(&path, error))?;
        let shape = [about.conditions.len(), about.paths.len(), STATES];
        if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
            return Err(damaged(&path, "its logits are not of its pictures' number"));
        }
        let values = float_bytes::from_bytes(tensor.data());
        let values: Vec<[f32; STATES]> = values
            .chunks_exact(STATES)
            .map(|row| std::array::from_fn(|state| row[state]))
            .collect();
        let rows = about.paths.len();
        let conditions = about.conditions.into_iter().enumerate();
        Ok(Answers {
            conditions: conditions
                .map(|(at, of)| (of, values[at * rows..(at + 1) * rows].to_vec()))
                .collect(),
            paths: about.paths,
            temperature: about.temperature,
        })
    }
}

pub(super) const DO_AGAIN: &str = "delete the cell's folder and run the study again";

fn damaged(path: &Path, reason: impl std::fmt::Display) -> StudyError {
    StudyError::Damaged {
        path: path.into(),
        reason: format!("damaged ({reason})"),
        remedy: DO_AGAIN,
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn make(path: &Path) -> Result<(), StudyError> {
    std::fs::create_dir_all(path).map_err(|error| StudyError::Write {
        path: path.into(),
        reason: error.to_string(),
    })
}

/// Writes a text whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), StudyError> {
    crate::export::write_whole(path, text.as_bytes()).map_err(|error| StudyError::Write {
        path: path.into(),
        reason: error.to_string(),
    })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StudyError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| StudyError::Write {
        path: path.into(),
        reason: error.to_string(),
    })?;
    write_text(path, &(text + "\n"))
}

fn read_json<T: DeserializeOwned>(path: &Path, remedy: &'static str) -> Result<T, StudyError> {
    let wrong = |reason: String| StudyError::Damaged {
        path: path.into(),
        reason,
        remedy,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot be read ({error})")))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("damaged ({error})")))
}
