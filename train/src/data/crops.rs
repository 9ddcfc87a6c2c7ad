//! The crops of a data set, read from its manifest: those that training draws and evaluation reads.

use super::demo;
use crate::crop::Crop;
use image::GrayImage;
use parseye_vision::{
    evaluate::manifest::{Manifest, ManifestError, Split},
    frame::luma_of,
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The crops of a data set, by split.
#[derive(Clone, Debug)]
pub struct CropSet {
    /// Fitted on.
    pub train: Vec<Crop>,
    /// Chosen on.
    pub val: Vec<Crop>,
    /// SHA-256 over the manifest and every image it lists, in its order.
    pub sha256: String,
}

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An image is wrong.
    #[error(
        "{path}: not a readable image ({reason}); replace it or remove its row from the manifest"
    )]
    Image {
        /// The image.
        path: PathBuf,
        /// The decoder's message.
        reason: String,
    },
}

impl CropSet {
    /// Reads `folder/manifest.csv` and the images of the train and val splits; `demo` is drawn ([`demo`]). The test split is
    /// hashed but never loaded: nothing in training can see it.
    ///
    /// # Errors
    /// Names the row or image that is wrong.
    pub fn read(folder: &Path) -> Result<Self, DataError> {
        let (crops, sha256) = read_splits(folder, &[Split::Train, Split::Val])?;
        let is_train = |crop: &Crop| crop.sample.split == Split::Train;
        let (train, val) = crops.into_iter().partition(is_train);
        Ok(Self { train, val, sha256 })
    }
}

/// The crops of some splits in the manifest's order, and the SHA-256 over the manifest and every
/// image it lists. Images of other splits are hashed but not decoded.
///
/// # Errors
/// Names the row or image that is wrong, or the split that is empty.
pub(super) fn read_splits(
    folder: &Path,
    splits: &[Split],
) -> Result<(Vec<Crop>, String), DataError> {
    if demo::is_demo(folder) {
        return Ok(demo::crops(splits));
    }
    let path = folder.join("manifest.csv");
    let manifest = Manifest::read(&path)?;
    for split in splits {
        manifest.of_split(*split)?;
    }
    let mut hash = Sha256::new();
    hash.update(read_bytes(&path)?);
    let mut crops = Vec::new();
    for sample in manifest.samples {
        let path = manifest.folder.join(&sample.path);
        let bytes = read_bytes(&path)?;
        hash.update(&bytes);
        if splits.contains(&sample.split) {
            let image = decode(&path, &bytes)?;
            crops.push(Crop { sample, image });
        }
    }
    Ok((crops, hex::encode(hash.finalize())))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|error| DataError::Image {
        path: path.into(),
        reason: error.to_string(),
    })
}

/// Decodes an image to luma by the convention that the runtime uses for frames.
fn decode(path: &Path, bytes: &[u8]) -> Result<GrayImage, DataError> {
    let wrong = |reason: String| DataError::Image {
        path: path.into(),
        reason,
    };
    let image = image::load_from_memory(bytes).map_err(|error| wrong(error.to_string()))?;
    if image.width() < 2 || image.height() < 2 {
        return Err(wrong(format!(
            "{}x{} pixels",
            image.width(),
            image.height()
        )));
    }
    Ok(match image {
        image::DynamicImage::ImageLuma8(gray) => gray,
        coloured => luma_of(&coloured.to_rgb8()),
    })
}
