//! What the program says to mistakes: one line with the path, the reason and the remedy, a status
//! other than zero, and nothing lost that was already written.

use parseye_test_needs::needs;
mod check;
mod dashboards;
mod logs;
mod models;
mod sources;
use crate::support;

use std::{fs, path::Path, process::Stdio};
use support::{errors, parseye, refused, succeeds, synthetic_face};

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
    run(
        &["replay", "a.mp4", "--modle", "x"],
        &["'--modle'", "'--model'"],
    );
    run(&["monitor", "--camra", "0"], &["'--camra'", "'--camera'"]);
    run(
        &["monitor", "--duration", "long"],
        &["'long'", "--duration"],
    );
    run(&["evaluate", "--split", "test"], &["--manifest"]);
    run(&["cameras", "x"], &["'x'"]);
    // What other programs call it.
    run(
        &["monitor", "--device", "0"],
        &["'--device'", "--camera ID"],
    );
    run(
        &["monitor", "--width=640"],
        &["'--width'", "PARSEYE_CAMERA__WIDTH"],
    );
    run(&["monitor", "--fps", "15"], &["PARSEYE_CAMERA__FRAME_RATE"]);
    run(
        &["monitor", "--headless"],
        &["'--headless'", "--no-terminal"],
    );
    run(
        &["replay", "--input", "a.mp4"],
        &["'--input'", "parseye replay FILE"],
    );
    run(&["monitor", "--on-blink", "true"], &["--on-event"]);
    run(&["models", "--all"], &["'--all'"]);
}

#[test]
fn values_without_meaning_are_refused() {
    let folder = folder();
    for (command, words) in [
        (
            "winc=true",
            &[
                "unknown event 'winc'",
                "did you mean 'wink'",
                "double_blink",
            ][..],
        ),
        ("true", &["--on-event true", "KIND=COMMAND"]),
        ("wink=", &["--on-event: wink is empty"]),
        ("wink=say 'it", &["--on-event", "quotation"]),
    ] {
        refused(
            parseye(folder.path()).args(["monitor", "--on-event", command]),
            1,
            words,
        );
    }
    refused(
        parseye(folder.path()).args(["monitor", "--log-every", "0"]),
        USAGE,
        &["'0'", "--log-every"],
    );
    refused(
        parseye(folder.path()).args(["monitor", "--log-level", "event"]),
        USAGE,
        &["'event'", "events"],
    );
    for seconds in ["0", "-1", "NaN", "1e300"] {
        let argument = format!("--duration={seconds}");
        refused(
            parseye(folder.path()).args(["monitor", &argument]),
            1,
            &["--duration"],
        );
    }
    for (command, words) in [
        ("", ["--on-alarm: command is empty", "program"]),
        ("play 'it", ["quotation mark", "closing"]),
        ("no-such-program x", ["'no-such-program'", "PATH"]),
    ] {
        refused(
            parseye(folder.path()).args(["monitor", "--on-alarm", command]),
            1,
            &words,
        );
    }
    refused(
        parseye(folder.path()).args(["monitor", "--self-check", "always"]),
        USAGE,
        &["--self-check", "'always'", "on-change"],
    );
    refused(
        parseye(folder.path()).args(["replay", "a.mp4", "--self-check", "off"]),
        1,
        &["--self-check", "--realtime"],
    );
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
    refused(
        parseye(folder.path()).args(["models", "--config", "none.toml"]),
        1,
        &["none.toml", "cannot be read"],
    );
    refused(
        parseye(folder.path())
            .arg("models")
            .env("PARSEYE_CAMERA__WIDHT", "3"),
        1,
        &["environment", "PARSEYE_CAMERA__WIDHT", "'width'"],
    );
    write("parseye.toml", "[camera]\nwidth = \"wide\"\n");
    refused(
        parseye(folder.path()).arg("models"),
        1,
        &["parseye.toml", "camera.width", "wide"],
    );
    // A file that is asked for takes the place of those that are found.
    write("mine.toml", "[temporal]\nlong_closure_s = 2\n");
    succeeds(parseye(folder.path()).args(["models", "--config", "mine.toml"]));
}

#[needs(no_camera)]
#[test]
fn without_a_camera_the_ways_on_are_named() {
    let folder = folder();
    let cameras = succeeds(parseye(folder.path()).arg("cameras"));
    let cameras = String::from_utf8_lossy(&cameras.stdout);
    assert!(cameras.contains("no camera"), "{cameras}");
    refused(
        parseye(folder.path()).arg("monitor"),
        1,
        &["no camera", "/dev/video", "parseye replay", "parseye demo"],
    );
    refused(
        parseye(folder.path()).args(["monitor", "--camera", "99"]),
        1,
        &["99"],
    );
}

#[test]
fn a_wrong_truth_file_is_refused_before_anything_is_judged() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    for (rows, words) in [
        (
            "a,1,2,blnk\n",
            &["line 2", "'blnk'", "did you mean 'blink'"][..],
        ),
        ("a,2,1,blink\n", &["line 2", "end_frame 1 is before"]),
    ] {
        fs::write(
            folder.path().join("t.csv"),
            format!("clip,start_frame,end_frame,kind\n{rows}"),
        )
        .unwrap();
        refused(
            parseye(folder.path()).args(["replay", "a.png", "--truth", "t.csv"]),
            1,
            words,
        );
    }
    refused(
        parseye(folder.path()).args(["replay", "a.png", "--truth", "no.csv"]),
        1,
        &["no.csv", "cannot be read"],
    );
}

#[test]
fn an_unwritable_output_is_refused_before_anything_is_judged() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    for taken in ["dir", "dir.mp4"] {
        fs::create_dir(folder.path().join(taken)).unwrap();
    }
    for (flag, nowhere, taken) in [
        // The folder of a log is made, where that is possible.
        ("--log", "a.png/out", "dir"),
        ("--summary", "nowhere/out", "dir"),
        ("--annotate", "nowhere/out.mp4", "dir.mp4"),
    ] {
        let mut command = parseye(folder.path());
        refused(
            command.args(["replay", "a.png", flag, nowhere]),
            1,
            &[nowhere.split_once('/').unwrap().0],
        );
        refused(
            parseye(folder.path()).args(["replay", "a.png", flag, taken]),
            1,
            &[taken, "folder"],
        );
        // Nor may an output take the place of an input.
        refused(
            parseye(folder.path()).args(["replay", "a.png", flag, "./a.png"]),
            1,
            &["would overwrite"],
        );
    }
    assert!(
        image::open(folder.path().join("a.png")).is_ok(),
        "the input is untouched"
    );
    let mut command = parseye(folder.path());
    refused(
        command.args(["replay", "a.png", "--log", "x", "--summary", "x"]),
        1,
        &["would overwrite"],
    );
    refused(
        parseye(folder.path()).args([
            "evaluate",
            "--manifest",
            "m.csv",
            "--split",
            "test",
            "--json",
            "nowhere/x",
        ]),
        1,
        &["nowhere/x"],
    );
}

#[cfg(target_os = "linux")]
#[needs(face_detector)]
#[test]
fn a_full_disk_is_one_line() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    for flag in ["--log", "--summary"] {
        let mut command = parseye(folder.path());
        command
            .args(["replay", "a.png", flag, "/dev/full"])
            .stdout(Stdio::null());
        refused(&mut command, 1, &["/dev/full", "No space left"]);
    }
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    refused(
        parseye(folder.path()).arg("models").stdout(full),
        1,
        &["standard output", "No space left"],
    );
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = parseye(folder.path())
        .arg("models")
        .stdout(writer)
        .output()
        .unwrap();
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
    refused(
        parseye(folder.path()).args(["replay", "x/a.png", "y/a.png"]),
        1,
        &["x/a.png", "y/a.png", "'a'"],
    );
}

#[test]
fn the_drawn_lids_meet_on_schedule() {
    let blinks = [synthetic_face::Blink {
        first: 10,
        last: 12,
    }];
    let open = |frame| synthetic_face::openness(frame, &blinks);
    assert_eq!(
        (open(0), open(10), open(12), open(30)),
        (1.0, 0.0, 0.0, 1.0)
    );
    assert!(open(9) < open(8) && open(13) < open(14));
}
