//! The dashboards around a real run: a drawn face that blinks is played at its own pace, and the
//! web page's data and a terminal must show it, and must harm nothing when they go away.

use crate::support::{
    events,
    live_run::{Run, ServedRun, serve, write_blinking_clip},
    of_kind, parseye, synthetic_face,
};
use parseye_test_needs::needs;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Longest that a step may take before the test gives up; no result depends on it.
const PATIENCE: Duration = Duration::from_secs(60);

fn get(address: &str, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the dashboard listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    BufReader::new(stream)
}

fn text(address: &str, path: &str) -> String {
    let mut text = String::new();
    let _ = get(address, path).read_to_string(&mut text);
    text
}

#[needs(face_detector)]
#[test]
fn the_web_page_sees_a_recording_live_and_its_states_change() {
    let folder = tempfile::tempdir().unwrap();
    write_blinking_clip(folder.path());
    let ServedRun {
        mut run,
        address,
        words,
    } = serve(folder.path(), &["--preview", "--log", "log.jsonl"]);

    let mut seen = (false, false, false);
    for line in get(&address, "/events").lines() {
        let line = line.expect("the stream goes on");
        seen.0 |= line.contains(r#""state":"open""#);
        seen.1 |= line.contains(r#""state":"closed""#);
        seen.2 |= line.starts_with(r#"data: {"start":"#) && line.contains(r#""eye":"both""#);
        if seen == (true, true, true) {
            break;
        }
    }
    assert_eq!(
        seen,
        (true, true, true),
        "open, closed, a mark of both eyes"
    );
    assert!(text(&address, "/healthz").starts_with("HTTP/1.1 200"));
    let metrics = text(&address, "/metrics");
    assert!(
        metrics.contains("parseye_source_delivering 1\n"),
        "{metrics}"
    );
    assert!(
        !metrics.contains("parseye_frame_age_seconds_count 0\n"),
        "{metrics}"
    );
    let mut picture = Vec::new();
    get(&address, "/picture.jpg")
        .read_to_end(&mut picture)
        .unwrap();
    let begin = picture
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap()
        + 4;
    let picture = image::load_from_memory(&picture[begin..]).expect("a whole JPEG");
    assert_eq!(picture.width() as usize, synthetic_face::WIDTH);

    run.signal("TERM");
    assert_eq!(run.0.wait().unwrap().code(), Some(143));
    words.join().unwrap();
    let events = events(&folder.path().join("log.jsonl"));
    assert_eq!(of_kind(&events, "end")[0]["outcome"], "interrupted");
}

/// A terminal of its own around the program.
fn in_terminal(folder: &Path, arguments: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_parseye");
    let child = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command"])
        .arg(format!(
            "stty columns 80 rows 24; exec '{program}' {arguments}"
        ))
        .arg("/dev/null")
        .current_dir(folder)
        .envs(
            parseye(folder)
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Run(child)
}

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// Reads until the text has come; gives all so far.
fn until(output: &mut impl Read, wanted: &str) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if text.contains(wanted) {
            return text;
        }
        let read = output.read(&mut part).unwrap();
        assert_ne!(read, 0, "it ended without {wanted:?}: {text}");
        all.extend_from_slice(&part[..read]);
    }
}

#[needs(face_detector, terminal)]
#[test]
fn a_key_ends_the_terminal_dashboard_and_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    write_blinking_clip(folder.path());
    for key in ["q", "\x03"] {
        let mut run = in_terminal(
            folder.path(),
            "replay --realtime --loop clip.mp4 --log log.jsonl",
        );
        let mut output = run.0.stdout.take().unwrap();
        let shown = until(&mut output, "PERCLOS");
        assert!(
            shown.contains(ENTER) && shown.contains("Left eye"),
            "{shown}"
        );
        run.0
            .stdin
            .as_mut()
            .unwrap()
            .write_all(key.as_bytes())
            .unwrap();
        let rest = until(&mut output, LEAVE);
        assert!(rest.contains("\x1b[?25h") || until(&mut output, "\x1b[?25h").len() > 1);
        // The sums come after the terminal was given back.
        until(&mut output, "blinks");
        assert_eq!(run.0.wait().unwrap().code(), Some(130));
        let events = events(&folder.path().join("log.jsonl"));
        assert_eq!(of_kind(&events, "end")[0]["outcome"], "interrupted");
    }
}

#[needs(face_detector, terminal)]
#[test]
fn an_alarm_s_command_that_fails_leaves_the_dashboard_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Closed from 1 s to 4 s; the alarm is due at 2.5 s.
    let closure = synthetic_face::Blink {
        first: 30,
        last: 119,
    };
    synthetic_face::write_clip(&folder.path().join("clip.mp4"), 210, &[closure]);
    let mut run = in_terminal(
        folder.path(),
        r#"replay --realtime --loop clip.mp4 --on-alarm 'sh -c "echo GARBLED; echo GARBLED >&2; exit 3"'"#,
    );
    let mut output = run.0.stdout.take().unwrap();
    // Cells that keep what they show are not written again, so words may be apart.
    let mut shown = until(&mut output, "command");
    run.0.stdin.as_mut().unwrap().write_all(b"q").unwrap();
    shown += &until(&mut output, LEAVE);
    let mut after = String::new();
    let _ = output.read_to_string(&mut after);
    let (dashboard, rest) = shown.split_once(LEAVE).unwrap();
    assert!(!dashboard.contains("parseye: "), "{dashboard}");
    after.insert_str(0, rest);
    let line = "the alarm's command failed with exit status: 3";
    assert_eq!(after.matches(line).count(), 1, "{after}");
    assert!(after.contains("parseye: 0:00:0"), "with its time: {after}");
    assert!(!(shown + &after).contains("GARBLED"));
}

#[needs(face_detector, terminal)]
#[test]
fn a_closed_terminal_does_not_end_the_log() {
    let folder = tempfile::tempdir().unwrap();
    write_blinking_clip(folder.path());
    let mut run = in_terminal(
        folder.path(),
        "replay --realtime --loop --duration 6 clip.mp4 --log log.jsonl",
    );
    let mut output = run.0.stdout.take().unwrap();
    until(&mut output, "PERCLOS");
    // The terminal goes away with the program that holds its other end.
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    let log = folder.path().join("log.jsonl");
    let begin = std::time::Instant::now();
    while !fs::read_to_string(&log)
        .unwrap()
        .contains(r#""event":"end""#)
    {
        assert!(begin.elapsed() < PATIENCE, "the log never ended");
        std::thread::sleep(Duration::from_millis(100));
    }
    let events = events(&log);
    assert_eq!(of_kind(&events, "end")[0]["outcome"], "complete");
    let last = of_kind(&events, "eyes").last().unwrap()["time"].as_f64();
    assert!(last.unwrap() > 5.0, "{last:?}");
}
