//! Medians and quantiles, defined once.
//!
//! Two definitions are used, and each place keeps its own, since published results would change
//! otherwise: the nearest rank, which is always one of the values, and linear interpolation between
//! neighbours.

/// Returns values in ascending order (`f64::total_cmp`, so NaN comes last).
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The quantile of a share (0 to 1) by the nearest rank: the value at place `round(share (n - 1))` of
/// values in ascending order. `None` without values.
///
/// For a share of one half this is the middle value, or the upper of the two in the middle.
pub fn nearest_rank<T: Copy>(ascending: &[T], share: f64) -> Option<T> {
    let last = ascending.len().checked_sub(1)? as f64;
    ascending.get((share * last).round() as usize).copied()
}

/// The quantile of a share (0 to 1) by linear interpolation at place `share (n - 1)` of values in ascending
/// order (Hyndman and Fan 1996, type 7). `None` without values.
pub fn interpolated(ascending: &[f64], share: f64) -> Option<f64> {
    let place = share * (ascending.len().checked_sub(1)? as f64);
    let (below, across) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(ascending.len() - 1);
    Some(ascending[below] * (1.0 - across) + ascending[above] * across)
}

/// The middle value, or the upper of the two in the middle, of values in any order; `None` without any.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_by_hand() {
        let values = sorted([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(nearest_rank(&values, 0.5), Some(3.0));
        assert_eq!(nearest_rank(&values, 0.0), Some(1.0));
        assert_eq!(nearest_rank(&values, 1.0), Some(4.0));
        assert_eq!(interpolated(&values, 0.5), Some(2.5));
        assert_eq!(interpolated(&values, 0.05), Some(1.15));
        assert_eq!(median(values), Some(3.0));
        assert_eq!(nearest_rank::<f32>(&[], 0.5), None);
        assert_eq!((interpolated(&[], 0.5), median([])), (None, None));
    }

    proptest! {
        #[test]
        fn the_median_is_the_nearest_rank_of_one_half(values in prop::collection::vec(-9.0_f64..9.0, 1..40)) {
            let ascending = sorted(values.clone());
            prop_assert_eq!(median(values.clone()), nearest_rank(&ascending, 0.5));
            prop_assert_eq!(median(values), ascending.get(ascending.len() / 2).copied());
            prop_assert_eq!(interpolated(&ascending, 1.0), ascending.last().copied());
        }
    }
}
