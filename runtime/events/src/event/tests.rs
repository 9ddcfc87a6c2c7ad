//! Events as they stand in the log.

use super::*;
use crate::metrics::{FrameLoss, Percentiles};
use parseye_capture::CameraFault;
use parseye_vision::{
    eye_state::{Eye, PerEye},
    lids::Lids,
    locate::{ChangeReason, Face, Rotation, Watch, crop::Roi},
    reading::{EyeReading, FrameReading, Unseen},
    selfcheck::{
        CheckReading, HeadroomState, Missing, Shift,
        drift::{Detector, DriftEvent, DriftPhase, Quantity},
    },
    temporal::{
        Alert, AlertKind, AlertPhase, BaselineChange, Closure, ClosureKind, FrameRateChange, Gap,
        Laterality, TemporalUpdate, Untold,
    },
};
use proptest::prelude::*;
use std::time::Duration;

fn reading(eye: EyeReading) -> FrameReading {
    FrameReading {
        frame: 7,
        time: Duration::from_nanos(233_333_333),
        face: None,
        eyes: PerEye {
            left: eye,
            right: eye,
        },
    }
}

#[test]
fn what_was_not_measured_is_null_and_has_a_reason() {
    let event = Event::Eyes(EyesEvent::new(
        "a",
        &reading(EyeReading::Unmeasured(Unseen::Profile)),
        None,
    ));
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event":"eyes","clip":"a","time":0.233333,"frame":7,"face":null,"left":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"profile"},"right":{"state":"not_visible","probabilities":null,"confidence":null,"box":null,"reason":"profile"}}"#
    );
}

#[test]
fn what_was_measured_has_names_and_units() {
    let eye = EyeReading::Measured {
        probabilities: [0.1, 0.2, 0.65, 0.05],
        lids: None,
        square: Roi {
            centre: [10.0, 20.25],
            side: 32.5,
            angle: -0.0,
        },
    };
    let json =
        serde_json::to_value(Event::Eyes(EyesEvent::new("a", &reading(eye), Some(1.5)))).unwrap();
    assert_eq!(json["left"]["state"], "closed");
    assert_eq!(json["left"]["confidence"], 0.65);
    assert_eq!(json["right"]["probabilities"]["partially_open"], 0.2);
    assert_eq!(
        json["right"]["box"].to_string(),
        r#"{"x":10.0,"y":20.25,"side":32.5,"angle":0.0}"#
    );
    assert_eq!(json["unix_time"], 1.5);
    assert!(json["left"].get("reason").is_none());
}

const CLIP: &str = "cam";
const UNIX_TIME: Option<f64> = Some(1000.25);

fn roi(x: f32) -> Roi {
    Roi {
        centre: [x, 151.0],
        side: 87.25,
        angle: -0.026,
    }
}

fn eyes_events() -> Vec<Event> {
    let measured = EyeReading::Measured {
        probabilities: [0.01, 0.06, 0.92, 0.01],
        lids: Some(Lids {
            openness: 0.05,
            openness_error: 0.04,
            looking_down: 0.03,
        }),
        square: roi(283.5),
    };
    let mut found = reading(measured);
    found.face = Some(Face {
        confidence: 0.94,
        square: roi(239.5),
        eyes: PerEye {
            left: [283.5, 151.0],
            right: [196.25, 152.5],
        },
    });
    let mut live = EyesEvent::new(
        CLIP,
        &reading(EyeReading::Unmeasured(Unseen::NoFace)),
        UNIX_TIME,
    );
    live.age_ms = Some(17.5);
    live.left.trust = Some(HeadroomState::Ok);
    vec![
        Event::Eyes(EyesEvent::new(CLIP, &found, None)),
        Event::Eyes(live),
    ]
}

fn changes() -> TemporalUpdate {
    let ms = Duration::from_millis;
    let closure = |kind, eye, wink| Closure {
        kind,
        eye,
        wink,
        start: ms(200),
        end: ms(400),
        first_frame: 5,
        last_frame: 9,
        unseen: match kind {
            ClosureKind::LongClosure => ms(50),
            _ => Duration::ZERO,
        },
    };
    TemporalUpdate {
        ended: vec![
            closure(ClosureKind::Blink, Laterality::Both, false),
            closure(ClosureKind::Blink, Laterality::Left, true),
            closure(ClosureKind::PartialBlink, Laterality::Right, false),
            closure(ClosureKind::LongClosure, Laterality::Both, false),
        ],
        baselines: vec![BaselineChange {
            eye: Eye::Left,
            time: ms(60_000),
            openness: 0.91,
            reference: 0.91,
            closed_above: 0.545,
        }],
        alerts: vec![Alert {
            kind: AlertKind::LongClosureAlarm,
            phase: AlertPhase::Raised,
            time: ms(72_500),
            since: ms(71_000),
            perclos: Some(0.062),
        }],
        followed: false,
        uncertain: false,
        gap: Some(Gap {
            from: ms(300_000),
            to: ms(304_200),
        }),
        frame_rate: Some(FrameRateChange {
            time: ms(400_000),
            frames_per_second: 3.25,
            untold: &[Untold::Blinks],
        }),
    }
}

fn check_event() -> Event {
    let measured = CheckReading {
        noise_flip_snr_db: Ok(9.4),
        headroom_db: Ok(4.4),
        ..CheckReading::missing(Missing::NotAsked)
    };
    let readings = PerEye {
        left: measured,
        right: CheckReading::missing(Missing::NoFace),
    };
    let trust = PerEye {
        left: Some(HeadroomState::Low),
        right: Some(HeadroomState::Exhausted),
    };
    let frame = (2250, Duration::from_secs(75));
    Event::Check(CheckEvent::new(CLIP, frame, &readings, &trust, UNIX_TIME))
}

fn drift_event() -> Event {
    let drift = DriftEvent {
        quantity: Quantity::CameraSnr,
        detector: Detector::PageHinkley,
        phase: DriftPhase::Raised,
        shift: Shift::Down,
        time: 310.0,
        since: 298.0,
        reference: Some(31.4),
        now: Some(22.8),
        psi: None,
    };
    Event::Drift(DriftRecord::new(CLIP, Eye::Left, &drift, UNIX_TIME))
}

fn camera_events() -> [Event; 5] {
    let opened = CameraEvent {
        format: Some("MJPG 640x480 at 30 frames/s".into()),
        unix_time: UNIX_TIME,
        ..CameraEvent::new(CLIP, 0.0, CameraEventKind::Opened)
    };
    let lost = CameraEvent {
        time: 333.5,
        kind: CameraEventKind::Lost,
        reason: Some(CameraFault::Unplugged),
        message: Some("it was unplugged; plug it in again".into()),
        format: None,
        ..opened.clone()
    };
    let damaged = CameraEvent {
        time: 341.0,
        kind: CameraEventKind::Damaged,
        reason: Some(CameraFault::Corrupt),
        message: None,
        frames: Some(3),
        numbers: vec![10_210, 10_212, 10_213],
        ..lost.clone()
    };
    let gap = CameraEvent {
        message: Some("no frame for 1.8 s".into()),
        length: Some(1.8),
        unix_time: UNIX_TIME,
        ..CameraEvent::new(CLIP, 342.0, CameraEventKind::Gap)
    };
    let note = CameraEvent {
        kind: CameraEventKind::Note,
        length: None,
        ..gap.clone()
    };
    [opened, lost, damaged, gap, note].map(Event::Camera)
}

/// One of each kind, with all fields that it can have.
fn all_events() -> Vec<Event> {
    let mut events = vec![Event::Start(StartEvent {
        schema: SCHEMA,
        version: "0.1.0".into(),
        mode: Mode::Monitor,
        model: ModelName {
            name: "default".into(),
            sha256: "5e4f".into(),
        },
        watch: Some(WatchRecord {
            face: Watch::Left,
            roi: "0,0,0.5,1".parse().ok(),
            rotate: Rotation::Quarters(2),
            mirror: true,
        }),
        clips: vec![CLIP.into()],
        part: Some(1),
        log_every: 30,
        unix_time: UNIX_TIME,
    })];
    events.extend(eyes_events());
    events.push(Event::Person(PersonEvent {
        clip: CLIP.into(),
        time: 9.5,
        frame: 285,
        person: 2,
        reason: ChangeReason::Preferred,
        square: Some(BoxRecord::from(&roi(239.5))),
        unix_time: UNIX_TIME,
    }));
    events.push(Event::Frames(FramesEvent {
        clip: CLIP.into(),
        from: 0.0,
        to: 60.0,
        frames: 1790,
        frames_with_face: 1770,
        frames_skipped: 10,
        known_s: 59.0,
        closed_s: 1.5,
        left: [("open".into(), 58.0), ("closed".into(), 2.0)].into(),
        right: [("open".into(), 60.0)].into(),
        perclos_highest: Some(HighestPerclos {
            value: 0.05,
            time: 42.5,
        }),
        unix_time: UNIX_TIME,
    }));
    events.extend(Event::of_changes(CLIP, &changes(), UNIX_TIME));
    events.extend([check_event(), drift_event()]);
    events.extend(camera_events());
    events.push(Event::LogGap(LogGapEvent {
        lost: 412,
        from: Some(350.0),
        to: Some(363.7),
        reason: GapReason::Unwritable,
        unix_time: UNIX_TIME,
    }));
    events.push(Event::End(EndEvent {
        clip: CLIP.into(),
        frames: 17_951,
        outcome: Outcome::Failed,
        error: Some("it broke off".into()),
        lost: Some(FrameLoss {
            driver: 0,
            dropped: 14,
            decode: 0,
            corrupt: 3,
        }),
        frame_age_ms: Some(Percentiles {
            p50: 17.2,
            p95: 24.8,
            p99: 31.5,
        }),
        unix_time: UNIX_TIME,
    }));
    events
}

#[test]
fn each_event_s_line_is_the_documented_one() {
    let lines: Vec<String> = all_events()
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    for (line, event) in lines.iter().zip(all_events()) {
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn names_of_schema_1_are_read() {
    // Schema 1 had no event of this name, whose message was always called so.
    let is_old = |event: &Event| !matches!(event, Event::FrameRate(_));
    let new: Vec<Event> = all_events().into_iter().filter(is_old).collect();
    let renamed = [
        (r#""trust":"low""#, r#""trust":"thin""#),
        (r#""trust":"exhausted""#, r#""trust":"none""#),
        (r#""message":"#, r#""words":"#),
        (r#""corruption_agreement":"#, r#""natural_agreement":"#),
        (r#""dropped":"#, r#""hand_over":"#),
    ];
    for event in new {
        let mut line = serde_json::to_string(&event).unwrap();
        for (name, before) in renamed {
            line = line.replace(name, before);
        }
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}

proptest! {
    #[test]
    fn an_event_survives_its_line(nanos in 0_u64..1_000_000_000_000, p in 0.0_f32..1.0, x in -50.0_f32..4000.0) {
        let eye = EyeReading::Measured {
            probabilities: [p, 1.0 - p, 0.0, 0.0],
            lids: None,
            square: Roi { centre: [x, x], side: 20.0, angle: p },
        };
        let mut reading = reading(eye);
        reading.time = Duration::from_nanos(nanos);
        let event = Event::Eyes(EyesEvent::new("a", &reading, None));
        let line = serde_json::to_string(&event).unwrap();
        let back: Event = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), line);
        let Event::Eyes(eyes) = back else { unreachable!() };
        prop_assert!((eyes.time - nanos as f64 / 1e9).abs() <= 0.6e-6);
    }
}

#[test]
fn lids_are_written_where_the_model_says_them_and_gaze_where_an_open_eye_looks_down() {
    let of = |probabilities, looking_down| {
        let lids = Lids {
            openness: 0.25,
            openness_error: 0.0625,
            looking_down,
        };
        let eye = EyeReading::Measured {
            probabilities,
            lids: Some(lids),
            square: roi(1.0),
        };
        let record = EyeRecord::from(&eye);
        assert_eq!(record.lids.map(|written| written.lids()), Some(lids));
        serde_json::to_value(record).unwrap()
    };
    let down = of([0.2, 0.7, 0.1, 0.0], 0.75);
    assert_eq!(down["gaze"], "down");
    assert_eq!(
        (&down["openness"], &down["looking_down"]),
        (&0.25.into(), &0.75.into())
    );
    assert!(of([0.1, 0.2, 0.7, 0.0], 0.75).get("gaze").is_none());
    assert!(of([0.7, 0.2, 0.1, 0.0], 0.25).get("gaze").is_none());
    let unsaid = EyeReading::Measured {
        probabilities: [1.0, 0.0, 0.0, 0.0],
        lids: None,
        square: roi(1.0),
    };
    let unsaid = serde_json::to_value(EyeRecord::from(&unsaid)).unwrap();
    assert!(unsaid.get("openness").is_none() && unsaid.get("looking_down").is_none());
}

#[test]
fn a_frame_says_that_it_is_uncertain_and_otherwise_nothing_of_it() {
    let mut eyes = EyesEvent::new("a", &reading(EyeReading::Unmeasured(Unseen::NoFace)), None);
    let written = |eyes: &EyesEvent| serde_json::to_value(eyes).unwrap();
    assert!(written(&eyes).get("uncertain").is_none());
    eyes.uncertain = true;
    assert_eq!(written(&eyes)["uncertain"], true);
    let back: EyesEvent = serde_json::from_value(written(&eyes)).unwrap();
    assert!(back.uncertain);
}
