//! What the program says to mistakes: one line with the path, the reason and the remedy, a status
//! other than zero, and nothing lost that was already written.

// Clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod support;

use std::{fs, path::Path, process::Stdio};
use support::{
    errors, events, has_locator,
    model::{ModelForm, card, onnx},
    of_kind, parseye, refused, succeeds,
    synthetic_face::{self, write_clip},
};

/// Status of a command line that cannot be understood.
const USAGE: i32 = 2;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn image(path: &Path) {
    image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(x * 7 + y) as u8]))
        .save(path)
        .expect("the picture is written");
}

#[test]
fn unknown_words_name_the_nearest() {
    let folder = folder();
    let run = |arguments: &[&str], words: &[&str]| {
        refused(parseye(folder.path()).args(arguments), USAGE, words);
    };
    run(&[], &["no command", "--help"]);
    run(&["repaly"], &["'repaly'", "'replay'"]);
    run(&["replay"], &["<SOURCE>"]);
    run(&["replay", "a.mp4", "--modle", "x"], &["'--modle'", "'--model'"]);
    run(&["monitor", "--camra", "0"], &["'--camra'", "'--camera'"]);
    run(&["monitor", "--duration", "long"], &["'long'", "--duration"]);
    run(&["evaluate", "--split", "test"], &["--manifest"]);
    run(&["cameras", "x"], &["'x'"]);
    run(&["models", "--all"], &["'--all'"]);
}

#[test]
fn values_without_meaning_are_refused() {
    let folder = folder();
    for seconds in ["0", "-1", "NaN", "1e300"] {
        let argument = format!("--duration={seconds}");
        refused(parseye(folder.path()).args(["monitor", &argument]), 1, &["--duration"]);
    }
    refused(
        parseye(folder.path()).args(["evaluate", "--manifest", "m.csv", "--split", "tset"]),
        1,
        &["'tset'", "did you mean 'test'"],
    );
}

#[test]
fn a_wrong_setting_names_its_origin_and_the_nearest_key() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("mine.toml", "[temporal]\nlong_closure = 2\n");
    refused(
        parseye(folder.path()).args(["models", "--config", "mine.toml"]),
        1,
        &["mine.toml", "temporal.long_closure", "'long_closure_s'"],
    );
    refused(parseye(folder.path()).args(["models", "--config", "none.toml"]), 1, &["none.toml", "cannot be read"]);
    refused(
        parseye(folder.path()).arg("models").env("PARSEYE_CAMERA__WIDHT", "3"),
        1,
        &["environment", "PARSEYE_CAMERA__WIDHT", "'width'"],
    );
    write("parseye.toml", "[camera]\nwidth = \"wide\"\n");
    refused(parseye(folder.path()).arg("models"), 1, &["parseye.toml", "camera.width", "wide"]);
    // A file that is asked for takes the place of those that are found.
    write("mine.toml", "[temporal]\nlong_closure_s = 2\n");
    succeeds(parseye(folder.path()).args(["models", "--config", "mine.toml"]));
}

#[test]
fn without_a_camera_the_ways_on_are_named() {
    let folder = folder();
    let cameras = succeeds(parseye(folder.path()).arg("cameras"));
    if !String::from_utf8_lossy(&cameras.stdout).contains("no camera") {
        eprintln!("skipped: this machine has a camera");
        return;
    }
    refused(parseye(folder.path()).arg("monitor"), 1, &["no camera", "/dev/video", "parseye replay", "make demo"]);
    refused(parseye(folder.path()).args(["monitor", "--camera", "99"]), 1, &["99"]);
}

#[test]
fn every_unusable_source_says_why() {
    if !has_locator() {
        return;
    }
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty.mp4"), "").unwrap();
    fs::write(at("text.mp4"), "no video at all\n".repeat(100)).unwrap();
    fs::write(at("noise.mp4"), (0..9000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>()).unwrap();
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
        command.args(["replay", name, "--log", "log.jsonl"]).stdout(Stdio::null());
        refused(&mut command, 1, &[&[name], words].concat());
        let events = events(&at("log.jsonl"));
        let end = of_kind(&events, "end")[0];
        assert_eq!(end["outcome"], "failed", "{name}");
        assert!(end["error"].as_str().unwrap().contains(name), "{end}");
    }
    // The good source beside a bad one is still read.
    let output = parseye(folder.path())
        .args(["replay", "missing.mp4", "whole.mp4", "--summary", "sums.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("missing.mp4"));
    assert_eq!(support::json(&at("sums.json"))["clips"]["whole"]["frames"], 20);
}

#[test]
fn a_damaged_source_keeps_what_was_read() {
    if !has_locator() {
        return;
    }
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    // Matroska can be read up to where it was cut.
    write_clip(&at("clip.mkv"), 90, &[]);
    let whole = fs::read(at("clip.mkv")).unwrap();
    fs::write(at("clip.mkv"), &whole[..whole.len() / 3]).unwrap();
    let mut command = parseye(folder.path());
    command.args(["replay", "clip.mkv", "--log", "log.jsonl", "--summary", "sums.json", "--annotate", "out.mp4"]);
    refused(&mut command, 1, &["clip.mkv", "damaged after frame"]);
    let events = events(&at("log.jsonl"));
    let frames = of_kind(&events, "eyes").len();
    assert!((5..90).contains(&frames), "{frames}");
    assert_eq!(of_kind(&events, "end")[0]["frames"], frames);
    assert_eq!(support::json(&at("sums.json"))["frames"], frames);
    assert_eq!(support::decoded_frames(&at("out.mp4")), frames);
}

#[test]
fn without_ffmpeg_the_package_is_named() {
    if !has_locator() {
        return;
    }
    let folder = folder();
    fs::write(folder.path().join("a.mp4"), "x").unwrap();
    let mut command = parseye(folder.path());
    command.args(["replay", "a.mp4"]).env("PATH", folder.path()).stdout(Stdio::null());
    refused(&mut command, 1, &["ffmpeg", "apt install ffmpeg"]);
    // Images need no ffmpeg to be read, but an annotated video does.
    image(&folder.path().join("a.png"));
    let mut command = parseye(folder.path());
    command.args(["replay", "a.png", "--annotate", "o.mp4"]).env("PATH", folder.path()).stdout(Stdio::null());
    refused(&mut command, 1, &["ffmpeg", "apt install ffmpeg"]);
}

#[test]
fn every_unusable_model_says_why() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    let manifest = "path,label,source,subject,eye,split,label_kind,openness,note\na.png,open,s,p,,test,human,,\n";
    fs::write(folder.path().join("m.csv"), manifest).unwrap();
    let whole = onnx(&ModelForm::default());
    let with_card = |change: fn(&mut serde_json::Value)| {
        let mut card = card();
        change(&mut card);
        onnx(&ModelForm { card: Some(card), ..ModelForm::default() })
    };
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        ("truncated", whole[..whole.len() / 2].to_vec(), &["whole ONNX model"]),
        ("empty", Vec::new(), &["card"]),
        ("text", b"not a model".to_vec(), &["ONNX"]),
        ("no-card", onnx(&ModelForm { card: None, ..ModelForm::default() }), &["without a card"]),
        ("other-shape", onnx(&ModelForm { input: vec![1, 3, 64, 64], ..ModelForm::default() }), &["input", "[1, 3, 64, 64]", "32"]),
        ("other-outputs", onnx(&ModelForm { outputs: 2, ..ModelForm::default() }), &["output", "[1, 2]"]),
        ("other-labels", with_card(|card| card["labels"] = serde_json::json!(["closed", "open"])), &["labels", "not_visible"]),
        ("later-card", with_card(|card| card["format"] = 99.into()), &["layout 99"]),
    ];
    for (name, bytes, words) in cases {
        let file = format!("{name}.onnx");
        fs::write(folder.path().join(&file), bytes).unwrap();
        let arguments = ["evaluate", "--manifest", "m.csv", "--split", "test", "--model", &file];
        refused(parseye(folder.path()).args(arguments), 1, &[&[file.as_str()], words].concat());
    }
    let arguments = ["evaluate", "--manifest", "m.csv", "--split", "test", "--model"];
    refused(parseye(folder.path()).args(arguments).arg("none.onnx"), 1, &["none.onnx", "cannot be read"]);
    // The same checks stand before a replay; and the model that all were made from is accepted.
    refused(parseye(folder.path()).args(["replay", "a.png", "--model", "no-card.onnx"]), 1, &["without a card"]);
    fs::write(folder.path().join("whole.onnx"), whole).unwrap();
    succeeds(parseye(folder.path()).args(arguments).arg("whole.onnx"));
}

#[test]
fn every_unusable_manifest_says_where() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    image(&at("a.png"));
    image(&at("b.png"));
    fs::write(at("broken.png"), "no picture").unwrap();
    let cases: [(&str, &[&str]); 5] = [
        ("a.png,opne,s,p,,test,human,,\n", &["line 2", "'opne'", "did you mean 'open'"]),
        ("a.png,open,s,p,,test,human,,\nc.png,open,s,p,,test,human,,\n", &["line 3", "c.png is missing"]),
        ("a.png,open,s,p,,train,human,,\nb.png,open,s,p,,test,human,,\n", &["line 3", "'p'", "train"]),
        ("a.png,open,s,p,,train,human,,\n", &["no sample of split test"]),
        ("broken.png,open,s,p,,test,human,,\n", &["broken.png", "not a readable picture"]),
    ];
    for (rows, words) in cases {
        let header = "path,label,source,subject,eye,split,label_kind,openness,note\n";
        fs::write(at("m.csv"), format!("{header}{rows}")).unwrap();
        let mut command = parseye(folder.path());
        refused(command.args(["evaluate", "--manifest", "m.csv", "--split", "test"]), 1, words);
    }
    let mut command = parseye(folder.path());
    refused(command.args(["evaluate", "--manifest", "none.csv", "--split", "test"]), 1, &["none.csv", "cannot be read"]);
}

#[test]
fn a_wrong_truth_file_is_refused_before_anything_is_judged() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    for (rows, words) in [
        ("a,1,2,blnk\n", &["line 2", "'blnk'", "did you mean 'blink'"][..]),
        ("b,1,2,blink\n", &["names none of the sources"]),
    ] {
        fs::write(folder.path().join("t.csv"), format!("clip,start_frame,end_frame,kind\n{rows}")).unwrap();
        refused(parseye(folder.path()).args(["replay", "a.png", "--truth", "t.csv"]), 1, words);
    }
    refused(parseye(folder.path()).args(["replay", "a.png", "--truth", "no.csv"]), 1, &["no.csv", "cannot be read"]);
}

#[test]
fn an_unwritable_output_is_refused_before_anything_is_judged() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    fs::create_dir(folder.path().join("dir")).unwrap();
    for flag in ["--log", "--summary", "--annotate"] {
        let mut command = parseye(folder.path());
        refused(command.args(["replay", "a.png", flag, "nowhere/out"]), 1, &["nowhere/out"]);
        refused(parseye(folder.path()).args(["replay", "a.png", flag, "dir"]), 1, &["dir", "folder"]);
        // Nor may an output take the place of an input.
        refused(parseye(folder.path()).args(["replay", "a.png", flag, "./a.png"]), 1, &["would overwrite"]);
    }
    assert!(image::open(folder.path().join("a.png")).is_ok(), "the input is untouched");
    let mut command = parseye(folder.path());
    refused(command.args(["replay", "a.png", "--log", "x", "--summary", "x"]), 1, &["would overwrite"]);
    refused(
        parseye(folder.path()).args(["evaluate", "--manifest", "m.csv", "--split", "test", "--json", "nowhere/x"]),
        1,
        &["nowhere/x"],
    );
}

#[test]
fn a_full_disk_is_one_line() {
    if !has_locator() || !Path::new("/dev/full").exists() {
        eprintln!("skipped: no locator or no /dev/full");
        return;
    }
    let folder = folder();
    image(&folder.path().join("a.png"));
    for flag in ["--log", "--summary"] {
        let mut command = parseye(folder.path());
        command.args(["replay", "a.png", flag, "/dev/full"]).stdout(Stdio::null());
        refused(&mut command, 1, &["/dev/full", "No space left"]);
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    refused(parseye(folder.path()).arg("models").stdout(full), 1, &["stdout", "No space left"]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = parseye(folder.path()).arg("models").stdout(writer).output().unwrap();
    assert!(output.status.success());
    assert_eq!(errors(&output), "");
}

#[test]
fn two_sources_of_one_name_are_refused() {
    let folder = folder();
    for name in ["x", "y"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        image(&folder.path().join(name).join("a.png"));
    }
    refused(parseye(folder.path()).args(["replay", "x/a.png", "y/a.png"]), 1, &["x/a.png", "y/a.png", "'a'"]);
}

#[test]
fn the_drawn_lids_meet_on_schedule() {
    let blinks = [synthetic_face::Blink { first: 10, last: 12 }];
    let open = |frame| synthetic_face::openness(frame, &blinks);
    assert_eq!((open(0), open(10), open(12), open(30)), (1.0, 0.0, 0.0, 1.0));
    assert!(open(9) < open(8) && open(13) < open(14));
}
