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

use super::{Report, clips, plots};
use image::GrayImage;
use parseye_benches::statistics::quantile;
use parseye_vision::{
    classify::{EyeStateModel, StandardisedCrop, input::USUAL_SIDE},
    eye_monitor::EyeMonitor,
    eye_state::Eye,
    locate::{Roi, crop::sample_gray},
    reading::EyeReading,
    selfcheck::{
        camera_snr::{CameraNoise, CameraSnr, FrameNoise},
        noise_propagation::NoiseAveraging,
        quantisation::QUANTISATION_VARIANCE,
    },
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

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

/// The pixels of an eye crop.
type Crop = Vec<f32>;

fn gray(luma: &GrayImage, square: &Roi) -> Crop {
    let mut gray = vec![0.0; USUAL_SIDE * USUAL_SIDE];
    sample_gray(luma, square, USUAL_SIDE, &mut gray);
    gray
}

/// Mean square difference of two crops.
fn power(crop: &Crop, around: &Crop) -> f64 {
    let pairs = crop.iter().zip(around);
    pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / crop.len() as f64
}

/// A frame as light: gray levels before noise and rounding. Of a level's width a fixed part is added to
/// each pixel, else a flat part of an eight-bit image would be rounded all one way.
struct Light {
    levels: Vec<f64>,
    width: u32,
    height: u32,
}

impl Light {
    fn of(luma: &GrayImage) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let levels = luma.as_raw().iter().map(|level| {
            let between: f64 = rng.random();
            SCALE * (f64::from(*level) + between - 0.5) + OFFSET
        });
        Self {
            levels: levels.collect(),
            width: luma.width(),
            height: luma.height(),
        }
    }

    /// The image that a camera with this noise takes, after JPEG of a quality where one is given.
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

    /// The crop before noise and rounding, as eight bits each of whole levels and their fractions.
    fn crop(&self, square: &Roi) -> Crop {
        let part = |of: &dyn Fn(f64) -> f64| {
            let pixels = self.levels.iter().map(|level| of(*level) as u8).collect();
            let luma = GrayImage::from_raw(self.width, self.height, pixels);
            gray(&luma.unwrap_or_default(), square)
        };
        let whole = part(&|level| level.floor());
        let fraction = part(&|level| (256.0 * level.fract()).floor());
        let levels = whole.iter().zip(fraction);
        levels
            .map(|(whole, fraction)| whole + (fraction + 0.5) / 256.0)
            .collect()
    }
}

/// True noise power of a crop, and the power of its contrast, in squared gray levels.
fn truth(draws: &[Crop], light: &Crop, jpeg: bool) -> (f64, f64) {
    let n = draws.len() as f64;
    if !jpeg {
        let noise = draws.iter().map(|crop| power(crop, light)).sum::<f64>() / n;
        let contrast = f64::from(StandardisedCrop::new(light).contrast);
        return (noise, contrast.powi(2));
    }
    let mean_of = |i: usize| draws.iter().map(|crop| crop[i]).sum::<f32>() / n as f32;
    let mean: Crop = (0..light.len()).map(mean_of).collect();
    let noise = draws.iter().map(|crop| power(crop, &mean)).sum::<f64>() / (n - 1.0);
    let contrast = f64::from(StandardisedCrop::new(&mean).contrast);
    // The mean of the draws keeps a share of their noise.
    (noise, contrast.powi(2) - noise / n)
}

/// Estimates the noise of a sequence of images taken at these times; with the newest of them.
fn observed(
    times: &[Duration],
    mut image: impl FnMut(usize) -> anyhow::Result<GrayImage>,
) -> anyhow::Result<(CameraNoise, GrayImage)> {
    let mut noise = CameraNoise::new();
    let mut newest = Arc::new(GrayImage::default());
    for (index, time) in times.iter().enumerate() {
        newest = Arc::new(image(index)?);
        noise.observe(&newest, *time);
    }
    Ok((noise, newest.as_ref().clone()))
}

/// An eye of the newest frame, and its crop before noise and rounding.
struct EyeCrop {
    eye: Eye,
    square: Roi,
    clean: Crop,
}

/// Noise that is added: its kind, the camera SNR it is meant to have, and its variance.
struct AddedNoise {
    kind: usize,
    target: usize,
    variance: f64,
    /// Variance of a gray level, for photon noise.
    variance_per_level: f64,
}

impl AddedNoise {
    /// Noise for the target SNR on this eye's crop; none where rounding alone is as strong.
    fn new(kind: usize, target: usize, eye: &EyeCrop) -> Option<Self> {
        let crop = StandardisedCrop::new(&eye.clean);
        let weakened = NoiseAveraging::of_square(eye.square.side, USUAL_SIDE).energy;
        let target_db = TARGETS_DB[target];
        let sigma = f64::from(crop.contrast) / 10_f64.powf(target_db / 20.0) / weakened;
        let variance = sigma * sigma - QUANTISATION_VARIANCE;
        (variance > 0.0).then(|| Self {
            kind,
            target,
            variance,
            variance_per_level: variance / f64::from(crop.mean),
        })
    }

    fn variance_at(&self, level: f64) -> f64 {
        if self.kind == POISSON {
            self.variance_per_level * level
        } else {
            self.variance
        }
    }

    fn jpeg(&self) -> Option<u8> {
        KINDS[self.kind].1
    }

    fn seed(&self, frame: usize) -> u64 {
        (frame + 100 * self.target + 1000 * self.kind) as u64
    }
}

/// The noise that frames bring along, measured without any added, after the same JPEG.
struct OwnNoise {
    noise: Option<FrameNoise>,
    newest: GrayImage,
}

impl OwnNoise {
    /// Its power in a crop, without rounding, in squared gray levels.
    fn power(&self, square: &Roi) -> f64 {
        let Some(noise) = &self.noise else { return 0.0 };
        let rounding = NoiseAveraging::of_square(square.side, USUAL_SIDE)
            .energy
            .powi(2)
            * QUANTISATION_VARIANCE;
        let crop = StandardisedCrop::new(&gray(&self.newest, square));
        let snr = noise.camera_snr(square, &crop);
        snr.map_or(0.0, |snr| (snr.sigma_crop.powi(2) - rounding).max(0.0))
    }
}

/// A camera SNR that was measured, and the true one.
struct Estimate {
    eye: Eye,
    true_db: f64,
    measured: CameraSnr,
}

/// A clip's last frames as light, and the eyes on the newest.
struct Scene {
    times: Vec<Duration>,
    lights: Vec<Light>,
    eyes: Vec<EyeCrop>,
}

impl Scene {
    /// None where no eye is measured on the newest frame.
    fn of_clip(path: &Path, monitor: &mut EyeMonitor) -> anyhow::Result<Option<Self>> {
        // The first frames settle the face tracker.
        let frames = clips::processed(path, monitor, 10 + FRAMES)?;
        let frames = &frames[frames.len().saturating_sub(FRAMES)..];
        let lights: Vec<Light> = frames.iter().map(|(f, _)| Light::of(&f.luma)).collect();
        let (Some((_, reading)), Some(light)) = (frames.last(), lights.last()) else {
            return Ok(None);
        };
        let eye_crop = |eye| match reading.eyes.get(eye) {
            EyeReading::Measured { square, .. } => Some(EyeCrop {
                eye,
                square: *square,
                clean: light.crop(square),
            }),
            EyeReading::Unmeasured(_) => None,
        };
        let eyes: Vec<EyeCrop> = Eye::ALL.into_iter().filter_map(eye_crop).collect();
        let times = frames.iter().map(|(frame, _)| frame.time).collect();
        Ok((!eyes.is_empty()).then_some(Self {
            times,
            lights,
            eyes,
        }))
    }

    fn own_noise(&self, jpeg: Option<u8>) -> anyhow::Result<OwnNoise> {
        let (noise, newest) = observed(&self.times, |index| {
            self.lights[index].taken(|_| 0.0, jpeg, 0)
        })?;
        Ok(OwnNoise {
            noise: noise.frame_noise().ok(),
            newest,
        })
    }

    /// Draws of the noise on the newest frame, as many as there are frames.
    fn draws(&self, added: &AddedNoise) -> anyhow::Result<Vec<GrayImage>> {
        let Some(light) = self.lights.last() else {
            return Ok(Vec::new());
        };
        let variance = |level| added.variance_at(level);
        (0..self.lights.len())
            .map(|index| light.taken(variance, added.jpeg(), added.seed(index)))
            .collect()
    }

    /// Measures the camera SNR of each eye with noise added, on the newest frame held or on the running clip.
    fn estimates(
        &self,
        added: &AddedNoise,
        draws: &[GrayImage],
        own: &OwnNoise,
        held: bool,
    ) -> anyhow::Result<Vec<Estimate>> {
        let variance = |level| added.variance_at(level);
        let (noise, newest) = observed(&self.times, |index| match held {
            true => Ok(draws[index].clone()),
            false => self.lights[index].taken(variance, added.jpeg(), added.seed(index)),
        })?;
        let Ok(noise) = noise.frame_noise() else {
            return Ok(Vec::new());
        };
        let mut estimates = Vec::new();
        for EyeCrop { eye, square, clean } in &self.eyes {
            let crops: Vec<Crop> = draws.iter().map(|draw| gray(draw, square)).collect();
            let (mut power, contrast) = truth(&crops, clean, added.jpeg().is_some());
            if !held {
                power += own.power(square);
            }
            let crop = StandardisedCrop::new(&gray(&newest, square));
            if let Ok(measured) = noise.camera_snr(square, &crop) {
                estimates.push(Estimate {
                    eye: *eye,
                    true_db: 10.0 * (contrast / power).log10(),
                    measured,
                });
            }
        }
        Ok(estimates)
    }
}

/// Errors in dB by kind, held or running, and target; and the points of each kind's plot.
#[derive(Default)]
struct Errors {
    by_noise: BTreeMap<(usize, bool, usize), Vec<f64>>,
    points: [Vec<plots::Point>; KINDS.len()],
}

impl Errors {
    fn add(&mut self, added: &AddedNoise, held: bool, estimate: &Estimate) {
        let error = estimate.measured.db - estimate.true_db;
        let key = (added.kind, held, added.target);
        self.by_noise.entry(key).or_default().push(error);
        self.points[added.kind].push((estimate.true_db, error, usize::from(held)));
    }
}

pub fn run(data: &Path, every: usize, report: &mut Report) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let mut monitor = clips::monitor(&model)?;
    report.point("kind,held,clip,eye,target_db,true_db,measured_db,standard_error_db".into());
    let mut errors = Errors::default();
    for path in clips::paths(data, every)? {
        let name = parseye_capture::name_of(&path);
        eprintln!("{name}");
        if let Some(scene) = Scene::of_clip(&path, &mut monitor)? {
            measure(&name, &scene, &mut errors, report)?;
        }
    }
    print(&mut errors, report)?;
    let panels = KINDS.into_iter().zip(errors.points);
    let panels = panels.map(|((name, jpeg), points)| plots::Panel {
        title: name.into(),
        limit: LIMITS_DB[usize::from(jpeg.is_some())],
        points,
    });
    report.plot(
        "camera-snr",
        &plots::camera_snr(&panels.collect::<Vec<_>>())?,
    )
}

/// Adds every noise to a clip and keeps the errors of the estimates.
fn measure(
    clip: &str,
    scene: &Scene,
    errors: &mut Errors,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (kind, (kind_name, jpeg)) in KINDS.into_iter().enumerate() {
        let own = scene.own_noise(jpeg)?;
        for (target, target_db) in TARGETS_DB.iter().enumerate() {
            let Some(added) = AddedNoise::new(kind, target, &scene.eyes[0]) else {
                continue;
            };
            let draws = scene.draws(&added)?;
            for held in [true, false] {
                for estimate in scene.estimates(&added, &draws, &own, held)? {
                    errors.add(&added, held, &estimate);
                    let Estimate {
                        eye,
                        true_db,
                        measured,
                    } = estimate;
                    report.point(format!(
                        "{kind_name},{held},{clip},{eye:?},{target_db},{true_db:.3},{:.3},{:.3}",
                        measured.db, measured.standard_error_db
                    ));
                }
            }
        }
    }
    Ok(())
}

fn print(errors: &mut Errors, report: &Report) -> anyhow::Result<()> {
    report.print(&format!(
        "{:18} {:8} {:>6} {:>4} {:>8} {:>8} {:>8} {:>10}",
        "noise", "on", "SNR dB", "n", "median", "5 %", "95 %", "within"
    ))?;
    for ((kind, held, target), errors) in &mut errors.by_noise {
        let (name, jpeg) = KINDS[*kind];
        let limit = LIMITS_DB[usize::from(jpeg.is_some())];
        let within =
            errors.iter().filter(|e| e.abs() <= limit).count() as f64 / errors.len() as f64;
        report.print(&format!(
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
    report.print("error in dB of the camera SNR against the noise really on the crop; within 1 dB (2 dB after JPEG).\nSNR dB is the noise's before JPEG, which removes a part of it; how the patches are chosen was settled on the\n1st, 3rd, 5th... of all clips by name")
}
