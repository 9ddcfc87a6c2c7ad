//! Whether headroom predicts trouble: how often predictions differ from those on the clean frame, against
//! the measured headroom, under growing noise.

use super::{Report, clips, plots};
use image::GrayImage;
use parseye_benches::statistics::{quantile, spearman};
use parseye_vision::{
    classify::{EyeClassifier, EyeStateModel, gradient::GradientModel},
    eye_crop::eye_crop,
    eye_state::{Eye, EyeState, PerEye},
    frame::Frame,
    reading::{EyeReading, FrameReading},
    selfcheck::{CheckFrame, CheckReading, Checker, Missing, Parts, Progress, SelfCheckSettings},
};
use std::{path::Path, sync::Arc};

/// Frames of a clip, of which each `CHECK_EVERY`th is checked.
const FRAMES: usize = 30;
const CHECK_EVERY: usize = 15;

/// Noise on the frame in gray levels.
const SIGMAS: [f64; 11] = [
    0.0, 4.0, 8.0, 14.0, 22.0, 32.0, 45.0, 64.0, 90.0, 128.0, 180.0,
];

/// Edges in dB of the ranges of headroom in the table.
const EDGES_DB: [f64; 10] = [
    f64::NEG_INFINITY,
    -3.0,
    0.0,
    3.0,
    6.0,
    10.0,
    15.0,
    20.0,
    30.0,
    f64::INFINITY,
];

pub fn run(data: &Path, every: usize, report: &mut Report) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let gradient = GradientModel::built_in(&model)?;
    let mut monitor = clips::monitor(&model)?;
    let mut classifier = model.classifier()?;
    let parts = Parts {
        corruptions: false,
        ..Parts::ALL
    };
    let settings = SelfCheckSettings {
        agreement_draws: 0,
        ..SelfCheckSettings::default()
    };
    report.point(
        "clip,sigma,headroom_db,camera_snr_db,noise_flip_snr_db,flip_probability,changed".into(),
    );
    report.print(&format!(
        "{:42} {:>6} {:>10} {:>10} {:>10} {:>12} {:>8}",
        "clip", "sigma", "camera dB", "flip dB", "headroom", "first order", "changed"
    ))?;
    // Headroom in dB and the share of changed predictions, of each clip and noise.
    let mut pairs = Vec::new();
    for path in clips::paths(data, every)? {
        let name = parseye_capture::name_of(&path);
        let frames = clips::processed(&path, &mut monitor, FRAMES)?;
        for sigma in SIGMAS {
            let mut checker = Checker::new(&model, Some(&gradient), &settings, parts)?;
            let measured = measure(&frames, sigma, &mut checker, &mut classifier)?;
            print_clip(&name, sigma, &measured, report)?;
            if !measured.headroom_db.is_nan() {
                pairs.push((measured.headroom_db, measured.changed));
            }
        }
    }
    print_ranges(&pairs, report)?;
    report.print(&format!(
        "Spearman's rank correlation of headroom and changed predictions: {:.3} (n {})",
        spearman(&pairs),
        pairs.len()
    ))?;
    report.plot("headroom", &plots::headroom(&pairs)?)
}

/// Medians over the checks of a clip under one noise, and the share of its predictions that changed.
struct NoisyClip {
    headroom_db: f64,
    camera_snr_db: f64,
    noise_flip_snr_db: f64,
    flip_probability: f64,
    changed: f64,
}

/// Puts noise of `sigma` gray levels on the frames, predicts every eye anew and checks some frames.
fn measure(
    frames: &[(Frame, FrameReading)],
    sigma: f64,
    checker: &mut Checker,
    classifier: &mut EyeClassifier,
) -> anyhow::Result<NoisyClip> {
    let (mut changed, mut predictions) = (0_u32, 0_u32);
    let mut checks = Checks::default();
    for (index, (frame, reading)) in frames.iter().enumerate() {
        let noisy = Arc::new(with_noise(&frame.luma, sigma, index as u64));
        for eye in Eye::ALL {
            if let EyeReading::Measured { square, .. } = reading.eyes.get(eye) {
                let mut state = |luma: &GrayImage| {
                    let logits =
                        classifier.logits(&eye_crop(luma, square, classifier.model().side()))?;
                    anyhow::Ok(EyeState::most_likely(&logits))
                };
                let clean = state(&frame.luma)?;
                changed += u32::from(state(&noisy)? != clean);
                predictions += 1;
            }
        }
        checker.observe(&noisy, frame.time);
        if index % CHECK_EVERY == CHECK_EVERY - 1 {
            checker.begin(&CheckFrame::new(noisy, reading));
            let readings = loop {
                if let Progress::Done(readings) = checker.step() {
                    break readings;
                }
            };
            checks.add(&readings);
        }
    }
    let [
        headroom_db,
        camera_snr_db,
        noise_flip_snr_db,
        flip_probability,
    ] = checks.medians();
    Ok(NoisyClip {
        headroom_db,
        camera_snr_db,
        noise_flip_snr_db,
        flip_probability,
        changed: f64::from(changed) / f64::from(predictions.max(1)),
    })
}

fn with_noise(luma: &GrayImage, sigma: f64, seed: u64) -> GrayImage {
    let (width, height) = luma.dimensions();
    let levels = luma.as_raw().iter().map(|level| f64::from(*level));
    clips::with_noise(levels, width, height, |_| sigma * sigma, seed)
}

/// Headroom, camera SNR, noise flip SNR and flip probability of all checks.
#[derive(Default)]
struct Checks([Vec<f64>; 4]);

impl Checks {
    fn add(&mut self, readings: &PerEye<CheckReading>) {
        for eye in Eye::ALL {
            let reading = readings.get(eye);
            let values = [
                reading.headroom_db,
                reading.camera_snr_db(),
                reading.noise_flip_snr_db,
                reading.flip_probability,
            ];
            for (all, value) in self.0.iter_mut().zip(values) {
                match value {
                    Ok(value) => all.push(value),
                    // Below the lowest SNR that was tried.
                    Err(Missing::NeverFlips | Missing::NoiseOnly) => all.push(f64::NEG_INFINITY),
                    Err(_) => {}
                }
            }
        }
    }

    fn medians(&mut self) -> [f64; 4] {
        self.0.each_mut().map(|values| quantile(values, 0.5))
    }
}

fn print_clip(
    name: &str,
    sigma: f64,
    measured: &NoisyClip,
    report: &mut Report,
) -> anyhow::Result<()> {
    let NoisyClip {
        headroom_db: headroom,
        camera_snr_db: camera,
        noise_flip_snr_db: flip,
        flip_probability: first_order,
        changed,
    } = measured;
    report.point(format!(
        "{name},{sigma},{headroom:.2},{camera:.2},{flip:.2},{first_order:.5},{changed:.4}"
    ));
    report.print(&format!(
        "{name:42} {sigma:>6} {camera:>10.1} {flip:>10.1} {headroom:>10.1} {first_order:>12.4} {changed:>8.3}"
    ))
}

/// Prints the mean share of changed predictions by ranges of headroom.
fn print_ranges(pairs: &[(f64, f64)], report: &Report) -> anyhow::Result<()> {
    report.print(&format!(
        "\n{:>16} {:>4} {:>12}",
        "headroom dB", "n", "mean changed"
    ))?;
    for edges in EDGES_DB.windows(2) {
        let (low, high) = (edges[0], edges[1]);
        // The last range holds infinity, too.
        let inside = |headroom: f64| headroom >= low && (headroom < high || high.is_infinite());
        let changed: Vec<f64> = pairs
            .iter()
            .filter(|(headroom, _)| inside(*headroom))
            .map(|(_, changed)| *changed)
            .collect();
        report.print(&format!(
            "{low:>7} to {high:<6} {:>4} {:>12.4}",
            changed.len(),
            changed.iter().sum::<f64>() / changed.len() as f64
        ))?;
    }
    Ok(())
}
