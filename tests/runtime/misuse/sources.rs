//! Recordings that cannot be read, or not to their end.

use super::{
    folder, image,
    support::{self, errors, events, of_kind, parseye, refused, synthetic_face::write_clip},
};
use parseye_test_needs::needs;
use std::{fs, process::Stdio};

#[needs(face_detector)]
#[test]
fn every_unusable_source_says_why() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty.mp4"), "").unwrap();
    fs::write(at("text.mp4"), "no video at all\n".repeat(100)).unwrap();
    fs::write(
        at("noise.mp4"),
        (0..9000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect::<Vec<_>>(),
    )
    .unwrap();
    fs::create_dir(at("pictures")).unwrap();
    write_clip(&at("whole.mp4"), 20, &[]);
    let whole = fs::read(at("whole.mp4")).unwrap();
    // An mp4 cut in the middle has lost its index.
    fs::write(at("truncated.mp4"), &whole[..whole.len() / 2]).unwrap();
    for (name, words) in [
        ("missing.mp4", &["cannot be read", "No such file"][..]),
        ("empty.mp4", &["not a readable video"]),
        ("text.mp4", &["not a readable video", "text"]),
        ("noise.mp4", &["not a readable video"]),
        ("truncated.mp4", &["truncated.mp4"]),
        ("pictures", &["no image"]),
    ] {
        let mut command = parseye(folder.path());
        command
            .args(["replay", name, "--log", "log.jsonl"])
            .stdout(Stdio::null());
        refused(&mut command, 1, &[&[name], words].concat());
        let events = events(&at("log.jsonl"));
        let end = of_kind(&events, "end")[0];
        assert_eq!(end["outcome"], "failed", "{name}");
        assert!(end["error"].as_str().unwrap().contains(name), "{end}");
    }
    // The good source beside a bad one is still read.
    let output = parseye(folder.path())
        .args([
            "replay",
            "missing.mp4",
            "whole.mp4",
            "--summary",
            "sums.json",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("missing.mp4"));
    assert_eq!(
        support::json(&at("sums.json"))["clips"]["whole"]["frames"],
        20
    );
}

#[needs(face_detector)]
#[test]
fn a_damaged_source_keeps_what_was_read() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    // Matroska can be read up to where it was cut.
    write_clip(&at("clip.mkv"), 90, &[]);
    let whole = fs::read(at("clip.mkv")).unwrap();
    fs::write(at("clip.mkv"), &whole[..whole.len() / 3]).unwrap();
    let mut command = parseye(folder.path());
    command.args([
        "replay",
        "clip.mkv",
        "--log",
        "log.jsonl",
        "--summary",
        "sums.json",
        "--annotate",
        "out.mp4",
    ]);
    refused(&mut command, 1, &["clip.mkv", "damaged after frame"]);
    let events = events(&at("log.jsonl"));
    let frames = of_kind(&events, "eyes").len();
    assert!((5..90).contains(&frames), "{frames}");
    assert_eq!(of_kind(&events, "end")[0]["frames"], frames);
    assert_eq!(support::json(&at("sums.json"))["frames"], frames);
    // In place of a damaged frame the copy holds the one before, so that its times stay true: also for the one
    // that the cut went through, where that could be decoded in part.
    let eyes = of_kind(&events, "eyes");
    let last = eyes[frames - 1]["frame"].as_u64().unwrap();
    let copied = support::decoded_frames(&at("out.mp4")) as u64;
    assert!(
        (last + 1..=last + 2).contains(&copied),
        "{copied} of {last}"
    );
}

#[needs(face_detector)]
#[test]
fn without_ffmpeg_the_package_is_named() {
    let folder = folder();
    fs::write(folder.path().join("a.mp4"), "x").unwrap();
    let mut command = parseye(folder.path());
    command
        .args(["replay", "a.mp4"])
        .env("PATH", folder.path())
        .stdout(Stdio::null());
    refused(&mut command, 1, &["ffmpeg", "apt install ffmpeg"]);
    // Images need no ffmpeg to be read, but an annotated video does.
    image(&folder.path().join("a.png"));
    let mut command = parseye(folder.path());
    command
        .args(["replay", "a.png", "--annotate", "o.mp4"])
        .env("PATH", folder.path())
        .stdout(Stdio::null());
    refused(&mut command, 1, &["ffmpeg", "apt install ffmpeg"]);
}
