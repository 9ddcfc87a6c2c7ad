//! Logs as they are: whole, rotated, cut off, damaged, of the future, and no logs at all.

use super::*;
use crate::{
    event::Outcome,
    jsonl::{EventLog, Existing, LogDetail},
};
use serde_json::{Value, json};
use std::fs;

const FRAME: f64 = 0.04;

fn start(unix_time: Option<f64>, part: Option<u64>) -> Value {
    let mut line = json!({
        "event": "start", "schema": crate::event::SCHEMA, "version": "0.1.0",
        "mode": if unix_time.is_some() { "monitor" } else { "replay" },
        "model": { "name": "m", "sha256": "0" }, "clips": ["a"],
    });
    if let Some(time) = unix_time {
        line["unix_time"] = time.into();
    }
    if let Some(part) = part {
        line["part"] = part.into();
    }
    line
}

fn eye(closed: f64) -> Value {
    json!({
        "state": if closed > 0.5 { "closed" } else { "open" },
        "probabilities": { "open": 1.0 - closed, "partially_open": 0.0, "closed": closed, "not_visible": 0.0 },
        "confidence": closed.max(1.0 - closed), "box": null,
    })
}

fn unmeasured(reason: &str) -> Value {
    json!({ "state": "not_visible", "probabilities": null, "confidence": null, "box": null, "reason": reason })
}

fn eyes(frame: u64, left: Value, right: Value) -> Value {
    json!({ "event": "eyes", "clip": "a", "time": frame as f64 * FRAME, "frame": frame, "face": null, "left": left, "right": right })
}

fn open(frame: u64) -> Value {
    eyes(frame, eye(0.0), eye(0.0))
}

fn blink(watched: &str, start: f64, duration: f64) -> Value {
    json!({ "event": "blink", "clip": "a", "eye": watched, "start": start, "end": start + duration, "duration": duration, "first_frame": 0, "last_frame": 1 })
}

fn end(outcome: &str) -> Value {
    json!({ "event": "end", "clip": "a", "frames": 1, "outcome": outcome })
}

fn text_of(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Reads logs of these texts in this order.
fn read_texts(texts: &[&str]) -> Result<Session, SessionError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..texts.len())
        .map(|index| folder.path().join(format!("{index}.jsonl")))
        .collect();
    for (path, text) in paths.iter().zip(texts) {
        fs::write(path, text).unwrap();
    }
    read(&paths, &TemporalSettings::default())
}

fn statistics(lines: &[Value]) -> SessionStatistics {
    read_texts(&[&text_of(lines)]).unwrap().statistics
}

#[test]
fn shares_rates_and_durations_are_those_of_the_log() {
    let mut lines = vec![start(None, None)];
    // A minute: the left eye is closed for the last tenth, the right one unmeasured for the last fifth.
    for frame in 0..1500 {
        let left = eye(if frame >= 1350 { 0.9 } else { 0.0 });
        let right = if frame >= 1350 {
            unmeasured("profile")
        } else if frame >= 1200 {
            unmeasured("no_face")
        } else {
            eye(0.0)
        };
        lines.push(eyes(frame, left, right));
        if frame % 100 == 50 {
            lines.push(blink(
                "both",
                frame as f64 * FRAME,
                if frame < 1400 { 0.12 } else { 0.4 },
            ));
        }
    }
    lines.push(end("complete"));
    let session = statistics(&lines);
    assert_eq!(session.duration_s, 60.0);
    assert_eq!((session.frames, session.frames_with_face), (1500, 0));
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{value}");
    near(session.states.left["open"], 0.9);
    near(session.states.left["closed"], 0.1);
    near(session.states.right["open"], 0.8);
    near(session.states.right["no_face"], 0.1);
    near(session.states.right["profile"], 0.1);
    for eye in [&session.states.left, &session.states.right] {
        near(eye.values().sum(), 1.0);
    }
    let both = &session.blinks.both;
    assert_eq!((both.count, session.blinks.left.count), (15, 0));
    near(both.per_minute.unwrap(), 15.0 * 60.0 / session.known_s);
    let duration = both.duration_s.unwrap();
    assert!(
        (duration.p50 - 0.12).abs() < 2e-4 && (duration.p95 - 0.4).abs() < 1e-3,
        "{duration:?}"
    );
    assert_eq!(
        session.runs.first[0].sources[0].outcome,
        Some(Outcome::Complete)
    );
    let confidence = session.confidence.left.unwrap();
    assert!(
        (confidence.p05 - 0.9).abs() < 1e-3 && confidence.p50 == 1.0,
        "{confidence:?}"
    );
}

#[test]
fn perclos_is_that_of_the_run_itself() {
    // 40 s open, then closed for 20 s: a third of the minute.
    let mut lines = vec![start(None, None)];
    for frame in 0..=1500 {
        let p = if (1000..1500).contains(&frame) {
            1.0
        } else {
            0.0
        };
        lines.push(eyes(frame, eye(p), eye(p)));
    }
    let session = statistics(&lines);
    assert!(
        (session.perclos.unwrap() - 1.0 / 3.0).abs() < 1e-3,
        "{:?}",
        session.perclos
    );
    let highest = session.perclos_highest.unwrap();
    assert!(
        (highest.value - 1.0 / 3.0).abs() < 1e-3 && highest.time >= 59.0,
        "{highest:?}"
    );
}

#[test]
fn parts_of_a_log_are_one_run_in_whatever_order_they_are_named() {
    let part = |number: Option<u64>, frames: std::ops::Range<u64>| {
        let mut lines = vec![start(Some(1000.0), number)];
        lines.extend(frames.map(open));
        text_of(&lines)
    };
    let (first, second) = (part(None, 0..10), part(Some(1), 10..20));
    let mut third = part(Some(2), 20..30);
    third += &text_of(&[
        end("interrupted"),
        start(Some(2000.0), None),
        open(0),
        open(1),
    ]);
    for texts in [[&first, &second, &third], [&third, &first, &second]] {
        let session = read_texts(&texts.map(String::as_str)).unwrap().statistics;
        assert_eq!(session.runs.count, 2);
        let run = &session.runs.first[0];
        assert_eq!((run.sources.len(), run.first_part), (1, None));
        assert_eq!(run.sources[0].frames, 30);
        assert_eq!(run.sources[0].outcome, Some(Outcome::Interrupted));
        assert_eq!(
            session.runs.first[1].sources[0].outcome, None,
            "it was cut off"
        );
        assert_eq!(session.frames_skipped, 0);
        assert!(
            (session.duration_s - 32.0 * FRAME).abs() < 1e-6,
            "{}",
            session.duration_s
        );
    }
    // Without its first part the log says so.
    let session = read_texts(&[&second, &third]).unwrap().statistics;
    assert_eq!(session.runs.first[0].first_part, Some(1));
    assert!(session.text().contains("begins with its part 1"));
}

#[test]
fn damaged_lines_are_named_and_the_rest_is_read() {
    let mut log = text_of(&[start(None, None), open(0)]);
    log += "\u{0}\u{0}\u{0}\n";
    log += "{\"event\":\"eyes\",\"clip\":\"a\"}\n";
    log += &text_of(&[json!({ "event": "eyes", "time": -1.0 }), open(1)]);
    let mut backwards = open(2);
    backwards["time"] = (-3.0).into();
    log += &text_of(&[backwards, blink("both", 0.0, 0.1)]);
    log += "\n[1, 2]\n{\"event\":\"eyes\",\"cli";
    let session = read_texts(&[&log]).unwrap().statistics;
    assert_eq!((session.frames, session.blinks.both.count), (2, 1));
    let damages: Vec<u64> = session.logs[0]
        .damages
        .iter()
        .map(|damage| damage.line)
        .collect();
    assert_eq!(damages, [3, 4, 5, 7, 9, 10, 11]);
    assert_eq!((session.logs[0].lines, session.logs[0].damaged), (11, 7));
    let reasons: Vec<String> = session.logs[0]
        .damages
        .iter()
        .map(|damage| damage.reason.to_string())
        .collect();
    assert!(reasons[0].contains("no JSON"), "{reasons:?}");
    assert!(reasons[1].contains("missing field"), "{reasons:?}");
    assert!(reasons[3].contains("-3"), "{reasons:?}");
    assert_eq!(reasons[6], "cut off");
    let text = session.text();
    assert!(
        text.contains("7 of 11 lines") && text.contains("line 11: cut off"),
        "{text}"
    );
}

#[test]
fn many_damages_are_counted_and_a_line_without_end_stays_small() {
    let mut log = text_of(&[start(None, None), open(0)]);
    log += &"x\n".repeat(100);
    log += &"y".repeat(3 << 20);
    log += "\n";
    log += &text_of(&[open(1)]);
    let session = read_texts(&[&log]).unwrap().statistics;
    assert_eq!((session.frames, session.logs[0].damaged), (2, 101));
    assert_eq!(session.logs[0].damages.len(), NAMED_DAMAGES);
    assert!(session.text().contains("and 81 more damaged lines"));
}

#[test]
fn a_log_of_the_future_and_a_file_that_is_none_are_refused() {
    let mut future = start(None, None);
    future["schema"] = 99.into();
    future["version"] = "9.9.9".into();
    let error = read_texts(&[&text_of(&[open(0), future])])
        .unwrap_err()
        .to_string();
    for word in ["line 2", "99", "9.9.9", "newer"] {
        assert!(error.contains(word), "{error}");
    }
    for (text, word) in [("", "empty"), ("a,b,c\n1,2,3\n", "line 1: no JSON")] {
        let error = read_texts(&[text]).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("0.jsonl"), "{error}");
    }
}

#[test]
fn breaks_skipped_frames_alerts_and_gaps_are_reported() {
    let mut lines = vec![start(Some(5.0), None)];
    lines.extend((0..10).map(open));
    let alert = |phase: &str, time: f64| json!({ "event": "alert", "clip": "a", "kind": "long_closure_warning", "phase": phase, "time": time, "since": 0.1, "perclos": null });
    lines.extend([
        alert("raised", 0.6),
        alert("repeated", 1.0),
        alert("lost", 1.5),
        alert("raised", 2.0),
        json!({ "event": "log_gap", "lost": 7, "from": 0.1, "to": 0.2, "reason": "unwritable" }),
        json!({ "event": "camera", "clip": "a", "time": 1.0, "kind": "lost", "reason": "unplugged" }),
        json!({ "event": "partial_blink", "clip": "a", "eye": "left", "start": 0.1, "end": 0.2, "duration": 0.1, "first_frame": 2, "last_frame": 3 }),
        json!({ "event": "blink", "clip": "a", "eye": "right", "start": 0.1, "end": 0.2, "duration": 0.1, "first_frame": 2, "last_frame": 3, "wink": true }),
    ]);
    // A break of two seconds, in which the camera numbered on.
    lines.extend((60..65).map(open));
    let session = statistics(&lines);
    assert_eq!(session.frames_skipped, 50);
    assert!(
        (session.break_s - 51.0 * FRAME).abs() < 1e-6,
        "{}",
        session.break_s
    );
    assert_eq!(session.alerts.count, 2);
    assert_eq!(
        (session.alerts.first[0].until, session.alerts.first[1].until),
        (Some(1.5), None)
    );
    assert_eq!(session.log_gaps.first[0].lost, 7);
    assert_eq!(session.notices.first[0].text, "kind lost, reason unplugged");
    assert_eq!(session.events["camera"], 1);
    assert_eq!(
        (session.partial_blinks.left, session.partial_blinks.both),
        (1, 0)
    );
    assert_eq!((session.winks, session.notices.count), (1, 1));
    let text = session.text();
    for words in [
        "out of sight",
        "its end is not in the log",
        "unplugged",
        "7 lines",
        "breaks between frames: 2.04 s",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[cfg(feature = "plots")]
#[test]
fn sources_follow_one_another_and_the_session_can_be_drawn() {
    let mut lines = vec![start(None, None)];
    lines.extend((0..50).map(open));
    lines.push(end("complete"));
    for frame in 0..50 {
        let mut line = eyes(frame, eye(0.7), unmeasured("no_face"));
        line["clip"] = "b".into();
        lines.push(line);
        if frame == 10 {
            lines.push(
                json!({ "event": "check", "clip": "b", "time": 0.4, "frame": 10, "left": { "camera_snr_db": 31.5 }, "right": {} }),
            );
        }
    }
    let session = read_texts(&[&text_of(&lines)]).unwrap();
    let sources = &session.statistics.runs.first[0].sources;
    assert_eq!((sources[0].begins_s, sources[1].begins_s), (0.0, 2.0));
    assert_eq!(session.timeline.boundaries(), [2.0]);
    let draw = |session: &Session| session.plot(&TemporalSettings::default()).unwrap();
    let svg = draw(&session);
    for words in [
        "left eye",
        "PERCLOS",
        "camera SNR",
        "dB",
        "time (s)",
        "another source",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    // No number in the plot is none.
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let nothing = read_texts(&[&text_of(&[start(None, None)])]).unwrap();
    assert!(!draw(&nothing).contains("camera SNR"));
}

#[test]
fn a_log_of_ever_new_names_stays_small() {
    let mut lines = vec![start(None, None)];
    lines.extend((0..2000).map(|i| json!({ "event": format!("e{i}"), "time": 0.0 })));
    // Each frame is of another source.
    for index in 0..21_000 {
        let mut line = open(0);
        line["clip"] = format!("c{index}").into();
        lines.push(line);
    }
    let long = "x".repeat(line::LONGEST_EVENT);
    lines.push(json!({ "event": "noise", "text": long }));
    lines.push(json!({ "event": long, "time": 0.0 }));
    let session = read_texts(&[&text_of(&lines)]).unwrap();
    let statistics = &session.statistics;
    assert_eq!(statistics.events["eyes"], 21_000);
    assert_eq!(statistics.events.len(), 102);
    assert_eq!(statistics.events.values().sum::<u64>(), 23_001);
    assert_eq!(statistics.runs.first[0].sources.len(), 20_000);
    assert_eq!(statistics.frames, 21_000);
    let damages = &statistics.logs[0].damages;
    assert!(
        damages
            .iter()
            .all(|damage| damage.reason == LineDefect::TooLong(8192))
    );
    assert_eq!(damages.len(), 2);
    // The list of a replay's sources may be long.
    let mut many = start(None, None);
    many["clips"] = vec!["a clip of some name"; 1000].into();
    assert_eq!(damaged_lines(&[many]), 0);
}

fn damaged_lines(lines: &[Value]) -> u64 {
    read_texts(&[&text_of(lines)]).unwrap().statistics.logs[0].damaged
}

#[test]
fn a_log_named_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, text_of(&[start(None, None)])).unwrap();
    let again = folder.path().join(".").join("a.jsonl");
    let error = read(&[path, again], &TemporalSettings::default()).unwrap_err();
    assert!(error.to_string().contains("twice"));
}

#[test]
fn a_log_of_schema_1_is_read_as_the_same_session() {
    let read = |log: &str| {
        let path = Path::new("log.jsonl");
        read_open(log.as_bytes(), path, &TemporalSettings::default()).unwrap()
    };
    let (old, new) = (
        include_str!("tests/schema-1.jsonl"),
        include_str!("tests/schema-2.jsonl"),
    );
    let renamed = ["thin", "none", "words", "natural_agreement", "hand_over"];
    assert!(renamed.iter().all(|name| old.contains(name)));
    assert!(!renamed.iter().any(|name| new.contains(name)));
    let (old, new) = (read(old), read(new));
    assert_eq!(old.statistics.logs[0].damaged, 0);
    let json = |session: &Session| serde_json::to_value(&session.statistics).unwrap();
    assert_eq!(json(&old), json(&new));
    let lost = new.statistics.runs.first[0].sources[0].lost.unwrap();
    assert_eq!(lost.dropped, 14);
    assert_eq!(
        new.statistics.notices.first[2].text,
        "kind lost, reason unplugged, message it was unplugged; plug it in again"
    );
    assert!(
        new.timeline
            .columns()
            .iter()
            .any(|column| column.camera_snr.left.values().is_some())
    );
}

#[test]
fn events_of_a_later_program_are_notices_and_damaged_ones_are_named() {
    let session = statistics(&[
        start(None, None),
        open(0),
        json!({ "event": "weather", "clip": "a", "time": 0.5, "sky": "clear", "wind": [1, 2] }),
        json!({ "event": "camera", "clip": "a", "time": 0.6, "kind": "melted" }),
        json!({ "event": "drift", "clip": "a", "time": 0.6 }),
    ]);
    assert_eq!(session.notices.count, 1);
    assert_eq!(session.notices.first[0].text, "sky clear");
    let damages = &session.logs[0].damages;
    assert_eq!([damages[0].line, damages[1].line], [4, 5]);
    assert!(damages[0].reason.to_string().contains("melted"));
}

#[test]
fn the_text_is_what_people_read() {
    let mut lines = vec![start(Some(5.0), None)];
    lines.extend((0..300).map(|frame| {
        let p = if frame % 50 < 3 { 0.9 } else { 0.05 };
        eyes(frame, eye(p), eye(p))
    }));
    lines.extend((0..6).map(|n| blink("both", f64::from(n) * 2.0, 0.12)));
    lines.extend([
        json!({ "event": "long_closure", "clip": "a", "eye": "both", "start": 3.0, "end": 5.1, "duration": 2.1, "first_frame": 75, "last_frame": 127 }),
        json!({ "event": "alert", "clip": "a", "kind": "long_closure_alarm", "phase": "raised", "time": 4.5, "since": 3.0, "perclos": 0.1 }),
        json!({ "event": "alert", "clip": "a", "kind": "long_closure_alarm", "phase": "cleared", "time": 5.1, "since": 3.0, "perclos": 0.1 }),
        json!({ "event": "camera", "clip": "a", "time": 9.0, "kind": "damaged", "reason": "corrupt", "message": "check the cable", "frames": 3 }),
        json!({ "event": "log_gap", "lost": 7, "from": 0.1, "to": 0.2, "reason": "slow" }),
        json!({ "event": "end", "clip": "a", "frames": 300, "outcome": "interrupted", "lost": { "driver": 1, "dropped": 14, "decode": 0, "corrupt": 3 }, "frame_age_ms": { "p50": 17.2, "p95": 24.8, "p99": 31.5 } }),
    ]);
    let log = text_of(&lines) + "{\"event\":\"ey";
    let path = Path::new("log.jsonl");
    let session = read_open(log.as_bytes(), path, &TemporalSettings::default()).unwrap();
    insta::assert_snapshot!(session.statistics.text());
}

/// Ten minutes of a monitor: blinks, a nap, a face that goes, a pause, frames that were skipped.
fn ten_minutes() -> Vec<Value> {
    let mut lines = vec![start(Some(1000.0), None)];
    let mut frame = 0_u64;
    let mut time = 0.0;
    while time < 600.0 {
        let second = time as u64;
        let closed = (100..112).contains(&second) || frame % 97 < 4;
        let mut line = match second {
            300..=320 => eyes(frame, unmeasured("no_face"), unmeasured("no_face")),
            400..=405 => eyes(frame, unmeasured("profile"), eye(0.1)),
            _ if closed => eyes(frame, eye(0.95), eye(0.9)),
            _ => open(frame),
        };
        line["time"] = time.into();
        line["unix_time"] = (1000.0 + time).into();
        lines.push(line);
        if frame % 97 == 5 && frame > 97 {
            lines.push(blink("both", time - 4.0 * FRAME, 3.0 * FRAME));
        }
        // Frames that newer ones replaced, and a machine that slept.
        frame += if frame % 50 == 0 { 3 } else { 1 };
        time += if frame % 5000 == 0 { 30.0 } else { FRAME };
    }
    lines.push(end("interrupted"));
    lines
}

/// The log of these lines with this detail.
fn detailed(lines: &[Value], detail: LogDetail) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let log = EventLog::open(&path, Existing::Replace).unwrap();
    let mut log = log.detailed(detail);
    for line in lines {
        log.write(&serde_json::from_value(line.clone()).unwrap())
            .unwrap();
    }
    log.finish().unwrap();
    fs::read_to_string(path).unwrap()
}

/// Asserts that two values of JSON are the same, numbers to a millionth of them or of a minute's rounding.
fn assert_near(place: &str, one: &Value, other: &Value) {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{place}: {a} {b}");
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{place}");
            for (key, value) in a {
                assert_near(&format!("{place}.{key}"), value, &b[key]);
            }
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}

#[test]
fn a_log_without_lines_of_frames_says_the_same_as_one_with_all() {
    let lines = ten_minutes();
    let temporal = TemporalSettings::default();
    let whole = detailed(&lines, LogDetail::all());
    let of = |text: &str| serde_json::to_value(read_texts(&[text]).unwrap().statistics).unwrap();
    let all = of(&whole);
    assert!(all["perclos"].as_f64().unwrap() > 0.01 && all["frames_skipped"] != 0);
    assert!(all["break_s"].as_f64().unwrap() > 29.0);
    for (detail, every) in [
        (LogDetail::events(&temporal), 0),
        (LogDetail::one_in(30, &temporal), 30),
    ] {
        let reduced = detailed(&lines, detail);
        assert!(reduced.len() * 5 < whole.len(), "{}", reduced.len());
        let same = of(&reduced);
        for key in [
            "frames",
            "frames_with_face",
            "frames_skipped",
            "duration_s",
            "known_s",
            "break_s",
            "states",
            "blinks",
            "perclos",
            "perclos_highest",
            "alerts",
        ] {
            assert_near(key, &all[key], &same[key]);
        }
        let run = &same["runs"]["first"][0];
        assert_eq!(run["log_every"], every);
        assert_near(
            "sources",
            &all["runs"]["first"][0]["sources"][0],
            &run["sources"][0],
        );
        let has_lines = same["events"].get("eyes").is_some();
        assert_eq!(has_lines, every > 0);
        assert_eq!(same["confidence"]["left"].is_null(), every == 0);
    }
}

#[test]
fn a_short_log_that_is_cut_off_misses_a_minute_of_frames_at_most() {
    let lines = ten_minutes();
    let reduced = detailed(&lines, LogDetail::events(&TemporalSettings::default()));
    let first = reduced.split_inclusive('\n').take(60);
    let statistics = read_texts(&[&first.collect::<String>()])
        .unwrap()
        .statistics;
    let last_blink = 60.0;
    assert!(
        statistics.duration_s > last_blink,
        "{}",
        statistics.duration_s
    );
    assert_eq!(statistics.runs.first[0].sources[0].outcome, None);
}

#[test]
fn the_timeline_of_a_short_log_has_all_of_its_time() {
    let lines = ten_minutes();
    let settings = TemporalSettings::default();
    let session = |detail| read_texts(&[&detailed(&lines, detail)]).unwrap();
    let all = session(LogDetail::all()).timeline;
    let reduced = session(LogDetail::events(&settings)).timeline;
    assert!((all.length() - reduced.length()).abs() < 1e-3);
    let seconds = |timeline: &Timeline| -> f64 {
        let columns = timeline.columns().iter();
        columns
            .map(|column| column.seconds.left.iter().sum::<f64>())
            .sum()
    };
    assert!((seconds(&all) - seconds(&reduced)).abs() < 1e-2);
}

#[test]
fn compressed_logs_are_read_and_one_that_is_cut_off_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&ten_minutes());
    let plain = folder.path().join("log.jsonl");
    fs::write(&plain, &text).unwrap();
    let gzip = folder.path().join("log.jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    fs::write(&gzip, &bytes).unwrap();
    let settings = TemporalSettings::default();
    let of = |path: &PathBuf| {
        read(std::slice::from_ref(path), &settings)
            .unwrap()
            .statistics
    };
    assert_eq!(of(&gzip).frames, of(&plain).frames);
    fs::write(&gzip, &bytes[..bytes.len() / 2]).unwrap();
    let part = of(&gzip);
    assert!(part.frames > 1000 && part.frames < of(&plain).frames);
    assert_eq!(part.logs[0].damaged, 1);
}
