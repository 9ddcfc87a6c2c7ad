//! Through the library, with made-up cameras.

use super::{
    SOON,
    drawn_camera::{DrawnCamera, Then},
    support::{self},
};
use parseye::{
    config::Settings,
    live::{LiveChannels, MonitorOptions, Monitored, Stop, WatchedSource, monitor},
};
use parseye_capture::STALL_TIMEOUT;
use parseye_events::{
    event::{CameraEventKind, Event, Outcome},
    fanout::{Next, Subscription},
};
use parseye_test_needs::needs;
use parseye_vision::{classify::EyeStateModel, eye_monitor::EyeMonitor};
use std::time::{Duration, Instant};

fn chain() -> EyeMonitor {
    let mut settings = Settings::default();
    settings.detector.file = Some(support::face_detector_path());
    EyeMonitor::new(&settings.vision(), &EyeStateModel::built_in().unwrap()).unwrap()
}

fn watch(camera: DrawnCamera, channels: &LiveChannels, stop: &Stop) -> Monitored {
    let source = WatchedSource::open(Box::new(camera)).unwrap();
    let options = MonitorOptions {
        stall_timeout: Some(STALL_TIMEOUT),
        model: "m".into(),
        ..MonitorOptions::default()
    };
    monitor(source, &mut chain(), channels, &options, stop).unwrap()
}

fn all(events: &Subscription<Event>) -> Vec<Event> {
    std::iter::from_fn(|| match events.next(SOON) {
        Next::Event(event) => Some(event.as_ref().clone()),
        Next::Nothing => panic!("no event and no end"),
        Next::Ended => None,
    })
    .collect()
}

fn story(events: &[Event]) -> Vec<CameraEventKind> {
    let kind = |event: &Event| match event {
        Event::Camera(camera) => Some(camera.kind),
        _ => None,
    };
    events.iter().filter_map(kind).collect()
}

#[needs(face_detector)]
#[test]
fn a_monitor_accounts_for_every_frame_of_every_opening() {
    const FRAMES: u64 = 100;
    let channels = LiveChannels::new();
    let reader = channels.events.subscribe(10_000);
    let openings = vec![(FRAMES, Then::IsUnplugged), (FRAMES, Then::Ends)];
    let watched = watch(DrawnCamera::new(openings), &channels, &Stop::new());
    channels.events.end();
    let lost = watched.lost;
    assert!(lost.dropped > 0, "this source is faster than any reader");
    assert_eq!(watched.statistics.frames() + lost.dropped, 2 * FRAMES);
    assert_eq!(lost.driver, 4);
    assert_eq!(watched.outcome, Outcome::Complete);

    let events = all(&reader);
    use CameraEventKind::{Lost, Opened, Reopened};
    assert_eq!(story(&events), [Opened, Lost, Reopened]);
    let eyes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Eyes(eyes) => Some(eyes),
            _ => None,
        })
        .collect();
    assert_eq!(eyes.len() as u64, watched.statistics.frames());
    assert!(eyes.windows(2).all(|pair| pair[0].frame < pair[1].frame));
    assert!(eyes.windows(2).all(|pair| pair[0].time <= pair[1].time));
    // The last frame of each opening is never dropped by another.
    assert!(eyes.iter().any(|eyes| eyes.frame == FRAMES - 1));
    assert_eq!(eyes.last().unwrap().frame, 2 * FRAMES - 1);
    // What is told stands in order: the first frame after the camera is opened, the loss after its
    // last frame.
    let at = |kind| {
        let is = |event: &Event| matches!(event, Event::Camera(camera) if camera.kind == kind);
        events.iter().position(is).unwrap()
    };
    assert_eq!(at(Opened), 0);
    assert!(matches!(&events[at(Lost) - 1], Event::Eyes(eyes) if eyes.frame == FRAMES - 1));
    assert!(matches!(&events[at(Reopened) + 1], Event::Eyes(eyes) if eyes.frame >= FRAMES));
    let Some(Event::End(end)) = events.last() else {
        panic!("the end is not last")
    };
    assert_eq!(
        (end.frames, end.lost),
        (watched.statistics.frames(), Some(lost))
    );
    assert!(end.frame_age_ms.is_some() && end.unix_time.is_some());
}

#[needs(face_detector)]
#[test]
fn a_camera_that_hangs_or_is_gone_keeps_nobody_from_stopping() {
    for then in [Then::Hangs, Then::IsUnplugged] {
        let channels = LiveChannels::new();
        let reader = channels.events.subscribe(10_000);
        let stop = Stop::new();
        let (watching, wish) = (channels.clone(), stop.clone());
        let asks = std::thread::spawn(move || {
            // The present is shown while nothing comes.
            let begin = Instant::now();
            while watching
                .status
                .get()
                .is_none_or(|status| status.frames == 0)
            {
                assert!(begin.elapsed() < SOON);
                std::thread::sleep(Duration::from_millis(10));
            }
            wish.request(15);
        });
        let watched = watch(DrawnCamera::new(vec![(3, then)]), &channels, &stop);
        asks.join().unwrap();
        channels.events.end();
        assert_eq!(watched.outcome, Outcome::Interrupted);
        let events = all(&reader);
        assert!(matches!(events.last(), Some(Event::End(_))), "{then:?}");
    }
}

#[needs(face_detector)]
#[test]
fn nobody_who_does_not_read_delays_a_frame_or_costs_another_an_event() {
    let channels = LiveChannels::new();
    let reads = channels.events.subscribe(10_000);
    let sleeps = channels.events.subscribe(1);
    let watched = watch(
        DrawnCamera::new(vec![(50, Then::Ends)]),
        &channels,
        &Stop::new(),
    );
    channels.events.end();
    let events = all(&reads);
    let eyes = events
        .iter()
        .filter(|event| matches!(event, Event::Eyes(_)));
    assert_eq!(eyes.count() as u64, watched.statistics.frames());
    assert_eq!(reads.lost(), 0);
    assert_eq!(sleeps.lost() as usize, events.len() - 1);
}
