//! Network cameras, recordings and streams as cameras, through the program.

use super::{SOON, folder, support};
use parseye_test_needs::needs;
use parseye_testkit::mjpeg_server::MjpegServer;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    errors, events, of_kind, parseye, refused, succeeds,
    synthetic_face::{HEIGHT, WIDTH, draw, write_clip},
};

const PERIOD: Duration = Duration::from_millis(50);

/// A network camera that shows a drawn face and asks for a password.
fn camera() -> MjpegServer {
    let face = image::RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(0, &[])).unwrap();
    MjpegServer::start(PERIOD, Some("Basic YWRtaW46czNjcjN0"), move |_| {
        face.clone()
    })
}

/// The kinds of the camera's events so far, and how many frames had a face.
fn so_far(log: &Path) -> (Vec<String>, usize) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let (mut kinds, mut faces) = (Vec::new(), 0);
    for line in lines {
        match line["event"].as_str() {
            Some("camera") => kinds.push(line["kind"].as_str().unwrap().to_owned()),
            Some("eyes") => faces += usize::from(line["face"].is_object()),
            _ => {}
        }
    }
    (kinds, faces)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Threads, open files and child processes of a program.
fn belongings(program: &Child) -> [usize; 3] {
    let at = |part: &str| format!("/proc/{}/{part}", program.id());
    let count = |part| std::fs::read_dir(at(part)).unwrap().count();
    let children = std::fs::read_dir(at("task")).unwrap().map(|thread| {
        let list = std::fs::read_to_string(thread.unwrap().path().join("children"));
        list.unwrap_or_default().split_whitespace().count()
    });
    [count("task"), count("fd"), children.sum()]
}

#[cfg(target_os = "linux")]
#[needs(face_detector)]
#[test]
fn a_network_camera_survives_cuts_leaks_nothing_and_keeps_its_password() {
    let (folder, server) = (folder(), camera());
    let log = folder.path().join("log.jsonl");
    let url = format!("http://admin:s3cr3t@{}/video", server.address());
    let mut program = parseye(folder.path())
        .args([
            "monitor",
            "--no-terminal",
            "--log",
            "log.jsonl",
            "--camera",
            &url,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut before = None;
    for cuts in 0..4 {
        let reopened = |kinds: &[String]| kinds.iter().filter(|kind| *kind == "reopened").count();
        wait_until("no face after a cut", || {
            assert_eq!(program.try_wait().unwrap(), None, "the program has ended");
            let (kinds, faces) = so_far(&log);
            reopened(&kinds) >= cuts && faces > 10 * cuts
        });
        // Nothing of the connection before is left once the new one delivers.
        let mut now = [usize::MAX; 3];
        let before = *before.get_or_insert_with(|| belongings(&program));
        wait_until("something is left of the connection before", || {
            now = belongings(&program);
            now.iter().zip(before).all(|(now, before)| *now <= before)
        });
        server.cut();
    }
    wait_until("the last cut was not noticed", || {
        so_far(&log).0.iter().filter(|kind| *kind == "lost").count() >= 4
    });
    let killed = Command::new("kill").arg(program.id().to_string()).status();
    assert!(killed.unwrap().success());
    let output = program.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", errors(&output));
    let events = events(&log);
    let shown = format!("http://{}/video", server.address());
    assert_eq!(events[0]["clips"][0], shown.as_str());
    let lost = of_kind(&events, "camera")
        .into_iter()
        .find(|event| event["kind"] == "lost")
        .unwrap();
    assert_eq!(lost["reason"], "unplugged", "{lost}");
    for text in [
        std::fs::read_to_string(&log).unwrap(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        errors(&output),
    ] {
        assert!(
            !text.contains("s3cr3t") && !text.contains("admin"),
            "{text}"
        );
    }
    let printed = succeeds(parseye(folder.path()).args(["config", "--print", "--camera", &url]));
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(
        printed.contains(&shown) && !printed.contains("s3cr3t"),
        "{printed}"
    );
}

#[needs(face_detector)]
#[test]
fn a_recording_and_a_stream_at_the_standard_input_are_cameras() {
    let folder = folder();
    let clip = folder.path().join("drawn.mp4");
    write_clip(&clip, 45, &[]);
    for camera in ["drawn.mp4", "-"] {
        let mut stream = Command::new("ffmpeg")
            .args(["-v", "error", "-re", "-i"])
            .arg(&clip)
            .args(["-c", "copy", "-f", "matroska", "-"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = parseye(folder.path())
            .args([
                "monitor",
                "--camera",
                camera,
                "--no-terminal",
                "--log",
                camera_log(camera),
            ])
            .stdin(stream.stdout.take().unwrap())
            .output()
            .unwrap();
        stream.wait().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{camera}: {}",
            errors(&output)
        );
        let events = events(&folder.path().join(camera_log(camera)));
        assert_eq!(events.last().unwrap()["outcome"], "complete", "{camera}");
        let eyes = of_kind(&events, "eyes");
        // A live source passes over what a busy machine has no time for: not how many were judged, but that
        // some were, and to the end.
        assert!(eyes.len() >= 5, "{camera}: {} frames", eyes.len());
        assert!(eyes.iter().all(|event| event["face"].is_object()));
        let last = eyes.last().unwrap()["time"].as_f64().unwrap();
        assert!(last > 1.0, "{camera}: {last}");
    }
}

fn camera_log(camera: &str) -> &'static str {
    match camera {
        "-" => "stdin.jsonl",
        _ => "file.jsonl",
    }
}

#[test]
fn what_is_no_camera_says_what_can_be_one() {
    let folder = folder();
    let run = |camera: &str, words: &[&str]| {
        let mut command = parseye(folder.path());
        command
            .args(["monitor", "--camera", camera])
            .stdout(Stdio::null());
        refused(&mut command, 1, words);
    };
    run("missing.mp4", &["missing.mp4", "no such file"]);
    run(
        "ftp://u:s3cr3t@cam/x",
        &["ftp", "rtsp, rtsps, http, https", "ftp://cam/x"],
    );
    run(
        "rtsp://u:s3cr3t@127.0.0.1:9/x",
        &["rtsp://127.0.0.1:9/x", "refused"],
    );
    std::fs::write(folder.path().join("letter.mp4"), "Dear Sir or Madam").unwrap();
    run("letter.mp4", &["letter.mp4", "not a readable video"]);
}

#[needs(no_camera)]
#[test]
fn without_a_camera_the_others_are_named() {
    let folder = folder();
    let mut command = parseye(folder.path());
    command.arg("monitor").stdout(Stdio::null());
    refused(
        &mut command,
        1,
        &["no camera", "rtsp://", "--camera FILE", "pipe:"],
    );
}
