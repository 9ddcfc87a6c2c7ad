//! The metrics, read back by a strict parser of the text format 0.0.4 that is written here anew, so that
//! the encoder does not check itself.

use super::*;
use parseye_testkit::script;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The content of an exposition: samples by name and labels, types by family.
#[derive(Debug, Default)]
struct Parsed {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

/// Parses, and checks what `promtool check metrics` checks: each family has its help and type
/// before its samples and is in one piece, no duplicate sample, names and labels of the allowed
/// characters, counters and nothing else end in `_total`, histograms are cumulative and whole.
fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    assert!(text.ends_with('\n'), "the last line is incomplete");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            family = name.into();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, family, "a type away from its help");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            parsed.types.insert(name.into(), kind.into());
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').expect("a closing brace")),
                None => (series, ""),
            };
            let plain = |word: &str| {
                word.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_')
            };
            assert!(plain(name), "{name}");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (key, value) = label.split_once('=').expect("a label's value");
                assert!(plain(key), "{label}");
                let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                assert!(inner.is_some_and(|v| !v.contains('"')), "{label}");
            }
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix) == Some(&family));
            let kind = parsed.types.get(&family).expect("a type before the sample");
            assert!(
                if kind == "histogram" {
                    of_histogram
                } else {
                    name == family
                },
                "{line} is among {family}"
            );
            let value: f64 = value.parse().expect("a number");
            assert!(
                parsed.samples.insert(series.into(), value).is_none(),
                "{line} twice"
            );
        }
    }
    for (name, _) in parsed.types.iter().filter(|(_, kind)| *kind == "histogram") {
        let buckets: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}_bucket")))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
            .collect();
        assert!(buckets.is_sorted(), "{name}: {buckets:?}");
        let all = parsed.samples[&format!("{name}_bucket{{le=\"+Inf\"}}")];
        assert_eq!(all, parsed.samples[&format!("{name}_count")], "{name}");
    }
    parsed
}

#[test]
fn every_value_of_the_status_has_its_metric() {
    let ages = FrameAges::default();
    for ms in [4, 20, 20, 60, 9000] {
        ages.observe(Duration::from_millis(ms));
    }
    let text = metrics(Some(&script::alarmed()), &ages, true).unwrap();
    let parsed = parse(&text);
    for (series, value) in [
        ("parseye_frames_total", 22_580.0),
        ("parseye_frames_lost_total{cause=\"driver\"}", 3.0),
        ("parseye_frames_lost_total{cause=\"dropped\"}", 17.0),
        ("parseye_frames_lost_total{cause=\"decode\"}", 0.0),
        ("parseye_frames_lost_total{cause=\"corrupt\"}", 1.0),
        ("parseye_blinks_total{eye=\"both\"}", 188.0),
        ("parseye_long_closures_total{eye=\"both\"}", 2.0),
        ("parseye_partial_blinks_total{eye=\"left\"}", 0.0),
        ("parseye_winks_total{eye=\"left\"}", 4.0),
        ("parseye_faces_lost_total", 6.0),
        ("parseye_gaps_total", 1.0),
        ("parseye_alerts_total{kind=\"long_closure_alarm\"}", 2.0),
        ("parseye_alerts_total{kind=\"face_lost_asleep\"}", 0.0),
        ("parseye_perclos_ratio", 0.043),
        ("parseye_face_visible", 1.0),
        ("parseye_source_delivering", 1.0),
        (
            "parseye_eye_probability{eye=\"left\",state=\"closed\"}",
            0.96,
        ),
        (
            "parseye_eye_probability{eye=\"right\",state=\"closed\"}",
            0.88,
        ),
        ("parseye_alert_active{kind=\"long_closure_alarm\"}", 1.0),
        ("parseye_alert_active{kind=\"drowsiness\"}", 0.0),
        ("parseye_model_info{name=\"wrn-16-1\"}", 1.0),
        ("parseye_frame_age_seconds_count", 5.0),
        ("parseye_frame_age_seconds_bucket{le=\"0.025\"}", 3.0),
    ] {
        assert_eq!(parsed.samples.get(series), Some(&value), "{series}\n{text}");
    }
    assert!((parsed.samples["parseye_frame_age_seconds_sum"] - 9.104).abs() < 1e-9);
    let build = format!(
        "parseye_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(parsed.samples.get(&build), Some(&1.0));
}

#[test]
fn what_is_not_known_has_no_sample() {
    let ages = FrameAges::default();
    let parsed = parse(&metrics(None, &ages, false).unwrap());
    assert_eq!(parsed.samples["parseye_source_delivering"], 0.0);
    assert!(!parsed.samples.contains_key("parseye_frames_total"));
    let mut status = script::status();
    (status.left, status.perclos) = (None, None);
    let parsed = parse(&metrics(Some(&status), &ages, true).unwrap());
    assert!(!parsed.samples.contains_key("parseye_perclos_ratio"));
    let left = |series: &String| series.contains("eye_probability{eye=\"left\"");
    assert!(!parsed.samples.keys().any(left));
}
