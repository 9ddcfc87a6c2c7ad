//! How soon faces are found, and how often the network runs for that.

use super::{ALWAYS, Actor, DetectorSettings, Stage, Who, actor};
use std::f32::consts::PI;

const SIZES: [(u32, u32); 3] = [(640, 480), (1280, 720), (1920, 1080)];

/// Seconds from the first frame that shows a face until it is found, that frame's own display time included.
fn delay(stage: &mut Stage, quiet: u64, face: &Actor) -> f64 {
    for _ in 0..quiet {
        assert_eq!(stage.frame(&[], false).face, None);
    }
    let frames = (1..60).find(|_| stage.frame(std::slice::from_ref(face), false).is(face));
    f64::from(frames.unwrap_or(60)) / super::FPS
}

#[test]
fn a_face_of_any_size_anywhere_is_found_within_a_quarter_of_a_second() {
    for size in SIZES {
        let (width, height) = (size.0 as f32, size.1 as f32);
        for side in [48.0, 100.0, 0.4 * height, 1.3 * height] {
            let inner = (0.45 * side).min(height / 2.0);
            for [x, y] in [[0.0, 0.0], [0.5, 0.5], [1.0, 0.3], [0.7, 1.0]] {
                for angle in [0.0, PI] {
                    let mut stage = Stage::new(size, &DetectorSettings::default());
                    let at = [
                        inner + x * (width - 2.0 * inner),
                        inner + y * (height - 2.0 * inner),
                    ];
                    let face = Actor {
                        angle,
                        ..actor(Who::Person, ALWAYS, at, side)
                    };
                    let delay = delay(&mut stage, 20, &face);
                    assert!(delay <= 0.25, "{size:?} {side} {at:?} {angle}: {delay}");
                }
            }
        }
    }
}

#[test]
fn a_face_in_the_first_frame_is_found_in_it() {
    for size in SIZES {
        for angle in [0.0, PI] {
            let mut stage = Stage::new(size, &DetectorSettings::default());
            let face = Actor {
                angle,
                ..actor(Who::Person, ALWAYS, [60.0, 200.0], 48.0)
            };
            assert!(stage.frame(&[face], false).is(&face), "{size:?}");
        }
    }
}

#[test]
fn an_empty_room_costs_five_runs_a_second_and_a_restless_one_thirty_six() {
    for (restless, most) in [(false, 5.5), (true, 37.0)] {
        for size in SIZES {
            let mut stage = Stage::new(size, &DetectorSettings::default());
            // The beginning has credit for everything.
            for _ in 0..60 {
                stage.frame(&[], restless);
            }
            let runs: u64 = (0..300).map(|_| stage.frame(&[], restless).runs).sum();
            let rate = runs as f64 / 10.0;
            assert!(rate <= most, "{size:?}: {rate} a second");
            assert!(rate >= 0.6 * most, "{size:?}: {rate} a second");
        }
    }
}

/// A run that takes half a second, as on an emulated processor: a machine that makes up for the frames that it leaves
/// out is later still, for ever.
#[test]
fn a_machine_that_is_late_searches_less_and_finds_small_faces_all_the_same() {
    for size in SIZES {
        let mut stage = Stage::new(size, &DetectorSettings::default());
        let mut frame = |actors: &[Actor]| {
            let seen = stage.frame(actors, true);
            let late = (seen.runs as f64 * 0.5 * super::FPS) as u64;
            // An even number, since every other picture is the same.
            stage.leave_out(late / 2 * 2);
            seen
        };
        for _ in 0..60 {
            frame(&[]);
        }
        let runs: u64 = (0..150).map(|_| frame(&[]).runs).sum();
        let rate = runs as f64 / 150.0;
        assert!((0.3..1.0).contains(&rate), "{size:?}: {rate} a frame");
        let face = actor(Who::Person, ALWAYS, [400.0, 400.0], 48.0);
        let found = (0..600).position(|_| frame(&[face]).is(&face));
        assert!(found.is_some(), "{size:?}");
    }
}

#[test]
fn looking_beside_a_face_that_is_followed_takes_a_run_a_second_and_five_where_others_move() {
    let walker = |frame: u32| {
        let x = 300.0 + 300.0 * (f64::from(frame) / 20.0).sin() as f32;
        // Too small to be found.
        actor(Who::Person, ALWAYS, [x, 430.0], 30.0)
    };
    for size in SIZES {
        for (restless, bounds) in [(false, 0.8..=1.5), (true, 4.0..=5.5)] {
            let mut stage = Stage::new(size, &DetectorSettings::default());
            let user = actor(Who::Sleeper, ALWAYS, [300.0, 220.0], 150.0);
            let mut runs = 0;
            for frame in 0..360 {
                let actors = [user, walker(frame)];
                let actors = if restless { &actors[..] } else { &actors[..1] };
                let seen = stage.frame(actors, false);
                // The first views are searched because they never were.
                runs += if frame < 60 { 0 } else { seen.runs };
            }
            // One frame in five detects the face itself.
            let beside = runs as f64 / 10.0 - super::FPS / 5.0;
            assert!(
                bounds.contains(&beside),
                "{size:?}, {restless}: {beside} a second"
            );
        }
    }
}

#[test]
fn a_face_that_jumps_is_found_in_the_same_frame() {
    let mut stage = Stage::new((1280, 720), &DetectorSettings::default());
    let at = |x: f32| actor(Who::Person, ALWAYS, [x, 300.0], 200.0);
    for _ in 0..30 {
        assert!(stage.frame(&[at(200.0)], false).is(&at(200.0)));
    }
    let seen = stage.frame(&[at(1000.0)], false);
    assert!(seen.is(&at(1000.0)));
    assert_eq!(seen.change, None);
}
