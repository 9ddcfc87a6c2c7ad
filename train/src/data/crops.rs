//! The crops of one data set or several, read from their manifests: those that training draws and evaluation reads.

use super::demo;
use crate::crop::Crop;
use image::GrayImage;
use parseye_vision::{
    evaluate::manifest::{Manifest, ManifestError, Sample, Split},
    frame::luma_of,
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
};

/// The crops of a data set, by split.
#[derive(Clone, Debug)]
pub struct CropSet {
    /// Fitted on.
    pub train: Vec<Crop>,
    /// Chosen on.
    pub val: Vec<Crop>,
    /// SHA-256 over each folder's manifest and every image it lists, in its order.
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
    /// Two folders put a person into different splits.
    #[error(
        "{folder}: '{subject}' is in split {split} here and in {other} of an earlier folder; one person's images must all be in one split"
    )]
    SubjectInTwoSplits {
        /// The later folder.
        folder: PathBuf,
        /// The person.
        subject: String,
        /// Split in this folder.
        split: Split,
        /// Split in an earlier one.
        other: Split,
    },
    /// A source that is left out does not exist.
    #[error(
        "--leave-out '{source_name}': no training crop is of this source{}; known: {}",
        parseye_vision::nearest::hint(.source_name, .known.iter().map(String::as_str)), .known.join(", ")
    )]
    NoSuchSource {
        /// The name that was given.
        source_name: String,
        /// Those of the training crops.
        known: Vec<String>,
    },
    /// Nothing would be left to train on.
    #[error("--leave-out {0}: every training crop is of this source; leave out another or none")]
    OnlySource(String),
    /// Two folders have an image of the same path, by which labels are corrected.
    #[error(
        "{folder}: {image} is the name of an image of an earlier folder, too; rename one of them"
    )]
    SameImage {
        /// The later folder.
        folder: PathBuf,
        /// The image's path in both.
        image: PathBuf,
    },
}

impl CropSet {
    /// Takes a source from the crops that are trained on.
    ///
    /// # Errors
    /// When there is no such source, or no other.
    pub(crate) fn leave_out(&mut self, source: &str) -> Result<(), DataError> {
        let of_source = |crop: &Crop| crop.sample.source == source;
        if !self.train.iter().any(of_source) {
            let sources: BTreeSet<String> = self
                .train
                .iter()
                .map(|crop| crop.sample.source.clone())
                .collect();
            return Err(DataError::NoSuchSource {
                source_name: source.into(),
                known: sources.into_iter().collect(),
            });
        }
        if self.train.iter().all(of_source) {
            return Err(DataError::OnlySource(source.into()));
        }
        self.train.retain(|crop| !of_source(crop));
        Ok(())
    }

    /// Reads each folder's `manifest.csv` and the images of the train and val splits; `demo` is drawn ([`demo`]). The
    /// test split is hashed but never loaded: nothing in training can see it.
    ///
    /// # Errors
    /// Names the row or image that is wrong, the person whom two folders put into different splits, or the split
    /// of which no folder has a crop.
    pub fn read(folders: &[impl AsRef<Path>]) -> Result<Self, DataError> {
        let (crops, sha256) = read_splits(folders, &[Split::Train, Split::Val])?;
        let is_train = |crop: &Crop| crop.sample.split == Split::Train;
        let (train, val) = crops.into_iter().partition(is_train);
        Ok(Self { train, val, sha256 })
    }
}

/// The crops of some splits in the folders' and their manifests' order, and the SHA-256 over each manifest and every
/// image it lists. Images of other splits are hashed but not decoded.
///
/// # Errors
/// Names what is wrong, or the split that is empty in all folders.
pub(super) fn read_splits(
    folders: &[impl AsRef<Path>],
    splits: &[Split],
) -> Result<(Vec<Crop>, String), DataError> {
    // Its hash is of its own kind.
    if let [folder] = folders
        && demo::is_demo(folder.as_ref())
    {
        return Ok(demo::crops(splits));
    }
    let mut hash = Sha256::new();
    let mut crops = Vec::new();
    let mut known = Known::default();
    for folder in folders {
        let folder = folder.as_ref();
        if demo::is_demo(folder) {
            let (drawn, sha256) = demo::crops(splits);
            hash.update(sha256);
            crops.extend(drawn);
            continue;
        }
        let path = folder.join("manifest.csv");
        let manifest = Manifest::read(&path)?;
        known.add(folder, &manifest.samples)?;
        hash.update(read_bytes(&path)?);
        for sample in manifest.samples {
            let path = manifest.folder.join(&sample.path);
            let bytes = read_bytes(&path)?;
            hash.update(&bytes);
            if splits.contains(&sample.split) {
                let image = decode(&path, &bytes)?;
                crops.push(Crop { sample, image });
            }
        }
    }
    for split in splits {
        if !crops.iter().any(|crop| crop.sample.split == *split) {
            let manifests = folders.iter().map(|folder| {
                let path = folder.as_ref().join("manifest.csv");
                path.display().to_string()
            });
            return Err(DataError::Manifest(ManifestError::Empty {
                path: manifests.collect::<Vec<_>>().join(", ").into(),
                of_split: format!(" of split {split}"),
            }));
        }
    }
    Ok((crops, hex::encode(hash.finalize())))
}

/// The people and images of the folders so far.
#[derive(Default)]
struct Known {
    split_of: HashMap<String, Split>,
    images: HashSet<PathBuf>,
}

impl Known {
    /// Adds the samples of a folder, whose own manifest was checked.
    fn add(&mut self, folder: &Path, samples: &[Sample]) -> Result<(), DataError> {
        for sample in samples {
            if !self.images.insert(sample.path.clone()) {
                return Err(DataError::SameImage {
                    folder: folder.into(),
                    image: sample.path.clone(),
                });
            }
            let subject = self.split_of.entry(sample.subject.clone());
            let other = *subject.or_insert(sample.split);
            if other != sample.split {
                return Err(DataError::SubjectInTwoSplits {
                    folder: folder.into(),
                    subject: sample.subject.clone(),
                    split: sample.split,
                    other,
                });
            }
        }
        Ok(())
    }
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
