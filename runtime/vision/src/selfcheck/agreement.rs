//! How many predictions stay the same under draws of noise: counts, share, and its bound by Clopper and
//! Pearson.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// Counts of predictions under draws of noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Draws that kept the state.
    pub agreeing: u64,
    /// All draws.
    pub draws: u64,
}

/// Probability that the true share is beyond a bound.
const TAIL: f64 = 0.05;

impl Agreement {
    /// Counts one draw.
    pub fn add(&mut self, agrees: bool) {
        self.agreeing += u64::from(agrees);
        self.draws += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.agreeing += other.agreeing;
        self.draws += other.draws;
    }

    /// Share of draws that kept the state, 0 to 1; `None` without draws.
    pub fn share(&self) -> Option<f64> {
        (self.draws > 0).then(|| self.agreeing as f64 / self.draws as f64)
    }

    /// The share that the true one exceeds with 95 % confidence (Clopper and Pearson 1934, one-sided): the
    /// 5 % quantile of Beta(k, n - k + 1) for k of n draws; 0 without draws or agreement.
    pub fn lower_bound(&self) -> f64 {
        self.bound(self.agreeing)
    }

    /// The share that the true one stays below with 95 % confidence, one-sided.
    pub fn upper_bound(&self) -> f64 {
        1.0 - self.bound(self.draws - self.agreeing)
    }

    fn bound(&self, hits: u64) -> f64 {
        if hits == 0 {
            return 0.0;
        }
        // Both parameters are at least 1, which is all that Beta asks for.
        Beta::new(hits as f64, (self.draws - hits + 1) as f64)
            .map_or(0.0, |beta| beta.inverse_cdf(TAIL))
    }
}

/// An [`Agreement`] as reports and logs hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgreementRecord {
    /// Share of draws that kept the state, 0 to 1; `None` without draws.
    pub share: Option<f64>,
    /// What the true share exceeds with 95 % confidence; `None` without draws.
    pub at_least: Option<f64>,
    /// Number of draws.
    pub draws: u64,
}

impl From<Agreement> for AgreementRecord {
    fn from(agreement: Agreement) -> Self {
        Self {
            share: agreement.share(),
            at_least: agreement.share().map(|_| agreement.lower_bound()),
            draws: agreement.draws,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn clopper_pearson_as_published() {
        // The upper limit for no event in n trials is 1 - 0.05^(1/n); Clopper and Pearson's own
        // 95 % interval for 10 of 20 is 0.272 to 0.728 two-sided, 0.302 to 0.698 at 90 %.
        let none = Agreement {
            agreeing: 0,
            draws: 10,
        };
        assert!((none.upper_bound() - (1.0 - 0.05_f64.powf(0.1))).abs() < 1e-6);
        assert_eq!(none.lower_bound(), 0.0);
        let all = Agreement {
            agreeing: 10,
            draws: 10,
        };
        assert!((all.lower_bound() - 0.05_f64.powf(0.1)).abs() < 1e-6);
        assert!((all.upper_bound() - 1.0).abs() < 1e-12);
        let half = Agreement {
            agreeing: 10,
            draws: 20,
        };
        assert!((half.lower_bound() - 0.302).abs() < 1e-3);
        assert!((half.upper_bound() - 0.698).abs() < 1e-3);
        assert_eq!(Agreement::default().share(), None);
    }

    proptest! {
        #[test]
        fn bounds_hold_the_share(agreeing in 0_u64..200, more in 0_u64..200) {
            let agreement = Agreement { agreeing, draws: agreeing + more };
            if let Some(share) = agreement.share() {
                prop_assert!(agreement.lower_bound() <= share + 1e-9);
                prop_assert!(agreement.upper_bound() >= share - 1e-9);
            }
        }
    }
}
