//! What a monitor's log does when it cannot be written.

use super::*;
use crate::{
    event::{EyeRecord, EyesEvent, Mode, ModelName, StartEvent},
    fanout::Fanout,
    jsonl::{Existing, Rotation},
    test_events::end,
};
use parseye_vision::eye_state::EyeState;
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

fn eyes(frame: u64) -> Event {
    let eye = EyeRecord {
        state: EyeState::NotVisible,
        probabilities: None,
        confidence: None,
        square: None,
        trust: None,
        lids: None,
        reason: None,
    };
    Event::Eyes(EyesEvent {
        clip: "cam".into(),
        time: frame as f64,
        frame,
        face: None,
        left: eye.clone(),
        right: eye,
        uncertain: false,
        age_ms: None,
        unix_time: None,
    })
}

fn start() -> Event {
    Event::Start(StartEvent {
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
        unix_time: Some(1.0),
    })
}

fn parsed(bytes: &[u8]) -> Vec<Event> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A disk with space for so many bytes.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

impl Disk {
    fn with_space(bytes: usize) -> Self {
        let disk = Self::default();
        disk.free(bytes);
        disk
    }

    fn free(&self, bytes: usize) {
        self.0.lock().unwrap().1 += bytes;
    }

    fn events(&self) -> Vec<Event> {
        parsed(&self.0.lock().unwrap().0)
    }
}

impl LineOutput for Disk {
    fn name(&self) -> String {
        "disk".into()
    }

    fn begin(&mut self, _: &StartEvent) {}

    fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let (written, space) = &mut *self.0.lock().unwrap();
        let fits = lines.len().min(*space);
        let whole = lines[..fits]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |last| last + 1);
        written.extend_from_slice(&lines[..whole]);
        *space -= whole;
        if whole < lines.len() {
            let reason = io::ErrorKind::StorageFull.into();
            return Err(Unwritten {
                written: whole,
                reason,
            });
        }
        Ok(())
    }
}

type Messages = Arc<Mutex<Vec<String>>>;

fn log_on(disk: &Disk, memory: usize) -> (LiveLog<Disk, impl FnMut(&str)>, Messages) {
    let messages = Messages::default();
    let mine = Arc::clone(&messages);
    let report = move |line: &str| mine.lock().unwrap().push(line.to_owned());
    (LiveLog::new(disk.clone(), report, memory), messages)
}

#[test]
fn a_full_disk_delays_every_event_and_loses_none() {
    let disk = Disk::with_space(1000);
    let (mut log, messages) = log_on(&disk, usize::MAX);
    let events: Vec<Event> = (0..50)
        .map(|n| if n % 7 == 0 { end(n) } else { eyes(n) })
        .collect();
    for event in &events {
        log.take(event);
        log.flush();
    }
    assert!(disk.events().len() < 10);
    assert_eq!(
        messages.lock().unwrap().len(),
        1,
        "reported once: {messages:?}"
    );
    // Space comes back piece by piece: what is written is always the events' beginning.
    for _ in 0..100 {
        disk.free(150);
        log.flush();
        let written = disk.events();
        assert_eq!(written, events[..written.len()]);
    }
    assert_eq!(disk.events(), events);
    let messages = messages.lock().unwrap();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[1].contains("no event was lost"));
    assert_eq!(log.end(Duration::ZERO), LogReport::default());
}

#[test]
fn a_full_memory_drops_the_oldest_frames_only_and_says_how_many() {
    let disk = Disk::default();
    let (mut log, messages) = log_on(&disk, 4000);
    log.take(&start());
    for n in 0..100 {
        log.take(&eyes(n));
        if n % 10 == 0 {
            log.take(&end(n));
        }
        log.flush();
    }
    assert!(log.waiting.bytes() <= 4000);
    disk.free(usize::MAX / 2);
    log.flush();
    let written = disk.events();
    let Event::LogGap(gap) = &written[0] else {
        panic!("no gap: {:?}", written[0])
    };
    assert_eq!(written[1], start());
    let kept: Vec<f64> = written
        .iter()
        .filter_map(|event| match event {
            Event::Eyes(eyes) => Some(eyes.time),
            _ => None,
        })
        .collect();
    assert_eq!(gap.lost + kept.len() as u64, 100);
    assert_eq!((gap.from, gap.to), (Some(0.0), Some(gap.lost as f64 - 1.0)));
    assert_eq!(gap.reason, GapReason::Unwritable);
    assert_eq!(kept, (gap.lost..100).map(|n| n as f64).collect::<Vec<_>>());
    let others = |event: &&Event| matches!(event, Event::End(_));
    assert_eq!(
        written.iter().filter(others).count(),
        10,
        "no other is lost"
    );
    assert!(messages.lock().unwrap()[1].contains(&format!("lacks {} lines", gap.lost)));
    let report = log.end(Duration::ZERO);
    assert_eq!((report.dropped, report.unwritten), (gap.lost, 0));
    // What was reported is reported once.
    assert_eq!(disk.events(), written);
}

#[test]
fn events_that_did_not_fit_into_the_queue_are_a_gap_where_they_are_missing() {
    let fanout = Fanout::new();
    let events = fanout.subscribe(3);
    (0..10).for_each(|n| fanout.publish(eyes(n)));
    let disk = Disk::with_space(usize::MAX);
    let (mut log, messages) = log_on(&disk, usize::MAX);
    let Next::Event(first) = events.next(Duration::ZERO) else {
        panic!()
    };
    log.miss(events.lost());
    log.take(&first);
    fanout.end();
    log.follow(&events);
    log.end(Duration::ZERO);
    let gaps: Vec<u64> = disk
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::LogGap(gap) => Some(gap.lost),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, [7]);
    assert_eq!(disk.events().len(), 4);
    assert!(messages.lock().unwrap()[0].contains("lacks 7"));
}

#[test]
fn a_disk_that_stays_full_is_reported_at_the_end() {
    let disk = Disk::with_space(300);
    let (mut log, _) = log_on(&disk, usize::MAX);
    (0..10).for_each(|n| log.take(&end(n)));
    let report = log.end(Duration::from_millis(1));
    assert_eq!(report.unwritten as usize + disk.events().len(), 10);
    let trouble = report.trouble.unwrap();
    assert!(
        trouble.contains("disk") && !trouble.contains('\n'),
        "{trouble}"
    );
}

fn monitored(path: &Path, rotation: Rotation) -> (Fanout<Event>, LogWriter, Messages) {
    let fanout = Fanout::new();
    let log = EventLog::open(path, Existing::Continue)
        .unwrap()
        .rotated(rotation);
    let messages = Messages::default();
    let mine = Arc::clone(&messages);
    let report = move |line: &str| mine.lock().unwrap().push(line.to_owned());
    let writer = LogWriter::start(fanout.subscribe(LogWriter::QUEUE), log, report, || ()).unwrap();
    (fanout, writer, messages)
}

fn wait_until(what: impl Fn() -> bool) {
    const LONGEST: Duration = Duration::from_secs(30);
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < LONGEST, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_deleted_log_is_begun_again_with_a_first_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let (fanout, writer, messages) = monitored(&path, Rotation::default());
    fanout.publish(start());
    fanout.publish(eyes(0));
    let written = || std::fs::metadata(&path).is_ok_and(|about| about.len() > 0);
    wait_until(written);
    std::fs::remove_file(&path).unwrap();
    fanout.publish(eyes(1));
    wait_until(written);
    fanout.publish(eyes(2));
    fanout.end();
    assert_eq!(writer.finish(), LogReport::default());
    let events = parsed(&std::fs::read(&path).unwrap());
    let Event::Start(first) = &events[0] else {
        panic!("{:?}", events[0])
    };
    assert_eq!((first.part, first.unix_time), (Some(1), Some(1.0)));
    assert_eq!(events[1..], [eyes(1), eyes(2)]);
    assert!(messages.lock().unwrap().is_empty(), "{messages:?}");
}

#[test]
fn a_log_whose_folder_goes_and_comes_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("log.jsonl");
    let (fanout, writer, messages) = monitored(&path, Rotation::default());
    std::fs::remove_dir_all(&inner).unwrap();
    fanout.publish(start());
    fanout.publish(eyes(0));
    wait_until(|| !messages.lock().unwrap().is_empty());
    std::fs::create_dir(&inner).unwrap();
    fanout.publish(eyes(1));
    fanout.end();
    assert_eq!(writer.finish(), LogReport::default());
    assert_eq!(
        parsed(&std::fs::read(&path).unwrap()),
        [start(), eyes(0), eyes(1)]
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_whose_reader_dies_waits_for_the_next_reader() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    // Nobody reads yet: opening does not wait.
    let (fanout, writer, messages) = monitored(&path, Rotation::default());
    fanout.publish(start());
    wait_until(|| !messages.lock().unwrap().is_empty());
    let read = |number: usize| -> Vec<Event> {
        let reader = BufReader::new(std::fs::File::open(&path).unwrap());
        reader
            .lines()
            .take(number)
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    };
    assert_eq!(read(1), [start()]);
    // The reader has gone; what comes now waits.
    (0..500).for_each(|n| fanout.publish(eyes(n)));
    wait_until(|| messages.lock().unwrap().len() == 3);
    let next = read(501);
    assert!(matches!(&next[0], Event::Start(start) if start.part == Some(1)));
    assert_eq!(next[1..], (0..500).map(eyes).collect::<Vec<_>>());
    fanout.end();
    writer.finish();
}
