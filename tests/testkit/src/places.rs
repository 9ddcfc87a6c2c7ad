//! Where things are that are not made by a test: the repository, the face detector, recordings of people.
//!
//! A test that uses the latter two says so by `#[needs(...)]` (`parseye-test-needs`), and is ignored without.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).into()
}

/// Where `make models` puts the face detector.
pub fn face_detector() -> PathBuf {
    repository()
        .join("models/face-detector")
        .join(parseye_vision::locate::FACE_DETECTOR_FILE)
}

/// The folder that `PARSEYE_DATA` names, with recordings of people in `clips/` and labelled crops in `eyes/`.
/// A relative one is below the repository's root.
pub fn recordings() -> PathBuf {
    let named = std::env::var_os("PARSEYE_DATA").unwrap_or_else(|| "../shared/data".into());
    repository().join(named)
}
