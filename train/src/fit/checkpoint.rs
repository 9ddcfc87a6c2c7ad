//! Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors
//! file that is replaced whole after every epoch.

use super::{EpochRow, FitSettings};
use crate::float_bytes::{self, FloatArray};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};
use tch::{Device, Kind, Tensor};

/// File name within a run's folder.
pub const FILE: &str = "checkpoint.safetensors";

/// Key of [`RunState`]'s JSON in the file's metadata.
const STATE_KEY: &str = "parseye.run";

/// State of a run besides its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Settings of the run.
    pub settings: FitSettings,
    /// Hash of its data.
    pub data_sha256: String,
    /// Metrics of each epoch so far.
    pub history: Vec<EpochRow>,
    /// Epoch whose weights are kept, from 1.
    pub best_epoch: usize,
    /// After each epoch: distance from a tight frame of each layer by name.
    pub frame_deviations: Vec<Vec<(String, f64)>>,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// Settings and history.
    pub state: RunState,
    /// Parameters and running statistics of the last epoch.
    pub network: BTreeMap<String, Tensor>,
    /// Velocities of the optimiser.
    pub velocity: BTreeMap<String, Tensor>,
    /// Moving average of parameters and running statistics; the last epoch's without one.
    pub average: BTreeMap<String, Tensor>,
    /// Parameters and running statistics of the epoch that is kept.
    pub best: BTreeMap<String, Tensor>,
}

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}; {remedy}")]
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// The mistake.
    pub reason: String,
    /// The remedy.
    pub remedy: &'static str,
}

/// A tensor as an array that safetensors can write.
fn array_of(tensor: &Tensor) -> Result<FloatArray, tch::TchError> {
    let shape = tensor
        .size()
        .iter()
        .map(|size| size.unsigned_abs() as usize)
        .collect();
    let flat = tensor
        .detach()
        .f_to_device(Device::Cpu)?
        .f_to_kind(Kind::Float)?;
    let values: Vec<f32> = Vec::try_from(flat.f_contiguous()?.f_flatten(0, -1)?)?;
    let data = float_bytes::to_bytes(&values);
    Ok(FloatArray { shape, data })
}

/// Independent copies of tensors, so that later steps do not change them.
pub(crate) fn copies(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let copy = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.detach().copy());
    tensors.iter().map(copy).collect()
}

impl Checkpoint {
    /// Replaces the checkpoint in `folder`; the old one stays whole until the new one is.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let path = folder.join(FILE);
        let failed = |reason: String| CheckpointError {
            path: path.clone(),
            reason: format!("cannot be written: {reason}"),
            remedy: "free some space or give another --out; the checkpoint of the epoch before is kept",
        };
        let mut views = Vec::new();
        for (group, tensors) in [
            ("network", &self.network),
            ("velocity", &self.velocity),
            ("average", &self.average),
            ("best", &self.best),
        ] {
            for (name, tensor) in tensors {
                let array = array_of(tensor).map_err(|error| failed(error.to_string()))?;
                views.push((format!("{group}/{name}"), array));
            }
        }
        let state =
            serde_json::to_string(&self.state).map_err(|error| failed(error.to_string()))?;
        let metadata = Some(HashMap::from([(STATE_KEY.to_owned(), state)]));
        let bytes =
            safetensors::serialize(views, &metadata).map_err(|error| failed(error.to_string()))?;
        crate::files::write_atomically(&path, &bytes).map_err(|error| failed(error.to_string()))
    }

    /// Reads the checkpoint in `folder`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn load(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(FILE);
        let wrong = |reason: String| CheckpointError {
            path: path.clone(),
            reason,
            remedy: "start afresh without --resume in another --out",
        };
        let bytes =
            std::fs::read(&path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let damaged = |error: safetensors::SafeTensorError| {
            wrong(format!("a damaged checkpoint ({error:?})"))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let state = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(STATE_KEY));
        let state = state.ok_or_else(|| wrong("not a checkpoint of `train`".into()))?;
        let state = serde_json::from_str(state).map_err(|error| {
            wrong(format!(
                "a checkpoint of another version of `train` ({error})"
            ))
        })?;
        let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let mut groups: BTreeMap<String, BTreeMap<String, Tensor>> = BTreeMap::new();
        for (name, view) in file.tensors() {
            let (group, name) = name
                .split_once('/')
                .ok_or_else(|| wrong("not a checkpoint of `train`".into()))?;
            let shape: Vec<i64> = view.shape().iter().map(|size| *size as i64).collect();
            let tensor = Tensor::f_from_slice(&float_bytes::from_bytes(view.data()))
                .and_then(|flat| flat.f_reshape(&shape))
                .map_err(|error| wrong(error.to_string()))?;
            groups
                .entry(group.to_owned())
                .or_default()
                .insert(name.to_owned(), tensor);
        }
        let mut take = |group: &str| groups.remove(group).unwrap_or_default();
        Ok(Self {
            state,
            network: take("network"),
            velocity: take("velocity"),
            average: take("average"),
            best: take("best"),
        })
    }
}
