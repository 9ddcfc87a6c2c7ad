use super::*;
use proptest::prelude::*;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

const FRAME_EVERY: Duration = Duration::from_millis(40);

/// A clock that only moves when somebody waits.
#[derive(Clone)]
struct FakeClock {
    start: Instant,
    passed: Arc<AtomicU64>,
}

impl FakeClock {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            passed: Arc::default(),
        }
    }

    fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap();
        self.passed.fetch_add(nanos, Ordering::Relaxed);
    }

    fn passed(&self) -> Duration {
        Duration::from_nanos(self.passed.load(Ordering::Relaxed))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.start + self.passed()
    }

    fn wait(&self, time: Duration) {
        self.pass(time);
    }
}

/// What a scripted source does, one after the other.
#[derive(Clone, Debug)]
enum Act {
    Frames(u64),
    Corrupt(u64),
    Lose(u64),
    Silent(Duration),
    Fail(CameraFault),
    Finish,
}

/// What one attempt to open the source gives.
#[derive(Clone, Debug)]
enum Attempt {
    Refused(CameraFault),
    Hopeless,
    Opens(Vec<Act>),
}

fn failed(fault: CameraFault) -> SourceError {
    SourceError::Camera {
        camera: "scripted".into(),
        fault,
        reason: fault.name().into(),
        remedy: "none".into(),
    }
}

struct Opener {
    clock: FakeClock,
    attempts: std::vec::IntoIter<Attempt>,
    opened_at: Arc<Mutex<Vec<Duration>>>,
}

impl LiveOpener for Opener {
    fn name(&self) -> &str {
        "scripted"
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        self.opened_at.lock().unwrap().push(self.clock.passed());
        match self.attempts.next() {
            None => Err(SourceError::NoFfmpeg {
                reason: "the script is over".into(),
            }),
            Some(Attempt::Refused(fault)) => Err(failed(fault)),
            Some(Attempt::Hopeless) => Err(SourceError::NoFfmpeg {
                reason: "hopeless".into(),
            }),
            Some(Attempt::Opens(acts)) => Ok(Box::new(Scripted {
                clock: self.clock.clone(),
                opened: self.clock.now(),
                acts: acts.into_iter().rev().collect(),
                sequence: 0,
                lost: CaptureLoss::default(),
            })),
        }
    }
}

struct Scripted {
    clock: FakeClock,
    opened: Instant,
    /// The next one last.
    acts: Vec<Act>,
    sequence: u64,
    lost: CaptureLoss,
}

impl LiveSource for Scripted {
    fn format(&self) -> String {
        "MJPG 2x2".into()
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        self.lost
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        match self.acts.pop() {
            // At the end of its script it is silent for ever.
            None => {
                self.clock.pass(wait);
                Ok(Read::Nothing)
            }
            Some(Act::Frames(0) | Act::Corrupt(0)) => Ok(Read::Nothing),
            Some(Act::Frames(count)) => {
                self.acts.push(Act::Frames(count - 1));
                self.clock.pass(FRAME_EVERY);
                let sequence = self.sequence;
                self.sequence += 1;
                let time = self.clock.now() - self.opened;
                let picture = image::RgbImage::new(2, 2);
                Ok(Read::Frame(Frame::from_rgb(sequence, time, picture)))
            }
            Some(Act::Corrupt(count)) => {
                self.acts.push(Act::Corrupt(count - 1));
                self.clock.pass(FRAME_EVERY);
                self.sequence += 1;
                self.lost.corrupt += 1;
                Ok(Read::Nothing)
            }
            Some(Act::Lose(count)) => {
                self.sequence += count;
                self.lost.driver += count;
                Ok(Read::Nothing)
            }
            Some(Act::Silent(time)) => {
                let now = time.min(wait);
                self.clock.pass(now);
                if time > now {
                    self.acts.push(Act::Silent(time - now));
                }
                Ok(Read::Nothing)
            }
            Some(Act::Fail(fault)) => Err(failed(fault)),
            Some(Act::Finish) => Ok(Read::Ended),
        }
    }
}

#[derive(Default)]
struct Record {
    frames: Vec<(u64, Duration)>,
    notices: Vec<Notice>,
    lost: CaptureLoss,
    leave_after: Option<(FakeClock, Duration)>,
}

impl Outlet for Record {
    fn leave(&self) -> bool {
        self.leave_after
            .as_ref()
            .is_some_and(|(clock, time)| clock.passed() >= *time)
    }

    fn frame(&mut self, frame: Frame) {
        self.frames.push((frame.sequence, frame.time));
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    fn lost(&mut self, lost: CaptureLoss) {
        self.lost = lost;
    }
}

struct Played {
    record: Record,
    outcome: Result<(), SourceError>,
    opened_at: Vec<Duration>,
}

impl Played {
    /// The notices in short: `opened`, `lost stalled`, `waiting busy`, ...
    fn story(&self) -> Vec<String> {
        let notices = self.record.notices.iter();
        notices
            .map(|notice| match &notice.change {
                Change::Opened { .. } => "opened".into(),
                Change::Reopened { .. } => "reopened".into(),
                Change::Lost(reason) => format!("lost {}", reason.fault),
                Change::Waiting(reason) => format!("waiting {}", reason.fault),
                Change::Damaged { frames, .. } => format!("damaged {frames}"),
            })
            .collect()
    }
}

/// Plays the attempts, the first of which is the first opening, for an hour at most.
fn play(attempts: Vec<Attempt>, silence: Option<Duration>) -> Played {
    let clock = FakeClock::new();
    let opened_at = Arc::default();
    let mut opener = Opener {
        clock: clock.clone(),
        attempts: attempts.into_iter(),
        opened_at: Arc::clone(&opened_at),
    };
    let begin = clock.now();
    let first = opener.open();
    let mut record = Record {
        leave_after: Some((clock.clone(), Duration::from_secs(3600))),
        ..Record::default()
    };
    let patience = Patience { silence };
    let capture = Capture::new(Box::new(opener), &clock, &mut record, patience, begin);
    let outcome = capture.run(first);
    let opened_at = opened_at.lock().unwrap().clone();
    Played {
        record,
        outcome,
        opened_at,
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn an_unplugged_camera_is_told_once_and_goes_on_when_it_is_back() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(3), Act::Fail(CameraFault::Unplugged)]),
            Attempt::Refused(CameraFault::Missing),
            Attempt::Refused(CameraFault::Missing),
            Attempt::Opens(vec![Act::Frames(2), Act::Finish]),
        ],
        Some(SILENCE),
    );
    assert!(played.outcome.is_ok());
    let story = ["opened", "lost unplugged", "waiting missing", "reopened"];
    assert_eq!(played.story(), story);
    // 120 ms of frames, then waits of 250, 500 and 1000 ms.
    let reopened = seconds(0.12 + 1.75);
    let expected = [
        (0, seconds(0.04)),
        (1, seconds(0.08)),
        (2, seconds(0.12)),
        (3, reopened + seconds(0.04)),
        (4, reopened + seconds(0.08)),
    ];
    assert_eq!(played.record.frames, expected);
    assert_eq!(played.record.notices[1].time, seconds(0.12));
    assert_eq!(played.record.notices[3].time, reopened + seconds(0.04));
}

#[test]
fn silence_of_two_seconds_is_a_stall_and_less_is_not() {
    let played = play(
        vec![
            Attempt::Opens(vec![
                Act::Frames(1),
                Act::Silent(seconds(1.9)),
                Act::Frames(1),
                Act::Silent(seconds(2.1)),
            ]),
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(SILENCE),
    );
    assert_eq!(played.story(), ["opened", "lost stalled", "reopened"]);
    assert_eq!(
        played.record.notices[1].time,
        seconds(0.04 + 1.9 + 0.04 + 2.0)
    );
    let Change::Lost(reason) = &played.record.notices[1].change else {
        unreachable!()
    };
    assert!(
        reason.words.contains("no picture for 2 seconds"),
        "{}",
        reason.words
    );
}

#[test]
fn a_source_that_may_be_silent_is_never_given_up() {
    let acts = vec![
        Act::Frames(1),
        Act::Silent(seconds(600.0)),
        Act::Frames(1),
        Act::Finish,
    ];
    let played = play(vec![Attempt::Opens(acts)], None);
    assert_eq!(played.story(), ["opened"]);
    assert_eq!(played.record.frames.len(), 2);
}

#[test]
fn attempts_become_rarer_up_to_ten_seconds_and_a_frame_makes_them_frequent_again() {
    let mut attempts = vec![Attempt::Opens(vec![Act::Fail(CameraFault::Unplugged)])];
    attempts.extend(vec![Attempt::Refused(CameraFault::Missing); 10]);
    attempts.push(Attempt::Opens(vec![
        Act::Frames(1),
        Act::Fail(CameraFault::Failed),
    ]));
    attempts.push(Attempt::Opens(vec![Act::Finish]));
    let played = play(attempts, Some(SILENCE));
    let gaps: Vec<f64> = played
        .opened_at
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    let expected = [
        0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 10.0, 0.29,
    ];
    assert_eq!(gaps, expected);
    // It had not delivered before: what comes at last is its opening.
    let story = ["lost unplugged", "waiting missing", "opened", "lost failed"];
    assert_eq!(played.story(), story);
}

#[test]
fn a_camera_that_opens_but_stays_silent_is_told_once() {
    let silent = Attempt::Opens(vec![]);
    let played = play(
        vec![
            silent.clone(),
            silent.clone(),
            silent,
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(SILENCE),
    );
    assert_eq!(played.story(), ["lost stalled", "opened"]);
}

#[test]
fn a_busy_camera_is_waited_for_from_the_start() {
    let played = play(
        vec![
            Attempt::Refused(CameraFault::Busy),
            Attempt::Refused(CameraFault::Busy),
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(SILENCE),
    );
    assert_eq!(played.story(), ["lost busy", "opened"]);
}

#[test]
fn damaged_frames_are_counted_all_and_told_once_a_second() {
    let mut acts = Vec::new();
    // Every second frame of 100 within 4 seconds.
    for _ in 0..50 {
        acts.extend([Act::Frames(1), Act::Corrupt(1)]);
    }
    acts.push(Act::Finish);
    let played = play(vec![Attempt::Opens(acts)], Some(SILENCE));
    assert_eq!(played.record.lost.corrupt, 50);
    let told: Vec<u64> = played
        .record
        .notices
        .iter()
        .filter_map(|notice| match notice.change {
            Change::Damaged { frames, .. } => Some(frames),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0], 1);
    assert_eq!(played.record.frames.len(), 50);
}

#[test]
fn a_camera_that_only_delivers_damage_is_lost_as_corrupt() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(1), Act::Corrupt(100)]),
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(SILENCE),
    );
    let story = played.story();
    assert!(story.contains(&"lost corrupt".to_owned()), "{story:?}");
    assert_eq!(story.last().unwrap(), "reopened");
    assert_eq!(played.record.lost.corrupt, 50);
}

#[test]
fn losses_add_up_over_openings() {
    let played = play(
        vec![
            Attempt::Opens(vec![
                Act::Frames(1),
                Act::Lose(3),
                Act::Frames(1),
                Act::Fail(CameraFault::Unplugged),
            ]),
            Attempt::Opens(vec![Act::Lose(2), Act::Frames(1), Act::Finish]),
        ],
        Some(SILENCE),
    );
    assert_eq!(played.record.lost.driver, 5);
    let numbers: Vec<u64> = played.record.frames.iter().map(|frame| frame.0).collect();
    assert_eq!(numbers, [0, 4, 7]);
}

#[test]
fn what_no_attempt_can_mend_ends_the_run() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(1), Act::Fail(CameraFault::Failed)]),
            Attempt::Hopeless,
        ],
        Some(SILENCE),
    );
    assert!(played.outcome.unwrap_err().to_string().contains("hopeless"));
}

#[test]
fn a_wish_to_leave_is_seen_within_a_slice_whatever_the_source_does() {
    for attempts in [
        vec![Attempt::Opens(vec![])],
        vec![Attempt::Opens(vec![Act::Frames(1_000_000)])],
        vec![Attempt::Refused(CameraFault::Busy); 1000],
    ] {
        let played = play(attempts, None);
        let last = played.record.frames.last().map_or(Duration::ZERO, |f| f.1);
        assert!(played.outcome.is_ok());
        assert!(last <= Duration::from_secs(3600) + FRAME_EVERY);
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1_u64..5).prop_map(Act::Frames),
        (1_u64..80).prop_map(Act::Corrupt),
        (1_u64..5).prop_map(Act::Lose),
        (0_u64..4000).prop_map(|ms| Act::Silent(Duration::from_millis(ms))),
        fault().prop_map(Act::Fail),
    ]
}

fn fault() -> impl Strategy<Value = CameraFault> {
    use CameraFault::{Busy, Corrupt, Failed, Missing, Stalled, Unplugged};
    prop::sample::select(vec![Busy, Corrupt, Failed, Missing, Stalled, Unplugged])
}

proptest! {
    /// Whatever a camera does: one run's times never go back, its numbers never repeat, a loss is
    /// told before every return, and nothing is told twice in a row.
    #[test]
    fn a_run_is_consistent_whatever_the_camera_does(
        attempts in prop::collection::vec(
            prop_oneof![
                fault().prop_map(Attempt::Refused),
                prop::collection::vec(act(), 0..8).prop_map(Attempt::Opens),
            ],
            1..8,
        ),
    ) {
        let played = play(attempts, Some(SILENCE));
        let frames = &played.record.frames;
        prop_assert!(frames.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let mut down = false;
        let mut delivered = false;
        let mut last: Option<CameraFault> = None;
        for notice in &played.record.notices {
            match &notice.change {
                Change::Opened { .. } => {
                    prop_assert!(!delivered);
                    (delivered, down, last) = (true, false, None);
                }
                Change::Reopened { .. } => {
                    prop_assert!(delivered && down);
                    (down, last) = (false, None);
                }
                Change::Lost(reason) => {
                    prop_assert!(!down);
                    (down, last) = (true, Some(reason.fault));
                }
                Change::Waiting(reason) => {
                    prop_assert!(down && last != Some(reason.fault));
                    last = Some(reason.fault);
                }
                Change::Damaged { frames, .. } => prop_assert!(*frames > 0),
            }
        }
        let times = played.record.notices.windows(2);
        prop_assert!(times.into_iter().all(|pair| pair[0].time <= pair[1].time));
    }
}
