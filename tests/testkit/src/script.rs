//! Made-up events and statuses for the tests of the dashboards and for looking at them.

#![allow(clippy::expect_used)]

use parseye_events::{
    event::{
        BoxRecord, CheckRecord, EndEvent, Event, EyeRecord, FaceRecord, Outcome, Probabilities,
    },
    metrics::{FrameLoss, Percentiles},
    status::{CheckStatus, EyeCheckStatus, LiveStatus, RunningAlert, SourceStatus},
    summary::{AlertCounts, BlinkCounts, EventTotals},
};
use parseye_vision::{
    eye_state::{EyeState, PerEye},
    reading::Unseen,
    temporal::{AlertKind, AlertPhase, Laterality},
};
use serde_json::json;

const CLIP: &str = "script";

/// The end of a source of so many frames.
pub fn end(frames: u64) -> Event {
    Event::End(EndEvent {
        clip: CLIP.into(),
        frames,
        outcome: Outcome::Complete,
        error: None,
        lost: None,
        frame_age_ms: None,
        unix_time: None,
    })
}

/// An eye with a P(closed); the rest is P(open).
pub fn eye(closed: f64) -> EyeRecord {
    let probabilities = Probabilities {
        open: 1.0 - closed,
        partially_open: Some(0.0),
        closed,
        not_visible: Some(0.0),
    };
    EyeRecord {
        state: if closed > 0.5 {
            EyeState::Closed
        } else {
            EyeState::Open
        },
        probabilities: Some(probabilities),
        confidence: Some(closed.max(1.0 - closed)),
        square: Some(square(100.0)),
        trust: None,
        lids: None,
        reason: None,
    }
}

/// An eye that was not measured.
pub fn unseen(reason: Unseen) -> EyeRecord {
    EyeRecord {
        state: EyeState::NotVisible,
        probabilities: None,
        confidence: None,
        square: None,
        trust: None,
        lids: None,
        reason: Some(reason),
    }
}

fn square(x: f64) -> BoxRecord {
    BoxRecord {
        x,
        y: 100.0,
        side: 40.0,
        angle: 0.0,
    }
}

/// A face.
pub fn face() -> FaceRecord {
    FaceRecord {
        score: 0.93,
        square: square(150.0),
        eyes: PerEye {
            left: [180.0, 100.0],
            right: [120.0, 100.0],
        },
    }
}

/// An event as it stands in a log, so that fields which are not told are absent.
fn event(value: serde_json::Value) -> Event {
    serde_json::from_value(value).expect("an event of the log")
}

/// A frame.
pub fn frame(
    frame: u64,
    time: f64,
    face: Option<&FaceRecord>,
    left: &EyeRecord,
    right: &EyeRecord,
) -> Event {
    event(json!({
        "event": "eyes", "clip": CLIP, "time": time, "frame": frame,
        "face": face, "left": left, "right": right,
    }))
}

/// A frame whose eyes have the same P(closed).
pub fn eyes(number: u64, time: f64, closed: f64) -> Event {
    frame(number, time, Some(&face()), &eye(closed), &eye(closed))
}

/// A frame without a face.
pub fn nobody(number: u64, time: f64) -> Event {
    let unseen = unseen(Unseen::NoFace);
    frame(number, time, None, &unseen, &unseen)
}

fn closure(kind: &str, eye: Laterality, start: f64, duration: f64) -> Event {
    event(json!({
        "event": kind, "clip": CLIP, "eye": eye, "start": start, "end": start + duration,
        "duration": duration, "first_frame": 0, "last_frame": 0,
    }))
}

/// A blink.
pub fn blink(eye: Laterality, start: f64, duration: f64) -> Event {
    closure("blink", eye, start, duration)
}

/// A long closure of both eyes.
pub fn long_closure(start: f64, duration: f64) -> Event {
    closure("long_closure", Laterality::Both, start, duration)
}

/// An alert.
pub fn alert(kind: AlertKind, phase: AlertPhase, time: f64, since: f64) -> Event {
    event(json!({
        "event": "alert", "clip": CLIP, "kind": kind, "phase": phase, "time": time,
        "since": since, "perclos": null,
    }))
}

/// A monitor that has run for twelve minutes, with the left eye open and the right one closed.
pub fn status() -> LiveStatus {
    LiveStatus {
        time: 754.25,
        frame: Some(22_600),
        model: "wrn-16-1".into(),
        watching: "largest face".into(),
        source: SourceStatus {
            name: "Integrated Camera".into(),
            format: "MJPG 640x480 at 30 frames/s".into(),
            down: None,
        },
        face: Some(face()),
        left: Some(eye(0.02)),
        right: Some(eye(0.88)),
        uncertain: false,
        blinks: BlinkCounts {
            left: 191,
            right: 190,
            both: 188,
        },
        events: EventTotals {
            blinks: BlinkCounts {
                left: 191,
                right: 190,
                both: 188,
            },
            long_closures: BlinkCounts {
                left: 3,
                right: 2,
                both: 2,
            },
            winks: PerEye { left: 4, right: 1 },
            faces_lost: 6,
            gaps: 1,
            alerts: AlertCounts {
                long_closure_warning: 5,
                long_closure_alarm: 2,
                ..AlertCounts::default()
            },
            ..EventTotals::default()
        },
        blinks_per_minute: Some(14.0),
        perclos: Some(0.043),
        alerts: Vec::new(),
        fps: 29.97,
        untold: None,
        frame_age_ms: Some(Percentiles {
            p50: 21.4,
            p95: 30.2,
            p99: 38.9,
        }),
        frames: 22_580,
        lost: FrameLoss {
            driver: 3,
            dropped: 17,
            decode: 0,
            corrupt: 1,
        },
        checks: CheckStatus {
            time: Some(752.4),
            left: Some(check(31.2, 9.4, 22.6)),
            right: Some(check(30.7, 27.5, 4.1)),
            drifts: Vec::new(),
        },
    }
}

/// What the self-check found, with this camera SNR, noise flip SNR and adversarial margin in dB.
fn check(snr: f64, flip: f64, margin: f64) -> EyeCheckStatus {
    let headroom = snr - flip;
    let record = serde_json::from_value(json!({
        "state": "open", "camera_snr_db": snr, "noise_flip_snr_db": flip,
        "headroom_db": headroom, "adversarial_margin_db": margin, "flip_probability": 0.0012,
        "agreement": null, "natural_agreement": 1.0,
        "trust": if headroom >= 6.0 { "ok" } else { "low" },
    }));
    let record: CheckRecord = record.expect("a check of the log");
    EyeCheckStatus::new(&record, Some(headroom + 0.2), Some(headroom - 1.5))
}

/// [`status`] with a running alert.
pub fn alarmed() -> LiveStatus {
    LiveStatus {
        left: Some(eye(0.96)),
        alerts: vec![RunningAlert {
            kind: AlertKind::LongClosureAlarm,
            since: 752.0,
        }],
        ..status()
    }
}
