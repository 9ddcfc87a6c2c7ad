//! Recordings and images as people have them: damaged, of odd formats and lengths, under odd names; and the
//! annotated copies that are made of them.

use crate::support::{
    self, decoded_frames, errors, events, json, of_kind, parseye, refused, succeeds,
    synthetic_face::{HEIGHT, WIDTH, draw, write_clip},
};
use parseye_test_needs::needs;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn ffmpeg(folder: &Path, arguments: &str) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{arguments}");
}

fn face() -> image::RgbImage {
    image::RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(0, &[])).unwrap()
}

/// Whether a video has the colours of an annotation, and how long it lasts in seconds.
fn duration_of(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}

#[needs(face_detector)]
#[test]
fn damaged_frames_are_not_judged_but_told_by_number() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_clip(&at("whole.mp4"), 30, &[]);
    ffmpeg(folder.path(), "-i whole.mp4 -c:v mjpeg -q:v 3 clip.avi");
    let mut bytes = fs::read(at("clip.avi")).unwrap();
    let starts: Vec<usize> = (0..bytes.len() - 3)
        .filter(|at| bytes[*at..].starts_with(&[0xFF, 0xD8, 0xFF]))
        .collect();
    for number in [4, 5, 20] {
        let middle = (starts[number] + starts[number + 1]) / 2;
        bytes[middle..middle + 300].fill(0xFE);
    }
    fs::write(at("clip.avi"), bytes).unwrap();
    let output = succeeds(parseye(folder.path()).args([
        "replay",
        "clip.avi",
        "--log",
        "log.jsonl",
        "--annotate",
        "out.mp4",
        "--summary",
        "s.json",
    ]));
    let told = errors(&output);
    assert!(
        told.contains("3 of 30 frames are damaged") && told.contains("4, 5, 20"),
        "{told}"
    );
    let events = events(&at("log.jsonl"));
    let numbers: Vec<_> = of_kind(&events, "camera")
        .iter()
        .map(|event| (event["kind"].clone(), event["numbers"][0].as_u64().unwrap()))
        .collect();
    assert_eq!(numbers, [4, 5, 20].map(|number| ("damaged".into(), number)));
    let eyes = of_kind(&events, "eyes");
    assert_eq!(eyes.len(), 27);
    assert_eq!(eyes[4]["frame"], 6);
    let end = events.last().unwrap();
    assert_eq!(
        (&end["outcome"], &end["lost"]["decode"]),
        (&"complete".into(), &3.into())
    );
    assert_eq!(json(&at("s.json"))["frames"], 27);
    // The copy holds the frame before a damaged one.
    assert!((duration_of(&at("out.mp4")) - 1.0).abs() < 0.05);
}

#[needs(face_detector)]
#[test]
fn a_jpeg_that_is_cut_off_is_damaged_as_a_png_is() {
    let folder = folder();
    for name in ["face.jpg", "face.png", "face.webp", "face.tiff"] {
        let path = folder.path().join(name);
        face().save(&path).unwrap();
        succeeds(parseye(folder.path()).args(["replay", name]));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 3 / 10]).unwrap();
        let mut command = parseye(folder.path());
        command.args(["replay", name]).stdout(Stdio::null());
        refused(&mut command, 1, &[name]);
    }
}

#[needs(face_detector)]
#[test]
fn a_folder_s_images_are_read_whatever_they_are_and_others_are_told() {
    let folder = folder();
    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    for name in ["1.webp", "2.tif", "3.gif", "4.png", "5.jpg"] {
        face().save(frames.join(name)).unwrap();
    }
    fs::write(frames.join("times.csv"), "1,2\n").unwrap();
    let output = succeeds(parseye(folder.path()).args(["replay", "frames", "--log", "log.jsonl"]));
    let told = errors(&output);
    assert!(
        told.lines().count() == 1 && told.contains("left out times.csv"),
        "{told}"
    );
    let events = events(&folder.path().join("log.jsonl"));
    let eyes = of_kind(&events, "eyes");
    assert_eq!(eyes.len(), 5);
    assert!(eyes.iter().all(|event| event["face"].is_object()));
}

#[needs(face_detector)]
#[test]
fn the_annotated_copy_is_what_its_ending_says() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_clip(&at("clip.mp4"), 20, &[]);
    face().save(at("face.jpg")).unwrap();
    for (ending, format) in [
        ("mp4", "mov,mp4"),
        ("mov", "mov,mp4"),
        ("MKV", "matroska"),
        ("webm", "matroska,webm"),
        ("gif", "gif"),
    ] {
        let out = format!("out.{ending}");
        succeeds(parseye(folder.path()).args(["replay", "clip.mp4", "--annotate", &out]));
        assert_eq!(decoded_frames(&at(&out)), 20, "{out}");
        assert!((duration_of(&at(&out)) - 20.0 / 30.0).abs() < 0.06, "{out}");
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "format=format_name",
                "-of",
                "csv=p=0",
            ])
            .arg(at(&out))
            .output()
            .unwrap();
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(found.contains(format), "{out}: {found}");
    }
    succeeds(parseye(folder.path()).args(["replay", "face.jpg", "--annotate", "face.png"]));
    let image = image::open(at("face.png")).unwrap().into_rgb8();
    assert_eq!(image.dimensions(), (WIDTH as u32, HEIGHT as u32));
    assert!(image != face(), "nothing is drawn on it");
    let run = |source: &str, out: &str, words: &[&str]| {
        let mut command = parseye(folder.path());
        command
            .args(["replay", source, "--annotate", out])
            .stdout(Stdio::null());
        refused(&mut command, 1, words);
    };
    run("clip.mp4", "out.xyz", &["--annotate out.xyz", ".mkv"]);
    run("clip.mp4", "out", &["--annotate out", ".mkv"]);
    run(
        "clip.mp4",
        "out.png",
        &["--annotate out.png", "more than one frame"],
    );
}

#[needs(face_detector)]
#[test]
fn a_leap_in_time_is_a_gap_and_the_pace_after_it_the_true_one() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_clip(&at("clip.mp4"), 60, &[]);
    ffmpeg(
        folder.path(),
        "-i clip.mp4 -vf settb=1/1000,setpts='PTS+gte(N,30)*10800000' -fps_mode passthrough -enc_time_base 1:1000 leap.mkv",
    );
    succeeds(parseye(folder.path()).args([
        "replay",
        "leap.mkv",
        "--summary",
        "s.json",
        "--annotate",
        "out.mp4",
    ]));
    let duration = json(&at("s.json"))["duration_s"].as_f64().unwrap();
    assert!((duration - 10_802.0).abs() < 0.1, "{duration}");
    // A second, a hold of ten, and a second.
    let annotated = duration_of(&at("out.mp4"));
    assert!((annotated - 12.0).abs() < 0.2, "{annotated}");

    let output = succeeds(parseye(folder.path()).args([
        "replay",
        "leap.mkv",
        "--realtime",
        "--no-terminal",
        "--log",
        "log.jsonl",
    ]));
    let told = errors(&output);
    assert!(told.contains("10800.0 s without frames"), "{told}");
    let events = events(&at("log.jsonl"));
    let camera = of_kind(&events, "camera");
    let gap = camera.iter().find(|event| event["kind"] == "gap").unwrap();
    assert!(
        (gap["length"].as_f64().unwrap() - 10_800.0).abs() < 0.1,
        "{gap}"
    );
    assert_eq!(events.last().unwrap()["outcome"], "complete");
}

#[needs(face_detector)]
#[test]
fn control_characters_of_names_never_reach_the_terminal() {
    let folder = folder();
    let evil = "a\u{1b}[31m\u{7}\u{202e}.png";
    face()
        .save_with_format(folder.path().join(evil), image::ImageFormat::Png)
        .unwrap();
    let good = succeeds(parseye(folder.path()).args(["replay", evil]));
    let missing = parseye(folder.path())
        .args(["replay", "b\u{1b}[2J\r.mp4"])
        .output()
        .unwrap();
    let model = parseye(folder.path())
        .args(["replay", evil, "--model", "c\u{9b}1m.onnx"])
        .output()
        .unwrap();
    let flag = parseye(folder.path())
        .args(["replay", "--\u{1b}[2J"])
        .output()
        .unwrap();
    for output in [&good, &missing, &model, &flag] {
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.is_empty());
        assert!(
            !text
                .chars()
                .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
    }
    assert!(String::from_utf8_lossy(&good.stdout).contains(r"a\u{1b}[31m\u{7}\u{202e}"));
    assert!(support::errors(&missing).contains(r"b\u{1b}[2J\r.mp4"));
}
