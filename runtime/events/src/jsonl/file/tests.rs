//! Files that are torn, rotated, and devices without space.

use super::*;
use crate::{
    event::{Mode, ModelName},
    jsonl::rotation::old_parts,
};
use proptest::prelude::*;

const DAY: Duration = Duration::from_secs(86_400);

fn start() -> StartEvent {
    StartEvent {
        schema: crate::event::SCHEMA,
        version: "0".into(),
        mode: Mode::Monitor,
        model: ModelName {
            name: "m".into(),
            sha256: "0".into(),
        },
        watch: None,
        clips: vec!["cam".into()],
        part: None,
        log_every: 1,
        unix_time: None,
    }
}

fn line(number: u64) -> Vec<u8> {
    format!("{{\"event\":\"x\",\"n\":{number}}}\n").into_bytes()
}

/// All lines of all parts in order, with each part's number from its first line.
fn read_all(log: &Path) -> (Vec<Option<u64>>, Vec<u64>) {
    let old = old_parts(log).unwrap().into_iter().map(|part| part.path);
    let (mut parts, mut numbers) = (Vec::new(), Vec::new());
    for path in old.chain([log.to_path_buf()]) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        for (index, line) in text.lines().enumerate() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            if value["event"] == "start" {
                assert_eq!(index, 0);
                parts.push(value["part"].as_u64());
            } else {
                numbers.push(value["n"].as_u64().unwrap());
            }
        }
    }
    (parts, numbers)
}

#[test]
fn every_part_begins_with_the_run_s_first_line_and_no_line_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path, Existing::Continue).unwrap();
    log.set_rotation(Rotation {
        bytes: Some(400),
        daily: true,
        keep: None,
        total: None,
    });
    log.begin(&start());
    let mut first = serde_json::to_vec(&Event::Start(start())).unwrap();
    first.push(b'\n');
    let now = SystemTime::now();
    log.append_at(&first, now).unwrap();
    (0..40).for_each(|n| log.append_at(&line(n), now).unwrap());
    // A new day begins a new part whatever its length.
    log.append_at(&line(40), now + DAY).unwrap();
    let (parts, numbers) = read_all(&path);
    assert_eq!(numbers, (0..=40).collect::<Vec<_>>());
    assert!(parts.len() > 3, "{parts:?}");
    let expected = std::iter::once(None).chain((1..).map(Some));
    assert!(parts.iter().copied().eq(expected.take(parts.len())));
    let old = old_parts(&path).unwrap();
    for part in &old {
        assert!(fs::metadata(&part.path).unwrap().len() <= 400);
    }
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(old[0].day, Day::of(now));
}

#[test]
fn a_log_of_yesterday_is_put_aside_and_only_so_many_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let now = SystemTime::now();
    for day in 0..5_u32 {
        let mut log = LogFile::open(&path, Existing::Continue).unwrap();
        log.set_rotation(Rotation {
            bytes: None,
            daily: true,
            keep: Some(2),
            total: None,
        });
        // The file's own time says of which day it is.
        log.append_at(&line(day.into()), now + (day + 1) * DAY)
            .unwrap();
        let then = now + (day + 1) * DAY;
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
    assert_eq!(read_all(&path).1, [2, 3, 4]);
}

#[test]
fn a_clock_that_is_set_loses_no_line_and_removes_no_newer_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path, Existing::Continue).unwrap();
    log.set_rotation(Rotation {
        bytes: None,
        daily: true,
        keep: Some(4),
        total: None,
    });
    let now = SystemTime::now();
    // Before 1970 and its first day, as after a start without a clock; then what is right, and too late.
    let clocks = [
        now,
        SystemTime::UNIX_EPOCH - DAY,
        SystemTime::UNIX_EPOCH + DAY,
        now,
        now + 400 * DAY,
        now,
    ];
    for (number, clock) in (0..).zip(clocks) {
        log.append_at(&line(number), clock).unwrap();
    }
    assert_eq!(read_all(&path).1, [1, 2, 3, 4, 5]);
}

#[test]
fn a_log_that_cannot_be_rotated_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path, Existing::Continue).unwrap();
    log.set_rotation(Rotation {
        bytes: Some(10),
        daily: false,
        keep: None,
        total: None,
    });
    log.no_rotation_before = Some(Instant::now() + ROTATE_AGAIN_AFTER);
    (0..3).for_each(|n| log.append(&line(n)).unwrap());
    assert_eq!(read_all(&path).1, [0, 1, 2]);
}

#[test]
fn a_torn_line_of_ours_is_removed_and_a_stranger_s_text_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    for (before, after) in [
        ("a\n{\"event\":\"eyes\",\"cl", "a\n"),
        ("{\"event\":\"eyes\",\"cl", ""),
        // Torn within what all lines begin with.
        ("a\n{\"eve", "a\n"),
        ("{", ""),
        ("a\n{\"events", "a\n{\"events\n"),
        ("{\"event\":\"x\"}", "{\"event\":\"x\"}\n"),
        ("a\nmy notes", "a\nmy notes\n"),
        ("", ""),
        ("a\n", "a\n"),
    ] {
        fs::write(&path, before).unwrap();
        let mut log = LogFile::open(&path, Existing::Continue).unwrap();
        log.append(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{after}next\n"));
    }
}

#[test]
fn a_log_that_is_emptied_while_it_is_written_begins_anew_without_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    for existing in [Existing::Replace, Existing::Continue] {
        let mut log = LogFile::open(&path, existing).unwrap();
        log.append(b"a long line\n").unwrap();
        File::create(&path).unwrap();
        log.append(b"next\n").unwrap();
        log.append(b"last\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next\nlast\n");
    }
}

#[test]
fn what_is_written_after_a_torn_line_was_taken_back_stands_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    for existing in [Existing::Replace, Existing::Continue] {
        let mut log = LogFile::open(&path, existing).unwrap();
        let file = log.file.as_mut().unwrap();
        file.write_all(b"whole\ntorn").unwrap();
        take_back(file, 4).unwrap();
        file.write_all(b"next\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("whole\nnext\n"), "{text:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_space_says_so_and_takes_nothing() {
    let full = Path::new("/dev/full");
    let mut log = LogFile::open(full, Existing::Continue).unwrap();
    let unwritten = log.append(b"a\nb\n").unwrap_err();
    assert_eq!(unwritten.written, 0);
    assert_eq!(unwritten.reason.kind(), io::ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn only_whole_lines_are_kept(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'x')], 0..40)) {
        let kept = whole_lines(&bytes);
        prop_assert!(kept == 0 || bytes[kept - 1] == b'\n');
        prop_assert!(!bytes[kept..].contains(&b'\n'));
    }
}
