//! ROC curves with a logarithmic axis of false positives: a monitor that cries wolf once in a
//! thousand frames cries often, and a linear axis hides it.

use crate::{
    chart::{Axis, Chart, Dash, Line, Mark, PALETTE, Point},
    study::execute::RocCurve,
};

/// Left end of the axis: one false positive among a thousand.
const LOWEST_RATE: f64 = 1e-3;

/// Steps of a curve that are told apart, either way: finer ones are under the line's width.
const STEPS: f64 = 500.0;

/// A chart of curves.
pub fn chart(title: &str, curves: &[RocCurve]) -> Chart {
    let line = |(number, curve): (usize, &RocCurve)| {
        let mean = matches!(curve.name.as_str(), "micro" | "macro");
        Line {
            name: format!("{} (AUC {:.3})", curve.name, curve.auc),
            points: thinned(curve),
            colour: PALETTE[number % PALETTE.len()],
            dash: if mean { Dash::Dashed } else { Dash::Solid },
            mark: Mark::None,
        }
    };
    Chart {
        title: format!("{title}: ROC"),
        x: Axis {
            label: "false positive rate (logarithmic)".into(),
            range: (LOWEST_RATE, 1.0),
            logarithmic: true,
        },
        y: Axis::new("true positive rate", 0.0, 1.0),
        lines: curves.iter().enumerate().map(line).collect(),
        notes: vec!["each state against the other three".into()],
    }
}

/// The points that can be told apart on the axes; of those left of the axis only the last.
fn thinned(curve: &RocCurve) -> Vec<Point> {
    let place = |[fpr, tpr]: [f64; 2]| {
        let across = (fpr.max(LOWEST_RATE) / LOWEST_RATE).log10() / -LOWEST_RATE.log10();
        ((across * STEPS) as i64, (tpr * STEPS) as i64)
    };
    let mut points: Vec<[f64; 2]> = Vec::new();
    for point in &curve.points {
        if point[0] <= LOWEST_RATE {
            points.clear();
        }
        if points
            .last()
            .is_none_or(|last| place(*last) != place(*point))
        {
            points.push(*point);
        }
    }
    if let Some(last) = curve.points.last()
        && points.last() != Some(last)
    {
        points.push(*last);
    }
    let point = |[x, y]: [f64; 2]| Point { x, y, band: None };
    points.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_ends_and_the_shape() {
        let points = (0..=100_000).map(|i| f64::from(i) / 1e5);
        let curve = RocCurve {
            name: "open".into(),
            points: points.map(|x| [x, x.sqrt()]).collect(),
            auc: 2.0 / 3.0,
        };
        let thin = thinned(&curve);
        assert!(thin.len() < 1200, "{}", thin.len());
        assert_eq!((thin[thin.len() - 1].x, thin[thin.len() - 1].y), (1.0, 1.0));
        assert!((thin[0].x - LOWEST_RATE).abs() < 1e-5);
        assert!(
            thin.iter()
                .all(|point| (point.y - point.x.sqrt()).abs() < 1e-9)
        );
    }
}
