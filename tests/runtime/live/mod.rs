//! Whole live runs: through the library with made-up cameras, and through the program with a
//! recording at its own pace and a camera behind a pipe. Real devices: `make test-camera`.

use parseye_test_needs::needs;
mod drawn_camera;
mod library;
#[cfg(target_os = "linux")]
mod network;
use crate::support;

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use support::{
    errors, events, of_kind, parseye, refused, succeeds,
    synthetic_face::{Blink, write_clip},
};

/// Longest wait for what must come; nothing is judged by it.
const SOON: Duration = Duration::from_secs(60);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

#[needs(face_detector)]
#[test]
fn a_recording_plays_at_its_own_pace() {
    const FRAMES: usize = 60;
    let folder = folder();
    let log = folder.path().join("log.jsonl");
    write_clip(&folder.path().join("drawn.mp4"), FRAMES, &[]);
    let output = succeeds(parseye(folder.path()).args([
        "replay",
        "drawn.mp4",
        "--realtime",
        "--log",
        "log.jsonl",
    ]));
    let events = events(&log);
    assert_eq!(events[0]["mode"], "realtime");
    assert_eq!(events[1]["kind"], "opened");
    assert_eq!(events[1]["format"], "recording 480x360");
    let end = events.last().unwrap();
    assert_eq!(end["outcome"], "complete");
    let judged = of_kind(&events, "eyes").len();
    let lost = end["lost"]["dropped"].as_u64().unwrap() as usize;
    assert_eq!(judged + lost, FRAMES, "{end}");
    let last = of_kind(&events, "eyes")[judged - 1];
    assert!(last["time"].as_f64().unwrap() >= 59.0 / 30.0, "{last}");
    assert!(last["age_ms"].as_f64().unwrap() >= 0.0);
    let line = String::from_utf8_lossy(&output.stdout);
    assert!(
        line.contains("lost") && line.contains("frame age"),
        "{line}"
    );
}

#[needs(face_detector)]
#[test]
fn a_recording_that_plays_again_and_again_ends_in_its_time() {
    let folder = folder();
    write_clip(&folder.path().join("drawn.mp4"), 15, &[]);
    let arguments = ["--loop", "--duration", "2", "--log", "log.jsonl"];
    succeeds(
        parseye(folder.path())
            .args(["replay", "drawn.mp4", "--realtime"])
            .args(arguments),
    );
    let events = events(&folder.path().join("log.jsonl"));
    let last = of_kind(&events, "eyes").pop().unwrap()["time"].as_f64();
    // The clip alone lasts half a second.
    assert!(last.unwrap() > 1.0, "{last:?}");
}

/// No test of its own: `make test-camera` shows this clip to real devices where there is no recording
/// of a person.
#[test]
#[ignore = "only writes the clip that the environment variable DRAWN_CLIP names"]
fn the_clip_for_the_camera_machine_is_drawn() {
    let path = std::env::var_os("DRAWN_CLIP").expect("DRAWN_CLIP names the clip");
    let blink = |first| Blink {
        first,
        last: first + 8,
    };
    write_clip(Path::new(&path), 150, &[blink(20), blink(100)]);
}

/// The command of a camera that shows a clip once, as Motion JPEG.
fn pipe(clip: &Path) -> String {
    format!(
        "pipe:ffmpeg -v error -re -i '{}' -f mjpeg -q:v 3 -",
        clip.display()
    )
}

#[needs(face_detector)]
#[test]
fn a_program_is_a_camera_and_is_started_again_when_it_ends() {
    let folder = folder();
    let clip = folder.path().join("a clip.mp4");
    write_clip(&clip, 20, &[]);
    let arguments = ["--duration", "8", "--log", "log.jsonl"];
    succeeds(
        parseye(folder.path())
            .args(["monitor", "--camera", &pipe(&clip)])
            .args(arguments),
    );
    let events = events(&folder.path().join("log.jsonl"));
    assert_eq!(events[0]["clips"][0], "ffmpeg");
    let camera = of_kind(&events, "camera");
    let kinds: Vec<&str> = camera
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..3], ["opened", "lost", "reopened"], "{kinds:?}");
    assert_eq!(camera[0]["format"], "MJPG 480x360");
    assert_eq!(camera[1]["reason"], "failed");
    let eyes = of_kind(&events, "eyes");
    assert!(eyes.iter().all(|event| event["face"].is_object()));
    let numbers: Vec<u64> = eyes
        .iter()
        .map(|event| event["frame"].as_u64().unwrap())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
}

#[cfg(unix)]
#[needs(face_detector)]
#[test]
fn a_silent_program_is_a_stalled_camera_and_a_polite_kill_ends_both() {
    let folder = folder();
    let log = folder.path().join("log.jsonl");
    let child = parseye(folder.path())
        .args([
            "monitor",
            "--camera",
            "pipe:sleep 600",
            "--log",
            "log.jsonl",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    let lost = || log.is_file() && !of_kind(&events(&log), "camera").is_empty();
    while !lost() {
        assert!(begin.elapsed() < SOON, "the silence was not noticed");
        std::thread::sleep(Duration::from_millis(50));
    }
    let killed = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", errors(&output));
    let events = events(&log);
    assert_eq!(of_kind(&events, "camera")[0]["reason"], "stalled");
    assert_eq!(events.last().unwrap()["outcome"], "interrupted");
}

#[needs(face_detector)]
#[test]
fn misuse_of_live_sources_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("a.png"), "no picture").unwrap();
    let run = |status, arguments: &[&str], words: &[&str]| {
        let mut command = parseye(folder.path());
        command.args(arguments).stdout(Stdio::null());
        refused(&mut command, status, words);
    };
    run(
        2,
        &["monitor", "--backend", "v4l"],
        &["`auto`, `v4l2`, `nokhwa`"],
    );
    run(1, &["monitor", "--camera", "pipe:"], &["no command"]);
    run(
        1,
        &["monitor", "--camera", "pipe:cat 'a"],
        &["quotation mark"],
    );
    run(
        1,
        &["monitor", "--camera", "pipe:no-such-program -x"],
        &["no-such-program", "cannot be started"],
    );
    run(
        1,
        &["monitor", "--camera", "pipe:cat no-such-file.mjpeg"],
        &["cat", "exit status: 1", "No such file"],
    );
    run(
        2,
        &["replay", "a.png", "--loop", "--truth", "t.csv"],
        &["--loop", "--truth"],
    );
    run(2, &["replay", "a.png", "--on-alarm", "x"], &["--realtime"]);
    run(
        2,
        &["replay", "a.png", "--realtime", "--truth", "t.csv"],
        &["--realtime", "--truth"],
    );
    run(
        1,
        &["replay", "a.png", "b.png", "--realtime"],
        &["--realtime", "one recording"],
    );
    run(
        1,
        &["replay", "a.png", "--realtime", "--duration=-1"],
        &["--duration is -1"],
    );
    run(1, &["replay", "a.png", "--realtime"], &["a.png"]);
    run(1, &["replay", "b.png", "--realtime"], &["b.png", "No such"]);
}

#[needs(face_detector)]
#[test]
fn a_long_closure_runs_the_user_s_command_with_its_event() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Closed from 1 s to 4 s; the alarm is due at 2.5 s.
    write_clip(
        &at("asleep.mp4"),
        210,
        &[Blink {
            first: 30,
            last: 119,
        }],
    );
    let command =
        r#"sh -c "cat > seen.part; echo $PARSEYE_ALERT_KIND >> kinds; mv seen.part seen""#;
    succeeds(parseye(folder.path()).args([
        "replay",
        "asleep.mp4",
        "--realtime",
        "--no-terminal",
        "--log",
        "log.jsonl",
        "--on-alarm",
        command,
    ]));
    let log = events(&at("log.jsonl"));
    let alarm = of_kind(&log, "alert")
        .into_iter()
        .find(|alert| alert["kind"] == "long_closure_alarm" && alert["phase"] == "raised");
    let alarm = alarm.expect("an alarm in the log");
    assert!((alarm["since"].as_f64().unwrap() - 1.0).abs() < 0.1);
    assert!((alarm["time"].as_f64().unwrap() - 2.5).abs() < 0.2);
    assert_eq!(&support::json(&at("seen")), alarm);
    assert_eq!(
        std::fs::read_to_string(at("kinds")).unwrap(),
        "long_closure_alarm\n",
        "the warning, half a second after the eyes closed, runs nothing"
    );
}
