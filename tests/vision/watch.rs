//! The drawn face in larger pictures, read from end to end: by size, turn and mirroring, in a part of the picture,
//! and beside a picture of itself.

use image::{RgbImage, imageops};
use parseye_test_needs::needs;
use parseye_testkit::{
    places::face_detector,
    synthetic_face::{Blink, HEIGHT, WIDTH, draw},
};
use parseye_vision::{
    classify::EyeStateModel,
    eye_monitor::{EyeMonitor, FrameResult, VisionError, VisionSettings},
    eye_state::EyeState,
    frame::Frame,
    locate::ChangeReason,
    reading::{EyeReading, Unseen},
};
use std::time::Duration;

/// Side of the drawn face's box in pixels, about.
const FACE: f32 = 190.0;

fn monitor(change: impl FnOnce(&mut VisionSettings)) -> EyeMonitor {
    let mut settings = VisionSettings::default();
    settings.detector.file = Some(face_detector());
    change(&mut settings);
    EyeMonitor::new(&settings, &EyeStateModel::built_in().unwrap()).unwrap()
}

/// The drawn face of a frame with a box of about `side` pixels.
fn drawn(frame: usize, side: f32, blinks: &[Blink]) -> RgbImage {
    let pixels = draw(frame, blinks);
    let whole = RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, pixels).unwrap();
    let scaled = |length: usize| (length as f32 * side / FACE).round() as u32;
    let (width, height) = (scaled(WIDTH), scaled(HEIGHT));
    imageops::resize(&whole, width, height, imageops::FilterType::Triangle)
}

/// A wall with a picture laid on it.
fn wall(size: (u32, u32), lain: &[(&RgbImage, i64, i64)]) -> RgbImage {
    let mut wall = RgbImage::from_fn(size.0, size.1, |x, y| {
        image::Rgb([120 + (x / 16 % 8) as u8, 118 + (y / 16 % 8) as u8, 112])
    });
    for (picture, x, y) in lain {
        imageops::overlay(&mut wall, *picture, *x, *y);
    }
    wall
}

fn process(monitor: &mut EyeMonitor, number: usize, rgb: RgbImage) -> FrameResult {
    let time = Duration::from_secs(number as u64) / 30;
    let frame = Frame::from_rgb(number as u64, time, rgb);
    monitor.process(&frame).unwrap()
}

#[needs(face_detector)]
#[test]
fn the_drawn_face_is_found_small_and_large_at_every_turn() {
    for side in [60.0, 120.0, 400.0] {
        for quarters in 0..4 {
            let mut picture = drawn(0, side, &[]);
            for _ in 0..quarters {
                picture = imageops::rotate90(&picture);
            }
            let mut monitor = monitor(|_| {});
            let result = process(&mut monitor, 0, wall((1280, 720), &[(&picture, 300, 60)]));
            let face = result.reading.face;
            assert!(face.is_some(), "{side} px, {quarters} quarters");
            let upright =
                (face.unwrap().roll() - quarters as f32 * std::f32::consts::FRAC_PI_2).cos();
            assert!(upright > 0.9, "{side} px, {quarters} quarters: {upright}");
        }
    }
}

#[needs(face_detector)]
#[test]
fn a_mirrored_picture_s_eyes_are_exchanged_back() {
    // The left eye of a picture that is not mirrored has the larger x.
    for (mirror, larger) in [(false, true), (true, false)] {
        let mut monitor = monitor(|settings| settings.detector.mirror = mirror);
        let picture = drawn(0, 190.0, &[]);
        let result = process(&mut monitor, 0, wall((640, 480), &[(&picture, 60, 40)]));
        let square = |reading: &EyeReading| match reading {
            EyeReading::Measured { square, .. } => square.centre[0],
            EyeReading::Unmeasured(_) => f32::NAN,
        };
        let reading = &result.reading;
        let (left, right) = (square(&reading.eyes.left), square(&reading.eyes.right));
        assert_eq!(left > right, larger);
        let eyes = reading.face.unwrap().eyes;
        assert_eq!(eyes.left[0] > eyes.right[0], larger);
        assert_eq!(reading.eyes.left.state(), EyeState::Open);
    }
}

#[needs(face_detector)]
#[test]
fn eyes_of_too_few_pixels_are_not_guessed() {
    for (least, reason) in [(1.0, None), (64.0, Some(Unseen::TooSmall))] {
        let mut monitor = monitor(|settings| settings.eyes.least_side_px = least);
        let picture = drawn(0, 100.0, &[]);
        let result = process(&mut monitor, 0, wall((640, 480), &[(&picture, 200, 100)]));
        assert!(result.reading.face.is_some());
        let unseen = match result.reading.eyes.left {
            EyeReading::Measured { .. } => None,
            EyeReading::Unmeasured(reason) => Some(reason),
        };
        assert_eq!(unseen, reason);
    }
}

#[needs(face_detector)]
#[test]
fn a_region_outside_of_the_picture_is_an_error_that_says_so() {
    let mut monitor = monitor(|settings| settings.detector.roi = "700,0,100,100".parse().ok());
    let frame = Frame::from_rgb(0, Duration::ZERO, RgbImage::new(640, 480));
    let error = monitor.process(&frame).unwrap_err();
    assert!(matches!(error, VisionError::Region { .. }));
    let line = error.to_string();
    assert!(line.contains("--roi") && line.contains("640x480"), "{line}");
}

/// A user whose head sways and who blinks, before a portrait; away from 6.0 to 6.5 s.
#[needs(face_detector)]
#[test]
fn the_user_is_watched_again_after_half_a_second_and_the_portrait_never() {
    let blinks: Vec<Blink> = (1..9)
        .map(|n| Blink {
            first: 35 * n,
            last: 35 * n + 3,
        })
        .collect();
    let portrait = drawn(0, 110.0, &[]);
    let mut monitor = monitor(|_| {});
    for number in 0..240 {
        let user = drawn(number, 160.0, &blinks);
        let away = (180..195).contains(&number);
        let mut lain = vec![(&portrait, 20, 20)];
        if !away {
            lain.push((&user, 220, 160));
        }
        let result = process(&mut monitor, number, wall((640, 480), &lain));
        assert_eq!(result.change, None);
        let face = result.reading.face;
        if away {
            assert_eq!(face, None, "frame {number}");
        } else if !(195..198).contains(&number) {
            let x = face.unwrap().square.centre[0];
            assert!(x > 300.0, "frame {number}: {x}");
        }
    }
}

/// Before the portrait alone, a smaller user sits down at 6 s.
#[needs(face_detector)]
#[test]
fn a_portrait_is_left_for_whoever_sits_down() {
    let portrait = drawn(0, 160.0, &[]);
    let mut monitor = monitor(|_| {});
    let mut changes = Vec::new();
    for number in 0..260 {
        let user = drawn(number, 110.0, &[]);
        let mut lain = vec![(&portrait, 10, 10)];
        if number >= 180 {
            lain.push((&user, 350, 230));
        }
        let result = process(&mut monitor, number, wall((640, 480), &lain));
        changes.extend(result.change.map(|change| (number, change.reason)));
    }
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].1, ChangeReason::Alive);
    assert!((185..225).contains(&changes[0].0), "{changes:?}");
}
