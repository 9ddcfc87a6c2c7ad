//! One split of a data set in memory, to measure finished models on.
//!
//! Training reads [`super::crops::CropSet`], which never decodes the test split; this is the only
//! way to it.

use super::crops::{DataError, read_splits};
use crate::crop::Crop;
use parseye_vision::evaluate::manifest::Split;
use std::path::Path;

/// The crops of one split.
#[derive(Clone, Debug)]
pub struct EvaluationSet {
    /// In the manifest's order.
    pub crops: Vec<Crop>,
    /// Their split.
    pub split: Split,
    /// SHA-256 over each folder's manifest and every image it lists, of all splits: the same as
    /// [`super::crops::CropSet::sha256`], so that it can be compared with a model's card.
    pub sha256: String,
}

impl EvaluationSet {
    /// Reads each folder's `manifest.csv` and the images of `split`; those of the others are hashed.
    ///
    /// # Errors
    /// As [`super::crops::CropSet::read`].
    pub fn read(folders: &[impl AsRef<Path>], split: Split) -> Result<Self, DataError> {
        let (crops, sha256) = read_splits(folders, &[split])?;
        Ok(Self {
            crops,
            split,
            sha256,
        })
    }
}
