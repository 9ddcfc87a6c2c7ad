//! Whether headroom predicts trouble: how often answers differ from those on the clean frame, against
//! the headroom that was said, under growing noise.

use super::{Points, clips, plots, quantile};
use image::GrayImage;
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    eye_state::{Eye, EyeState},
    reading::EyeReading,
    selfcheck::{CheckFrame, Checker, Missing, Parts, SelfCheckSettings, corruptions::cut},
};
use std::{path::Path, sync::Arc};

/// Frames of a clip, of which each `CHECK_EVERY`th is checked.
const FRAMES: usize = 30;
const CHECK_EVERY: usize = 15;

/// Noise on the frame in gray levels.
const SIGMAS: [f64; 11] = [
    0.0, 4.0, 8.0, 14.0, 22.0, 32.0, 45.0, 64.0, 90.0, 128.0, 180.0,
];

struct Point {
    headroom: f64,
    changed: f64,
}

pub fn run(data: &Path, every: usize, points: &mut Points) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let gradient = GradientModel::built_in(&model)?;
    let mut chain = clips::chain(&model)?;
    let mut classifier = model.classifier()?;
    let parts = Parts {
        corruptions: false,
        ..Parts::ALL
    };
    let settings = SelfCheckSettings {
        agreement_draws: 0,
        ..SelfCheckSettings::default()
    };
    points.point(
        "clip,sigma,headroom_db,camera_snr_db,noise_flip_snr_db,flip_probability,changed".into(),
    );
    points.say(&format!(
        "{:42} {:>6} {:>10} {:>10} {:>10} {:>12} {:>8}",
        "clip", "sigma", "camera dB", "flip dB", "headroom", "first order", "changed"
    ))?;
    let mut all = Vec::new();
    for path in clips::paths(data, every)? {
        let name = parseye_capture::name_of(&path);
        let frames = clips::judged(&path, &mut chain, FRAMES)?;
        for sigma in SIGMAS {
            let mut checker = Checker::new(&model, Some(&gradient), &settings, parts)?;
            let (mut changed, mut answers) = (0_u32, 0_u32);
            let mut figures: [Vec<f64>; 4] = Default::default();
            for (index, (frame, reading)) in frames.iter().enumerate() {
                let (width, height) = frame.luma.dimensions();
                let levels = frame.luma.as_raw().iter().map(|v| f64::from(*v));
                let noisy: Arc<GrayImage> = Arc::new(clips::with_noise(
                    levels,
                    width,
                    height,
                    |_| sigma * sigma,
                    index as u64,
                ));
                for eye in Eye::ALL {
                    if let EyeReading::Measured { square, .. } = reading.eyes.get(eye) {
                        let of = |c: &mut parseye_vision::classify::EyeClassifier,
                                  picture: &GrayImage| {
                            c.logits(&cut(picture, square))
                                .map(|l| EyeState::most_likely(&l))
                        };
                        let clean = of(&mut classifier, &frame.luma)?;
                        changed += u32::from(of(&mut classifier, &noisy)? != clean);
                        answers += 1;
                    }
                }
                checker.observe(&noisy, frame.time);
                if index % CHECK_EVERY == CHECK_EVERY - 1 {
                    checker.begin(&CheckFrame::new(noisy, reading));
                    let readings = loop {
                        if let parseye_vision::selfcheck::Progress::Done(readings) = checker.step()
                        {
                            break readings;
                        }
                    };
                    for eye in Eye::ALL {
                        let reading = readings.get(eye);
                        let values = [
                            reading.headroom_db,
                            reading.camera_snr_db(),
                            reading.noise_flip_snr_db,
                            reading.flip_probability,
                        ];
                        for (all, value) in figures.iter_mut().zip(values) {
                            match value {
                                Ok(value) => all.push(value),
                                // Below the lowest SNR that was tried.
                                Err(Missing::NeverFlips) => all.push(f64::NEG_INFINITY),
                                Err(Missing::NoiseOnly) => all.push(f64::NEG_INFINITY),
                                Err(_) => {}
                            }
                        }
                    }
                }
            }
            let changed = f64::from(changed) / f64::from(answers.max(1));
            let [headroom, camera, flip, first_order] =
                figures.each_mut().map(|values| quantile(values, 0.5));
            points.say(&format!(
                "{name:42} {sigma:>6} {camera:>10.1} {flip:>10.1} {headroom:>10.1} {first_order:>12.4} {changed:>8.3}"
            ))?;
            points.point(format!(
                "{name},{sigma},{headroom:.2},{camera:.2},{flip:.2},{first_order:.5},{changed:.4}"
            ));
            if !headroom.is_nan() {
                all.push(Point { headroom, changed });
            }
        }
    }
    points.say(&format!(
        "\n{:>16} {:>4} {:>12}",
        "headroom dB", "n", "mean changed"
    ))?;
    let edges = [
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
    for pair in edges.windows(2) {
        let of: Vec<&Point> = all
            .iter()
            .filter(|p| p.headroom >= pair[0] && (p.headroom < pair[1] || pair[1].is_infinite()))
            .collect();
        points.say(&format!(
            "{:>7} to {:<6} {:>4} {:>12.4}",
            pair[0],
            pair[1],
            of.len(),
            of.iter().map(|p| p.changed).sum::<f64>() / of.len() as f64
        ))?;
    }
    points.say(&format!(
        "Spearman's rank correlation of headroom and changed answers: {:.3} (n {})",
        spearman(&all),
        all.len()
    ))?;
    let drawn: Vec<(f64, f64)> = all.iter().map(|p| (p.headroom, p.changed)).collect();
    points.plot("headroom", &plots::headroom(&drawn)?)
}

/// Correlation of the ranks, equal values sharing theirs.
fn spearman(points: &[Point]) -> f64 {
    let ranks = |of: &dyn Fn(&Point) -> f64| -> Vec<f64> {
        let values: Vec<f64> = points.iter().map(of).collect();
        values
            .iter()
            .map(|value| {
                let below = values.iter().filter(|other| *other < value).count() as f64;
                let same = values.iter().filter(|other| *other == value).count() as f64;
                below + (same - 1.0) / 2.0
            })
            .collect()
    };
    let (a, b) = (ranks(&|p| p.headroom), ranks(&|p| p.changed));
    let n = points.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let product: f64 = a
        .iter()
        .zip(&b)
        .map(|(x, y)| (x - mean_a) * (y - mean_b))
        .sum();
    let square = |values: &[f64], mean: f64| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    product / (square(&a, mean_a) * square(&b, mean_b)).sqrt()
}
