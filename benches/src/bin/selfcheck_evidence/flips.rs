//! Whether the adversarial margin is where the state turns, and whether the first-order flip
//! probability is what draws of noise show, on crops of the test split.

use super::{Points, plots, quantile};
use anyhow::Context;
use parseye_vision::{
    classify::{EyeStateModel, StandardisedCrop, gradient::GradientModel, input::PIXELS},
    evaluate::manifest::{Manifest, Split},
    eye_state::EyeState,
    locate::Roi,
    selfcheck::{
        adversarial::{CropGradients, FIRST_ORDER_DB, FlipSearch},
        corruptions::cut,
        noise::{NoiseShape, noisy},
    },
    snr::epsilon_of_db,
};
use std::path::Path;

/// Crops for the margins, and for the draws of noise.
const MARGIN_CROPS: usize = 300;
const DRAW_CROPS: usize = 40;

/// Draws for each crop and SNR.
const DRAWS: u64 = 1000;

const SNRS_DB: [f64; 7] = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0];

fn crops(data: &Path, most: usize) -> anyhow::Result<Vec<StandardisedCrop>> {
    let manifest = Manifest::read(&data.join("eyes/manifest.csv"))?;
    let samples = manifest.of_split(Split::Test)?;
    let every = samples.len().div_ceil(most);
    let mut crops = Vec::new();
    for sample in samples.iter().step_by(every) {
        let path = manifest.folder.join(&sample.path);
        let picture = image::open(&path)
            .with_context(|| format!("{}", path.display()))?
            .to_luma8();
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let whole = Roi {
            centre: [width / 2.0, height / 2.0],
            side: width.max(height),
            angle: 0.0,
        };
        crops.push(cut(&picture, &whole));
    }
    Ok(crops)
}

pub fn run(data: &Path, every: usize, points: &mut Points) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let gradient = GradientModel::built_in(&model)?;
    let (mut classifier, mut runner) = (model.classifier()?, gradient.runner()?);
    let (mut right, mut never, mut uneven, mut islands, mut tries) = (0, 0, 0, 0, 0);
    let mut margins = Vec::new();
    let margin_crops = crops(data, MARGIN_CROPS / every)?;
    for crop in &margin_crops {
        let own = EyeState::most_likely(&classifier.logits(crop)?);
        let gradients = EyeState::ALL.map(|label| runner.gradient(crop, label));
        let gradients: Vec<_> = gradients.into_iter().collect::<Result<_, _>>()?;
        let Some(gradients) = CropGradients::new(crop, own, gradients) else {
            continue;
        };
        let Ok(direction) = gradients.direction() else {
            continue;
        };
        let mut flips = |db: f64| -> anyhow::Result<bool> {
            let stepped = direction.step(crop, epsilon_of_db(db));
            Ok(EyeState::most_likely(&classifier.logits(&stepped)?) != own)
        };
        let mut search = FlipSearch::new(gradients.linear_epsilon());
        while let Some(db) = search.next_trial() {
            search.record(flips(db)?);
        }
        tries += search.trials();
        match search.result() {
            Some(Ok(margin)) => {
                right += u32::from(flips(margin.db)? && !flips(margin.db + 0.5)?);
                uneven += u32::from(!margin.monotone);
                // Every half decibel of the next twelve: a flip there was missed.
                let mut missed = false;
                for half in 1..=24 {
                    missed |= flips(margin.db + 0.5 * f64::from(half))?;
                }
                islands += u32::from(missed && margin.monotone);
                margins.push(margin.db);
            }
            _ => never += 1,
        }
    }
    let n = margins.len();
    points.say(&format!(
        "adversarial margin of {} test crops: median {:.1} dB (5 % {:.1}, 95 % {:.1}); {never} never flip down to 0 dB",
        margin_crops.len(),
        quantile(&mut margins, 0.5),
        quantile(&mut margins, 0.05),
        quantile(&mut margins, 0.95)
    ))?;
    points.say(&format!(
        "flips at the margin and not 0.5 dB above: {:.3}; not monotone and told so: {:.3}; a flip within 12 dB above that was not noticed: {:.3}; {:.1} forward runs a crop",
        f64::from(right) / n as f64,
        f64::from(uneven) / n as f64,
        f64::from(islands) / n as f64,
        f64::from(tries) / margin_crops.len() as f64
    ))?;

    points.point("snr_db,crop,first_order,draws".into());
    points.say(&format!(
        "flip probability of test crops, first order against {DRAWS} draws:\n{:>6} {:>11} {:>9} {:>15} {:>15} {:>12}",
        "SNR dB", "first order", "draws", "mean abs error", "95 % abs error", "correlation"
    ))?;
    let white = NoiseShape::white();
    let mut all = Vec::new();
    let mut drawn = Vec::new();
    let draw_crops = crops(data, DRAW_CROPS / every)?;
    let mut solved = Vec::new();
    for crop in &draw_crops {
        let own = EyeState::most_likely(&classifier.logits(crop)?);
        let gradients = EyeState::ALL.map(|label| runner.gradient(crop, label));
        let gradients: Vec<_> = gradients.into_iter().collect::<Result<_, _>>()?;
        solved.extend(CropGradients::new(crop, own, gradients).map(|g| (crop, own, g)));
    }
    for snr_db in SNRS_DB {
        let mut pairs = Vec::new();
        for (index, (crop, own, gradients)) in solved.iter().enumerate() {
            let mut flipped = 0_u32;
            for draw in 0..DRAWS {
                let noise = white.draw(index as u64, draw);
                debug_assert_eq!(noise.len(), PIXELS);
                let logits = classifier.logits(&noisy(crop, &noise, snr_db))?;
                flipped += u32::from(EyeState::most_likely(&logits) != *own);
            }
            let said = gradients.flip_probability(&white, snr_db);
            let seen = f64::from(flipped) / DRAWS as f64;
            points.point(format!("{snr_db},{index},{said:.6},{seen:.6}"));
            pairs.push((said, seen));
            drawn.push((said, seen, usize::from(snr_db < FIRST_ORDER_DB)));
        }
        let n = pairs.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
        let mut errors: Vec<f64> = pairs.iter().map(|p| (p.0 - p.1).abs()).collect();
        let (a, b) = (mean(&|p| p.0), mean(&|p| p.1));
        let covariance = mean(&|p| (p.0 - a) * (p.1 - b));
        let spread = (mean(&|p| (p.0 - a).powi(2)) * mean(&|p| (p.1 - b).powi(2))).sqrt();
        points.say(&format!(
            "{snr_db:>6} {a:>11.4} {b:>9.4} {:>15.4} {:>15.4} {:>12.2}",
            errors.iter().sum::<f64>() / n,
            quantile(&mut errors, 0.95),
            covariance / spread
        ))?;
        all.extend(pairs);
    }
    points.say("calibration over all SNRs:\n  first order      n   mean said   mean seen")?;
    for (low, high) in [
        (0.0, 1e-3),
        (1e-3, 0.01),
        (0.01, 0.05),
        (0.05, 0.1),
        (0.1, 0.2),
        (0.2, 0.3),
        (0.3, 0.51),
    ] {
        let of: Vec<_> = all.iter().filter(|p| p.0 >= low && p.0 < high).collect();
        let n = of.len() as f64;
        points.say(&format!(
            "{low:>6} to {high:<5} {:>5} {:>11.4} {:>11.4}",
            of.len(),
            of.iter().map(|p| p.0).sum::<f64>() / n,
            of.iter().map(|p| p.1).sum::<f64>() / n
        ))?;
    }
    let names = [
        format!("from {FIRST_ORDER_DB} dB on"),
        format!("below {FIRST_ORDER_DB} dB"),
    ];
    points.say(&format!(
        "the first-order figure is too low below {FIRST_ORDER_DB} dB, where the checks withhold it; draws then say how many answers change"
    ))?;
    points.plot(
        "flip-calibration",
        &plots::calibration(&drawn, &names.each_ref().map(String::as_str))?,
    )
}
