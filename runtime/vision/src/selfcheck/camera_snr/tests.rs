//! Noise of known size on drawn scenes: a soft image with bright and dark parts, an eye-like
//! pattern, and something that moves.

use super::*;
use crate::{locate::crop::sample_gray, selfcheck::noise::Normal};
use image::{Luma, codecs::jpeg::JpegEncoder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// Gray level of the scene before rounding; `moving` shifts a textured disc.
fn scene(x: u32, y: u32, moving: f64) -> f64 {
    let (x, y) = (f64::from(x), f64::from(y));
    let slow = 110.0 + 70.0 * (x / 71.0).sin() * (y / 53.0).cos() + 0.37 * x / 10.0;
    let (dx, dy) = (x - 220.0 - moving, y - 150.0);
    if dx.hypot(dy) < 45.0 {
        120.0 + 60.0 * (dx / 4.0).sin() * (dy / 5.0).sin()
    } else {
        slow
    }
}

fn frame(noise: impl Fn(f64, &mut ChaCha8Rng) -> f64, moving: f64, seed: u64) -> GrayImage {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let level = scene(x, y, moving);
        let noisy = level + noise(level, &mut rng);
        Luma([noisy.round().clamp(0.0, 255.0) as u8])
    })
}

fn after_jpeg(image: &GrayImage, quality: u8) -> GrayImage {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(image)
        .unwrap();
    image::load_from_memory(&bytes).unwrap().to_luma8()
}

fn observed(frames: impl IntoIterator<Item = GrayImage>) -> FrameNoise {
    let mut noise = CameraNoise::new();
    for (index, frame) in frames.into_iter().enumerate() {
        noise.observe(&Arc::new(frame), Duration::from_millis(33 * index as u64));
    }
    noise.frame_noise().unwrap()
}

fn square(side: f32) -> Roi {
    Roi {
        centre: [90.0, 100.0],
        side,
        angle: 0.05,
    }
}

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;

fn gray(image: &GrayImage, square: &Roi) -> [f32; PIXELS] {
    let mut gray = [0.0; PIXELS];
    sample_gray(image, square, SIDE, &mut gray);
    gray
}

/// The noise that is really on the crops of these frames: how their pixels scatter from frame to
/// frame, rounding included where `clean` has none.
fn true_sigma(frames: &[GrayImage], square: &Roi) -> f64 {
    let crops: Vec<[f32; PIXELS]> = frames.iter().map(|f| gray(f, square)).collect();
    let n = crops.len() as f64;
    let mut sum = 0.0;
    for i in 0..PIXELS {
        let mean = crops.iter().map(|c| f64::from(c[i])).sum::<f64>() / n;
        let squares: f64 = crops.iter().map(|c| (f64::from(c[i]) - mean).powi(2)).sum();
        sum += squares / (n - 1.0);
    }
    (sum / PIXELS as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn gaussian_noise_of_known_sigma_while_something_moves() {
    for sigma in [0.3, 0.6, 1.0, 2.0, 5.0, 12.0, 25.0] {
        let frames: Vec<GrayImage> = (0..12)
            .map(|i| frame(|_, rng| sigma * Normal.draw(rng), i as f64 * 3.0, i))
            .collect();
        let noise = observed(frames.clone());
        assert_eq!(noise.method, NoiseMethod::Temporal);
        for side in [34.0, 60.0, 110.0] {
            let square = square(side);
            let crop = StandardisedCrop::new(&gray(&frames[11], &square));
            let snr = noise.camera_snr(&square, &crop).unwrap();
            let off = db(snr.sigma_frame / sigma);
            assert!(
                off.abs() < 0.7,
                "sigma {sigma}: {} ({off} dB)",
                snr.sigma_frame
            );
            let truth = true_sigma(&frames, &square).hypot(0.0);
            let off = db(snr.sigma_crop / truth);
            assert!(
                off.abs() < 1.0,
                "sigma {sigma}, side {side}: {} for {truth}",
                snr.sigma_crop
            );
            assert!(snr.standard_error_db < 0.5);
        }
    }
}

#[test]
fn an_image_that_sways_in_large_parts_is_not_taken_for_noise() {
    // Two thirds of it is a texture that wobbles by up to a third of a pixel a frame, too
    // little for single patches to be called moved in so much noise.
    let swaying = |x: u32, y: u32, time: f64| {
        let (x, y) = (f64::from(x), f64::from(y));
        let sway = 0.3 * (y / 6.0).sin() * time;
        let turn = 0.3 * (x / 7.0).cos() * time;
        let still = x < f64::from(WIDTH) / 3.0;
        let (x, y) = if still { (x, y) } else { (x + sway, y + turn) };
        120.0 + 20.0 * (x / 4.0).sin() * (y / 5.0).cos() + 30.0 * (x / 60.0).sin()
    };
    for sigma in [0.5, 1.5, 4.0, 10.0] {
        let frames: Vec<GrayImage> = (0..10_u32)
            .map(|i| {
                let mut rng = ChaCha8Rng::seed_from_u64(u64::from(i));
                GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
                    let noisy = swaying(x, y, f64::from(i)) + sigma * Normal.draw(&mut rng);
                    Luma([noisy.round().clamp(0.0, 255.0) as u8])
                })
            })
            .collect();
        let noise = observed(frames);
        let off = 0.5 * db(noise.curve.variance(120.0) / (sigma * sigma));
        assert!(off.abs() < 0.5, "sigma {sigma}: {off} dB");
        let excess = 0.5 * db(noise.correlation.at(3.0));
        assert!(
            excess.abs() < 0.5,
            "sigma {sigma}: {excess} dB more in blocks"
        );
    }
}

#[test]
fn a_level_that_no_patch_showed_is_less_certain() {
    let noise = observed((0..6).map(|i| frame(|_, rng| 3.0 * Normal.draw(rng), 0.0, i)));
    let error = |mean: f32| {
        let crop = StandardisedCrop {
            mean,
            ..StandardisedCrop::new(&gray(&frame(|_, _| 0.0, 0.0, 0), &square(60.0)))
        };
        noise
            .camera_snr(&square(60.0), &crop)
            .unwrap()
            .standard_error_db
    };
    assert!(
        error(120.0) < 0.5 && error(10.0) > 3.0,
        "{} {}",
        error(120.0),
        error(10.0)
    );
}

#[test]
fn photon_noise_is_found_where_it_is_large_and_where_it_is_small() {
    let gain = 0.15;
    let photon =
        |level: f64, rng: &mut ChaCha8Rng| (gain * level).max(0.0).sqrt() * Normal.draw(rng);
    let noise = observed((0..20).map(|i| frame(photon, 0.0, i)));
    for level in [60.0, 120.0, 170.0] {
        let off = 0.5 * db(noise.curve.variance(level) / (gain * level));
        assert!(off.abs() < 0.9, "level {level}: {off} dB");
    }
}

#[test]
fn noise_after_jpeg_is_carried_as_it_is() {
    for quality in [75, 90] {
        for sigma in [2.0, 5.0, 10.0] {
            let frames: Vec<GrayImage> = (0..12)
                .map(|i| after_jpeg(&frame(|_, rng| sigma * Normal.draw(rng), 0.0, i), quality))
                .collect();
            let noise = observed(frames.clone());
            for side in [60.0, 110.0] {
                // The disc has texture, as an eye has: compression leaves less noise on smooth parts.
                let square = Roi {
                    centre: [220.0, 150.0],
                    ..square(side)
                };
                let crop = StandardisedCrop::new(&gray(&frames[11], &square));
                let snr = noise.camera_snr(&square, &crop).unwrap();
                let truth = true_sigma(&frames, &square);
                let off = db(snr.sigma_crop / truth);
                assert!(
                    off.abs() < 2.0,
                    "quality {quality}, sigma {sigma}, side {side}: {} for {truth}",
                    snr.sigma_crop
                );
            }
        }
    }
}

#[test]
fn clean_scenes_have_no_noise_whether_still_or_moving() {
    let quiet = |_: f64, _: &mut ChaCha8Rng| 0.0;
    let moving = observed((0..8).map(|i| frame(quiet, f64::from(i) * 4.0, 0)));
    assert!(moving.curve.variance(120.0) < 0.01, "{moving:?}");
    // A image that is repeated shows no noise; the fallback must not take shading for noise.
    let still = observed((0..8).map(|_| frame(quiet, 0.0, 0)));
    assert_eq!(still.method, NoiseMethod::Spatial);
    assert!(still.curve.variance(120.0) < 0.1, "{still:?}");
    let square = square(60.0);
    let crop = StandardisedCrop::new(&gray(&frame(quiet, 0.0, 0), &square));
    let snr = moving.camera_snr(&square, &crop).unwrap();
    // Rounding is all there is.
    assert!(snr.sigma_frame < 0.1 && snr.sigma_crop < 0.3 && snr.db > 30.0);
}

#[test]
fn one_image_shows_its_noise_where_it_is_smooth() {
    for sigma in [2.0, 5.0, 15.0] {
        let noise = observed([frame(|_, rng| sigma * Normal.draw(rng), 0.0, 1)]);
        assert_eq!(noise.method, NoiseMethod::Spatial);
        let off = 0.5 * db(noise.curve.variance(120.0) / (sigma * sigma));
        assert!(off.abs() < 1.5, "{sigma}: {off} dB");
    }
}

#[test]
fn what_cannot_be_measured_says_so() {
    assert_eq!(
        CameraNoise::new().frame_noise().unwrap_err(),
        Missing::NoNoiseEstimate
    );
    let mut black = CameraNoise::new();
    black.observe(&Arc::new(GrayImage::new(64, 64)), Duration::ZERO);
    assert_eq!(black.frame_noise().unwrap_err(), Missing::NoNoiseEstimate);
    let mut tiny = CameraNoise::new();
    tiny.observe(
        &Arc::new(GrayImage::from_pixel(9, 9, Luma([99]))),
        Duration::ZERO,
    );
    assert_eq!(tiny.frame_noise().unwrap_err(), Missing::NoNoiseEstimate);
    let noise = observed((0..3).map(|i| frame(|_, rng| 5.0 * Normal.draw(rng), 0.0, i)));
    let flat = StandardisedCrop::new(&[90.0; PIXELS]);
    assert_eq!(
        noise.camera_snr(&square(60.0), &flat).unwrap_err(),
        Missing::ConstantCrop
    );
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let only_noise = StandardisedCrop::new(&std::array::from_fn::<_, PIXELS, _>(|_| {
        90.0 + 1.5 * Normal.draw(&mut rng) as f32
    }));
    assert_eq!(
        noise.camera_snr(&square(60.0), &only_noise).unwrap_err(),
        Missing::NoiseOnly
    );
}

#[test]
fn frames_far_apart_or_of_another_size_are_not_compared() {
    let noisy = |i| Arc::new(frame(|_, rng| 5.0 * Normal.draw(rng), 0.0, i));
    let mut noise = CameraNoise::new();
    noise.observe(&noisy(0), Duration::ZERO);
    noise.observe(&noisy(1), Duration::from_secs(2));
    assert_eq!(noise.frame_noise().unwrap().method, NoiseMethod::Spatial);
    noise.observe(
        &Arc::new(GrayImage::new(64, 64)),
        Duration::from_millis(2033),
    );
    assert_eq!(noise.frame_noise().unwrap_err(), Missing::NoNoiseEstimate);
}

#[test]
fn a_change_of_gain_shows_within_seconds() {
    let mut noise = CameraNoise::new();
    for i in 0..360_u64 {
        let sigma = if i < 180 { 2.0 } else { 6.0 };
        let frame = frame(|_, rng| sigma * Normal.draw(rng), 0.0, i);
        noise.observe(&Arc::new(frame), Duration::from_millis(100 * i));
    }
    let off = 0.5 * db(noise.frame_noise().unwrap().curve.variance(120.0) / 36.0);
    assert!(off.abs() < 0.7, "{off} dB");
}
