//! What searching costs: network runs and time a frame, while nobody is there and while somebody is followed.

use super::{
    FPS,
    clips::{print_line, videos},
    compose::{Actor, frame, room},
    tracker,
};
use image::RgbImage;
use parseye_benches::statistics::{mean, quantile};
use parseye_vision::locate::{DetectorSettings, FaceTracker};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{path::Path, time::Instant};

const SIZES: [[u32; 2]; 3] = [[640, 480], [1280, 720], [1920, 1080]];

/// Frames before the measured ones, and those.
const WARMING: u32 = 60;
const MEASURED: u32 = 300;

/// Prints a row for each size and kind of picture.
pub fn run(data: &Path) -> anyhow::Result<()> {
    let paths = videos(&data.join("clips"))?;
    let mut actors = Vec::new();
    for path in paths.iter().take(3) {
        actors.extend(Actor::read(path, 200)?);
    }
    print_line(&format!(
        "{MEASURED} frames at {FPS} frames/s, finding the face only"
    ))?;
    print_line(
        "frame      picture                      runs a frame: mean max   ms a frame: mean   p99   share of a core",
    )?;
    for size in SIZES {
        let empty = room(size, 1);
        measure(size, "nobody, still", |_| empty.clone())?;
        measure(size, "nobody, noise of 5 gray levels", |number| {
            noisy(&empty, number)
        })?;
        let moved = room([size[0] + 200, size[1]], 1);
        measure(size, "nobody, a camera that pans", |number| {
            let x = 100 + (100.0 * (f64::from(number) / 20.0).sin()) as u32;
            image::imageops::crop_imm(&moved, x, 0, size[0], size[1]).to_image()
        })?;
        for actor in &actors {
            measure(size, "somebody is followed", |number| {
                let mut scene = empty.clone();
                let middle = size.map(|length| length as f32 / 2.0);
                actor
                    .at(number, 0.35 * size[1] as f32)
                    .paste(&mut scene, middle);
                scene
            })?;
        }
    }
    Ok(())
}

fn noisy(rgb: &RgbImage, number: u32) -> RgbImage {
    let mut chance = ChaCha8Rng::seed_from_u64(number.into());
    let mut noisy = rgb.clone();
    for level in noisy.iter_mut() {
        // A sum of three even numbers is close enough to a normal one.
        let noise: f32 = (0..3).map(|_| chance.random_range(-5.0..5.0_f32)).sum();
        *level = (f32::from(*level) + noise).round().clamp(0.0, 255.0) as u8;
    }
    noisy
}

fn measure(
    size: [u32; 2],
    name: &str,
    mut picture: impl FnMut(u32) -> RgbImage,
) -> anyhow::Result<()> {
    let mut tracker: FaceTracker = tracker(&DetectorSettings::default())?;
    let (mut runs, mut times) = (Vec::new(), Vec::new());
    for number in 0..WARMING + MEASURED {
        let frame = frame(number, picture(number));
        let before = tracker.runs();
        let begin = Instant::now();
        tracker.track(&frame);
        if number >= WARMING {
            times.push(1000.0 * begin.elapsed().as_secs_f64());
            runs.push((tracker.runs() - before) as f64);
        }
    }
    let mean_ms = mean(&times);
    print_line(&format!(
        "{:>4}x{:<4}  {name:34} {:9.2} {:4.0} {:17.2} {:5.2} {:13.1} %",
        size[0],
        size[1],
        mean(&runs),
        quantile(&mut runs, 1.0),
        mean_ms,
        quantile(&mut times, 0.99),
        mean_ms * f64::from(FPS) / 10.0
    ))
}
