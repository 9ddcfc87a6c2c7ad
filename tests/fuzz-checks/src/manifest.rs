//! The list of labelled crops. What is read is written and read again as the same.

use parseye_vision::evaluate::manifest::{Manifest, Split};
use std::path::Path;

/// Panics where the reader breaks that promise.
pub fn check(text: &[u8]) {
    let path = Path::new("folder/manifest.csv");
    let manifest = match Manifest::parse(text, path) {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(error.to_string().starts_with("folder/manifest.csv"));
            return;
        }
    };
    assert_eq!(manifest.folder, Path::new("folder"));
    for sample in &manifest.samples {
        let joined = manifest.folder.join(&sample.path);
        assert!(joined.starts_with(&manifest.folder), "{joined:?}");
        assert!(sample.openness.is_none_or(f32::is_finite));
    }
    let of_splits = Split::ALL.map(|split| manifest.of_split(split).map_or(0, |found| found.len()));
    assert_eq!(of_splits.iter().sum::<usize>(), manifest.samples.len());
    let mut written = Vec::new();
    Manifest::write_to(&mut written, &manifest.samples).expect("memory takes it");
    let again = Manifest::parse(&written, path).expect("what was written can be read");
    assert_eq!(again.samples, manifest.samples);
}
