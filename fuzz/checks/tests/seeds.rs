//! Every seed of the fuzz targets keeps what its reader promises.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use parseye_fuzz_checks as checks;
use std::{collections::BTreeSet, fs, path::Path};

type Check = fn(&[u8]);

const CHECKS: [(&str, Check); 9] = [
    ("config", checks::config::check),
    ("event_log", checks::event_log::check),
    ("face_detector_output", checks::face_detector_output::check),
    ("manifest", checks::manifest::check),
    ("mjpeg_frame", checks::mjpeg_frame::check),
    ("model_card", checks::model_card::check),
    ("pixels", checks::pixels::check),
    ("raw_video", checks::raw_video::check),
    ("truth", checks::truth::check),
];

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

#[test]
fn every_seed_keeps_its_reader_s_promises() {
    for (name, check) in CHECKS {
        let mut seeds = 0;
        for entry in fs::read_dir(folder("seeds").join(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            let bytes = fs::read(&path).unwrap();
            check(&bytes);
            // Cut off and damaged, as files are.
            check(&bytes[..bytes.len() / 2]);
            let mut damaged = bytes;
            if let Some(byte) = damaged.get_mut(7) {
                *byte ^= 0x55;
            }
            check(&damaged);
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seed");
    }
}

#[test]
fn every_check_is_a_fuzz_target() {
    let checked: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let targets: BTreeSet<String> = fs::read_dir(folder("targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(checked, targets);
}
