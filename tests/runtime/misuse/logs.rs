//! Logs and settings that cannot be summed up or shown.

use super::{USAGE, folder};
use crate::support::{errors, json, parseye, refused, succeeds};
use std::fs;

const START: &str = r#"{"event":"start","schema":1,"version":"0.1.0","mode":"replay","model":{"name":"m","sha256":"0"},"clips":["a"]}"#;
const EYES: &str = r#"{"event":"eyes","clip":"a","time":0.0,"frame":0,"face":null,"left":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"no_face"},"right":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"no_face"}}"#;

#[test]
fn summarize_refuses_what_it_cannot_read_or_write() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("log.jsonl", &format!("{START}\n{EYES}\n"));
    write("empty.jsonl", "");
    write("table.csv", "clip,frame\na,1\n");
    let newer = START.replace("\"schema\":1", "\"schema\":7");
    write("newer.jsonl", &format!("{newer}\n"));
    fs::create_dir(folder.path().join("dir")).unwrap();
    for (arguments, words) in [
        (&["none.jsonl"][..], &["none.jsonl", "No such file"][..]),
        (&["dir"], &["dir", "folder"]),
        (&["empty.jsonl"], &["empty.jsonl", "no event log"]),
        (&["table.csv"], &["table.csv", "line 1", "no event log"]),
        (
            &["newer.jsonl"],
            &["newer.jsonl", "line 1", "layout 7", "newer"],
        ),
        (&["log.jsonl", "./log.jsonl"], &["twice"]),
        (
            &["log.jsonl", "--plot", "x.gif"],
            &["x.gif", ".svg or .png"],
        ),
        (
            &["log.jsonl", "--plot", "svg"],
            &["--plot svg", ".svg or .png"],
        ),
        (
            &["log.jsonl", "--plot", "nowhere/x.svg"],
            &["nowhere/x.svg"],
        ),
        (&["log.jsonl", "--json", "log.jsonl"], &["would overwrite"]),
        (
            &["log.jsonl", "--json", "x.svg", "--plot", "x.svg"],
            &["would overwrite"],
        ),
    ] {
        refused(
            parseye(folder.path()).arg("summarize").args(arguments),
            1,
            words,
        );
    }
    refused(parseye(folder.path()).arg("summarize"), USAGE, &["<LOG>"]);
    refused(
        parseye(folder.path()).args(["summarise", "log.jsonl"]),
        USAGE,
        &["'summarise'", "'summarize'"],
    );
    // The log is untouched, and can be read.
    let output = parseye(folder.path())
        .args([
            "summarize",
            "log.jsonl",
            "--json",
            "sums.json",
            "--plot",
            "x.SVG",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(json(&folder.path().join("sums.json"))["frames"], 1);
    let svg = fs::read_to_string(folder.path().join("x.SVG")).unwrap();
    assert!(svg.contains("left eye"));
}

#[test]
fn a_damaged_log_is_summed_up_with_a_note() {
    let folder = folder();
    let log = format!("{START}\n{EYES}\n{{\"event\":\"ey");
    fs::write(folder.path().join("log.jsonl"), log).unwrap();
    let output = succeeds(parseye(folder.path()).args(["summarize", "log.jsonl"]));
    let line = errors(&output);
    assert!(line.contains("log.jsonl: 1 of 3 lines"), "{line}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("line 3: cut off"), "{text}");
}

#[test]
fn config_shows_each_value_with_its_origin_and_touches_nothing() {
    let folder = folder();
    fs::write(
        folder.path().join("parseye.toml"),
        "[camera]\nwidth = 320\n",
    )
    .unwrap();
    let print = |arguments: &[&str]| {
        let mut command = parseye(folder.path());
        command
            .args(["config", "--print"])
            .args(arguments)
            .env("PARSEYE_CAMERA__FRAME_RATE", "15")
            .env("PARSEYE_MQTT__USERNAME", "me")
            .env("PARSEYE_MQTT__PASSWORD", "hunter2")
            .env("PARSEYE_WEB__TOKEN", "hunter2hunter2hunter2");
        let output = succeeds(&mut command);
        String::from_utf8(output.stdout).unwrap()
    };
    let flags = ["--camera", "7", "--log", "new.jsonl"];
    let text = print(&flags);
    let line = |begin: &str| text.lines().find(|line| line.starts_with(begin)).unwrap();
    assert!(line("width = 320").ends_with("# parseye.toml"));
    assert!(line("frame_rate = 15").ends_with("# environment PARSEYE_CAMERA__FRAME_RATE"));
    assert!(line("id = \"7\"").ends_with("# command line"));
    assert!(line("height = 480").ends_with("# default"));
    assert!(!text.contains("hunter2") && text.contains("# password is set and not shown"));
    assert!(text.contains("# token is set and not shown"));
    let json = print(&[&flags[..], &["--json"]].concat());
    assert!(!json.contains("hunter2"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["camera"]["width"]["name"], "parseye.toml");
    assert_eq!(json["mqtt"]["password"]["set"], true);
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "showing settings makes no file: {files:?}");
    // What was printed gives the same settings again, and then all of them come from it.
    fs::write(folder.path().join("again.toml"), &text).unwrap();
    let output =
        succeeds(parseye(folder.path()).args(["--config", "again.toml", "config", "--print"]));
    let again = String::from_utf8(output.stdout).unwrap();
    let settings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split("  # ").next().unwrap().trim().to_owned())
            .collect()
    };
    assert_eq!(settings(&again), settings(&text));
}

#[test]
fn config_refuses_what_it_does_not_understand() {
    let folder = folder();
    refused(parseye(folder.path()).arg("config"), USAGE, &["--print"]);
    refused(
        parseye(folder.path()).args(["config", "--print", "--camra", "1"]),
        USAGE,
        &["'--camra'", "'--camera'"],
    );
    refused(
        parseye(folder.path()).args(["config", "--print", "--mqtt", "host:port"]),
        1,
        &["mqtt.broker", "host:port", "HOST:PORT"],
    );
    // A password that looks like a number is refused without being told.
    let mut command = parseye(folder.path());
    command
        .args(["config", "--print"])
        .env("PARSEYE_MQTT__PASSWORD", "4711");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let line = errors(&output);
    assert!(
        line.contains("PARSEYE_MQTT__PASSWORD") && line.contains("quotes"),
        "{line}"
    );
    assert!(!line.contains("4711"), "{line}");
}
