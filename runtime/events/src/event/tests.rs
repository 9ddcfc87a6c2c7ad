//! Events as they stand in the log.

use super::*;
use proptest::prelude::*;

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

proptest! {
    #[test]
    fn an_event_survives_its_line(nanos in 0_u64..1_000_000_000_000, p in 0.0_f32..1.0, x in -50.0_f32..4000.0) {
        let eye = EyeReading::Measured {
            probabilities: [p, 1.0 - p, 0.0, 0.0],
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
