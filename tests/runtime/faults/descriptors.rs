//! A process that may open few files: what cannot be opened is said with what to do, and those who look
//! at a run cannot take from it what it needs.

use super::{
    SOON, folder, no_panic,
    support::{
        errors, events,
        live_run::{ServedRun, serve_by, write_blinking_clip},
        of_kind, parseye, refused,
    },
    wait_until,
};
use parseye_test_needs::needs;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

/// The program, which may have so many files open.
fn limited(folder: &Path, files: u32) -> Command {
    let program = parseye(folder);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {files} && exec \"$0\" \"$@\""))
        .arg(program.get_program())
        .current_dir(folder);
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[needs(face_detector)]
#[test]
fn a_replay_runs_or_says_that_too_many_files_are_open() {
    let folder = folder();
    write_blinking_clip(folder.path());
    image::RgbImage::new(64, 48)
        .save(folder.path().join("a.png"))
        .unwrap();
    let mut outcomes = [0, 0];
    // With fewer than four the system cannot even load the program.
    for files in [4, 5, 6, 7, 8, 9, 10, 12] {
        let output = limited(folder.path(), files)
            .args(["replay", "a.png", "clip.mp4", "--log", "log.jsonl"])
            .args(["--duration", "0.2", "--annotate", "out.mp4"])
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let words = errors(&output);
        no_panic(&words);
        match output.status.code() {
            Some(0) => {
                outcomes[0] += 1;
                assert_eq!(words, "");
            }
            Some(1) => {
                outcomes[1] += 1;
                for line in words.lines() {
                    assert!(line.starts_with("parseye: "), "{words}");
                    assert!(line.contains("Too many open files"), "{words}");
                    assert!(!line.contains("apt install"), "ffmpeg is there: {words}");
                }
            }
            other => panic!("{other:?} with {files} files: {words}"),
        }
        // Whatever was written is whole.
        if folder.path().join("log.jsonl").exists() {
            events(&folder.path().join("log.jsonl"));
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_dashboard_for_which_no_file_is_left_is_refused() {
    let folder = folder();
    let mut command = limited(folder.path(), 40);
    command.args(["monitor", "--web", "127.0.0.1:0"]);
    refused(
        &mut command,
        1,
        &["web dashboard", "only 40 files", "ulimit -n"],
    );
}

/// Asks whether frames come; what the answer begins with, or nothing.
fn health(address: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = stream.set_read_timeout(Some(SOON));
        let _ = write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

#[needs(face_detector)]
#[test]
fn clients_that_take_every_place_take_no_file_from_the_run() {
    let folder = folder();
    let log = folder.path().join("log.jsonl");
    write_blinking_clip(folder.path());
    // More places are asked for than files may be open.
    fs::write(folder.path().join("parseye.toml"), "[web]\nclients = 512\n").unwrap();
    let program = limited(folder.path(), 80);
    let ServedRun {
        mut run,
        address,
        words,
    } = serve_by(program, &["--log", "log.jsonl"]);
    wait_until("the run is healthy", || health(&address).contains(" 200 "));
    let crowd: Vec<TcpStream> = (0..120)
        .filter_map(|_| TcpStream::connect(&address).ok())
        .collect();
    assert!(crowd.len() > 80);
    wait_until("nobody else gets in", || {
        !health(&address).contains(" 200 ")
    });
    // Each pass over the clip, which has sixty frames, starts a decoder, and that needs files.
    let judged = || {
        let bytes = fs::read(&log).unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .matches(r#"{"event":"eyes""#)
            .count()
    };
    let before = judged();
    wait_until("the run goes on", || {
        assert_eq!(run.0.try_wait().unwrap(), None, "the run has ended");
        judged() > before + 120
    });
    drop(crowd);
    wait_until("others get in again", || health(&address).contains(" 200 "));
    run.signal("TERM");
    assert_eq!(run.0.wait().unwrap().code(), Some(143));
    no_panic(&words.join().unwrap());
    let events = events(&log);
    assert_eq!(of_kind(&events, "log_gap").len(), 0);
    assert_eq!(events.last().unwrap()["outcome"], "interrupted");
}
