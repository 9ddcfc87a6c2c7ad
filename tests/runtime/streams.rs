//! Standard input and output in place of files, pipes, compressed logs, and how much a log holds.

use crate::support::{
    errors, events, json, of_kind, parseye, refused, succeeds,
    synthetic_face::{Blink, write_clip},
};
use parseye_test_needs::needs;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Output, Stdio},
};

const FRAMES: usize = 60;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn drawn(path: &Path) {
    let blink = Blink {
        first: 20,
        last: 24,
    };
    write_clip(path, FRAMES, &[blink]);
}

/// Runs a command with these bytes on its standard input, through a pipe.
fn with_input(command: &mut Command, bytes: Vec<u8>) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that needs no more of them closes its end.
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[needs(face_detector)]
#[test]
fn a_recording_comes_from_standard_input_and_events_go_to_standard_output() {
    let folder = folder();
    drawn(&folder.path().join("drawn.mkv"));
    succeeds(parseye(folder.path()).args(["replay", "drawn.mkv", "--log", "log.jsonl"]));
    let expected = events(&folder.path().join("log.jsonl"));
    let bytes = fs::read(folder.path().join("drawn.mkv")).unwrap();
    let mut command = parseye(folder.path());
    let output = with_input(command.args(["replay", "-", "--log", "-"]), bytes);
    assert!(output.status.success(), "{}", errors(&output));
    let events = lines(&output.stdout);
    assert_eq!(events.len(), expected.len());
    assert_eq!(events[0]["clips"][0], "stdin");
    assert_eq!(of_kind(&events, "eyes").len(), FRAMES);
    assert!(
        errors(&output).contains("stdin: 60 frames"),
        "{}",
        errors(&output)
    );
    assert!(!folder.path().join("-").exists(), "no file has that name");
    // A reader that has seen enough ends it.
    let mut child = parseye(folder.path())
        .args(["replay", "drawn.mkv", "--loop", "--log", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("start"), "{first}");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    refused(
        parseye(folder.path()).args(["replay", "drawn.mkv", "--log", "-", "--summary", "-"]),
        1,
        &["- is given twice"],
    );
}

#[needs(face_detector)]
#[test]
fn json_on_standard_output_is_nothing_but_json() {
    let folder = folder();
    drawn(&folder.path().join("drawn.mkv"));
    for arguments in [
        &[
            "replay",
            "drawn.mkv",
            "--log",
            "log.jsonl",
            "--summary",
            "-",
        ][..],
        &["summarize", "log.jsonl", "--json", "-"],
        &[
            "check",
            "drawn.mkv",
            "--every",
            "10",
            "--snr",
            "20",
            "--json",
            "-",
        ],
    ] {
        let output = succeeds(parseye(folder.path()).args(arguments));
        let value: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!(value["frames"], FRAMES, "{arguments:?}");
    }
    let output = succeeds(parseye(folder.path()).args(["summarize", "log.jsonl", "--plot", "-"]));
    assert!(output.stdout.starts_with(b"<"), "an SVG");
}

#[needs(face_detector)]
#[test]
fn logs_are_read_from_pipes_and_as_they_were_compressed() {
    let folder = folder();
    drawn(&folder.path().join("drawn.mkv"));
    succeeds(parseye(folder.path()).args(["replay", "drawn.mkv", "--log", "log.jsonl"]));
    let text = fs::read(folder.path().join("log.jsonl")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).unwrap();
    let gzip = gzip.finish().unwrap();
    fs::write(folder.path().join("log.jsonl.gz"), &gzip).unwrap();
    let frames = |output: &Output| -> Value {
        assert!(output.status.success(), "{}", errors(output));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        json["frames"].clone()
    };
    let summarize = |log: &str| {
        let mut command = parseye(folder.path());
        command.args(["summarize", log, "--json", "-"]);
        command
    };
    assert_eq!(frames(&summarize("log.jsonl.gz").output().unwrap()), FRAMES);
    for input in [&text, &gzip] {
        for log in ["-", "/dev/stdin", "/dev/fd/0"] {
            let output = with_input(&mut summarize(log), input.clone());
            assert_eq!(frames(&output), FRAMES, "{log}");
        }
    }
    // As a shell's `<(...)` does.
    let mut command = summarize("/dev/fd/0");
    let file = File::open(folder.path().join("log.jsonl")).unwrap();
    assert_eq!(frames(&command.stdin(file).output().unwrap()), FRAMES);
}

#[needs(face_detector)]
#[test]
fn a_log_without_lines_of_frames_is_short_and_says_the_same() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    drawn(&at("drawn.mkv"));
    let logs = [
        ("new/folder/all.jsonl", &[][..]),
        ("events.jsonl", &["--log-level", "events"]),
        ("tenth.jsonl", &["--log-every", "10"]),
    ];
    let mut sums = Vec::new();
    for (log, flags) in logs {
        let replay = ["replay", "drawn.mkv", "--log", log];
        succeeds(parseye(folder.path()).args(replay).args(flags));
        succeeds(parseye(folder.path()).args(["summarize", log, "--json", "sums.json"]));
        sums.push(json(&at("sums.json")));
    }
    let eyes = |log: &str| of_kind(&events(&at(log)), "eyes").len();
    assert_eq!(eyes("new/folder/all.jsonl"), FRAMES);
    assert_eq!(eyes("events.jsonl"), 0);
    assert_eq!(eyes("tenth.jsonl"), FRAMES / 10);
    for key in [
        "frames",
        "frames_with_face",
        "duration_s",
        "known_s",
        "blinks",
        "states",
    ] {
        for reduced in &sums[1..] {
            assert_eq!(reduced[key], sums[0][key], "{key}");
        }
    }
    refused(
        parseye(folder.path())
            .args(["replay", "drawn.mkv", "--log", "x", "--log-level", "events"])
            .args(["--log-every", "2"]),
        1,
        &["--log-level", "--log-every", "one of them"],
    );
}

#[needs(face_detector)]
#[test]
fn a_log_is_one_program_s() {
    let folder = folder();
    drawn(&folder.path().join("drawn.mkv"));
    let mut child = parseye(folder.path())
        .args([
            "replay",
            "drawn.mkv",
            "--realtime",
            "--loop",
            "--no-terminal",
        ])
        .args(["--log", "log.jsonl"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = folder.path().join("log.jsonl");
    while fs::metadata(&log).map_or(0, |about| about.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it runs");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    refused(
        parseye(folder.path()).args(["replay", "drawn.mkv", "--log", "log.jsonl"]),
        1,
        &["log.jsonl", "another parseye", "--log"],
    );
    let _ = child.kill();
    let _ = child.wait();
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.starts_with("{\"event\":\"start\""),
        "nothing was taken"
    );
    succeeds(parseye(folder.path()).args(["replay", "drawn.mkv", "--log", "log.jsonl"]));
}

#[needs(face_detector)]
#[test]
fn a_truth_file_of_a_spreadsheet_is_read_and_a_wrong_heading_is_named() {
    let folder = folder();
    drawn(&folder.path().join("drawn.mkv"));
    let truth = |text: &str| {
        fs::write(folder.path().join("t.csv"), text).unwrap();
        let mut command = parseye(folder.path());
        command.args(["replay", "drawn.mkv", "--truth", "t.csv", "--summary", "-"]);
        command
    };
    let output = succeeds(&mut truth(
        "clip;note;start_frame;end_frame;kind\ndrawn;first, the only one;20;24;blink\n",
    ));
    let sums: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = sums["truth"]["tp"].as_u64().unwrap() + sums["truth"]["fn"].as_u64().unwrap();
    assert_eq!(found, 1);
    refused(
        &mut truth("clip,start,end,kind\ndrawn,20,24,blink\n"),
        1,
        &[
            "t.csv, line 1",
            "no column 'start_frame'",
            "clip, start, end, kind",
        ],
    );
}
