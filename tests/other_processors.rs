//! What a program for another processor sees: the same as the one built here, but for rounding.
//!
//! `PARSEYE_PROGRAM` names that program with the words that start it (`make test-arm64`); without it
//! there is nothing to compare, and the test is skipped.

// Clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{
    built_here, events, has_locator, of_kind, other_program, parseye, succeeds,
    synthetic_face::{Blink, write_clip},
};

/// How far apart two figures of an answer may be.
///
/// Each processor has matrix products of its own in tract, which sum in another order and round
/// otherwise: probabilities, scores and positions differ in their last digits.
const ROUNDING: f64 = 1e-3;

#[test]
fn a_clip_is_seen_by_another_processor_as_by_this_one() {
    if other_program().is_none() {
        eprintln!("skipped: PARSEYE_PROGRAM names no program to compare with");
        return;
    }
    if !has_locator() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let clip = folder.path().join("drawn.mp4");
    let blink = |first, last| Blink { first, last };
    write_clip(&clip, 60, &[blink(12, 15), blink(35, 35), blink(45, 50)]);
    let replay = ["replay", "drawn.mp4", "--log"];
    succeeds(built_here(folder.path()).args(replay).arg("here.jsonl"));
    succeeds(parseye(folder.path()).args(replay).arg("there.jsonl"));
    let here = events(&folder.path().join("here.jsonl"));
    let there = events(&folder.path().join("there.jsonl"));

    assert!(!of_kind(&here, "blink").is_empty(), "no blink to compare");
    assert_eq!(here.len(), there.len(), "not as many events");
    let mut largest = 0.0;
    for (number, (here, there)) in here.iter().zip(&there).enumerate() {
        let place = format!("line {}", number + 1);
        largest = f64::max(largest, difference(&place, here, there));
    }
    println!("the largest difference is {largest:.1e}");
    assert!(largest < ROUNDING, "figures differ by {largest}");
}

/// The largest difference between the fractions in two values, which must be the same otherwise.
fn difference(place: &str, here: &Value, there: &Value) -> f64 {
    match (here, there) {
        (Value::Object(a), Value::Object(b)) => {
            let names =
                |value: &serde_json::Map<String, Value>| value.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(a), names(b), "{place}");
            let inner = |(name, a)| difference(&format!("{place}, {name}"), a, &b[name]);
            a.iter().map(inner).fold(0.0, f64::max)
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            let pairs = a.iter().zip(b);
            let inner = |(a, b)| difference(place, a, b);
            pairs.map(inner).fold(0.0, f64::max)
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            (a.as_f64().unwrap() - b.as_f64().unwrap()).abs()
        }
        _ => {
            assert_eq!(here, there, "{place}");
            0.0
        }
    }
}
