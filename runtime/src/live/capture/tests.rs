//! Captures of a scripted camera: what is reported, what is counted, and when it is opened again.

mod scripted;

use super::*;
use parseye_capture::STALL_TIMEOUT;
use proptest::prelude::*;
use scripted::*;

#[test]
fn an_unplugged_camera_is_reported_once_and_goes_on_when_it_is_back() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(3), Act::Fail(CameraFault::Unplugged)]),
            Attempt::Refused(CameraFault::Missing),
            Attempt::Refused(CameraFault::Missing),
            Attempt::Opens(vec![Act::Frames(2), Act::Finish]),
        ],
        Some(STALL_TIMEOUT),
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
    assert_eq!(played.record.events[1].time, seconds(0.12));
    assert_eq!(played.record.events[3].time, reopened + seconds(0.04));
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
        Some(STALL_TIMEOUT),
    );
    assert_eq!(played.story(), ["opened", "lost stalled", "reopened"]);
    assert_eq!(
        played.record.events[1].time,
        seconds(0.04 + 1.9 + 0.04 + 2.0)
    );
    let SourceChange::Lost(reason) = &played.record.events[1].change else {
        unreachable!()
    };
    assert!(
        reason.message.contains("no frame for 2 seconds"),
        "{}",
        reason.message
    );
}

#[test]
fn frames_that_were_held_back_are_dropped_and_leave_a_gap() {
    let acts = vec![
        Act::Frames(30),
        Act::Silent(seconds(1.8)),
        Act::Burst(40),
        Act::Frames(10),
        Act::Finish,
    ];
    let played = play(vec![Attempt::Opens(acts.clone())], Some(STALL_TIMEOUT));
    assert_eq!(played.story(), ["opened"]);
    assert_eq!(played.record.late, 39);
    let times: Vec<Duration> = played.record.frames.iter().map(|(_, time)| *time).collect();
    assert_eq!(times.len(), 41);
    let shortest = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert_eq!(shortest, Some(FRAME_EVERY));
    // A recording's own times are believed.
    let played = play(vec![Attempt::Opens(acts)], None);
    assert_eq!(played.record.late, 0);
}

#[test]
fn a_source_that_may_be_silent_is_never_lost() {
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
fn attempts_become_rarer_up_to_ten_seconds_until_the_camera_is_steady_again() {
    let mut attempts = vec![Attempt::Opens(vec![Act::Fail(CameraFault::Unplugged)])];
    attempts.extend(vec![Attempt::Refused(CameraFault::Missing); 10]);
    // A single frame is not steady, two seconds of them are.
    for frames in [1, 51] {
        attempts.push(Attempt::Opens(vec![
            Act::Frames(frames),
            Act::Fail(CameraFault::Failed),
        ]));
    }
    attempts.push(Attempt::Opens(vec![Act::Finish]));
    let played = play(attempts, Some(STALL_TIMEOUT));
    let gaps: Vec<f64> = played
        .opened_at
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    let expected = [
        0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.04, 2.29,
    ];
    assert_eq!(gaps, expected);
    // It had not delivered before: the first frame is its opening.
    let story = [
        "lost unplugged",
        "waiting missing",
        "opened",
        "lost failed",
        "reopened",
        "lost failed",
    ];
    assert_eq!(played.story(), story);
}

#[test]
fn a_camera_that_opens_but_stays_silent_is_reported_once() {
    let silent = Attempt::Opens(vec![]);
    let played = play(
        vec![
            silent.clone(),
            silent.clone(),
            silent,
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(STALL_TIMEOUT),
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
        Some(STALL_TIMEOUT),
    );
    assert_eq!(played.story(), ["lost busy", "opened"]);
}

#[test]
fn damaged_frames_are_all_counted_and_reported_once_a_second() {
    let mut acts = Vec::new();
    // Every second frame of 100 within 4 seconds.
    for _ in 0..50 {
        acts.extend([Act::Frames(1), Act::Corrupt(1)]);
    }
    acts.push(Act::Finish);
    let played = play(vec![Attempt::Opens(acts)], Some(STALL_TIMEOUT));
    assert_eq!(played.record.lost.corrupt, 50);
    let reported: Vec<u64> = played
        .record
        .events
        .iter()
        .filter_map(|event| match event.change {
            SourceChange::Damaged { frames, .. } => Some(frames),
            _ => None,
        })
        .collect();
    assert_eq!(reported.len(), 4, "{reported:?}");
    assert_eq!(reported[0], 1);
    let numbers = played
        .record
        .events
        .iter()
        .flat_map(|event| match &event.change {
            SourceChange::Damaged { numbers, .. } => numbers.clone(),
            _ => Vec::new(),
        });
    // Every second one, each once, in order.
    let numbers: Vec<u64> = numbers.collect();
    assert_eq!(numbers.len() as u64, reported.iter().sum::<u64>());
    assert!(
        numbers
            .iter()
            .enumerate()
            .all(|(place, number)| *number == 2 * place as u64 + 1)
    );
    assert_eq!(played.record.frames.len(), 50);
}

#[test]
fn a_camera_that_only_delivers_damage_is_lost_as_corrupt() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(1), Act::Corrupt(100)]),
            Attempt::Opens(vec![Act::Frames(1), Act::Finish]),
        ],
        Some(STALL_TIMEOUT),
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
        Some(STALL_TIMEOUT),
    );
    assert_eq!(played.record.lost.driver, 5);
    let numbers: Vec<u64> = played.record.frames.iter().map(|frame| frame.0).collect();
    assert_eq!(numbers, [0, 4, 7]);
}

#[test]
fn an_error_that_is_no_camera_fault_ends_the_run() {
    let played = play(
        vec![
            Attempt::Opens(vec![Act::Frames(1), Act::Fail(CameraFault::Failed)]),
            Attempt::Hopeless,
        ],
        Some(STALL_TIMEOUT),
    );
    assert!(played.outcome.unwrap_err().to_string().contains("hopeless"));
}

#[test]
fn a_request_to_leave_is_seen_at_once_whatever_the_source_does() {
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
    /// Whatever a camera does: one run's times never decrease, its numbers never repeat, a loss is
    /// reported before every return, and nothing is reported twice in a row.
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
        let played = play(attempts, Some(STALL_TIMEOUT));
        let frames = &played.record.frames;
        prop_assert!(frames.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let mut down = false;
        let mut delivered = false;
        let mut last: Option<CameraFault> = None;
        for event in &played.record.events {
            match &event.change {
                SourceChange::Opened { .. } => {
                    prop_assert!(!delivered);
                    (delivered, down, last) = (true, false, None);
                }
                SourceChange::Reopened { .. } => {
                    prop_assert!(delivered && down);
                    (down, last) = (false, None);
                }
                SourceChange::Lost(reason) => {
                    prop_assert!(!down);
                    (down, last) = (true, Some(reason.fault));
                }
                SourceChange::Waiting(reason) => {
                    prop_assert!(down && last != Some(reason.fault));
                    last = Some(reason.fault);
                }
                SourceChange::Damaged { frames, .. } => prop_assert!(*frames > 0),
                SourceChange::Gap { .. } | SourceChange::Note { .. } => {}
            }
        }
        let times = played.record.events.windows(2);
        prop_assert!(times.into_iter().all(|pair| pair[0].time <= pair[1].time));
    }
}
