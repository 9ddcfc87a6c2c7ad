//! Statistics of the printed tables: quantiles by the nearest rank, means, correlations.

use parseye_vision::statistics::nearest_rank;

/// The quantile of a share (0 to 1) by the nearest rank of the values, which this sorts; NaN without values.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    nearest_rank(values, share).unwrap_or(f64::NAN)
}

/// The arithmetic mean; NaN without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Pearson's correlation of pairs, -1 to 1; NaN where one side does not vary.
pub fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (a, b) = (mean(&|p| p.0), mean(&|p| p.1));
    let covariance = mean(&|p| (p.0 - a) * (p.1 - b));
    let spread = (mean(&|p| (p.0 - a).powi(2)) * mean(&|p| (p.1 - b).powi(2))).sqrt();
    covariance / spread
}

/// Spearman's rank correlation of pairs, -1 to 1; equal values share their mean rank.
pub fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let ranks: Vec<(f64, f64)> = ranks(&first).into_iter().zip(ranks(&second)).collect();
    correlation(&ranks)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let same = values.iter().filter(|other| *other == value).count() as f64;
        below + (same - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_in_order() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 1.0), 4.0);
        assert_eq!(
            quantile(&mut [f64::INFINITY, f64::NEG_INFINITY], 0.0),
            f64::NEG_INFINITY
        );
        assert!(quantile(&mut [], 0.5).is_nan() && mean(&[]).is_nan());
    }

    #[test]
    fn a_straight_line_correlates_fully_and_a_constant_with_nothing() {
        let line = |slope: f64| [0.0, 1.0, 2.0, 5.0].map(|x| (x, slope * x + 1.0));
        assert!((correlation(&line(3.0)) - 1.0).abs() < 1e-12);
        assert!((correlation(&line(-0.5)) + 1.0).abs() < 1e-12);
        assert!(correlation(&line(0.0)).is_nan());
    }

    #[test]
    fn ranks_ignore_by_how_much_values_differ_and_ties_share_theirs() {
        let monotone = [(-f64::INFINITY, 0.0), (1.0, 0.1), (2.0, 50.0), (1e9, 51.0)];
        assert!((spearman(&monotone) - 1.0).abs() < 1e-12);
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
        // Ranks 0.5, 0.5, 2 against 0, 1, 2: 1.5 / sqrt(1.5 * 2).
        let tied = spearman(&[(7.0, 1.0), (7.0, 2.0), (9.0, 3.0)]);
        assert!((tied - 0.75_f64.sqrt()).abs() < 1e-12, "{tied}");
    }
}
