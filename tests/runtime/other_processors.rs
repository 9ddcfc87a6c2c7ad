//! What a program for another processor sees: the same as the one built here, but for rounding.
//!
//! `PROGRAM_UNDER_TEST` names that program with the words that start it (`make test-arm64`); without it
//! there is nothing to compare.

use crate::support::{
    built_here, events, of_kind, other_program, parseye, succeeds,
    synthetic_face::{Blink, write_clip},
};
use serde_json::Value;

/// How far apart figures may be in the first frame.
///
/// Each processor has matrix products of its own in tract, which sum in another order and round
/// otherwise: probabilities, scores and positions (in pixels) differ in their last digits.
const ROUNDING: f64 = 0.01;

/// How far apart an eye's centres may be later, in distances between the eyes.
///
/// Where a face was seen decides which pixels are read for the next look, so that rounding grows to a
/// jitter: an Arm processor beside an x86 one differs by 0.05 at most on a drawn face and by 0.04 on a
/// recorded one (0.01 in the middle), with the same answers. An eye's crop is 0.85 wide.
const JITTER: f64 = 0.1;

/// Confidence of an answer that another processor must share.
const SURE: f64 = 0.7;

#[test]
#[ignore = "needs PROGRAM_UNDER_TEST (make test-arm64)"]
fn a_clip_is_seen_by_another_processor_as_by_this_one() {
    assert!(
        other_program().is_some(),
        "PROGRAM_UNDER_TEST names no program to compare with"
    );
    let folder = tempfile::tempdir().expect("a folder for the test");
    let clip = folder.path().join("drawn.mp4");
    let blink = |first, last| Blink { first, last };
    write_clip(&clip, 60, &[blink(12, 15), blink(35, 35), blink(45, 50)]);
    let replay = ["replay", "drawn.mp4", "--log"];
    succeeds(built_here(folder.path()).args(replay).arg("here.jsonl"));
    succeeds(parseye(folder.path()).args(replay).arg("there.jsonl"));
    let here = events(&folder.path().join("here.jsonl"));
    let there = events(&folder.path().join("there.jsonl"));

    blinks_agree(&of_kind(&here, "blink"), &of_kind(&there, "blink"));
    let frames = (of_kind(&here, "eyes"), of_kind(&there, "eyes"));
    let first = difference("first frame", frames.0[0], frames.1[0]);
    assert_eq!(frames.0.len(), frames.1.len(), "not as many frames");
    for (here, there) in frames.0.iter().zip(&frames.1) {
        states_agree(here, there);
    }
    let apart = frames.0.iter().zip(&frames.1);
    let apart = apart.map(|(here, there)| eyes_apart(here, there));
    let apart = apart.fold(0.0, f64::max);
    println!("apart by {first:.1e} in the first frame, by {apart:.4} eye distances at most");
    assert!(
        first < ROUNDING,
        "the first frame's figures differ by {first}"
    );
    assert!(apart < JITTER, "eyes are {apart} eye distances apart");
}

/// The same blinks of the same eyes. Lids that are half shut lie on the border, so that a blink may begin
/// or end a frame beside.
fn blinks_agree(here: &[&Value], there: &[&Value]) {
    let eyes = |blinks: &[&Value]| {
        let eyes = blinks.iter().map(|blink| blink["eye"].clone());
        eyes.collect::<Vec<_>>()
    };
    assert!(!here.is_empty(), "no blink to compare");
    assert_eq!(eyes(here), eyes(there), "not the same blinks");
    for (here, there) in here.iter().zip(there) {
        for end in ["first_frame", "last_frame"] {
            let frames = [here, there].map(|blink| blink[end].as_u64().expect("a frame"));
            assert!(frames[0].abs_diff(frames[1]) <= 1, "{here} and {there}");
        }
    }
}

/// The same answers, but for those that both are unsure of.
fn states_agree(here: &Value, there: &Value) {
    for eye in ["left", "right"] {
        let (here, there) = (&here[eye], &there[eye]);
        let sure =
            [here, there].map(|eye| eye["confidence"].as_f64().expect("a confidence") > SURE);
        assert!(
            here["state"] == there["state"] || sure == [false, false],
            "{here} and {there}"
        );
    }
}

/// How far apart two frames have an eye's centre, in distances between the eyes.
fn eyes_apart(here: &Value, there: &Value) -> f64 {
    let centre = |frame: &Value, eye: &str| {
        [0, 1].map(|axis| frame["face"]["eyes"][eye][axis].as_f64().expect("a centre"))
    };
    let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let apart = ["left", "right"].map(|eye| distance(centre(here, eye), centre(there, eye)));
    apart[0].max(apart[1]) / distance(centre(here, "left"), centre(here, "right"))
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
