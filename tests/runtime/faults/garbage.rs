//! Recordings and streams that are cut or damaged anywhere: an error or a part of the answer, and what
//! came before the damage stays.

use super::{
    folder, no_panic,
    support::{
        errors, events, json,
        live_run::Run,
        model::{ModelForm, onnx},
        of_kind, parseye,
        synthetic_face::{self, write_clip},
    },
    wait_until,
};
use image::codecs::jpeg::JpegEncoder;
use parseye_test_needs::needs;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

const FRAMES: usize = 20;

/// Damages of each kind to each form of recording.
const DAMAGES: usize = 6;

/// A recording in a form that a player must read from its index, one that it reads as it comes, and one
/// without any frame around its pictures.
const FORMS: [&str; 3] = ["mp4", "mkv", "mjpeg"];

/// Replays a recording, and checks that all that is said of it fits; gives its frames' events.
fn replay(folder: &Path, name: &str) -> (Vec<serde_json::Value>, bool) {
    let output = parseye(folder)
        .args(["replay", name, "--model", "m.onnx"])
        .args(["--log", "log.jsonl", "--summary", "sums.json"])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let words = errors(&output);
    no_panic(&words);
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 1)), "{status:?}: {words}");
    let events = events(&folder.join("log.jsonl"));
    let end = events.last().unwrap();
    let failed = end["outcome"] == "failed";
    assert_eq!(failed, status == Some(1), "{end}");
    assert!(
        words
            .lines()
            .all(|line| line.starts_with("parseye: ") && line.contains(name)),
        "{words}"
    );
    // Beside the error there may be a note of the frames that are damaged.
    let complaints = words
        .lines()
        .filter(|line| !line.starts_with("parseye: note: "));
    assert_eq!(complaints.count(), usize::from(failed), "{words}");
    if failed {
        assert!(end["error"].as_str().unwrap().contains(name), "{end}");
    }
    let eyes: Vec<_> = of_kind(&events, "eyes").into_iter().cloned().collect();
    assert_eq!(end["frames"], eyes.len());
    assert_eq!(json(&folder.join("sums.json"))["frames"], eyes.len());
    (eyes, failed)
}

#[needs(face_detector)]
#[test]
fn a_recording_that_is_cut_or_damaged_anywhere_keeps_what_came_before() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("m.onnx"), onnx(&ModelForm::default())).unwrap();
    write_clip(&at("drawn.mkv"), FRAMES, &[]);
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut told = [0; 2];
    for form in FORMS {
        let clip = format!("clip.{form}");
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .arg(at("drawn.mkv"))
            .args(["-c:v", "mjpeg", "-q:v", "4"])
            .arg(at(&clip))
            .status()
            .unwrap();
        assert!(status.success());
        let whole = fs::read(at(&clip)).unwrap();
        let (all, failed) = replay(folder.path(), &clip);
        assert!(!failed && all.len() == FRAMES, "{form}: {}", all.len());
        for _ in 0..DAMAGES {
            let cut = rng.random_range(0..whole.len());
            fs::write(at(&clip), &whole[..cut]).unwrap();
            let (kept, failed) = replay(folder.path(), &clip);
            told[0] += usize::from(failed);
            // The last picture may be half there.
            let good = kept.len().saturating_sub(1);
            assert_eq!(kept[..good], all[..good], "{form} cut at {cut}");

            let mut damaged = whole.clone();
            let begin = rng.random_range(0..whole.len());
            let end = (begin + rng.random_range(1..2000)).min(whole.len());
            rng.fill_bytes(&mut damaged[begin..end]);
            fs::write(at(&clip), &damaged).unwrap();
            let (_, failed) = replay(folder.path(), &clip);
            told[1] += usize::from(failed);
        }
    }
    eprintln!(
        "told of {told:?} of {} cuts and damages",
        FORMS.len() * DAMAGES
    );
    assert!(told.iter().all(|count| *count > 0), "{told:?}");
}

fn picture() -> Vec<u8> {
    let pixels = synthetic_face::draw(0, &[]);
    let (width, height) = (synthetic_face::WIDTH as u32, synthetic_face::HEIGHT as u32);
    let picture = image::RgbImage::from_raw(width, height, pixels).unwrap();
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
    bytes
}

/// Watches a program that writes a stream in parts, as a camera does, and then hangs, until the log is as wanted;
/// gives the log.
fn watch(folder: &Path, parts: &[&[u8]], wanted: impl Fn(&str) -> bool) -> Vec<serde_json::Value> {
    for (number, part) in parts.iter().enumerate() {
        fs::write(folder.join(format!("part-{number:02}")), part).unwrap();
    }
    let child = parseye(folder)
        .args(["monitor", "--no-terminal", "--log", "log.jsonl", "--camera"])
        .arg("pipe:sh -c 'for part in part-*; do cat $part; sleep 0.1; done; exec sleep 600'")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut run = Run(child);
    let log = folder.join("log.jsonl");
    wait_until("the log is as it must become", || {
        wanted(&String::from_utf8_lossy(
            &fs::read(&log).unwrap_or_default(),
        ))
    });
    run.signal("TERM");
    let mut words = String::new();
    let mut stderr = run.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut words).unwrap();
    assert_eq!(run.0.wait().unwrap().code(), Some(143), "{words}");
    no_panic(&words);
    events(&log)
}

#[needs(face_detector)]
#[test]
fn a_stream_s_damaged_pictures_are_counted_and_whole_ones_judged() {
    let folder = folder();
    let picture = picture();
    let mut noise = vec![0; 50_000];
    ChaCha8Rng::seed_from_u64(13).fill_bytes(&mut noise);
    // Whole by its marks, but its pixels are not.
    let mut degraded = picture.clone();
    let middle = degraded.len() / 2;
    degraded[middle..middle + 200].fill(0x55);
    let cut = &picture[..picture.len() / 2];
    let mut stream = vec![&picture[..], cut, &picture, &noise, &degraded, cut];
    // A length that the noise makes up may swallow up to 64 KiB of what follows it.
    stream.resize(stream.len() + 8, &picture);
    let log = watch(folder.path(), &stream, |log| {
        log.contains(r#""event":"eyes""#) && log.matches(r#""kind":"damaged""#).count() >= 2
    });
    let eyes = of_kind(&log, "eyes");
    assert!(eyes.last().unwrap()["face"].is_object(), "{eyes:?}");
    let lost = &log.last().unwrap()["lost"];
    let damaged = lost["corrupt"].as_u64().unwrap() + lost["decode"].as_u64().unwrap();
    assert!(damaged >= 2, "{lost}");
}

#[needs(face_detector)]
#[test]
fn a_stream_of_noise_is_a_camera_that_delivers_nothing() {
    let folder = folder();
    let mut noise = vec![0; 1 << 20];
    ChaCha8Rng::seed_from_u64(14).fill_bytes(&mut noise);
    let log = watch(folder.path(), &[&noise], |log| {
        log.contains(r#""kind":"lost""#)
    });
    assert_eq!(of_kind(&log, "eyes").len(), 0);
    let lost = of_kind(&log, "camera");
    let lost = lost.iter().find(|event| event["kind"] == "lost").unwrap();
    let reason = lost["reason"].as_str().unwrap();
    assert!(["stalled", "corrupt"].contains(&reason), "{lost}");
    assert!(
        lost["message"].as_str().unwrap().contains("; "),
        "what to do: {lost}"
    );

    // A picture that was judged before stays in the log when the rest is noise.
    let log = watch(folder.path(), &[&[picture(), noise].concat()], |log| {
        log.contains(r#""event":"eyes""#)
    });
    assert_eq!(of_kind(&log, "eyes").len(), 1);
}
