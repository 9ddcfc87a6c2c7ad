//! Camera SNR against noise of known size on real clips: Gaussian, photon noise, both rounded to eight
//! bits, and after JPEG. The noise is put on one frame again and again (held), and on the running clip,
//! whose own noise, as measured without any added, then counts to the true one.

use super::{Points, clips, quantile};
use image::GrayImage;
use parseye::{
    classify::{
        EyeStateModel, StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    eye_state::Eye,
    locate::{Square, crop::sample_gray},
    reading::EyeReading,
    selfcheck::{camera_snr::CameraNoise, carry::Averaging},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Frames of each clip that the noise is measured on.
const FRAMES: usize = 8;

/// Camera SNRs in dB that noise is added for.
const TARGETS_DB: [f64; 7] = [15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0];

/// Scales gray levels so that they are not whole, as light is not.
const SCALE: f64 = 0.93;
const OFFSET: f64 = 5.3;

const KINDS: [&str; 4] = [
    "gaussian",
    "poisson",
    "gaussian, JPEG 90",
    "gaussian, JPEG 75",
];

fn gray(picture: &GrayImage, square: &Square) -> [f32; PIXELS] {
    let mut gray = [0.0; PIXELS];
    sample_gray(picture, square, SIDE, &mut gray);
    gray
}

fn rms(values: impl Iterator<Item = f64>) -> f64 {
    (values.map(|v| v * v).sum::<f64>() / PIXELS as f64).sqrt()
}

pub fn run(data: &Path, every: usize, points: &mut Points) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let mut chain = clips::chain(&model)?;
    points.point("kind,held,clip,eye,target_db,true_db,said_db,standard_error_db".into());
    let mut errors: BTreeMap<(usize, bool, usize), Vec<f64>> = BTreeMap::new();
    for path in clips::paths(data, every)? {
        let name = parseye::source::name_of(&path);
        eprintln!("{name}");
        // The first frames settle the locator.
        let frames = clips::judged(&path, &mut chain, 10 + FRAMES)?;
        let frames = &frames[frames.len().saturating_sub(FRAMES)..];
        let Some((last, reading)) = frames.last() else {
            continue;
        };
        let mut eyes = Vec::new();
        for eye in Eye::ALL {
            if let EyeReading::Measured { square, .. } = reading.eyes.get(eye) {
                let clean =
                    gray(&last.luma, square).map(|v| (SCALE * f64::from(v) + OFFSET) as f32);
                eyes.push((eye, *square, clean));
            }
        }
        let Some((_, square, clean)) = eyes.first() else {
            continue;
        };
        let crop = StandardisedCrop::new(clean);
        let weakened = Averaging::of_square(square.side).energy;
        let mut own = CameraNoise::new();
        for (frame, _) in frames {
            own.observe(&Arc::new(frame.luma.clone()), frame.time);
        }
        let own = own.frame_noise().map_or(0.0, |noise| {
            SCALE
                * SCALE
                * noise.curve.variance(f64::from(crop.mean))
                * noise.alikeness.at(1.0 / weakened)
        }) * weakened
            * weakened;
        let variants = KINDS
            .iter()
            .enumerate()
            .flat_map(|k| [(k, true), (k, false)]);
        for ((kind, kind_name), held) in variants {
            for (target, target_db) in TARGETS_DB.iter().enumerate() {
                let sigma = f64::from(crop.contrast) / 10_f64.powf(target_db / 20.0) / weakened;
                // Rounding adds its own twelfth.
                let wanted = sigma * sigma - 1.0 / 12.0;
                if wanted <= 0.0 {
                    continue;
                }
                let photons = wanted / f64::from(crop.mean);
                let mut noise = CameraNoise::new();
                let mut noisy = GrayImage::default();
                let mut reference = None;
                for (index, (running, _)) in frames.iter().enumerate() {
                    let frame = if held { last } else { running };
                    let (width, height) = frame.luma.dimensions();
                    let levels = || {
                        frame
                            .luma
                            .as_raw()
                            .iter()
                            .map(|v| SCALE * f64::from(*v) + OFFSET)
                    };
                    let variance = |level: f64| if kind == 1 { photons * level } else { wanted };
                    let seed = (index + 100 * target + 1000 * kind) as u64;
                    noisy = clips::with_noise(levels(), width, height, variance, seed);
                    if kind >= 2 {
                        let quality = if kind == 2 { 90 } else { 75 };
                        noisy = clips::after_jpeg(&noisy, quality)?;
                        let quiet = clips::with_noise(levels(), width, height, |_| 0.0, 0);
                        reference = Some(clips::after_jpeg(&quiet, quality)?);
                    }
                    noise.observe(&Arc::new(noisy.clone()), running.time);
                }
                let Ok(frame_noise) = noise.frame_noise() else {
                    continue;
                };
                for (eye, square, clean) in &eyes {
                    let clean = reference.as_ref().map_or(*clean, |r| gray(r, square));
                    let values = gray(&noisy, square);
                    let difference = values.iter().zip(&clean).map(|(a, b)| f64::from(a - b));
                    let contrast = f64::from(StandardisedCrop::new(&clean).contrast);
                    let own = if held { 0.0 } else { own };
                    let true_db = 20.0 * (contrast / rms(difference).hypot(own.sqrt())).log10();
                    let Ok(said) = frame_noise.camera_snr(square, &StandardisedCrop::new(&values))
                    else {
                        continue;
                    };
                    errors
                        .entry((kind, held, target))
                        .or_default()
                        .push(said.db - true_db);
                    points.point(format!(
                        "{kind_name},{held},{name},{eye:?},{target_db},{true_db:.3},{:.3},{:.3}",
                        said.db, said.standard_error_db
                    ));
                }
            }
        }
    }
    points.say(&format!(
        "{:18} {:8} {:>6} {:>4} {:>8} {:>8} {:>8} {:>10}",
        "noise", "on", "SNR dB", "n", "median", "5 %", "95 %", "within"
    ))?;
    for ((kind, held, target), errors) in &mut errors {
        let limit = if *kind >= 2 { 2.0 } else { 1.0 };
        let within =
            errors.iter().filter(|e| e.abs() <= limit).count() as f64 / errors.len() as f64;
        points.say(&format!(
            "{:18} {:8} {:>6} {:>4} {:>8.2} {:>8.2} {:>8.2} {:>10}",
            KINDS[*kind],
            if *held { "held" } else { "running" },
            TARGETS_DB[*target],
            errors.len(),
            quantile(errors, 0.5),
            quantile(errors, 0.05),
            quantile(errors, 0.95),
            format!("{:.2}", within)
        ))?;
    }
    points.say("error in dB of the camera SNR against the noise really on the crop; within 1 dB (2 dB after JPEG)")
}
