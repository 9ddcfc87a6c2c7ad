//! Logs without a line for each frame, and compressed ones: they say what whole ones do.

use super::*;
use crate::jsonl::{EventLog, Existing, LogDetail};

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
        frame += if frame.is_multiple_of(50) { 3 } else { 1 };
        time += if frame.is_multiple_of(5000) {
            30.0
        } else {
            FRAME
        };
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
