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
    /// SHA-256 over the manifest and every image it lists, of all splits: the same as
    /// [`super::crops::CropSet::sha256`], so that it can be compared with a model's card.
    pub sha256: String,
}

impl EvaluationSet {
    /// Reads `folder/manifest.csv` and the images of `split`; those of the others are hashed.
    ///
    /// # Errors
    /// Names the row or image that is wrong, or the split where it is empty.
    pub fn read(folder: &Path, split: Split) -> Result<Self, DataError> {
        let (crops, sha256) = read_splits(folder, &[split])?;
        Ok(Self {
            crops,
            split,
            sha256,
        })
    }
}
