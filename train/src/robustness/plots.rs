//! Charts of evaluated models: reliability diagrams, and accuracy against the SNR of the perturbation.

use super::report::{ModelReport, in_order};
use crate::{
    attack::Access,
    chart::{Axis, Chart, Dash, GREY, Line, MARKS, Mark, PALETTE, Point},
};
use parseye_plot::PlotError;

/// Fewest predictions in a bin that is drawn: fewer jump about.
const FEWEST_PREDICTIONS: u64 = 10;

/// The charts that there are metrics for, by file name, as SVG.
///
/// # Errors
/// When the library cannot draw.
pub(crate) fn charts(models: &[&ModelReport]) -> Result<Vec<(&'static str, String)>, PlotError> {
    let mut charts = vec![("reliability.svg", reliability(models).draw()?)];
    for (file, title, access) in [
        ("attacked.svg", "White-box attacks", Access::WhiteBox),
        ("noise.svg", "Random noise", Access::Random),
    ] {
        let chart = against_snr(title, models, access);
        if !chart.lines.is_empty() {
            charts.push((file, chart.draw()?));
        }
    }
    Ok(charts)
}

fn reliability(models: &[&ModelReport]) -> Chart {
    let point = |(x, y)| Point::new(x, y);
    let mut lines = vec![Line {
        name: "perfect calibration".into(),
        points: [(0.0, 0.0), (1.0, 1.0)].map(point).to_vec(),
        colour: GREY,
        dash: Dash::Dashed,
        mark: Mark::None,
    }];
    for (number, model) in models.iter().enumerate() {
        let bins = model
            .reliability
            .iter()
            .filter(|bin| bin.n >= FEWEST_PREDICTIONS);
        let ece = model.clean().map_or(f64::NAN, |clean| clean.ece);
        lines.push(Line {
            name: format!("{} (ECE {ece:.3})", model.name),
            points: bins.filter_map(|bin| bin.means().map(point)).collect(),
            colour: PALETTE[number % PALETTE.len()],
            dash: Dash::Solid,
            mark: MARKS[number % MARKS.len()],
        });
    }
    Chart {
        title: "Reliability: how often predictions of a confidence are correct".into(),
        x: Axis::new("mean confidence", 0.2, 1.0),
        y: Axis::new("share of correct predictions", 0.0, 1.0),
        lines,
        notes: vec![
            format!("15 bins, those of at least {FEWEST_PREDICTIONS} predictions"),
            "temperature fitted on the validation split".into(),
        ],
    }
}

fn against_snr(title: &str, models: &[&ModelReport], access: Access) -> Chart {
    let mut lines = Vec::new();
    let (mut weakest, mut strongest) = (f64::NEG_INFINITY, f64::INFINITY);
    for (number, model) in models.iter().enumerate() {
        let rows = model.results.iter();
        let rows: Vec<_> = rows
            .filter(|row| row.condition.access == Some(access))
            .collect();
        let attacks = in_order(rows.iter().map(|row| row.condition.attack.as_str()));
        for (mark, attack) in attacks.into_iter().enumerate() {
            let of_attack = rows.iter().filter(|row| row.condition.attack == attack);
            let points: Vec<Point> = of_attack
                .filter_map(|row| {
                    let snr_db = row.condition.snr_db?;
                    Some(Point::of(snr_db, row.metrics.macro_accuracy))
                })
                .collect();
            for point in &points {
                weakest = weakest.max(point.x);
                strongest = strongest.min(point.x);
            }
            lines.push(Line {
                name: format!("{}, {attack}", model.name),
                points,
                colour: PALETTE[number % PALETTE.len()],
                dash: Dash::Solid,
                mark: MARKS[mark % MARKS.len()],
            });
        }
    }
    Chart {
        title: format!("{title}: macro accuracy against the perturbation"),
        // More perturbation to the right.
        x: Axis::new(
            "SNR of the perturbation in dB",
            weakest + 1.0,
            strongest - 1.0,
        ),
        y: Axis::new("macro accuracy", 0.0, 1.0),
        lines,
        notes: vec!["bands: 95 % intervals by person".into()],
    }
}
