//! The face is found and followed, in real clips and drawn.

use image::RgbImage;
use parseye_capture::{FrameSource, VideoFile};
use parseye_demo::{Exposure, FaceRenderer, Person, Pose};
use parseye_test_needs::needs;
use parseye_testkit::places::{face_detector, recordings};
use parseye_vision::{
    frame::Frame,
    locate::{DetectorSettings, Face, FaceTracker},
};
use std::time::Duration;

fn tracker(detect_every: u32) -> FaceTracker {
    let settings = DetectorSettings {
        detect_every,
        ..DetectorSettings::default()
    };
    FaceTracker::open(&face_detector(), &settings).unwrap()
}

/// Tracks pictures that come at 30 frames a second.
fn track(tracker: &mut FaceTracker, number: u64, picture: RgbImage) -> Option<Face> {
    let time = Duration::from_secs(number) / 30;
    tracker.track(&Frame::from_rgb(number, time, picture)).face
}

#[needs(face_detector, clips)]
#[test]
fn nearly_every_frame_of_the_real_clips_has_a_face() {
    let mut tracker = tracker(1);
    let mut paths: Vec<_> = std::fs::read_dir(recordings().join("clips"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "mp4"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 12);
    for path in paths {
        tracker.reset();
        let mut source = VideoFile::open(&path).unwrap();
        let (mut frames, mut found, mut profiles) = (0_u32, 0_u32, 0_u32);
        while let Some(frame) = source.next_frame().unwrap() {
            frames += 1;
            if let Some(face) = tracker.track(&frame).face {
                found += 1;
                profiles += u32::from(face.is_profile());
                assert!(
                    face.eyes.left[0] > face.eyes.right[0],
                    "left and right are swapped"
                );
            }
        }
        let share = f64::from(found) / f64::from(frames);
        eprintln!(
            "{}: {frames} frames, face in {:.1} %, {profiles} profiles",
            source.name(),
            100.0 * share
        );
        assert!(share >= 0.98, "{}: {share}", path.display());
    }
}

/// Noise that a person still sees a face in.
#[needs(face_detector)]
#[test]
fn a_face_is_followed_through_heavy_noise() {
    let mut tracker = tracker(1);
    let renderer = FaceRenderer::new(&Person::default(), (640, 480), 210.0);
    let mut found = 0;
    for frame in 0..60_u32 {
        let pose = Pose::at([320.0 + frame as f32, 200.0]);
        let mut rgb = renderer.render(&pose);
        let exposure = Exposure {
            noise: 60.0,
            seed: frame,
            ..Exposure::default()
        };
        exposure.apply(&mut rgb);
        found += u32::from(track(&mut tracker, frame.into(), rgb).is_some());
    }
    assert!(found > 57, "{found} of 60");
}

#[needs(face_detector)]
#[test]
fn pictures_without_a_face_have_none() {
    let mut tracker = tracker(1);
    let noise = RgbImage::from_fn(320, 240, |x, y| {
        let hash = x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663);
        image::Rgb([hash as u8, (hash >> 8) as u8, (hash >> 16) as u8])
    });
    let pictures = [
        RgbImage::new(640, 480),
        noise,
        RgbImage::new(1, 1),
        RgbImage::new(0, 0),
    ];
    for (number, picture) in (0..).zip(pictures) {
        assert_eq!(track(&mut tracker, number, picture), None);
    }
}

/// Detected seldom, as well.
#[needs(face_detector)]
#[test]
fn a_face_that_jumps_is_found_again_in_the_same_frame() {
    let mut tracker = tracker(10);
    let face =
        FaceRenderer::new(&Person::default(), (360, 360), 200.0).render(&Pose::at([180.0, 150.0]));
    let place = |x: i64| {
        let mut picture = RgbImage::new(3 * face.width(), face.height());
        image::imageops::replace(&mut picture, &face, x, 0);
        picture
    };
    let far = i64::from(2 * face.width());
    let mut number = 0;
    let mut locate = |picture: RgbImage| {
        number += 1;
        track(&mut tracker, number, picture)
    };
    let first = locate(place(0)).unwrap();
    let second = locate(place(far)).unwrap();
    let moved = second.square.centre[0] - first.square.centre[0];
    assert!(
        (moved - far as f32).abs() < 0.1 * first.square.side,
        "{moved}"
    );
    assert_eq!(locate(RgbImage::new(640, 480)), None);
    assert!(locate(place(0)).is_some());
}
