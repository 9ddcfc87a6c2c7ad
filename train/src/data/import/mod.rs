//! Turns data sets as they are published into a manifest with copied images.
//!
//! Importers read names, never guess at images: columns that a name does not fill stay empty.

pub mod cew;
pub mod folders;
pub mod mrl;

use super::split::{SplitShares, split_of};
use parseye_vision::evaluate::manifest::{Manifest, Sample};
use std::path::{Path, PathBuf};

/// Why a data set cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A folder or file cannot be read or written.
    #[error("{path}: {reason}; check the path and its permissions")]
    Files {
        /// Where.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// Nothing that looks like the layout was found.
    #[error("{path}: no image of the {layout} layout found; expected {expected}")]
    Nothing {
        /// Where.
        path: PathBuf,
        /// Name of the layout.
        layout: &'static str,
        /// Description of the layout.
        expected: &'static str,
    },
    /// A name breaks the layout's rule.
    #[error("{path}: {reason}; expected {expected}")]
    Name {
        /// The file or folder.
        path: PathBuf,
        /// The mistake.
        reason: String,
        /// Description of the layout.
        expected: &'static str,
    },
}

/// An image found in a data set: where it is, and its row but for the split.
#[derive(Clone, Debug)]
pub struct Found {
    /// The image.
    pub file: PathBuf,
    /// Its row; `path` is set when it is copied.
    pub sample: Sample,
}

/// Copies images to `out/SOURCE/` and writes `out/manifest.csv`, splitting by subject.
///
/// # Errors
/// When something cannot be read or written.
pub fn write(
    found: Vec<Found>,
    out: &Path,
    seed: u64,
    shares: SplitShares,
) -> Result<usize, ImportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| ImportError::Files {
            path,
            reason: error.to_string(),
        }
    };
    let mut samples = Vec::with_capacity(found.len());
    for Found { file, mut sample } in found {
        sample.split = split_of(&sample.subject, seed, shares);
        // The folders above an image go into its name: data sets reuse names between folders.
        let target = out.join(&sample.path);
        let folder = target.parent().unwrap_or(out);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        std::fs::copy(&file, &target).map_err(failed(&file))?;
        samples.push(sample);
    }
    samples.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = out.join("manifest.csv");
    Manifest::write(&manifest, &samples).map_err(failed(&manifest))?;
    Ok(samples.len())
}

/// All images below a folder, in the order of their paths.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn images_below(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let mut images = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| ImportError::Files {
            path: folder.clone(),
            reason: error.to_string(),
        };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // Links are not followed, so a loop of folders cannot trap the walk.
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && is_image(&path) {
                images.push(path);
            }
        }
    }
    images.sort();
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ["png", "jpg", "jpeg", "bmp"].contains(&ending.as_str()))
}

/// A file's name without folders and ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A file's name without folders.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
