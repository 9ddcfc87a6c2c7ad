//! `kill -9` at any moment: at most the last line of a log is cut, and nothing that was handed to the
//! system is lost.

use super::{
    SOON, folder,
    support::{
        events,
        live_run::Run,
        model::{ModelForm, onnx},
        of_kind, parseye, succeeds,
        synthetic_face::{self, Blink},
    },
    wait_until,
};
use parseye::{
    config::Settings,
    live::Stop,
    replay::{ReplayOutputs, replay},
};
use parseye_capture::{FrameSource, SourceError};
use parseye_events::{
    event::{EndEvent, Event, Outcome},
    jsonl::{EventLog, Existing},
    session,
};
use parseye_test_needs::needs;
use parseye_vision::{
    classify::EyeStateModel, eye_monitor::EyeMonitor, frame::Frame, temporal::TemporalSettings,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

const KILLS: usize = 100;

/// Sources of a replay. Each ends with what it said handed over, so that the log grows in many steps
/// and kills fall before, into and after them.
const SOURCES: usize = 10;

/// Pictures of a source.
const FRAMES: usize = 8;

/// Draws the pictures of a face that blinks, and gives the names of sources that all show them.
fn write_recordings(folder: &Path) -> Vec<String> {
    let blinks = [Blink { first: 3, last: 4 }];
    let names: Vec<String> = (0..SOURCES).map(|number| format!("s{number}")).collect();
    for name in &names {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for frame in 0..FRAMES {
        let file = format!("{frame}.bmp");
        let first = folder.join(&names[0]).join(&file);
        let (width, height) = (synthetic_face::WIDTH, synthetic_face::HEIGHT);
        let pixels = synthetic_face::draw(frame, &blinks);
        image::RgbImage::from_raw(width as u32, height as u32, pixels)
            .unwrap()
            .save(&first)
            .unwrap();
        for name in &names[1..] {
            fs::hard_link(&first, folder.join(name).join(&file)).unwrap();
        }
    }
    names
}

/// What was found in the logs of killed programs.
#[derive(Debug, Default)]
struct Found {
    empty: usize,
    whole: usize,
    cut: usize,
}

/// Checks a log after a kill against the whole one.
fn check(log: &Path, whole: &[u8], at_kill: u64, found: &mut Found) {
    let bytes = fs::read(log).unwrap_or_default();
    assert!(
        whole.starts_with(&bytes),
        "{} bytes are not the beginning of the log",
        bytes.len()
    );
    assert!(
        bytes.len() as u64 >= at_kill,
        "{at_kill} bytes were there, now {}",
        bytes.len()
    );
    found.empty += usize::from(bytes.is_empty());
    found.whole += usize::from(bytes.len() == whole.len());
    let is_cut = !bytes.is_empty() && !bytes.ends_with(b"\n");
    found.cut += usize::from(is_cut);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.ends_with(b"\n") {
            serde_json::from_slice::<serde_json::Value>(line).expect("a whole line is JSON");
        }
    }
    if !bytes.is_empty() {
        let session = session::read(&[log.to_path_buf()], &TemporalSettings::default());
        let logs = session.expect("a killed run's log is read").statistics.logs;
        assert_eq!(logs[0].damaged, u64::from(is_cut));
    }
}

fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |about| about.len())
}

#[needs(face_detector)]
#[test]
fn a_killed_replay_leaves_the_beginning_of_its_log() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let sources = write_recordings(folder.path());
    fs::write(at("m.onnx"), onnx(&ModelForm::default())).unwrap();
    let command = |log: &str| {
        let mut command = parseye(folder.path());
        command.arg("replay").args(&sources);
        command.args(["--model", "m.onnx", "--log", log]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    succeeds(&mut command("whole.jsonl"));
    let begin = Instant::now();
    succeeds(&mut command("whole.jsonl"));
    let lasts = begin.elapsed();
    let whole = fs::read(at("whole.jsonl")).unwrap();
    let lines = events(&at("whole.jsonl"));
    assert_eq!(of_kind(&lines, "eyes").len(), SOURCES * FRAMES);

    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut found = Found::default();
    for _ in 0..KILLS {
        let _ = fs::remove_file(at("log.jsonl"));
        let moment = lasts.mul_f64(rng.random_range(0.0..1.0));
        let mut run = Run(command("log.jsonl").spawn().unwrap());
        std::thread::sleep(moment);
        let handed_over = length(&at("log.jsonl"));
        run.0.kill().unwrap();
        run.0.wait().unwrap();
        check(&at("log.jsonl"), &whole, handed_over, &mut found);
    }
    eprintln!("{KILLS} kills of a replay of {lasts:.1?}: {found:?}");
    let amid = KILLS - found.empty - found.whole;
    assert!(amid >= KILLS / 10, "kills hit nothing: {found:?}");
}

/// Names the log of [`writes_until_it_is_killed`].
const LOG: &str = "FAULTS_LOG";

/// A line about as long as a frame's.
fn numbered(number: u64) -> Event {
    Event::End(EndEvent {
        clip: "x".repeat(600),
        frames: number,
        outcome: Outcome::Complete,
        error: None,
        lost: None,
        frame_age_ms: None,
        unix_time: None,
    })
}

/// No test of its own: the program that [`a_log_that_is_written_without_pause_can_be_continued`] kills.
#[test]
#[ignore = "only writes the log that an environment variable names, until it is killed"]
fn writes_until_it_is_killed() {
    let path = PathBuf::from(std::env::var_os(LOG).expect("the log is named"));
    let mut log = EventLog::open(&path, Existing::Replace).unwrap();
    (0..LINES).for_each(|number| log.write(&numbered(number)).unwrap());
}

/// Lines of a writer that nobody kills: more than a disk takes until somebody does.
const LINES: u64 = 50_000;

/// A replay writes so seldom that hardly a kill falls into a write; here all do.
#[test]
fn a_log_that_is_written_without_pause_can_be_continued() {
    let folder = folder();
    let path = folder.path().join("log.jsonl");
    let whole: Vec<u8> = (0..LINES)
        .flat_map(|number| {
            let mut line = serde_json::to_vec(&numbered(number)).unwrap();
            line.push(b'\n');
            line
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let mut found = Found::default();
    for _ in 0..KILLS {
        let _ = fs::remove_file(&path);
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "faults::kills::writes_until_it_is_killed",
            ])
            .env(LOG, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut run = Run(child);
        wait_until("something is written", || length(&path) > 0);
        std::thread::sleep(Duration::from_micros(rng.random_range(0..5000)));
        let handed_over = length(&path);
        run.0.kill().unwrap();
        run.0.wait().unwrap();
        check(&path, &whole, handed_over, &mut found);

        let kept = fs::read(&path).unwrap();
        let kept = kept.iter().filter(|byte| **byte == b'\n').count();
        let mut log = EventLog::open(&path, Existing::Continue).unwrap();
        log.write(&numbered(7)).unwrap();
        log.finish().unwrap();
        let lines = events(&path);
        assert_eq!(lines.len(), kept + 1, "a torn line is removed, no other");
        assert_eq!(lines[kept]["frames"], 7);
    }
    eprintln!("{KILLS} kills of a writer without pause: {found:?}");
    assert_eq!(found.empty, 0);
    assert!(found.whole < KILLS / 2, "kills hit nothing: {found:?}");
}

/// A recording that delivers a few frames and then hangs, as a pipe does whose writer pauses.
struct Stalling {
    frames: std::vec::IntoIter<Frame>,
    /// Nothing ever comes.
    never: Receiver<()>,
}

impl FrameSource for Stalling {
    fn name(&self) -> &str {
        "stalling"
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let next = self.frames.next();
        if next.is_none() {
            let _ = self.never.recv();
        }
        Ok(next)
    }
}

/// What a kill can lose is what was not handed over, and that is a second's at most, also while
/// nothing comes that would push it out.
#[needs(face_detector)]
#[test]
fn a_replay_whose_recording_hangs_has_written_all_it_saw_and_can_be_stopped() {
    let folder = folder();
    let path = folder.path().join("log.jsonl");
    let frames: Vec<Frame> = (0..FRAMES)
        .map(|number| {
            let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([number as u8; 3]));
            Frame::from_rgb(
                number as u64,
                Duration::from_millis(33 * number as u64),
                picture,
            )
        })
        .collect();
    let (writer, never) = channel();
    let source = Stalling {
        frames: frames.into_iter(),
        never,
    };
    let mut settings = Settings::default();
    settings.detector.file = Some(super::support::face_detector_path());
    let model = EyeStateModel::built_in().unwrap();
    let mut chain = EyeMonitor::new(&settings.vision(), &model).unwrap();
    let mut log = EventLog::open(&path, Existing::Replace).unwrap();
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let outputs = ReplayOutputs {
                log: Some(&mut log),
                video: None,
            };
            replay("stalling", Ok(Box::new(source)), &mut chain, outputs, &stop)
        });
        wait_until("every frame is in the log", || {
            let bytes = fs::read(&path).unwrap_or_default();
            bytes.iter().filter(|byte| **byte == b'\n').count() == FRAMES
        });
        stop.request(15);
        let begin = Instant::now();
        while !run.is_finished() && begin.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(5));
        }
        let finished = run.is_finished();
        // Lets go of a replay that does not stop, so that the test can fail.
        drop(writer);
        assert!(finished, "a recording that hangs cannot be stopped");
        let replayed = run.join().unwrap().unwrap();
        assert_eq!(replayed.outcome, Outcome::Interrupted);
    });
    drop(log);
    let lines = events(&path);
    assert_eq!(of_kind(&lines, "eyes").len(), FRAMES);
    assert_eq!(lines.last().unwrap()["outcome"], "interrupted");
}

/// A monitor's camera falls silent, then the program is killed: all that was judged is there, and the
/// next run goes on behind it.
#[needs(face_detector)]
#[test]
fn a_killed_monitor_s_log_holds_what_it_saw_and_goes_on_with_the_next_run() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let mut stream = Vec::new();
    let blinks: [Blink; 0] = [];
    let pixels = synthetic_face::draw(0, &blinks);
    let (width, height) = (synthetic_face::WIDTH as u32, synthetic_face::HEIGHT as u32);
    let picture = image::RgbImage::from_raw(width, height, pixels).unwrap();
    image::codecs::jpeg::JpegEncoder::new(&mut stream)
        .encode_image(&picture)
        .unwrap();
    fs::write(at("one.mjpeg"), stream).unwrap();
    let mut kept = Vec::new();
    for run in 1..=3 {
        let child = parseye(folder.path())
            .args(["monitor", "--no-terminal", "--log", "log.jsonl", "--camera"])
            // Whoever is killed cannot end its camera; this one ends when nobody reads it any more.
            .arg("pipe:sh -c 'cat one.mjpeg; while sleep 1; do echo; done'")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Run(child);
        wait_until("the picture is in the log", || {
            let bytes = fs::read(at("log.jsonl")).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            text.matches(r#"{"event":"eyes""#).count() == run
        });
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        let bytes = fs::read(at("log.jsonl")).unwrap();
        assert!(bytes.starts_with(&kept), "run {run} changed what was there");
        // What a write that a kill broke off would have left.
        kept = bytes[..=bytes.iter().rposition(|byte| *byte == b'\n').unwrap()].to_vec();
        let torn = [&kept[..], br#"{"event":"blink","clip":"sh","ey"#].concat();
        fs::write(at("log.jsonl"), torn).unwrap();
    }
    fs::write(at("log.jsonl"), &kept).unwrap();
    assert_eq!(of_kind(&events(&at("log.jsonl")), "start").len(), 3);
}
