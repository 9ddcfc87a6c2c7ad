//! Camera SNR against noise of known size on real clips: Gaussian, photon noise, both rounded to eight
//! bits, and after JPEG. The noise is put on one frame again and again (held), and on the running clip.
//!
//! # What is true
//! Without JPEG the true noise is the difference of the noisy crop from the crop before noise and
//! rounding. JPEG removes a part of the noise, so there it is the scatter of the crop over several draws
//! that went through the encoder: one compressed clean frame is no reference, for it is itself a draw of
//! where the quantiser falls. A running clip brings noise of its own; as it cannot be known, it is
//! measured by the estimator under test without any noise added, after the same JPEG, and counts to the
//! true one. It is far below the added one in nearly all clips.

use super::{Points, clips, plots, quantile};
use image::GrayImage;
use parseye_vision::{
    classify::{
        EyeStateModel, StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    eye_state::Eye,
    frame::Frame,
    locate::{Roi, crop::sample_gray},
    reading::{EyeReading, FrameReading},
    selfcheck::{
        camera_snr::{CameraNoise, FrameNoise},
        noise_propagation::Averaging,
        quantisation::QUANTISATION_VARIANCE,
    },
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Frames of each clip that the noise is measured on, and draws that the true noise is taken from.
const FRAMES: usize = 8;

/// Camera SNRs in dB that noise is added for.
const TARGETS_DB: [f64; 7] = [15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0];

/// Scales gray levels so that they are not whole, as light is not.
const SCALE: f64 = 0.93;
const OFFSET: f64 = 5.3;

/// Noises, and the quality of the JPEG after them.
const KINDS: [(&str, Option<u8>); 4] = [
    ("gaussian", None),
    ("poisson", None),
    ("gaussian, JPEG 90", Some(90)),
    ("gaussian, JPEG 75", Some(75)),
];
const POISSON: usize = 1;

/// Largest error in dB without JPEG, and with it.
const LIMITS_DB: [f64; 2] = [1.0, 2.0];

fn gray(picture: &GrayImage, square: &Roi) -> [f32; PIXELS] {
    let mut gray = [0.0; PIXELS];
    sample_gray(picture, square, SIDE, &mut gray);
    gray
}

fn power(crop: &[f32; PIXELS], around: &[f32; PIXELS]) -> f64 {
    let pairs = crop.iter().zip(around);
    pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / PIXELS as f64
}

/// A frame as light: gray levels before noise and rounding. Of a level's width a fixed part is added to
/// each pixel, else a flat part of an eight-bit picture would be rounded all one way.
struct Light {
    levels: Vec<f64>,
    width: u32,
    height: u32,
}

impl Light {
    fn of(picture: &GrayImage) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let levels = picture.as_raw().iter().map(|level| {
            let between: f64 = rng.random();
            SCALE * (f64::from(*level) + between - 0.5) + OFFSET
        });
        Self {
            levels: levels.collect(),
            width: picture.width(),
            height: picture.height(),
        }
    }

    fn taken(
        &self,
        variance: impl Fn(f64) -> f64,
        jpeg: Option<u8>,
        seed: u64,
    ) -> anyhow::Result<GrayImage> {
        let levels = self.levels.iter().copied();
        let noisy = clips::with_noise(levels, self.width, self.height, variance, seed);
        match jpeg {
            Some(quality) => clips::after_jpeg(&noisy, quality),
            None => Ok(noisy),
        }
    }

    /// The crop before noise and rounding, as eight bits each of whole and broken levels.
    fn crop(&self, square: &Roi) -> [f32; PIXELS] {
        let part = |of: &dyn Fn(f64) -> f64| {
            let pixels = self.levels.iter().map(|level| of(*level) as u8).collect();
            let picture = GrayImage::from_raw(self.width, self.height, pixels);
            gray(&picture.unwrap_or_default(), square)
        };
        let whole = part(&|level| level.floor());
        let broken = part(&|level| (256.0 * level.fract()).floor());
        std::array::from_fn(|i| whole[i] + (broken[i] + 0.5) / 256.0)
    }
}

/// True noise power of a crop, and the power of its contrast, in squared gray levels.
fn truth(draws: &[[f32; PIXELS]], light: &[f32; PIXELS], jpeg: bool) -> (f64, f64) {
    let n = draws.len() as f64;
    if !jpeg {
        let noise = draws.iter().map(|crop| power(crop, light)).sum::<f64>() / n;
        let contrast = f64::from(StandardisedCrop::new(light).contrast);
        return (noise, contrast.powi(2));
    }
    let mean: [f32; PIXELS] =
        std::array::from_fn(|i| draws.iter().map(|crop| crop[i]).sum::<f32>() / n as f32);
    let noise = draws.iter().map(|crop| power(crop, &mean)).sum::<f64>() / (n - 1.0);
    let contrast = f64::from(StandardisedCrop::new(&mean).contrast);
    // The mean of the draws keeps a share of their noise.
    (noise, contrast.powi(2) - noise / n)
}

/// Power of the noise that frames bring along, in a crop, by the estimator; without rounding.
fn own(noise: &FrameNoise, square: &Roi, crop: &[f32; PIXELS]) -> f64 {
    let rounding = Averaging::of_square(square.side).energy.powi(2) * QUANTISATION_VARIANCE;
    let snr = noise.camera_snr(square, &StandardisedCrop::new(crop));
    snr.map_or(0.0, |snr| (snr.sigma_crop.powi(2) - rounding).max(0.0))
}

fn observed(
    frames: &[(Frame, FrameReading)],
    mut picture: impl FnMut(usize) -> anyhow::Result<GrayImage>,
) -> anyhow::Result<(CameraNoise, GrayImage)> {
    let mut noise = CameraNoise::new();
    let mut newest = Arc::new(GrayImage::default());
    for (index, (frame, _)) in frames.iter().enumerate() {
        newest = Arc::new(picture(index)?);
        noise.observe(&newest, frame.time);
    }
    Ok((noise, newest.as_ref().clone()))
}

/// Errors in dB by kind, held or running, and target.
type Errors = BTreeMap<(usize, bool, usize), Vec<f64>>;

pub fn run(data: &Path, every: usize, points: &mut Points) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let mut chain = clips::chain(&model)?;
    points.point("kind,held,clip,eye,target_db,true_db,said_db,standard_error_db".into());
    let mut errors = Errors::new();
    let mut drawn: [Vec<plots::Point>; KINDS.len()] = Default::default();
    for path in clips::paths(data, every)? {
        let name = parseye_capture::name_of(&path);
        eprintln!("{name}");
        // The first frames settle the locator.
        let frames = clips::judged(&path, &mut chain, 10 + FRAMES)?;
        let frames = &frames[frames.len().saturating_sub(FRAMES)..];
        let Some((_, reading)) = frames.last() else {
            continue;
        };
        let lights: Vec<Light> = frames.iter().map(|(f, _)| Light::of(&f.luma)).collect();
        let Some(light) = lights.last() else { continue };
        let eyes: Vec<(Eye, Roi, [f32; PIXELS])> = Eye::ALL
            .into_iter()
            .filter_map(|eye| match reading.eyes.get(eye) {
                EyeReading::Measured { square, .. } => Some((eye, *square, light.crop(square))),
                EyeReading::Unmeasured(_) => None,
            })
            .collect();
        let Some((_, square, clean)) = eyes.first() else {
            continue;
        };
        let crop = StandardisedCrop::new(clean);
        let weakened = Averaging::of_square(square.side).energy;
        for (kind, (kind_name, jpeg)) in KINDS.into_iter().enumerate() {
            let (quiet, newest) = observed(frames, |index| lights[index].taken(|_| 0.0, jpeg, 0))?;
            let quiet = quiet.frame_noise();
            let own = |square: &Roi| {
                let noise = quiet.as_ref().ok();
                noise.map_or(0.0, |noise| own(noise, square, &gray(&newest, square)))
            };
            for (target, target_db) in TARGETS_DB.iter().enumerate() {
                let sigma = f64::from(crop.contrast) / 10_f64.powf(target_db / 20.0) / weakened;
                let wanted = sigma * sigma - QUANTISATION_VARIANCE;
                if wanted <= 0.0 {
                    continue;
                }
                let photons = wanted / f64::from(crop.mean);
                let variance = |level: f64| {
                    if kind == POISSON {
                        photons * level
                    } else {
                        wanted
                    }
                };
                let seed = |index: usize| (index + 100 * target + 1000 * kind) as u64;
                let draws = (0..frames.len())
                    .map(|index| light.taken(variance, jpeg, seed(index)))
                    .collect::<Result<Vec<_>, _>>()?;
                for held in [true, false] {
                    let (noise, newest) = observed(frames, |index| match held {
                        true => Ok(draws[index].clone()),
                        false => lights[index].taken(variance, jpeg, seed(index)),
                    })?;
                    let Ok(noise) = noise.frame_noise() else {
                        continue;
                    };
                    for (eye, square, clean) in &eyes {
                        let crops: Vec<_> = draws.iter().map(|draw| gray(draw, square)).collect();
                        let (mut added, contrast) = truth(&crops, clean, jpeg.is_some());
                        if !held {
                            added += own(square);
                        }
                        let true_db = 10.0 * (contrast / added).log10();
                        let crop = StandardisedCrop::new(&gray(&newest, square));
                        let Ok(said) = noise.camera_snr(square, &crop) else {
                            continue;
                        };
                        let error = said.db - true_db;
                        errors.entry((kind, held, target)).or_default().push(error);
                        drawn[kind].push((true_db, error, usize::from(held)));
                        points.point(format!(
                            "{kind_name},{held},{name},{eye:?},{target_db},{true_db:.3},{:.3},{:.3}",
                            said.db, said.standard_error_db
                        ));
                    }
                }
            }
        }
    }
    say(&mut errors, points)?;
    let panels = KINDS.into_iter().zip(drawn);
    let panels = panels.map(|((name, jpeg), drawn)| plots::Panel {
        title: name.into(),
        limit: LIMITS_DB[usize::from(jpeg.is_some())],
        points: drawn,
    });
    points.plot(
        "camera-snr",
        &plots::camera_snr(&panels.collect::<Vec<_>>())?,
    )
}

fn say(errors: &mut Errors, points: &Points) -> anyhow::Result<()> {
    points.say(&format!(
        "{:18} {:8} {:>6} {:>4} {:>8} {:>8} {:>8} {:>10}",
        "noise", "on", "SNR dB", "n", "median", "5 %", "95 %", "within"
    ))?;
    for ((kind, held, target), errors) in errors {
        let (name, jpeg) = KINDS[*kind];
        let limit = LIMITS_DB[usize::from(jpeg.is_some())];
        let within =
            errors.iter().filter(|e| e.abs() <= limit).count() as f64 / errors.len() as f64;
        points.say(&format!(
            "{:18} {:8} {:>6} {:>4} {:>8.2} {:>8.2} {:>8.2} {:>10.2}",
            name,
            if *held { "held" } else { "running" },
            TARGETS_DB[*target],
            errors.len(),
            quantile(errors, 0.5),
            quantile(errors, 0.05),
            quantile(errors, 0.95),
            within
        ))?;
    }
    points.say("error in dB of the camera SNR against the noise really on the crop; within 1 dB (2 dB after JPEG).\nSNR dB is the noise's before JPEG, which removes a part of it; how the patches are chosen was settled on the\n1st, 3rd, 5th... of all clips by name")
}
