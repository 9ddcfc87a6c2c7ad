//! Receiver operating characteristic: how well one number ranks crops of a state before all others,
//! at every threshold at once (Fawcett 2006, "An introduction to ROC analysis").

use parseye_vision::{
    evaluate::manifest::Sample,
    eye_state::{EyeState, STATES},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Points that a curve keeps for plotting: more than a plot is wide.
const MOST_POINTS: usize = 400;

/// Rates at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Share of the others called the state, 0 to 1.
    pub fpr: f64,
    /// Share of the state's crops called the state, 0 to 1.
    pub tpr: f64,
}

/// A curve from (0, 0) to (1, 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocCurve {
    /// At most 400 points, both rates rising.
    pub points: Vec<RocPoint>,
    /// Area under the whole curve, by trapezoids.
    pub auc: f64,
}

/// The curves of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocCurves {
    /// Each state that occurs against the rest, by name.
    pub by_state: BTreeMap<String, RocCurve>,
    /// All pairs of crop and state pooled: "is this crop in this state?"
    pub micro: RocCurve,
    /// Mean of the states' curves at every false positive rate. Absent where there is one state
    /// only.
    pub macro_average: Option<RocCurve>,
}

impl RocCurves {
    /// The curves by name: each state's, then `micro`, then `macro` where there is one.
    pub fn named(&self) -> impl Iterator<Item = (&str, &RocCurve)> {
        let of_states = self.by_state.iter().map(|(name, curve)| (&**name, curve));
        let average = self.macro_average.iter().map(|curve| ("macro", curve));
        of_states.chain([("micro", &self.micro)]).chain(average)
    }
}

/// The curves of logits given for samples, in the same order.
pub(crate) fn roc_curves(
    samples: &[&Sample],
    logits: &[[f32; STATES]],
    temperature: f32,
) -> RocCurves {
    let ranking = Ranking::new(
        samples
            .iter()
            .zip(logits)
            .map(|(sample, l)| (sample.label, 0, *l)),
        temperature,
    );
    let mut by_state = BTreeMap::new();
    let mut whole = Vec::new();
    for (state, scores) in EyeState::ALL.into_iter().zip(&ranking.by_state) {
        if scores.both_occur() {
            let points = scores.points();
            by_state.insert(state.name().to_owned(), thinned(&points));
            whole.push(points);
        }
    }
    RocCurves {
        by_state,
        micro: thinned(&ranking.micro.points()),
        macro_average: (!whole.is_empty()).then(|| thinned(&mean_curve(&whole))),
    }
}

/// Crops ranked by how likely each state is: what areas under the curve are computed from, as often
/// as a bootstrap needs, without sorting again.
#[derive(Debug)]
pub(super) struct Ranking {
    by_state: [Ranked; STATES],
    micro: Ranked,
}

impl Ranking {
    /// Ranks predictions (truth, group, logits).
    pub(super) fn new(
        predictions: impl Iterator<Item = (EyeState, usize, [f32; STATES])>,
        temperature: f32,
    ) -> Self {
        let mut scored: [Vec<Scored>; STATES] = Default::default();
        for (truth, group, logits) in predictions {
            let scores = log_odds(&logits, temperature);
            for state in EyeState::ALL {
                scored[state.index()].push(Scored {
                    score: scores[state.index()],
                    positive: truth == state,
                    group,
                });
            }
        }
        let micro = Ranked::new(scored.concat());
        Self {
            by_state: scored.map(Ranked::new),
            micro,
        }
    }

    /// Area under the micro curve with these weights of the groups.
    pub(super) fn auc_micro(&self, weights: &[f64]) -> f64 {
        self.micro.auc(weights)
    }

    /// Area under the macro curve, which is the mean of the areas of the states that occur; NaN
    /// where none does.
    pub(super) fn auc_macro(&self, weights: &[f64]) -> f64 {
        let areas: Vec<f64> = self
            .by_state
            .iter()
            .map(|scores| scores.auc(weights))
            .filter(|area| area.is_finite())
            .collect();
        areas.iter().sum::<f64>() / areas.len() as f64
    }
}

/// Area under the curve of scores, each with whether it is of a positive, ties counted half; `None` unless both kinds
/// occur.
pub(crate) fn area_under_curve(scores: &[(f64, bool)]) -> Option<f64> {
    let scored = scores.iter().map(|(score, positive)| Scored {
        score: *score,
        positive: *positive,
        group: 0,
    });
    let ranked = Ranked::new(scored.collect());
    ranked.both_occur().then(|| ranked.auc(&[1.0]))
}

/// Logarithm of p / (1 - p) of each state: it ranks like the probability, which saturates at 1.
fn log_odds(logits: &[f32; STATES], temperature: f32) -> [f64; STATES] {
    let scaled = logits.map(|logit| f64::from(logit) / f64::from(temperature));
    std::array::from_fn(|state| {
        let others = || {
            (0..STATES)
                .filter(|other| *other != state)
                .map(|o| scaled[o])
        };
        let largest = others().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = others().map(|value| (value - largest).exp()).sum();
        scaled[state] - largest - sum.ln()
    })
}

#[derive(Clone, Copy, Debug)]
struct Scored {
    score: f64,
    positive: bool,
    group: usize,
}

/// Scores from the highest to the lowest.
#[derive(Debug)]
struct Ranked(Vec<Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    group: u32,
    positive: bool,
    /// Whether the next score is lower: equal scores pass a threshold together.
    ends_tie: bool,
}

impl Ranked {
    fn new(mut scored: Vec<Scored>) -> Self {
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        let entry = |(index, one): (usize, &Scored)| Entry {
            // People are counted in thousands.
            group: u32::try_from(one.group).unwrap_or(u32::MAX),
            positive: one.positive,
            ends_tie: scored
                .get(index + 1)
                .is_none_or(|next| next.score < one.score),
        };
        Self(scored.iter().enumerate().map(entry).collect())
    }

    fn both_occur(&self) -> bool {
        self.0.iter().any(|entry| entry.positive) && self.0.iter().any(|entry| !entry.positive)
    }

    /// Area by trapezoids; NaN unless positives and negatives both have weight.
    fn auc(&self, weights: &[f64]) -> f64 {
        let (mut area, mut positives, mut negatives) = (0.0, 0.0, 0.0);
        let (mut more_positives, mut more_negatives) = (0.0, 0.0);
        for entry in &self.0 {
            let weight = weights[entry.group as usize];
            if entry.positive {
                more_positives += weight;
            } else {
                more_negatives += weight;
            }
            if entry.ends_tie {
                area += more_negatives * (positives + more_positives / 2.0);
                positives += more_positives;
                negatives += more_negatives;
                (more_positives, more_negatives) = (0.0, 0.0);
            }
        }
        area / (positives * negatives)
    }

    /// Corners of the curve, from (0, 0) to (1, 1).
    fn points(&self) -> Vec<RocPoint> {
        let count = |positive: bool| self.0.iter().filter(|e| e.positive == positive).count();
        let (all_positives, all_negatives) = (count(true) as f64, count(false) as f64);
        let mut points = vec![RocPoint { fpr: 0.0, tpr: 0.0 }];
        let (mut positives, mut negatives) = (0_u64, 0_u64);
        for entry in &self.0 {
            positives += u64::from(entry.positive);
            negatives += u64::from(!entry.positive);
            if entry.ends_tie {
                let point = RocPoint {
                    fpr: negatives as f64 / all_negatives,
                    tpr: positives as f64 / all_positives,
                };
                if let [.., a, b] = points.as_slice()
                    && on_one_axis(a, b, &point)
                {
                    points.pop();
                }
                points.push(point);
            }
        }
        points
    }
}

/// Whether the middle point lies on a straight upright or level stretch, where it is redundant.
fn on_one_axis(a: &RocPoint, b: &RocPoint, c: &RocPoint) -> bool {
    (a.fpr == b.fpr && b.fpr == c.fpr) || (a.tpr == b.tpr && b.tpr == c.tpr)
}

/// Mean true positive rate of curves at every false positive rate at which one of them has a
/// corner. Where curves rise upright both ends are kept, so that the area is the mean of the areas.
fn mean_curve(curves: &[Vec<RocPoint>]) -> Vec<RocPoint> {
    let mut rates: Vec<f64> = curves.iter().flatten().map(|point| point.fpr).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    // Lowest and highest rate of each curve, walked along once.
    let mut sums = vec![(0.0, 0.0); rates.len()];
    for curve in curves {
        let mut next = 0;
        for (fpr, sum) in rates.iter().zip(&mut sums) {
            let first = next;
            while next < curve.len() && curve[next].fpr <= *fpr {
                next += 1;
            }
            let (low, high) = if next > 0 && curve[next - 1].fpr == *fpr {
                // Corners at this very rate: `first` is where the rate is reached.
                let low = curve[first.min(next - 1)].tpr;
                (low, curve[next - 1].tpr)
            } else {
                let (a, b) = (&curve[next - 1], &curve[next]);
                let tpr = a.tpr + (b.tpr - a.tpr) * (fpr - a.fpr) / (b.fpr - a.fpr);
                (tpr, tpr)
            };
            sum.0 += low;
            sum.1 += high;
        }
    }
    let count = curves.len() as f64;
    let mut points = Vec::new();
    for (fpr, (low, high)) in rates.into_iter().zip(sums) {
        points.push(RocPoint {
            fpr,
            tpr: low / count,
        });
        if high > low {
            points.push(RocPoint {
                fpr,
                tpr: high / count,
            });
        }
    }
    points
}

fn area(points: &[RocPoint]) -> f64 {
    let trapezoid =
        |pair: &[RocPoint]| (pair[1].fpr - pair[0].fpr) * (pair[0].tpr + pair[1].tpr) / 2.0;
    points.windows(2).map(trapezoid).sum()
}

/// The curve with its exact area and few enough points to plot.
fn thinned(points: &[RocPoint]) -> RocCurve {
    let last = points.len().saturating_sub(1);
    let kept = if points.len() <= MOST_POINTS {
        points.to_vec()
    } else {
        let at = |i: usize| points[i * last / (MOST_POINTS - 1)];
        (0..MOST_POINTS).map(at).collect()
    };
    RocCurve {
        points: kept,
        auc: area(points),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;
    use proptest::prelude::*;

    fn state() -> impl Strategy<Value = EyeState> {
        (0..STATES).prop_map(|index| EyeState::ALL[index])
    }

    /// Coarse logits, so that ties are common.
    fn predictions() -> impl Strategy<Value = Vec<(EyeState, [f32; STATES])>> {
        let logits = prop::array::uniform4((-3_i8..=3).prop_map(f32::from));
        prop::collection::vec((state(), logits), 2..60)
    }

    /// Share of pairs (one of the state, one not) ranked rightly, ties counting half.
    fn rank_statistic(scored: &[(f64, bool)]) -> f64 {
        let (mut won, mut pairs) = (0.0, 0.0);
        for (a, _) in scored.iter().filter(|(_, positive)| *positive) {
            for (b, _) in scored.iter().filter(|(_, positive)| !*positive) {
                pairs += 1.0;
                won += if a > b {
                    1.0
                } else {
                    f64::from(u8::from(a == b)) / 2.0
                };
            }
        }
        won / pairs
    }

    fn curves(predictions: &[(EyeState, [f32; STATES])]) -> RocCurves {
        let samples: Vec<Sample> = predictions
            .iter()
            .map(|(state, _)| sample(*state, "p"))
            .collect();
        let logits: Vec<_> = predictions.iter().map(|(_, logits)| *logits).collect();
        roc_curves(&samples.iter().collect::<Vec<_>>(), &logits, 1.0)
    }

    #[test]
    fn the_area_of_scores_counts_ties_half() {
        let of = |positives: &[f64], negatives: &[f64]| {
            let positives = positives.iter().map(|score| (*score, true));
            let negatives = negatives.iter().map(|score| (*score, false));
            area_under_curve(&positives.chain(negatives).collect::<Vec<_>>())
        };
        assert_eq!(of(&[0.9, 0.5], &[0.1, 0.5]), Some(0.875));
        assert_eq!(of(&[0.1], &[0.2, 0.3]), Some(0.0));
        assert_eq!(of(&[], &[0.2]), None);
    }

    #[test]
    fn a_curve_by_hand() {
        // Scores 0.9 (yes), 0.6 (no), 0.6 (yes), 0.1 (no): corners (0, 0.5), then both at once.
        let scored = [(0.9, true), (0.6, false), (0.6, true), (0.1, false)];
        let ranked = Ranked::new(
            scored
                .map(|(score, positive)| Scored {
                    score,
                    positive,
                    group: 0,
                })
                .to_vec(),
        );
        let corners = [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)];
        let points: Vec<(f64, f64)> = ranked.points().iter().map(|p| (p.fpr, p.tpr)).collect();
        assert_eq!(points, corners);
        assert_eq!(area(&ranked.points()), 0.875);
        assert_eq!(ranked.auc(&[1.0]), 0.875);
    }

    #[test]
    fn one_state_alone_has_no_curve_of_its_own() {
        let curves = curves(&[(EyeState::Open, [1.0, 0.0, 0.0, 0.0]); 3]);
        assert!(curves.by_state.is_empty() && curves.macro_average.is_none());
        assert_eq!(curves.micro.auc, 1.0);
    }

    proptest! {
        #[test]
        fn areas_are_the_rank_statistic(predictions in predictions()) {
            let curves = curves(&predictions);
            let mut areas = Vec::new();
            let mut pooled = Vec::new();
            for state in EyeState::ALL {
                let scored: Vec<(f64, bool)> = predictions
                    .iter()
                    .map(|(truth, logits)| (log_odds(logits, 1.0)[state.index()], *truth == state))
                    .collect();
                pooled.extend_from_slice(&scored);
                let expected = rank_statistic(&scored);
                if let Some(curve) = curves.by_state.get(state.name()) {
                    prop_assert!((curve.auc - expected).abs() < 1e-9);
                    areas.push(expected);
                } else {
                    prop_assert!(expected.is_nan());
                }
            }
            prop_assert!((curves.micro.auc - rank_statistic(&pooled)).abs() < 1e-9);
            let mean = areas.iter().sum::<f64>() / areas.len() as f64;
            // The way of the bootstrap comes to the same areas.
            let ranking = Ranking::new(predictions.iter().map(|(s, l)| (*s, 0, *l)), 1.0);
            prop_assert!((ranking.auc_micro(&[1.0]) - curves.micro.auc).abs() < 1e-9);
            let auc_macro = ranking.auc_macro(&[1.0]);
            prop_assert!((auc_macro - mean).abs() < 1e-9 || (auc_macro.is_nan() && mean.is_nan()));
            match &curves.macro_average {
                Some(curve) => prop_assert!((curve.auc - mean).abs() < 1e-9),
                None => prop_assert!(mean.is_nan()),
            }
        }

        #[test]
        fn weights_count_like_repeated_crops(predictions in predictions(), weights in prop::collection::vec(0_u8..4, 3)) {
            let grouped = || predictions.iter().enumerate().map(|(i, (s, l))| (*s, i % 3, *l));
            let weighted = Ranking::new(grouped(), 1.0);
            let repeated = grouped().flat_map(|one| {
                std::iter::repeat_n((one.0, 0, one.2), usize::from(weights[one.1]))
            });
            let repeated = Ranking::new(repeated, 1.0);
            let weights: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
            let same = |a: f64, b: f64| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-9;
            prop_assert!(same(weighted.auc_micro(&weights), repeated.auc_micro(&[1.0])));
            prop_assert!(same(weighted.auc_macro(&weights), repeated.auc_macro(&[1.0])));
        }

        #[test]
        fn log_odds_rank_like_probabilities(logits in prop::array::uniform4(-6.0_f32..6.0), temperature in 0.3_f32..3.0) {
            let p = parseye_vision::classify::model::softmax(&logits, temperature);
            for (state, score) in log_odds(&logits, temperature).into_iter().enumerate() {
                let odds = f64::from(p[state]) / (1.0 - f64::from(p[state]));
                prop_assert!((score - odds.ln()).abs() < 1e-2 || p[state] > 0.999);
            }
        }
    }
}
