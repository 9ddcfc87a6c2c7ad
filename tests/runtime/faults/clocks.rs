//! A recorder's clock that was set while it recorded. What clocks do to readings is tested beside
//! `temporal`; a camera's times come from the monotonic clock, which nobody can set.

use super::{
    folder,
    support::{
        events, of_kind, parseye, succeeds,
        synthetic_face::{Blink, RATE, write_clip},
    },
};
use parseye_test_needs::needs;
use serde_json::Value;
use std::{fs, path::Path, process::Command};

const FRAMES: usize = 150;

/// Where the clock is set, within the second of these closures.
const SET_AT: usize = 76;

const CLOSURES: [Blink; 3] = [
    Blink {
        first: 40,
        last: 44,
    },
    Blink {
        first: 72,
        last: 80,
    },
    Blink {
        first: 110,
        last: 114,
    },
];

/// When the recording begins by its own clock, in seconds: late enough to be set back by an hour.
const BEGIN: usize = 7200;

/// Writes a Matroska file that is stamped by a clock which is set by so many seconds in its middle.
fn write_recording(path: &Path, set_by: i64) {
    let drawn = path.with_extension("drawn.mkv");
    write_clip(&drawn, FRAMES, &CLOSURES);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&drawn)
        // Each picture stands for itself, and clusters are short.
        .args(["-c:v", "mjpeg", "-q:v", "2", "-cluster_time_limit", "30"])
        .args(["-write_crc32", "0"])
        .args(["-output_ts_offset", &BEGIN.to_string()])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
    let mut bytes = fs::read(path).unwrap();
    let border = 1000 * (BEGIN as i64) + (1000 * SET_AT / RATE) as i64;
    let mut set = 0;
    for place in cluster_times(&bytes) {
        let stamp = &mut bytes[place];
        let time = stamp
            .iter()
            .fold(0, |time, byte| time << 8 | i64::from(*byte));
        if time >= border {
            let digits = (time + 1000 * set_by).to_be_bytes();
            let kept = digits.len() - stamp.len();
            stamp.copy_from_slice(&digits[kept..]);
            set += 1;
        }
    }
    assert!(set > 1, "the file has no clusters to set");
    fs::write(path, bytes).unwrap();
}

/// Where the times of a Matroska file's clusters stand, in milliseconds: elements `1F 43 B6 75`, of
/// which the first part is the time, `E7`.
fn cluster_times(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
    const TIME: u8 = 0xE7;
    let begins = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, id)| *id == CLUSTER);
    begins
        .map(|(begin, _)| {
            let length = begin + 4;
            // The first bit that is set tells how many bytes a length takes.
            let time = length + 1 + bytes[length].leading_zeros() as usize;
            assert_eq!(bytes[time], TIME);
            let digits = usize::from(bytes[time + 1] & 0x7F);
            time + 2..time + 2 + digits
        })
        .collect()
}

fn replayed(folder: &Path, set_by: i64) -> Vec<Value> {
    write_recording(&folder.join("set.mkv"), set_by);
    succeeds(parseye(folder).args(["replay", "set.mkv", "--log", "log.jsonl"]));
    let events = events(&folder.join("log.jsonl"));
    assert_eq!(of_kind(&events, "eyes").len(), FRAMES);
    for kind in ["long_closure", "alert"] {
        assert_eq!(of_kind(&events, kind), Vec::<&Value>::new());
    }
    events
}

/// Seconds between frames, with the number of the later one.
fn steps(events: &[Value]) -> Vec<(usize, f64)> {
    let eyes = of_kind(events, "eyes");
    let time = |event: &Value| event["time"].as_f64().unwrap();
    let pairs = eyes.windows(2).enumerate();
    pairs
        .map(|(before, pair)| (before + 1, time(pair[1]) - time(pair[0])))
        .collect()
}

/// First and last closed frame of both eyes' blinks.
fn blinks(events: &[Value]) -> Vec<(u64, u64)> {
    let blinks = of_kind(events, "blink").into_iter();
    blinks
        .filter(|blink| blink["eye"] == "both")
        .map(|blink| {
            let frames = |key: &str| blink[key].as_u64().unwrap();
            let (first, last) = (frames("first_frame"), frames("last_frame"));
            let seconds = (last - first + 1) as f64 / RATE as f64;
            let duration = blink["duration"].as_f64().unwrap();
            assert!((duration - seconds).abs() < 0.01, "{blink}");
            (first, last)
        })
        .collect()
}

#[needs(face_detector)]
#[test]
fn a_clock_set_back_leaves_time_going_on_and_blinks_their_length() {
    let folder = folder();
    let events = replayed(folder.path(), -3600);
    for (frame, step) in steps(&events) {
        assert!(
            (step - 1.0 / RATE as f64).abs() < 0.01,
            "{step} s before frame {frame}"
        );
    }
    assert_eq!(blinks(&events).len(), CLOSURES.len());
}

#[needs(face_detector)]
#[test]
fn a_clock_set_ahead_is_a_pause_of_which_nothing_is_known() {
    let folder = folder();
    let events = replayed(folder.path(), 3600);
    let leaps = steps(&events).into_iter().filter(|(_, step)| *step > 0.1);
    let leaps: Vec<_> = leaps.collect();
    assert_eq!(leaps.len(), 1, "{leaps:?}");
    assert!((leaps[0].1 - 3600.0).abs() < 0.1);
    // The closure during which it happened is broken off.
    let blinks = blinks(&events);
    let spans = |frame: u64| move |(first, last): &(u64, u64)| *first <= frame && frame <= *last;
    assert_eq!(blinks.len(), 2, "{blinks:?}");
    assert!(!blinks.iter().any(spans(SET_AT as u64)));
}
