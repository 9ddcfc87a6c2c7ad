//! Metrics of a classifier: confusion, accuracy, calibration, and intervals that respect that crops of
//! one person are correlated.

use crate::{
    eye_state::{EyeState, STATES},
    statistics,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts of predictions: rows are the truth, columns the prediction, both in the order of
/// [`EyeState::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion(pub [[u64; STATES]; STATES]);

impl Confusion {
    /// Counts one prediction.
    pub fn add(&mut self, truth: EyeState, predicted: EyeState) {
        self.0[truth.index()][predicted.index()] += 1;
    }

    /// Adds the counts of another confusion.
    pub fn merge(&mut self, other: &Self) {
        for (row, others) in self.0.iter_mut().zip(&other.0) {
            for (count, more) in row.iter_mut().zip(others) {
                *count += more;
            }
        }
    }

    /// Number of predictions.
    pub fn n(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Share of correct predictions; NaN without predictions.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..STATES).map(|state| self.0[state][state]).sum();
        right as f64 / self.n() as f64
    }

    /// Share of one state's crops that are predicted correctly; `None` without any.
    pub fn recall(&self, state: EyeState) -> Option<f64> {
        let row = &self.0[state.index()];
        let of_state: u64 = row.iter().sum();
        (of_state > 0).then(|| row[state.index()] as f64 / of_state as f64)
    }

    /// Mean recall over the states that occur; NaN without predictions.
    pub fn macro_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = EyeState::ALL
            .iter()
            .filter_map(|s| self.recall(*s))
            .collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Recall of each state that occurs, by name.
    pub fn recalls(&self) -> BTreeMap<String, f64> {
        EyeState::ALL
            .iter()
            .filter_map(|state| Some((state.name().to_owned(), self.recall(*state)?)))
            .collect()
    }
}

/// Bins of the expected calibration error, as in Guo et al. 2017, "On calibration of modern neural
/// networks".
pub const CALIBRATION_BINS: usize = 15;

/// Predictions in a range of confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Number of predictions.
    pub n: u64,
    /// Sum of their confidences.
    pub confidence: f64,
    /// How many of them are correct.
    pub right: u64,
}

impl ReliabilityBin {
    /// Mean confidence and share of correct predictions; `None` without predictions.
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = self.n as f64;
        (self.n > 0).then(|| (self.confidence / n, self.right as f64 / n))
    }
}

/// Counts predictions in equal bins of confidence, the lowest first. Pairs are (confidence 0 to 1, whether
/// correct).
pub fn reliability(
    predictions: impl IntoIterator<Item = (f32, bool)>,
) -> [ReliabilityBin; CALIBRATION_BINS] {
    let mut bins = [ReliabilityBin::default(); CALIBRATION_BINS];
    for (confidence, right) in predictions {
        let bin = ((confidence * CALIBRATION_BINS as f32) as usize).min(CALIBRATION_BINS - 1);
        bins[bin].n += 1;
        bins[bin].confidence += f64::from(confidence);
        bins[bin].right += u64::from(right);
    }
    bins
}

/// Expected calibration error: mean over equal bins of confidence of |accuracy - confidence|,
/// weighted by the bins' counts (Guo et al. 2017). NaN without predictions.
pub fn expected_calibration_error(predictions: impl IntoIterator<Item = (f32, bool)>) -> f64 {
    let bins = reliability(predictions);
    let n: u64 = bins.iter().map(|bin| bin.n).sum();
    let gap = |bin: &ReliabilityBin| (bin.right as f64 - bin.confidence).abs();
    bins.iter().map(gap).sum::<f64>() / n as f64
}

/// A two-sided 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Resamplings of a bootstrap interval: enough for the second digit of a 95 % interval.
const RESAMPLINGS: usize = 2000;

/// Computes a percentile bootstrap interval of a metric over groups: whole groups (here: all crops of a person) are drawn with
/// replacement, because crops of one person are not independent. `None` for fewer than two groups,
/// which say nothing of how groups differ.
pub fn clustered_interval<G>(
    groups: &[G],
    seed: u64,
    metric: impl Fn(&mut dyn Iterator<Item = &G>) -> f64,
) -> Option<Interval> {
    if groups.len() < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let resampled = (0..RESAMPLINGS).map(|_| {
        let mut drawn = (0..groups.len()).map(|_| &groups[rng.random_range(0..groups.len())]);
        metric(&mut drawn)
    });
    let resampled = statistics::sorted(resampled.filter(|value| value.is_finite()));
    Some(Interval {
        low: statistics::nearest_rank(&resampled, 0.025)?,
        high: statistics::nearest_rank(&resampled, 0.975)?,
    })
}

/// Finds the temperature that minimises the mean negative log-likelihood of `logits / temperature`
/// by golden-section search; the function has one minimum in the temperature's logarithm.
pub fn fit_temperature(predictions: &[([f32; STATES], EyeState)]) -> f32 {
    let loss = |log_temperature: f64| -> f64 {
        let temperature = log_temperature.exp() as f32;
        predictions
            .iter()
            .map(|(logits, truth)| {
                let probability =
                    crate::classify::model::softmax(logits, temperature)[truth.index()];
                -f64::from(probability.max(f32::MIN_POSITIVE)).ln()
            })
            .sum()
    };
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    // Temperatures of 0.05 to 20: a trained network's is commonly 0.5 to 3.
    let (mut low, mut high) = (-3.0_f64, 3.0_f64);
    for _ in 0..40 {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(left) < loss(right) {
            high = right;
        } else {
            low = left;
        }
    }
    ((low + high) / 2.0).exp() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macro_accuracy_weighs_states_equally() {
        let mut confusion = Confusion::default();
        for _ in 0..90 {
            confusion.add(EyeState::Open, EyeState::Open);
        }
        for _ in 0..10 {
            confusion.add(EyeState::Closed, EyeState::Open);
        }
        assert_eq!(confusion.accuracy(), 0.9);
        assert_eq!(confusion.macro_accuracy(), 0.5);
        assert_eq!(confusion.recall(EyeState::NotVisible), None);
    }

    #[test]
    fn calibration_error_by_hand() {
        // Two predictions of confidence 0.9, one right: |1 - 1.8| / 2 = 0.4.
        let error = expected_calibration_error([(0.9, true), (0.9, false)]);
        assert!((error - 0.4).abs() < 1e-6);
        assert_eq!(expected_calibration_error([(1.0, true); 5]), 0.0);
    }

    #[test]
    fn the_interval_holds_the_mean_and_widens_with_clustering() {
        let mean = |groups: &mut dyn Iterator<Item = &Vec<f64>>| {
            let all: Vec<f64> = groups.flatten().copied().collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let values: Vec<f64> = (0..200).map(|i| f64::from((i / 20) % 2)).collect();
        let single: Vec<Vec<f64>> = values.iter().map(|v| vec![*v]).collect();
        let clustered: Vec<Vec<f64>> = values.chunks(20).map(<[f64]>::to_vec).collect();
        let narrow = clustered_interval(&single, 1, mean).unwrap();
        let wide = clustered_interval(&clustered, 1, mean).unwrap();
        assert!(narrow.low < 0.5 && narrow.high > 0.5);
        assert!(wide.high - wide.low > 2.0 * (narrow.high - narrow.low));
        assert_eq!(clustered_interval(&clustered, 1, mean), Some(wide));
        assert_eq!(clustered_interval(&clustered[..1], 1, mean), None);
    }

    #[test]
    fn overconfident_logits_get_a_temperature_above_one() {
        // Logit gap 4 says 98 % for the first of two likely states, but only 75 % are right.
        let predictions: Vec<_> = (0..400)
            .map(|i| {
                let truth = if i % 4 == 0 {
                    EyeState::Closed
                } else {
                    EyeState::Open
                };
                ([4.0, -300.0, 0.0, -300.0], truth)
            })
            .collect();
        let temperature = fit_temperature(&predictions);
        // Exact: gap / ln(0.75 / 0.25).
        assert!(
            (temperature - 4.0 / 3.0_f32.ln()).abs() < 0.01,
            "{temperature}"
        );
    }
}
