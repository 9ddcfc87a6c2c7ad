//! Files that end too early, as after a power cut: each is refused by name, or said to be cut. Checkpoints
//! are `train`'s (`tests/train_misuse.rs`).

use super::{
    folder,
    support::{
        face_detector_path,
        model::{ModelForm, onnx},
        root,
    },
};
use parseye::config::Settings;
use parseye_events::{event::Outcome, session};
use parseye_test_needs::needs;
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    locate::{DetectorSettings, FaceTracker},
    temporal::TemporalSettings,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{fs, path::Path};

/// The last bytes, each of which is a place to cut at: what stands there is short and may look optional.
const LAST: usize = 400;

/// Cuts at random places besides.
const CUTS: usize = 100;

/// Lengths to which a file is cut.
fn cuts(length: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let random = (0..CUTS).map(|_| rng.random_range(0..length));
    random.chain(length.saturating_sub(LAST)..length).collect()
}

/// Checks that no beginning of a file is accepted and that each refusal is one line with its name.
#[track_caller]
fn refuses_every_beginning<T, E: std::fmt::Display>(
    whole: &[u8],
    path: &Path,
    load: impl Fn(&Path) -> Result<T, E>,
) {
    fs::write(path, whole).unwrap();
    assert!(load(path).is_ok(), "the whole file is accepted");
    for cut in cuts(whole.len()) {
        fs::write(path, &whole[..cut]).unwrap();
        let Err(error) = load(path) else {
            panic!("accepted: the first {cut} of {} bytes", whole.len());
        };
        let line = error.to_string();
        assert!(line.contains(path.to_str().unwrap()), "{cut}: {line}");
        assert!(!line.contains('\n') && line.contains("; "), "{cut}: {line}");
    }
}

#[test]
fn no_beginning_of_a_model_is_taken_for_one() {
    let folder = folder();
    let path = folder.path().join("model.onnx");
    let shipped = fs::read(root().join("models/default.onnx")).unwrap();
    for whole in [onnx(&ModelForm::default()), shipped] {
        refuses_every_beginning(&whole, &path, EyeStateModel::from_file);
    }
}

#[test]
fn no_beginning_of_a_gradient_graph_is_taken_for_one() {
    let folder = folder();
    let path = folder.path().join("default.gradient.onnx");
    let model = EyeStateModel::built_in().unwrap();
    let whole = fs::read(root().join("models/default.gradient.onnx")).unwrap();
    refuses_every_beginning(&whole, &path, |path| GradientModel::from_file(path, &model));
}

#[needs(face_detector)]
#[test]
fn no_beginning_of_the_face_detector_is_taken_for_it() {
    let folder = folder();
    let path = folder.path().join("detector.onnx");
    let whole = fs::read(face_detector_path()).unwrap();
    refuses_every_beginning(&whole, &path, |path| {
        FaceTracker::open(path, &DetectorSettings::default())
    });
}

/// A file of settings that ends between two lines is a shorter file of settings; all that can be asked
/// is that a line which was cut changes nothing but its own setting.
#[test]
fn a_cut_file_of_settings_is_refused_or_changes_one_setting_at_most() {
    let folder = folder();
    let path = folder.path().join("mine.toml");
    let whole = "[camera]\nid = \"/dev/video7\"\nwidth = 1280\nheight = 720\nframe_rate = 29.97\n\
                 [temporal]\nalarm_after_s = 2.25\n[report]\nlog = \"a log.jsonl\"\n\
                 [web]\naddress = \"127.0.0.1:8080\"\n";
    let load = |text: &[u8]| {
        fs::write(&path, text).unwrap();
        Settings::load(Some(&path)).map(|settings| serde_json::to_value(settings).unwrap())
    };
    let usual = load(b"").unwrap();
    let meant = load(whole.as_bytes()).unwrap();
    let mut refused = 0;
    for cut in 0..whole.len() {
        match load(&whole.as_bytes()[..cut]) {
            Ok(settings) => {
                let strange = differences(&settings, &usual, &meant);
                assert!(strange <= 1, "{cut}: {settings}");
                let at_line_end = whole.as_bytes()[cut] == b'\n' || whole[..cut].ends_with('\n');
                assert!(!at_line_end || strange == 0, "{cut}: {settings}");
            }
            Err(error) => {
                refused += 1;
                let line = error.to_string();
                assert!(line.contains(path.to_str().unwrap()), "{cut}: {line}");
                assert!(!line.contains('\n'), "{line}");
            }
        }
    }
    assert!(refused > whole.len() / 2, "{refused}");
    // What some file systems leave of a file that was not yet on the disk.
    assert!(load(&[0; 200]).is_err());
}

/// Values that are neither the usual nor the meant ones.
fn differences(
    found: &serde_json::Value,
    usual: &serde_json::Value,
    meant: &serde_json::Value,
) -> usize {
    match found.as_object() {
        Some(fields) => fields
            .iter()
            .map(|(key, value)| differences(value, &usual[key], &meant[key]))
            .sum(),
        None => usize::from(found != usual && found != meant),
    }
}

const LOG: &str = concat!(
    r#"{"event":"start","schema":1,"version":"0.1.0","mode":"replay","model":{"name":"m","sha256":"0"},"clips":["a"]}"#,
    "\n",
    r#"{"event":"eyes","clip":"a","time":0.0,"frame":0,"face":null,"left":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"no_face"},"right":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"no_face"}}"#,
    "\n",
    r#"{"event":"end","clip":"a","frames":1,"outcome":"complete"}"#,
    "\n"
);

#[test]
fn every_cut_of_a_log_is_told() {
    let folder = folder();
    let path = folder.path().join("log.jsonl");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        session::read(std::slice::from_ref(&path), &TemporalSettings::default())
    };
    let whole = read(LOG.as_bytes()).unwrap().statistics;
    assert_eq!(
        whole.runs.first[0].sources[0].outcome,
        Some(Outcome::Complete)
    );
    let first_line = LOG.find('\n').unwrap();
    // The last byte is a line end, without which the last line still is one.
    for cut in 0..LOG.len() - 1 {
        let bytes = &LOG.as_bytes()[..cut];
        let figures = match read(bytes) {
            Ok(session) => session.statistics,
            Err(error) => {
                let line = error.to_string();
                assert!(cut < first_line, "{cut}: {line}");
                assert!(line.contains(path.to_str().unwrap()), "{line}");
                continue;
            }
        };
        assert!(cut >= first_line);
        let sources = &figures.runs.first[0].sources;
        assert!(
            sources.iter().all(|source| source.outcome.is_none()),
            "{cut}"
        );
        let log = &figures.logs[0];
        let last = LOG[..cut].rsplit('\n').next().unwrap();
        let is_whole = last.is_empty() || LOG.as_bytes()[cut] == b'\n';
        assert_eq!(log.damaged, u64::from(!is_whole), "{cut}");
        for damage in &log.damages {
            assert_eq!(damage.reason, session::LineDefect::CutOff, "{cut}");
        }
    }
    // What some file systems leave of lines that were not yet on the disk.
    let log = &read(&[LOG.as_bytes(), &[0; 5000]].concat())
        .unwrap()
        .statistics
        .logs[0];
    assert_eq!((log.lines, log.damaged), (4, 1));
}
