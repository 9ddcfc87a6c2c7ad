//! Scripts of readings: each test says which events must come of one, and when.

use super::*;
use crate::{
    eye_state::{EyeState, LEFT_OUT, STATES},
    lids::Lids,
    locate::crop::Roi,
    reading::{EyeReading, Unseen},
};
use proptest::prelude::*;

mod alerts;
mod clocks;
mod looking_down;
mod people;
mod rarely;
mod reminders;
mod sight;

const FPS: f64 = 30.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scene {
    Open,
    Closed,
    /// Only the left eye is closed.
    WinkLeft,
    /// Both crops show no eye.
    Hidden,
    /// The left eye is hidden, the right one closed or open.
    LeftHidden {
        right_closed: bool,
    },
    NoFace,
    Profile,
    /// P(closed) of both eyes; what remains is P(open).
    Of(f32),
    /// P(`partially_open`) of both eyes; what remains is P(open).
    Partial(f32),
    /// What a model with an output for the lids says of both eyes: P(closed), how far the lids are apart, and the
    /// probability that they look down; what remains of the states is P(open).
    Lids {
        closed: f32,
        openness: f32,
        looking_down: f32,
    },
    /// The left eye is covered, and its crop says nothing at all about lids.
    LeftCovered {
        right_closed: bool,
    },
}

fn measured(closed: f32, hidden: f32) -> EyeReading {
    let mut probabilities = [0.0; STATES];
    probabilities[EyeState::Closed.index()] = closed;
    probabilities[EyeState::NotVisible.index()] = hidden;
    probabilities[EyeState::Open.index()] = 1.0 - closed - hidden;
    let square = Roi {
        centre: [0.0; 2],
        side: 32.0,
        angle: 0.0,
    };
    EyeReading::Measured {
        probabilities,
        lids: None,
        square,
    }
}

impl EyeReading {
    fn with_lids(mut self, said: Lids) -> Self {
        if let Self::Measured { lids, .. } = &mut self {
            *lids = Some(said);
        }
        self
    }
}

fn partially_open(partial: f32) -> EyeReading {
    let EyeReading::Measured {
        mut probabilities,
        square,
        ..
    } = measured(0.0, 0.0)
    else {
        unreachable!("measured");
    };
    probabilities[EyeState::PartiallyOpen.index()] = partial;
    probabilities[EyeState::Open.index()] = 1.0 - partial;
    EyeReading::Measured {
        probabilities,
        lids: None,
        square,
    }
}

fn eyes(scene: Scene) -> PerEye<EyeReading> {
    let (open, closed, hidden) = (measured(0.02, 0.0), measured(0.95, 0.0), measured(0.0, 0.9));
    let both = |eye| PerEye {
        left: eye,
        right: eye,
    };
    match scene {
        Scene::Open => both(open),
        Scene::Closed => both(closed),
        Scene::WinkLeft => PerEye {
            left: closed,
            right: measured(0.01, 0.0),
        },
        Scene::Hidden => both(hidden),
        Scene::LeftHidden { right_closed: true } => PerEye {
            left: measured(0.3, 0.6),
            right: closed,
        },
        Scene::LeftHidden {
            right_closed: false,
        } => PerEye {
            left: hidden,
            right: open,
        },
        Scene::NoFace => both(EyeReading::Unmeasured(Unseen::NoFace)),
        Scene::Profile => both(EyeReading::Unmeasured(Unseen::Profile)),
        Scene::Of(p) => both(measured(p, 0.0)),
        Scene::Partial(p) => both(partially_open(p)),
        Scene::Lids {
            closed,
            openness,
            looking_down,
        } => both(measured(closed, 0.0).with_lids(Lids {
            openness,
            openness_error: 0.05,
            looking_down,
        })),
        Scene::LeftCovered { right_closed } => PerEye {
            left: measured(0.0, 0.97),
            right: if right_closed { closed } else { open },
        },
    }
}

/// Steps through scenes at given times in seconds.
fn watch_at(
    script: &[(f64, Scene)],
    settings: &TemporalSettings,
) -> (Vec<Closure>, TemporalTracker) {
    let mut tracker = TemporalTracker::new(settings);
    let mut closures = Vec::new();
    for (frame, (seconds, scene)) in script.iter().enumerate() {
        let step = tracker.update(&FrameReading {
            frame: frame as u64,
            time: Duration::from_secs_f64(*seconds),
            face: None,
            eyes: eyes(*scene),
        });
        closures.extend(step.ended);
    }
    (closures, tracker)
}

/// Steps through runs of (frames, scene) at [`FPS`].
fn watch(script: &[(usize, Scene)]) -> (Vec<Closure>, TemporalTracker) {
    let scenes = script
        .iter()
        .flat_map(|(frames, scene)| std::iter::repeat_n(*scene, *frames));
    let timed: Vec<_> = scenes
        .enumerate()
        .map(|(i, scene)| (i as f64 / FPS, scene))
        .collect();
    watch_at(&timed, &TemporalSettings::default())
}

fn of(closures: &[Closure], eye: Laterality, kind: ClosureKind) -> Vec<(u64, u64)> {
    closures
        .iter()
        .filter(|closure| closure.eye == eye && closure.kind == kind)
        .map(|closure| (closure.first_frame, closure.last_frame))
        .collect()
}

fn blinks(closures: &[Closure], eye: Laterality) -> Vec<(u64, u64)> {
    of(closures, eye, ClosureKind::Blink)
}

#[test]
fn an_alert_blinker_is_counted_blink_by_blink() {
    let mut script = vec![(60, Scene::Open)];
    for _ in 0..10 {
        script.extend([(5, Scene::Closed), (100, Scene::Open)]);
    }
    let (closures, tracker) = watch(&script);
    for eye in Laterality::ALL {
        assert_eq!(blinks(&closures, eye).len(), 10);
        assert_eq!(blinks(&closures, eye)[0], (60, 64));
    }
    let first = closures[0];
    assert!((first.start.as_secs_f64() - 2.0).abs() < 1e-6);
    assert!((first.duration().as_secs_f64() - 5.0 / FPS).abs() < 1e-6);
    assert_eq!(tracker.perclos(), Some(0.0), "blinks are left out");
}

/// With an output for open and closed alone, doubt is no lid on its way down: the same numbers that are a partial blink of
/// a model of four states are none of one of two, and its blinks are blinks.
#[test]
fn a_model_of_two_states_blinks_but_not_partially() {
    let script = [
        (30, Scene::Open),
        (4, Scene::Of(0.45)),
        (30, Scene::Open),
        (4, Scene::Closed),
        (30, Scene::Open),
    ];
    let scenes = script
        .iter()
        .flat_map(|(frames, scene)| std::iter::repeat_n(*scene, *frames));
    let scenes: Vec<Scene> = scenes.collect();
    let counted = |left_out: bool| {
        let mut tracker = TemporalTracker::new(&TemporalSettings::default());
        let mut closures = Vec::new();
        for (frame, scene) in scenes.iter().enumerate() {
            let mut eyes = eyes(*scene);
            for eye in [&mut eyes.left, &mut eyes.right] {
                if let (EyeReading::Measured { probabilities, .. }, true) = (eye, left_out) {
                    probabilities[EyeState::PartiallyOpen.index()] = LEFT_OUT;
                    probabilities[EyeState::NotVisible.index()] = LEFT_OUT;
                }
            }
            let reading = FrameReading {
                frame: frame as u64,
                time: Duration::from_secs_f64(frame as f64 / FPS),
                face: None,
                eyes,
            };
            closures.extend(tracker.update(&reading).ended);
        }
        let of_both = |kind| of(&closures, Laterality::Both, kind);
        (
            of_both(ClosureKind::PartialBlink),
            of_both(ClosureKind::Blink),
        )
    };
    assert_eq!(counted(false), (vec![(30, 33)], vec![(64, 67)]));
    assert_eq!(counted(true), (vec![], vec![(64, 67)]));
}

#[test]
fn a_blink_of_one_frame_counts_and_lasts_one_frame() {
    let (closures, _) = watch(&[(10, Scene::Open), (1, Scene::Closed), (10, Scene::Open)]);
    assert_eq!(blinks(&closures, Laterality::Both), [(10, 10)]);
    assert!((closures[0].duration().as_secs_f64() - 1.0 / FPS).abs() < 1e-6);
}

#[test]
fn a_long_closure_is_no_blink_and_fills_perclos() {
    let (closures, tracker) = watch(&[(90, Scene::Open), (90, Scene::Closed), (121, Scene::Open)]);
    for eye in Laterality::ALL {
        assert_eq!(blinks(&closures, eye), []);
        assert_eq!(of(&closures, eye, ClosureKind::LongClosure), [(90, 179)]);
    }
    // 3 s of the 10 s between the first frame and the last.
    assert!((tracker.perclos().unwrap() - 0.3).abs() < 1e-6);
}

#[test]
fn the_border_belongs_to_the_long_closure() {
    let frames = (TemporalSettings::default().long_closure_s * FPS) as usize;
    let (closures, _) = watch(&[(5, Scene::Open), (frames, Scene::Closed), (5, Scene::Open)]);
    assert_eq!(blinks(&closures, Laterality::Both), []);
    let (closures, _) = watch(&[
        (5, Scene::Open),
        (frames - 1, Scene::Closed),
        (5, Scene::Open),
    ]);
    assert_eq!(blinks(&closures, Laterality::Both).len(), 1);
}

#[test]
fn a_wink_is_one_eyes_blink() {
    let (closures, _) = watch(&[(10, Scene::Open), (6, Scene::WinkLeft), (10, Scene::Open)]);
    assert_eq!(blinks(&closures, Laterality::Left), [(10, 15)]);
    assert_eq!(blinks(&closures, Laterality::Right), []);
    assert_eq!(blinks(&closures, Laterality::Both), []);
}

#[test]
fn one_hidden_eye_leaves_the_other_ones_blink() {
    let (closures, _) = watch(&[
        (
            10,
            Scene::LeftHidden {
                right_closed: false,
            },
        ),
        (4, Scene::LeftHidden { right_closed: true }),
        (
            10,
            Scene::LeftHidden {
                right_closed: false,
            },
        ),
    ]);
    assert_eq!(blinks(&closures, Laterality::Left), []);
    assert_eq!(blinks(&closures, Laterality::Right), [(10, 13)]);
    assert_eq!(blinks(&closures, Laterality::Both), [(10, 13)]);
}

#[test]
fn closures_at_either_end_of_the_recording_are_not_whole() {
    let (closures, tracker) = watch(&[(5, Scene::Closed), (20, Scene::Open), (1, Scene::Closed)]);
    assert_eq!(closures, []);
    assert_eq!(tracker.perclos(), Some(0.0));
}

#[test]
fn a_sleeper_at_the_end_counts_without_an_event() {
    let (closures, tracker) = watch(&[(31, Scene::Open), (60, Scene::Closed)]);
    assert_eq!(closures, []);
    let closed = tracker.perclos().unwrap();
    assert!((closed - 59.0 / 90.0).abs() < 1e-6, "{closed}");
}

#[test]
fn a_variable_frame_rate_changes_durations_not_counts() {
    let times = [0.0, 0.04, 0.05, 0.11, 0.30, 0.31, 0.33];
    let scenes = [
        Scene::Open,
        Scene::Open,
        Scene::Closed,
        Scene::Closed,
        Scene::Closed,
        Scene::Open,
        Scene::Open,
    ];
    let script: Vec<_> = times.into_iter().zip(scenes).collect();
    let (closures, _) = watch_at(&script, &TemporalSettings::default());
    assert_eq!(blinks(&closures, Laterality::Both), [(2, 4)]);
    assert!((closures[0].duration().as_secs_f64() - 0.26).abs() < 1e-6);
}

#[test]
fn what_happens_in_a_long_gap_is_unknown() {
    let script = [
        (0.0, Scene::Open),
        (0.1, Scene::Closed),
        (2.0, Scene::Closed),
        (2.1, Scene::Open),
        (2.2, Scene::Open),
    ];
    let (closures, tracker) = watch_at(&script, &TemporalSettings::default());
    assert_eq!(closures, []);
    let (known, closed) = tracker.known_and_closed();
    assert!((known.as_secs_f64() - 0.3).abs() < 1e-6);
    assert_eq!(closed, Duration::ZERO);
}

#[test]
fn lids_that_part_for_a_moment_without_opening_stay_one_closure() {
    let (low, open) = (Scene::Partial(0.95), Scene::Open);
    for (between, expected) in [
        (vec![(3, low)], vec![(5, 10)]),
        (vec![(1, Scene::Of(0.4))], vec![(5, 8)]),
        // Open, for however short a time, or low for longer than 0.1 s, ends it.
        (vec![(1, open)], vec![(5, 6), (8, 8)]),
        (vec![(1, low), (1, open)], vec![(5, 6), (9, 9)]),
        (vec![(4, low)], vec![(5, 6), (11, 11)]),
    ] {
        let mut script = vec![(5, open), (2, Scene::Closed)];
        script.extend(&between);
        script.extend([(1, Scene::Closed), (5, open)]);
        let (closures, _) = watch(&script);
        assert_eq!(blinks(&closures, Laterality::Both), expected, "{between:?}");
    }
}

#[test]
fn a_closure_ends_where_the_lids_first_parted() {
    let (closures, tracker) = watch(&[
        (30, Scene::Open),
        (60, Scene::Closed),
        (3, Scene::Partial(0.9)),
        (30, Scene::Open),
    ]);
    let long = closures
        .iter()
        .find(|closure| closure.eye == Laterality::Both);
    assert!((long.unwrap().duration().as_secs_f64() - 2.0).abs() < 1e-6);
    let (known, closed) = tracker.known_and_closed();
    assert!((closed.as_secs_f64() - 2.0).abs() < 1e-6);
    assert!((known.as_secs_f64() - 122.0 / FPS).abs() < 1e-6);
}

#[test]
fn eyes_lost_from_sight_after_they_parted_have_ended_their_blink() {
    for after in [
        vec![(10, Scene::NoFace), (1, Scene::Open)],
        vec![(10, Scene::NoFace), (10, Scene::Partial(0.9))],
        vec![(32, Scene::NoFace)],
    ] {
        let mut script = vec![
            (10, Scene::Open),
            (4, Scene::Closed),
            (1, Scene::Partial(0.9)),
        ];
        script.extend(&after);
        let (closures, _) = watch(&script);
        assert_eq!(blinks(&closures, Laterality::Both), [(10, 13)], "{after:?}");
        assert!((closures[0].duration().as_secs_f64() - 4.0 / FPS).abs() < 1e-6);
    }
}

#[test]
fn hysteresis_is_there_for_those_who_want_it() {
    let script: Vec<_> = [
        Scene::Open,
        Scene::Closed,
        Scene::Of(0.2),
        Scene::Closed,
        Scene::Open,
    ]
    .into_iter()
    .enumerate()
    .map(|(i, scene)| (i as f64 / FPS, scene))
    .collect();
    let (closures, _) = watch_at(&script, &TemporalSettings::default());
    assert_eq!(blinks(&closures, Laterality::Both), [(1, 1), (3, 3)]);
    let settings = TemporalSettings {
        open_at_or_below: 0.1,
        ..TemporalSettings::default()
    };
    let (closures, _) = watch_at(&script, &settings);
    assert_eq!(blinks(&closures, Laterality::Both), [(1, 3)]);
}

#[test]
fn the_sliding_minute_forgets_what_the_session_keeps() {
    let (_, tracker) = watch(&[
        (30, Scene::Open),
        (90, Scene::Closed),
        (61 * 30, Scene::Open),
    ]);
    assert_eq!(tracker.perclos_of_last_minute(), Some(0.0));
    assert!(tracker.perclos().unwrap() > 0.04);
    let (_, tracker) = watch(&[(600, Scene::Open), (61 * 30, Scene::Closed)]);
    assert_eq!(
        tracker.perclos_of_last_minute(),
        Some(1.0),
        "a running closure counts at once"
    );
}

#[test]
fn nothing_known_has_no_perclos() {
    let (closures, tracker) = watch(&[(30, Scene::NoFace)]);
    assert_eq!(closures, []);
    assert_eq!(tracker.perclos(), None);
}

#[test]
fn an_interruption_ends_what_a_lost_face_would_not() {
    let (_, mut tracker) = watch(&[(40, Scene::Open), (60, Scene::Closed)]);
    let update = tracker.interrupt(Duration::from_secs_f64(100.0 / FPS));
    let lost = update.alerts.iter().map(|alert| alert.phase);
    assert!(lost.eq([AlertPhase::Lost; 2]));
    assert_eq!(update.ended, []);
    let (known, closed) = tracker.known_and_closed();
    assert!((known.as_secs_f64() - 99.0 / FPS).abs() < 1e-6, "{known:?}");
    assert!(
        (closed.as_secs_f64() - 59.0 / FPS).abs() < 1e-6,
        "{closed:?}"
    );
}

fn any_scene() -> impl Strategy<Value = Scene> {
    prop_oneof![
        4 => Just(Scene::Open),
        3 => Just(Scene::Closed),
        1 => Just(Scene::WinkLeft),
        1 => Just(Scene::Hidden),
        1 => Just(Scene::NoFace),
        1 => (0.0_f32..=1.0).prop_map(Scene::Of),
        1 => (0.0_f32..=1.0).prop_map(Scene::Partial),
    ]
}

proptest! {
    #[test]
    fn closures_are_in_order_apart_and_closed_in_every_frame(
        steps in prop::collection::vec((0.001_f64..0.8, any_scene()), 1..200),
    ) {
        let mut time = 0.0;
        let script: Vec<_> = steps.into_iter().map(|(gap, scene)| { time += gap; (time, scene) }).collect();
        let settings = TemporalSettings { baseline_least: 1.0, ..TemporalSettings::default() };
        let (closures, tracker) = watch_at(&script, &settings);
        let usual = PerEye { left: 1.0, right: 1.0 };
        for eye in Laterality::ALL {
            let mut next_allowed = 1;
            let whole = closures.iter().filter(|closure| closure.kind != ClosureKind::PartialBlink);
            for closure in whole.filter(|closure| closure.eye == eye) {
                prop_assert!(closure.first_frame >= next_allowed && closure.last_frame >= closure.first_frame);
                prop_assert!(closure.end > closure.start);
                // A frame that is known and not closed lies between two closures.
                next_allowed = closure.last_frame + 2;
                if eye == Laterality::Both {
                    let shown = |frame: u64| {
                        LidSignals::of(&eyes(script[frame as usize].1), &usual, &settings).both
                    };
                    for frame in closure.first_frame..=closure.last_frame {
                        // Out of sight for a moment, or not open.
                        let open = shown(frame).is_some_and(|lids| lids.closed <= 0.5 && lids.openness > 0.75);
                        prop_assert!(!open);
                    }
                    prop_assert!(closure.unseen <= closure.duration() / 2);
                    let closed = |frame| shown(frame).is_some_and(|lids| lids.closed > 0.5);
                    prop_assert!(closed(closure.first_frame) && closed(closure.last_frame));
                    prop_assert!(!closed(closure.first_frame - 1));
                }
            }
        }
        for share in [tracker.perclos(), tracker.perclos_of_last_minute()].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }

    #[test]
    fn partial_blinks_never_meet_a_closed_frame(
        steps in prop::collection::vec((0.001_f64..0.8, any_scene()), 1..200),
    ) {
        let mut time = 0.0;
        let script: Vec<_> = steps.into_iter().map(|(gap, scene)| { time += gap; (time, scene) }).collect();
        let (closures, _) = watch_at(&script, &TemporalSettings::default());
        for partial in closures.iter().filter(|closure| closure.kind == ClosureKind::PartialBlink) {
            prop_assert!(partial.duration() < Duration::from_secs(1) && !partial.wink);
            let mut whole = closures.iter().filter(|closure| {
                closure.kind != ClosureKind::PartialBlink && closure.eye == partial.eye
            });
            let apart = whole.all(|closure| {
                closure.last_frame < partial.first_frame || partial.last_frame < closure.first_frame
            });
            prop_assert!(apart);
        }
    }

    #[test]
    fn the_session_and_a_wide_window_agree(
        steps in prop::collection::vec((0.001_f64..0.8, any_scene()), 1..200),
    ) {
        let mut time = 0.0;
        let script: Vec<_> = steps.into_iter().map(|(gap, scene)| { time += gap; (time, scene) }).collect();
        let settings = TemporalSettings { perclos_window_s: 3600.0, ..TemporalSettings::default() };
        let (_, tracker) = watch_at(&script, &settings);
        prop_assert_eq!(tracker.perclos(), tracker.perclos_of_last_minute());
    }
}
