//! The folder of a study: `study.json` holds its identity, and each cell has a folder of its own.
//!
//! A cell's folder holds `cell.json` (what it is), for a training the model and `metrics.csv`, for
//! an evaluation `answers.safetensors`, and last of all `result.json`: with it the cell is done.

use super::{StudyError, cell::Cell, suite::Scale};
use crate::{
    conditions::Condition,
    float_bytes::{self, FloatArray},
    robustness::Metrics,
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
const PREDICTIONS: &str = "answers.safetensors";

/// Name of the tensor f32 `[conditions, crops, states]` in the predictions' file, and of the JSON
/// beside it.
const LOGITS: &str = "logits";
const ABOUT: &str = "parseye.answers";

/// Data and plan of a study: cells of two data sets or seeds are never mixed.
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
    /// Identity of a study of this scale on this data.
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
pub(crate) struct CellRecord {
    /// The cell.
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

/// Result of a done cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellResult {
    /// Wall-clock seconds of the last, uninterrupted part.
    pub seconds: f64,
    /// The metrics of an evaluation, condition by condition; empty for a training.
    #[serde(rename = "figures")]
    pub metrics: Vec<(Condition, Metrics)>,
}

/// The predictions of one model on the people it never saw.
#[derive(Clone, Debug, PartialEq)]
pub struct CellPredictions {
    /// The images, as the manifest names them.
    pub paths: Vec<String>,
    /// Divisor of the logits before the softmax.
    pub temperature: f32,
    /// Conditions, with the logits of each image in the order of `paths`.
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
    /// Its path.
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
    pub(crate) fn create(&self, identity: &Identity) -> Result<(), StudyError> {
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

    /// Makes a cell's folder and writes its record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(&self, record: &CellRecord) -> Result<PathBuf, StudyError> {
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

    /// Result of a cell; `None` where it is not done.
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

    /// Keeps an evaluation's predictions.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_predictions(
        &self,
        id: &str,
        predictions: &CellPredictions,
    ) -> Result<(), StudyError> {
        let path = self.of(id).join(PREDICTIONS);
        let failed = |reason: String| StudyError::Write {
            path: path.clone(),
            reason,
        };
        let about = About {
            paths: predictions.paths.clone(),
            temperature: predictions.temperature,
            conditions: predictions
                .conditions
                .iter()
                .map(|(of, _)| of.clone())
                .collect(),
        };
        let about = serde_json::to_string(&about).map_err(|error| failed(error.to_string()))?;
        let logits = predictions.conditions.iter().flat_map(|(_, logits)| logits);
        let array = FloatArray {
            shape: vec![
                predictions.conditions.len(),
                predictions.paths.len(),
                STATES,
            ],
            data: float_bytes::to_bytes(logits.flatten()),
        };
        let metadata = Some(HashMap::from([(ABOUT.to_owned(), about)]));
        let bytes = safetensors::serialize([(LOGITS, array)], &metadata)
            .map_err(|error| failed(error.to_string()))?;
        crate::files::write_atomically(&path, &bytes).map_err(|error| failed(error.to_string()))
    }

    /// The predictions of a done evaluation.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn predictions(&self, id: &str) -> Result<CellPredictions, StudyError> {
        let path = self.of(id).join(PREDICTIONS);
        let bytes = std::fs::read(&path).map_err(|error| damaged(&path, error))?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(&path, error))?;
        let about = metadata.metadata().as_ref().and_then(|all| all.get(ABOUT));
        let about = about.ok_or_else(|| damaged(&path, "no predictions of a study"))?;
        let about: About = serde_json::from_str(about).map_err(|error| damaged(&path, error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
        let tensor = file.tensor(LOGITS).map_err(|error| damaged(&path, error))?;
        let shape = [about.conditions.len(), about.paths.len(), STATES];
        if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
            return Err(damaged(
                &path,
                "the number of its logits is not that of its images",
            ));
        }
        let values = float_bytes::from_bytes(tensor.data());
        let values: Vec<[f32; STATES]> = values
            .chunks_exact(STATES)
            .map(|row| std::array::from_fn(|state| row[state]))
            .collect();
        let rows = about.paths.len();
        let conditions = about.conditions.into_iter().enumerate();
        Ok(CellPredictions {
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
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), StudyError> {
    crate::files::write_atomically(path, text.as_bytes()).map_err(|error| StudyError::Write {
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
