//! Whether the adversarial margin is where the state turns, and whether the first-order flip
//! probability is what draws of noise show, on crops of the test split.

use super::{Report, plots};
use anyhow::Context;
use parseye_benches::statistics::{correlation, quantile};
use parseye_vision::{
    classify::{
        EyeClassifier, EyeStateModel, StandardisedCrop,
        gradient::{GradientModel, GradientRunner},
    },
    evaluate::manifest::{Manifest, Split},
    eye_crop::eye_crop,
    eye_state::EyeState,
    locate::Roi,
    selfcheck::{
        adversarial::{CropGradients, FIRST_ORDER_DB, FlipSearch},
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

/// Ranges of the first-order flip probability whose mean is compared with the draws'.
const CALIBRATION_BINS: [(f64, f64); 7] = [
    (0.0, 1e-3),
    (1e-3, 0.01),
    (0.01, 0.05),
    (0.05, 0.1),
    (0.1, 0.2),
    (0.2, 0.3),
    (0.3, 0.51),
];

pub fn run(data: &Path, every: usize, report: &mut Report) -> anyhow::Result<()> {
    let model = EyeStateModel::built_in()?;
    let gradient = GradientModel::built_in(&model)?;
    let mut networks = Networks {
        classifier: model.classifier()?,
        gradients: gradient.runner()?,
    };
    margins(
        &mut networks,
        &crops(data, model.side(), MARGIN_CROPS / every)?,
        report,
    )?;
    flip_probabilities(
        &mut networks,
        &crops(data, model.side(), DRAW_CROPS / every)?,
        report,
    )
}

/// At most `most` crops (at least one) spread over the test split.
fn crops(data: &Path, side: usize, most: usize) -> anyhow::Result<Vec<StandardisedCrop>> {
    let manifest = Manifest::read(&data.join("eyes/manifest.csv"))?;
    let samples = manifest.of_split(Split::Test)?;
    let every = samples.len().div_ceil(most.max(1)).max(1);
    let mut crops = Vec::new();
    for sample in samples.iter().step_by(every) {
        let path = manifest.folder.join(&sample.path);
        let image = image::open(&path)
            .with_context(|| format!("{}", path.display()))?
            .to_luma8();
        let whole = Roi::whole(image.width(), image.height());
        crops.push(eye_crop(&image, &whole, side));
    }
    Ok(crops)
}

/// The network and its gradient graph.
struct Networks {
    classifier: EyeClassifier,
    gradients: GradientRunner,
}

impl Networks {
    fn state(&mut self, crop: &StandardisedCrop) -> anyhow::Result<EyeState> {
        Ok(EyeState::most_likely(&self.classifier.logits(crop)?))
    }

    /// The predicted state of a crop and its gradients; none where these are not finite.
    fn solve(&mut self, crop: &StandardisedCrop) -> anyhow::Result<Option<CropGradients>> {
        let state = self.state(crop)?;
        let gradients = EyeState::ALL.map(|label| self.gradients.gradient(crop, label));
        let gradients: Vec<_> = gradients.into_iter().collect::<Result<_, _>>()?;
        Ok(CropGradients::new(crop, state, gradients))
    }
}

/// What the searches for adversarial margins came to.
#[derive(Default)]
struct Margins {
    /// Margins that were found, in dB.
    db: Vec<f64>,
    /// Crops whose state never flips down to the lowest SNR.
    never: u32,
    /// Margins where the state flips, and not 0.5 dB above.
    exact: u32,
    /// Margins reported as not monotone.
    uneven: u32,
    /// Margins with a flip within 12 dB above that the search did not notice.
    unnoticed: u32,
    /// Forward runs of all searches.
    runs: u32,
}

impl Margins {
    fn search(
        &mut self,
        networks: &mut Networks,
        crop: &StandardisedCrop,
        gradients: &CropGradients,
    ) -> anyhow::Result<()> {
        let Ok(direction) = gradients.direction() else {
            return Ok(());
        };
        let mut flips = |db: f64| -> anyhow::Result<bool> {
            let stepped = direction.step(crop, epsilon_of_db(db));
            Ok(networks.state(&stepped)? != gradients.state())
        };
        let mut search = FlipSearch::new(gradients.linear_epsilon());
        while let Some(db) = search.next_trial() {
            search.record(flips(db)?);
        }
        self.runs += search.trials();
        let Some(Ok(margin)) = search.result() else {
            self.never += 1;
            return Ok(());
        };
        self.exact += u32::from(flips(margin.db)? && !flips(margin.db + 0.5)?);
        self.uneven += u32::from(!margin.monotone);
        // Every half decibel of the next twelve.
        let mut above = false;
        for half in 1..=24 {
            above |= flips(margin.db + 0.5 * f64::from(half))?;
        }
        self.unnoticed += u32::from(above && margin.monotone);
        self.db.push(margin.db);
        Ok(())
    }
}

/// Searches the adversarial margin of each crop, checks it, and prints what came out.
fn margins(
    networks: &mut Networks,
    crops: &[StandardisedCrop],
    report: &Report,
) -> anyhow::Result<()> {
    let mut found = Margins::default();
    for crop in crops {
        if let Some(gradients) = networks.solve(crop)? {
            found.search(networks, crop, &gradients)?;
        }
    }
    let n = found.db.len() as f64;
    report.print(&format!(
        "adversarial margin of {} test crops: median {:.1} dB (5 % {:.1}, 95 % {:.1}); {} never flip down to 0 dB",
        crops.len(),
        quantile(&mut found.db, 0.5),
        quantile(&mut found.db, 0.05),
        quantile(&mut found.db, 0.95),
        found.never
    ))?;
    report.print(&format!(
        "flips at the margin and not 0.5 dB above: {:.3}; not monotone and reported so: {:.3}; a flip within 12 dB above that was not noticed: {:.3}; {:.1} forward runs a crop",
        f64::from(found.exact) / n,
        f64::from(found.uneven) / n,
        f64::from(found.unnoticed) / n,
        f64::from(found.runs) / crops.len() as f64
    ))
}

/// Compares the first-order flip probability of each crop with draws of noise, at each SNR and over all.
fn flip_probabilities(
    networks: &mut Networks,
    crops: &[StandardisedCrop],
    report: &mut Report,
) -> anyhow::Result<()> {
    report.point("snr_db,crop,first_order,draws".into());
    report.print(&format!(
        "flip probability of test crops, first order against {DRAWS} draws:\n{:>6} {:>11} {:>9} {:>15} {:>15} {:>12}",
        "SNR dB", "first order", "draws", "mean abs error", "95 % abs error", "correlation"
    ))?;
    let mut solved = Vec::new();
    for crop in crops {
        solved.extend(networks.solve(crop)?.map(|gradients| (crop, gradients)));
    }
    let (mut all, mut plotted) = (Vec::new(), Vec::new());
    for snr_db in SNRS_DB {
        let mut pairs = Vec::new();
        for (index, (crop, gradients)) in solved.iter().enumerate() {
            let first_order = gradients.flip_probability(&NoiseShape::white(crop.side()), snr_db);
            let drawn = drawn_share(networks, crop, gradients.state(), index, snr_db)?;
            report.point(format!("{snr_db},{index},{first_order:.6},{drawn:.6}"));
            pairs.push((first_order, drawn));
        }
        print_snr(snr_db, &pairs, report)?;
        let colour = usize::from(snr_db < FIRST_ORDER_DB);
        plotted.extend(pairs.iter().map(|(x, y)| (*x, *y, colour)));
        all.extend(pairs);
    }
    print_calibration(&all, report)?;
    let names = [
        format!("from {FIRST_ORDER_DB} dB on"),
        format!("below {FIRST_ORDER_DB} dB"),
    ];
    report.plot(
        "flip-calibration",
        &plots::calibration(&plotted, &names.each_ref().map(String::as_str))?,
    )
}

/// The share of draws of white noise that change a crop's state; its index seeds the draws.
fn drawn_share(
    networks: &mut Networks,
    crop: &StandardisedCrop,
    state: EyeState,
    index: usize,
    snr_db: f64,
) -> anyhow::Result<f64> {
    let white = NoiseShape::white(crop.side());
    let mut flipped = 0_u32;
    for draw in 0..DRAWS {
        let noise = white.draw(index as u64, draw);
        flipped += u32::from(networks.state(&noisy(crop, &noise, snr_db))? != state);
    }
    Ok(f64::from(flipped) / DRAWS as f64)
}

/// Prints the row of an SNR: pairs of first-order and drawn flip probabilities.
fn print_snr(snr_db: f64, pairs: &[(f64, f64)], report: &Report) -> anyhow::Result<()> {
    let n = pairs.len() as f64;
    let (first_order, drawn) = means(pairs.iter());
    let mut errors: Vec<f64> = pairs.iter().map(|p| (p.0 - p.1).abs()).collect();
    report.print(&format!(
        "{snr_db:>6} {first_order:>11.4} {drawn:>9.4} {:>15.4} {:>15.4} {:>12.2}",
        errors.iter().sum::<f64>() / n,
        quantile(&mut errors, 0.95),
        correlation(pairs)
    ))
}

/// Prints the mean drawn flip probability by ranges of the first-order one, over all SNRs.
fn print_calibration(pairs: &[(f64, f64)], report: &Report) -> anyhow::Result<()> {
    report.print("calibration over all SNRs:\n  first order      n   mean said   mean seen")?;
    for (low, high) in CALIBRATION_BINS {
        let bin = || pairs.iter().filter(|p| p.0 >= low && p.0 < high);
        let (first_order, drawn) = means(bin());
        report.print(&format!(
            "{low:>6} to {high:<5} {:>5} {first_order:>11.4} {drawn:>11.4}",
            bin().count()
        ))?;
    }
    report.print(&format!(
        "the first-order figure is too low below {FIRST_ORDER_DB} dB, where the checks withhold it; draws then say how many answers change"
    ))
}

/// Means of both sides of pairs.
fn means<'a>(pairs: impl Iterator<Item = &'a (f64, f64)> + Clone) -> (f64, f64) {
    let n = pairs.clone().count() as f64;
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.copied().unzip();
    (
        first.iter().sum::<f64>() / n,
        second.iter().sum::<f64>() / n,
    )
}
