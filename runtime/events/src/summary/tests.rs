//! Statistics that a reader relies on.

use super::*;
use parseye_vision::{
    evaluate::{
        metrics::Interval,
        score::{ClosedSeconds, Score},
    },
    eye_monitor::StageTimes,
    reading::{EyeReading, FrameReading, Unseen},
    temporal::{TemporalSettings, TemporalTracker},
};
use std::time::Duration;

fn run_of(frames: u64) -> RunAccumulator {
    let mut run = RunAccumulator::default();
    for frame in 0..frames {
        let eye = EyeReading::Unmeasured(Unseen::NoFace);
        let reading = FrameReading {
            frame,
            time: Duration::from_millis(40 * frame),
            face: None,
            eyes: PerEye {
                left: eye,
                right: eye,
            },
        };
        let times = StageTimes {
            total: Duration::from_millis(frame + 1),
            ..StageTimes::default()
        };
        run.add_frame(&reading, false, &times);
    }
    let tracker = TemporalTracker::new(&TemporalSettings::default());
    run.end(&tracker, Duration::from_secs(2));
    run
}

#[test]
fn counts_and_percentiles() {
    let json = serde_json::to_value(run_of(100).summary(None)).unwrap();
    assert_eq!(json["frames"], 100);
    assert_eq!(json["frames_with_face"], 0);
    assert_eq!(json["duration_s"], 4.0);
    assert_eq!(json["states"]["left"]["not_visible"], 100);
    assert_eq!(json["states"]["right"]["open"], 0);
    assert!(json["perclos"].is_null() && json.get("truth").is_none());
    assert_eq!(json["timing"]["fps"], 50.0);
    let p50 = json["timing"]["total"]["p50"].as_f64().unwrap();
    assert!((p50 - 50.0).abs() < 0.1, "{p50}");
}

#[test]
fn a_leap_in_time_does_not_lengthen_the_last_frame() {
    for (milliseconds, duration) in [
        (vec![0, 40, 80, 10_800_080, 10_800_120], 10_800.16),
        (vec![0, 2000, 4000], 6.0),
        (vec![0], 0.0),
        (vec![0, 10_800_000], 21_600.0),
    ] {
        let mut run = RunAccumulator::default();
        for (frame, time) in milliseconds.iter().enumerate() {
            let eye = EyeReading::Unmeasured(Unseen::NoFace);
            let reading = FrameReading {
                frame: frame as u64,
                time: Duration::from_millis(*time),
                face: None,
                eyes: PerEye {
                    left: eye,
                    right: eye,
                },
            };
            run.add_frame(&reading, false, &StageTimes::default());
        }
        let tracker = TemporalTracker::new(&TemporalSettings::default());
        run.end(&tracker, Duration::from_secs(1));
        let seconds = run.duration().as_secs_f64();
        assert!(
            (seconds - duration).abs() < 1e-6,
            "{milliseconds:?}: {seconds}"
        );
    }
}

#[test]
fn sources_add_up() {
    let mut all = run_of(100);
    all.merge(&run_of(50));
    let json = serde_json::to_value(all.summary(None)).unwrap();
    assert_eq!(json["frames"], 150);
    assert_eq!(json["duration_s"], 6.0);
    assert_eq!(json["timing"]["fps"], 37.5);
    assert!(json["timing"]["total"]["p99"].as_f64().unwrap() > 90.0);
}

#[test]
fn no_frames_have_no_metrics() {
    let json = serde_json::to_value(run_of(0).summary(None)).unwrap();
    assert_eq!(json["duration_s"], 0.0);
    assert!(json["timing"]["fps"].is_null() && json["timing"]["total"].is_null());
}

#[test]
fn the_text_is_what_people_read() {
    let (one, two) = (run_of(100), run_of(50));
    let mut all = one.clone();
    all.merge(&two);
    let score = RecordingScore {
        blinks: Score::of_counts(9, 1, 2),
        f1_interval: Some(Interval {
            low: 0.75,
            high: 0.9,
        }),
        long_closures: Some(Score::of_counts(1, 0, 1)),
        winks: None,
        closed: ClosedSeconds {
            not_closed_s: 5.0,
            said_closed_s: 0.25,
            gaze_down_s: 1.0,
            gaze_down_said_closed_s: 0.5,
        },
    };
    let summary = RunSummary {
        all: all.summary(Some(score)),
        clips: [("drive", &one), ("walk", &two)]
            .map(|(name, run)| (name.to_owned(), run.summary(None)))
            .into(),
    };
    insta::assert_snapshot!(summary.text());
}

#[test]
fn winks_long_closures_and_alerts_are_named_where_there_were_any() {
    let mut summary = run_of(100).summary(None);
    assert!(!summary.to_string().contains("alerts"));
    summary.winks.left = 1;
    summary.long_closures.both = 2;
    summary.alerts.long_closure_warning = 2;
    summary.alerts.long_closure_alarm = 1;
    let line = summary.to_string();
    let expected = "; winks: 1 left, 0 right; 2 long closures; \
                    alerts: 2 long closure warning, 1 long closure alarm; ";
    assert!(line.contains(expected), "{line}");
}
