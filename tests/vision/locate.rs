//! The face is found and followed in real clips.

use image::RgbImage;
use parseye_capture::{FrameSource, VideoFile};
use parseye_test_needs::needs;
use parseye_testkit::places::{face_detector, recordings};
use parseye_vision::{
    frame::Frame,
    locate::{DetectorSettings, Face, FaceTracker},
    selfcheck::noise::Normal,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{path::PathBuf, time::Duration};

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

fn clip(name: &str) -> PathBuf {
    recordings().join("clips").join(name)
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

/// Noise that a person still sees a face in: sparse looks alone find it in none of these frames.
#[needs(face_detector, clips)]
#[test]
fn a_face_is_followed_through_heavy_noise() {
    let mut tracker = tracker(1);
    let mut source = VideoFile::open(&clip("liveportrait_d11.mp4")).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (mut frames, mut found) = (0_u32, 0_u32);
    while frames < 60
        && let Some(frame) = source.next_frame().unwrap()
    {
        let mut rgb = frame.rgb;
        for level in rgb.iter_mut() {
            let noisy = f64::from(*level) + 60.0 * Normal.draw(&mut rng);
            *level = noisy.round().clamp(0.0, 255.0) as u8;
        }
        frames += 1;
        found += u32::from(track(&mut tracker, frame.sequence, rgb).is_some());
    }
    let share = f64::from(found) / f64::from(frames);
    assert!(share > 0.95, "{found} of {frames}");
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
#[needs(face_detector, clips)]
#[test]
fn a_face_that_jumps_is_found_again_in_the_same_frame() {
    let mut tracker = tracker(10);
    let path = clip("liveportrait_d0.mp4");
    let face = VideoFile::open(&path)
        .unwrap()
        .next_frame()
        .unwrap()
        .unwrap()
        .rgb;
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
