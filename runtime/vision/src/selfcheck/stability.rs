//! The population stability index (PSI): how far a distribution has moved from a reference.
//!
//! ```text
//! PSI = sum_i (a_i - e_i) ln(a_i / e_i)      e_i, a_i: expected and actual share of bin i
//! ```
//!
//! which is the symmetrised Kullback-Leibler divergence (Jeffreys 1946) of the two. Limits: below 0.1 a
//! population is stable, from 0.25 on it has changed; in between it should be watched (Siddiqi, Credit Risk
//! Scorecards, 2006).

/// From this on a population has changed.
pub(super) const PSI_CHANGED: f64 = 0.25;

/// Added to each count, so that an empty bin is unlikely and not impossible (Jeffreys' prior).
const PRIOR: f64 = 0.5;

/// Computes the index from the counts of bins; never negative, and 0 for equal shares. `None` where either has no count or their bins differ in number.
pub(super) fn psi(expected: &[f64], actual: &[f64]) -> Option<f64> {
    let shares = |counts: &[f64]| -> Option<Vec<f64>> {
        let total: f64 = counts.iter().map(|count| count + PRIOR).sum();
        let any = counts.iter().sum::<f64>() > 0.0;
        any.then(|| counts.iter().map(|c| (c + PRIOR) / total).collect())
    };
    if expected.len() != actual.len() {
        return None;
    }
    let (expected, actual) = (shares(expected)?, shares(actual)?);
    Some(
        expected
            .iter()
            .zip(&actual)
            .map(|(e, a)| (a - e) * (a / e).ln())
            .sum(),
    )
}

/// Joins neighbouring bins until each holds at least `share` of the reference, and the other counts
/// with it: bins that hardly anything falls into make the index jump.
pub(super) fn joined(reference: &[f64], other: &[f64], share: f64) -> (Vec<f64>, Vec<f64>) {
    let least = share * reference.iter().sum::<f64>();
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    let (mut e, mut a) = (0.0, 0.0);
    for (r, o) in reference.iter().zip(other) {
        e += r;
        a += o;
        if e >= least {
            expected.push(e);
            actual.push(a);
            (e, a) = (0.0, 0.0);
        }
    }
    // What is left over goes to the last bin.
    match (expected.last_mut(), actual.last_mut()) {
        (Some(last_e), Some(last_a)) => {
            *last_e += e;
            *last_a += a;
        }
        _ => {
            expected.push(e);
            actual.push(a);
        }
    }
    (expected, actual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shift_of_ten_points_between_two_bins() {
        // (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5) = 0.0405.
        let value = psi(&[5e6, 5e6], &[6e6, 4e6]).unwrap();
        assert!((value - 0.040_547).abs() < 1e-5);
        assert_eq!(psi(&[1.0], &[]), None);
        assert_eq!(psi(&[1.0, 2.0], &[0.0, 0.0]), None);
    }

    #[test]
    fn thin_bins_join() {
        let (e, a) = joined(&[1.0, 1.0, 8.0, 88.0, 2.0], &[5.0, 0.0, 0.0, 5.0, 1.0], 0.1);
        assert_eq!((e, a), (vec![10.0, 90.0], vec![5.0, 6.0]));
    }

    proptest! {
        #[test]
        fn never_negative_and_the_same_both_ways(
            counts in prop::collection::vec((0.0_f64..100.0, 0.0_f64..100.0), 2..20),
        ) {
            let (e, a): (Vec<f64>, Vec<f64>) = counts.into_iter().unzip();
            if let (Some(one), Some(other)) = (psi(&e, &a), psi(&a, &e)) {
                prop_assert!(one >= 0.0 && (one - other).abs() < 1e-9);
            }
            prop_assert!(psi(&e, &e).is_none_or(|same| same.abs() < 1e-12));
        }

        #[test]
        fn joining_keeps_every_count(counts in prop::collection::vec((0.0_f64..100.0, 0.0_f64..100.0), 1..20)) {
            let (e, a): (Vec<f64>, Vec<f64>) = counts.into_iter().unzip();
            let (je, ja) = joined(&e, &a, 0.2);
            let sum = |v: &[f64]| v.iter().sum::<f64>();
            prop_assert!((sum(&je) - sum(&e)).abs() < 1e-6 && (sum(&ja) - sum(&a)).abs() < 1e-6);
        }
    }
}
