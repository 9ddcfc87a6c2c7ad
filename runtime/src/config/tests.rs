//! Settings as users write them: what is read, and how mistakes are reported.

use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/monitor.toml");

fn load(text: &str) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    Settings::merge(&[path], Env::prefixed("PARSEYE_NONE_OF_THESE_")).map(|(settings, _)| settings)
}

fn refused(text: &str, words: &[&str]) {
    let error = load(text).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "'{error}' lacks '{word}'");
    }
    assert!(
        error.contains("settings.toml") && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn the_documented_file_holds_exactly_the_defaults() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    assert_eq!(load(&text).unwrap(), Settings::default());
    // Keys without a default stand as comments; with the comment mark gone they must be known.
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let given = serde_json::to_value(load(&all).unwrap()).unwrap();
    let table: toml_keys::Table = toml_keys::parse(&all);
    for (section, keys) in given.as_object().unwrap() {
        for key in keys.as_object().unwrap().keys() {
            assert!(
                table.contains(&format!("{section}.{key}")),
                "{section}.{key} is not documented"
            );
        }
    }
}

/// Which keys a settings file names, read without the code under test.
mod toml_keys {
    use std::collections::BTreeSet;

    pub type Table = BTreeSet<String>;

    pub fn parse(text: &str) -> Table {
        let mut section = String::new();
        let mut keys = Table::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
        {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').into();
            } else if let Some((key, _)) = line.split_once('=') {
                keys.insert(format!("{section}.{}", key.trim()));
            }
        }
        keys
    }
}

#[test]
fn a_file_changes_what_it_names() {
    let settings =
        load("[camera]\nid = 2\nwidth = 320\n[temporal]\nlong_closure_s = 0.5\n").unwrap();
    assert_eq!(settings.camera.id.as_deref(), Some("2"));
    assert_eq!((settings.camera.width, settings.camera.height), (320, 480));
    assert_eq!(settings.temporal.long_closure_s, 0.5);
}

#[test]
fn every_mistake_names_file_key_and_the_nearest_known() {
    refused(
        "[camera]\nwidht = 3\n",
        &["camera.widht", "did you mean 'width'"],
    );
    refused("[camra]\nwidth = 3\n", &["camra", "did you mean 'camera'"]);
    refused(
        "[temporal]\nlong_closure = 3\n",
        &["temporal.long_closure", "'long_closure_s'"],
    );
    refused(
        "[camera]\nwidth = \"wide\"\n",
        &["camera.width", "\"wide\""],
    );
    refused("[camera\n", &[]);
    refused(
        "[temporal]\nclosed_above = 7\n",
        &["temporal.closed_above is 7"],
    );
    refused("[eyes]\ncrop_side = 0.0\n", &["eyes.crop_side is 0"]);
    refused(
        "[detector]\ndetect_every = 0\n",
        &["detector.detect_every is 0"],
    );
    refused(
        "[recording]\nimage_rate = -1\n",
        &["recording.image_rate is -1"],
    );
    refused("[camera]\nframe_rate = 0\n", &["camera.frame_rate is 0"]);
    refused(
        "[camera]\nframe_rate = nan\n",
        &["camera.frame_rate is NaN"],
    );
    refused("[camera]\nbackend = \"v4l\"\n", &["camera.backend", "v4l2"]);
    refused(
        "[report]\nstatus_every_s = 0.1\n",
        &["report.status_every_s"],
    );
}

#[test]
fn a_missing_file_that_was_asked_for_is_named() {
    let error = Settings::load(Some(Path::new("/nowhere/x.toml")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nowhere/x.toml"), "{error}");
}
