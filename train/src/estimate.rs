//! A metric with its interval, as evaluations report it and charts draw it. Which metrics there are is left
//! to [`crate::robustness`].

use parseye_vision::evaluate::metrics::{Confusion, clustered_interval};
use serde::{Deserialize, Deserializer, Serialize};

/// A metric with its 95 % interval over people; no interval for fewer than two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The metric; NaN (null in JSON) where it is not defined, as an area under the curve of a
    /// single state.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

/// JSON has no NaN: it is written as null, and read back here.
pub(crate) fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl Estimate {
    /// A metric of counts, and its interval from the counts of each person.
    pub(crate) fn of_counts(
        by_person: &[Confusion],
        seed: u64,
        metric: impl Fn(&Confusion) -> f64,
    ) -> Self {
        Self {
            value: metric(&sum(&mut by_person.iter())),
            ..Self::interval(by_person, seed, |drawn| metric(&sum(drawn)))
        }
    }

    /// The interval alone, without a value.
    pub(crate) fn interval<G>(
        groups: &[G],
        seed: u64,
        metric: impl Fn(&mut dyn Iterator<Item = &G>) -> f64,
    ) -> Self {
        let interval = clustered_interval(groups, seed, metric);
        Self {
            value: f64::NAN,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
        }
    }
}

/// The confusion matrices of several people, added up.
pub(crate) fn sum(confusions: &mut dyn Iterator<Item = &Confusion>) -> Confusion {
    let mut sum = Confusion::default();
    confusions.for_each(|one| sum.merge(one));
    sum
}
