//! ROC curves with a logarithmic axis of false positives: a monitor that cries wolf once in a
//! thousand frames cries often, and a linear axis hides it.

use crate::{
    chart::{Axis, Chart, Dash, Line, Mark, PALETTE, Point},
    robustness::roc::{RocCurve, RocCurves, RocPoint},
};

/// Left end of the axis: one false positive among a thousand.
const LOWEST_RATE: f64 = 1e-3;

/// Steps of a curve that are told apart, either way: finer ones are under the line's width.
const STEPS: f64 = 500.0;

/// A chart of curves.
pub(crate) fn chart(title: &str, curves: &RocCurves) -> Chart {
    let line = |(number, (name, curve)): (usize, (&str, &RocCurve))| {
        let is_average = matches!(name, "micro" | "macro");
        Line {
            name: format!("{name} (AUC {:.3})", curve.auc),
            points: thinned(&curve.points),
            colour: PALETTE[number % PALETTE.len()],
            dash: if is_average {
                Dash::Dashed
            } else {
                Dash::Solid
            },
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
        lines: curves.named().enumerate().map(line).collect(),
        notes: vec!["each state against the other three".into()],
    }
}

/// The points that can be told apart on the axes; of those left of the axis only the last.
fn thinned(curve: &[RocPoint]) -> Vec<Point> {
    let place = |point: RocPoint| {
        let across = (point.fpr.max(LOWEST_RATE) / LOWEST_RATE).log10() / -LOWEST_RATE.log10();
        ((across * STEPS) as i64, (point.tpr * STEPS) as i64)
    };
    let mut points: Vec<RocPoint> = Vec::new();
    for point in curve {
        if point.fpr <= LOWEST_RATE {
            points.clear();
        }
        if points
            .last()
            .is_none_or(|last| place(*last) != place(*point))
        {
            points.push(*point);
        }
    }
    if let Some(last) = curve.last()
        && points.last() != Some(last)
    {
        points.push(*last);
    }
    let point = |point: RocPoint| Point::new(point.fpr, point.tpr);
    points.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_ends_and_the_shape() {
        let rates = (0..=100_000).map(|i| f64::from(i) / 1e5);
        let points = rates.map(|fpr| RocPoint {
            fpr,
            tpr: fpr.sqrt(),
        });
        let thin = thinned(&points.collect::<Vec<_>>());
        assert!(thin.len() < 1200, "{}", thin.len());
        assert_eq!((thin[thin.len() - 1].x, thin[thin.len() - 1].y), (1.0, 1.0));
        assert!((thin[0].x - LOWEST_RATE).abs() < 1e-5);
        assert!(
            thin.iter()
                .all(|point| (point.y - point.x.sqrt()).abs() < 1e-9)
        );
    }
}
