//! What the tests of the program share: running it, drawing its input, reading what it wrote.

#[cfg(unix)]
pub mod chromium;
#[cfg(unix)]
pub mod live_run;
pub mod model;
pub use parseye_testkit::{
    places::{face_detector as face_detector_path, repository as root},
    synthetic_face,
};

use std::{
    path::Path,
    process::{Command, Output},
};

/// The program, run in `folder`, away from the user's settings.
///
/// `PROGRAM_UNDER_TEST` names another one to test, with the words that start it: a program for another
/// processor behind its emulator (`make test-arm64`).
pub fn parseye(folder: &Path) -> Command {
    let Some(words) = other_program() else {
        return built_here(folder);
    };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    away_from_settings(command, folder)
}

/// The words of `PROGRAM_UNDER_TEST`.
pub fn other_program() -> Option<Vec<String>> {
    let words = shlex::split(&std::env::var("PROGRAM_UNDER_TEST").ok()?)
        .expect("PROGRAM_UNDER_TEST holds words as in a shell");
    (!words.is_empty()).then_some(words)
}

/// The program that was built along with the test.
pub fn built_here(folder: &Path) -> Command {
    away_from_settings(Command::new(env!("CARGO_BIN_EXE_parseye")), folder)
}

fn away_from_settings(mut command: Command, folder: &Path) -> Command {
    command
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("PARSEYE_DETECTOR__FILE", face_detector_path());
    command
}

/// What the program wrote to stderr.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that a run was refused with one line that holds all the words, and no panic.
#[track_caller]
pub fn refused(command: &mut Command, status: i32, words: &[&str]) {
    let output = command.output().expect("the program starts");
    let line = errors(&output);
    assert_eq!(output.status.code(), Some(status), "{line}");
    assert_eq!(line.lines().count(), 1, "not one line: {line}");
    assert!(line.starts_with("parseye: "), "{line}");
    for word in words {
        assert!(line.contains(word), "'{line}' lacks '{word}'");
    }
}

/// Checks that a run went well.
#[track_caller]
pub fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        errors(&output)
    );
    output
}

/// The lines of a log; every one must be whole.
#[track_caller]
pub fn events(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).expect("the log is there");
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is torn"
    );
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// The events of one kind.
pub fn of_kind<'a>(events: &'a [serde_json::Value], kind: &str) -> Vec<&'a serde_json::Value> {
    events
        .iter()
        .filter(|event| event["event"] == kind)
        .collect()
}

/// A JSON file.
#[track_caller]
pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file is there"))
        .expect("it is JSON")
}

/// Frames and codec of a video, as ffprobe counts them by decoding all of it.
pub fn decoded_frames(path: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe starts");
    assert!(
        output.stderr.is_empty(),
        "{}: {}",
        path.display(),
        errors(&output)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number of frames")
}
