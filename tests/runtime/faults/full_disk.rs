//! A disk that is full: what was recorded before stays readable, a live run goes on and loses nothing,
//! and everybody is told.

use super::{
    folder, no_panic,
    support::{
        events,
        live_run::{Run, write_blinking_clip},
        of_kind, parseye, refused, succeeds,
    },
    wait_until,
};
use parseye_events::session;
use parseye_test_needs::needs;
use parseye_vision::temporal::TemporalSettings;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A disk of some kilobytes, in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path, kilobytes: usize) -> Self {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(path)
            .status();
        assert!(
            mounted.expect("mount starts").success(),
            "a tmpfs is mounted"
        );
        Self(path.into())
    }

    /// Takes all the space that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        assert!(fs::write(&filler, vec![0; 8 << 20]).is_err(), "it is full");
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[needs(face_detector, small_disk)]
#[test]
fn a_replay_that_fills_the_disk_says_so_and_its_log_can_be_read() {
    let folder = folder();
    let disk = SmallDisk::mount(&folder.path().join("disk"), 32);
    write_blinking_clip(folder.path());
    let replay = |log: &str| {
        let mut command = parseye(folder.path());
        command.args(["replay", "clip.mp4", "--log", log]);
        command.stdout(Stdio::null());
        command
    };
    succeeds(&mut replay("whole.jsonl"));
    refused(
        &mut replay("disk/log.jsonl"),
        1,
        &["disk/log.jsonl", "No space left", "free some space"],
    );
    let log = disk.0.join("log.jsonl");
    let kept = events(&log);
    let whole = events(&folder.path().join("whole.jsonl"));
    assert!((10..whole.len()).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[..], whole[..kept.len()]);
    let session = session::read(&[log], &TemporalSettings::default()).unwrap();
    assert_eq!(session.statistics.logs[0].damaged, 0);
}

/// Plays a clip live, with its log on a disk; gives what it says.
fn play(folder: &Path, log: &str) -> (Run, BufReader<std::process::ChildStderr>) {
    let child = parseye(folder)
        .args([
            "replay",
            "--realtime",
            "--loop",
            "clip.mp4",
            "--no-terminal",
        ])
        .args(["--log", log])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut run = Run(child);
    let words = BufReader::new(run.0.stderr.take().unwrap());
    (run, words)
}

/// Reads until something is said.
#[track_caller]
fn hears(words: &mut impl BufRead, wanted: &[&str]) -> String {
    let mut line = String::new();
    while words.read_line(&mut line).unwrap() > 0 {
        no_panic(&line);
        if wanted.iter().all(|word| line.contains(word)) {
            return line;
        }
        line.clear();
    }
    panic!("{wanted:?} was never said");
}

#[needs(face_detector, small_disk)]
#[test]
fn a_live_run_waits_for_space_and_loses_nothing() {
    let folder = folder();
    let disk = SmallDisk::mount(&folder.path().join("disk"), 4096);
    write_blinking_clip(folder.path());
    let log = disk.0.join("log.jsonl");
    let (mut run, mut words) = play(folder.path(), "disk/log.jsonl");
    wait_until("the log begins", || {
        fs::metadata(&log).is_ok_and(|log| log.len() > 0)
    });
    let filler = disk.fill();
    hears(
        &mut words,
        &[
            "disk/log.jsonl",
            "No space left",
            "kept in memory",
            "free some space",
        ],
    );
    // Whole up to where the space ended, and looked at while it is full.
    events(&log);
    fs::remove_file(filler).unwrap();
    hears(
        &mut words,
        &["disk/log.jsonl", "written again", "no event was lost"],
    );
    run.signal("TERM");
    assert_eq!(run.0.wait().unwrap().code(), Some(143));
    let events = events(&log);
    let end = events.last().unwrap();
    assert_eq!(end["outcome"], "interrupted");
    let eyes = of_kind(&events, "eyes");
    assert_eq!(end["frames"], eyes.len());
    assert_eq!(of_kind(&events, "log_gap").len(), 0);
    let numbers: Vec<u64> = eyes
        .iter()
        .map(|eyes| eyes["frame"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
}

#[needs(face_detector)]
#[test]
fn a_live_run_whose_disk_stays_full_fails_in_the_end() {
    let folder = folder();
    write_blinking_clip(folder.path());
    let output = parseye(folder.path())
        .args(["replay", "--realtime", "clip.mp4", "--no-terminal"])
        .args(["--log", "/dev/full"])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = super::support::errors(&output);
    let told: Vec<&str> = words
        .lines()
        .filter(|line| line.starts_with("parseye: "))
        .collect();
    assert_eq!(told.len(), 2, "{words}");
    assert!(told[0].contains("kept in memory"), "{words}");
    for word in [
        "/dev/full",
        "could not be written",
        "No space left",
        "free some space",
    ] {
        assert!(told[1].contains(word), "{words}");
    }
}
