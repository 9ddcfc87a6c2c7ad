//! Scores predicted blinks against confirmed ones.
//!
//! A blink is hit when a prediction shares a frame with it; each of the two is used once, and of
//! all such pairings one with the most hits counts. A prediction that meets no blink but a neutral
//! interval is left out: neither hit nor false alarm.

use super::truth::{ClipTruth, FrameRange};
use serde::{Deserialize, Serialize};

/// Counts of blinks, with precision, recall and F1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Confirmed blinks that were found.
    pub tp: u64,
    /// Predicted blinks that are none.
    pub fp: u64,
    /// Confirmed blinks that were missed.
    #[serde(rename = "fn")]
    pub missed: u64,
    /// Share of predicted blinks that are blinks; `None` without predictions.
    pub precision: Option<f64>,
    /// Share of confirmed blinks that were found; `None` without confirmed blinks.
    pub recall: Option<f64>,
    /// Harmonic mean of the two, `2 tp / (2 tp + fp + fn)`; `None` where there was nothing to find
    /// and nothing was predicted.
    pub f1: Option<f64>,
}

impl Score {
    /// Computes a score from its counts.
    pub fn of_counts(tp: u64, fp: u64, missed: u64) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            tp,
            fp,
            missed,
            precision: share(tp, tp + fp),
            recall: share(tp, tp + missed),
            f1: share(2 * tp, 2 * tp + fp + missed),
        }
    }

    /// Scores one recording.
    pub fn of_clip(predicted: &[FrameRange], truth: &ClipTruth) -> Self {
        let tp = most_hits(predicted, &truth.blinks);
        let meets = |prediction: &FrameRange, ranges: &[FrameRange]| {
            ranges.iter().any(|range| range.overlaps(prediction))
        };
        let ignored = predicted
            .iter()
            .filter(|p| !meets(p, &truth.blinks) && meets(p, &truth.neutral))
            .count() as u64;
        Self::of_counts(
            tp,
            predicted.len() as u64 - ignored - tp,
            truth.blinks.len() as u64 - tp,
        )
    }

    /// Computes the score over several recordings from the sums of their counts.
    pub fn total<'a>(scores: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut tp, mut fp, mut missed) = (0, 0, 0);
        for score in scores {
            tp += score.tp;
            fp += score.fp;
            missed += score.missed;
        }
        Self::of_counts(tp, fp, missed)
    }
}

/// Size of the largest one-to-one matching of overlapping ranges (augmenting paths; in order of
/// time nearly every path has length one).
fn most_hits(predicted: &[FrameRange], blinks: &[FrameRange]) -> u64 {
    let mut predicted = predicted.to_vec();
    predicted.sort_by_key(|range| (range.last, range.first));
    let mut blinks = blinks.to_vec();
    blinks.sort_by_key(|range| (range.last, range.first));
    let candidates: Vec<Vec<usize>> = blinks
        .iter()
        .map(|blink| {
            (0..predicted.len())
                .filter(|p| predicted[*p].overlaps(blink))
                .collect()
        })
        .collect();
    let mut blink_of: Vec<Option<usize>> = vec![None; predicted.len()];
    let mut hits = 0;
    for blink in 0..blinks.len() {
        let mut tried = vec![false; predicted.len()];
        hits += u64::from(find_partner(blink, &candidates, &mut blink_of, &mut tried));
    }
    hits
}

/// Gives `blink` a prediction, moving other blinks to other predictions where needed.
fn find_partner(
    blink: usize,
    candidates: &[Vec<usize>],
    blink_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for &prediction in &candidates[blink] {
        if std::mem::replace(&mut tried[prediction], true) {
            continue;
        }
        let free = match blink_of[prediction] {
            None => true,
            Some(other) => find_partner(other, candidates, blink_of, tried),
        };
        if free {
            blink_of[prediction] = Some(blink);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(pairs: &[(u64, u64)]) -> Vec<FrameRange> {
        pairs
            .iter()
            .map(|&(first, last)| FrameRange { first, last })
            .collect()
    }

    fn score(
        predicted: &[(u64, u64)],
        blinks: &[(u64, u64)],
        neutral: &[(u64, u64)],
    ) -> (u64, u64, u64) {
        let truth = ClipTruth {
            blinks: ranges(blinks),
            neutral: ranges(neutral),
        };
        let score = Score::of_clip(&ranges(predicted), &truth);
        (score.tp, score.fp, score.missed)
    }

    #[test]
    fn hits_misses_and_false_alarms() {
        assert_eq!(score(&[(5, 7)], &[(7, 9)], &[]), (1, 0, 0));
        assert_eq!(score(&[(5, 6)], &[(7, 9)], &[]), (0, 1, 1));
        assert_eq!(score(&[], &[(7, 9)], &[]), (0, 0, 1));
        assert_eq!(
            score(&[(1, 1), (2, 2)], &[(0, 9)], &[]),
            (1, 1, 0),
            "a split blink hits once"
        );
        assert_eq!(
            score(&[(0, 30)], &[(2, 4), (10, 12)], &[]),
            (1, 0, 1),
            "merged blinks hit once"
        );
    }

    #[test]
    fn neutral_intervals_count_neither_way() {
        assert_eq!(score(&[(5, 7)], &[], &[(6, 20)]), (0, 0, 0));
        assert_eq!(score(&[], &[], &[(6, 20)]), (0, 0, 0));
        assert_eq!(score(&[(5, 7), (40, 41)], &[(1, 5)], &[(6, 20)]), (1, 1, 0));
        // The second prediction meets the blink too, so it is not excused by the neutral one.
        assert_eq!(score(&[(3, 4), (5, 7)], &[(1, 5)], &[(6, 20)]), (1, 1, 0));
    }

    #[test]
    fn metrics_are_absent_where_they_mean_nothing() {
        let nothing = Score::of_counts(0, 0, 0);
        assert_eq!(
            (nothing.precision, nothing.recall, nothing.f1),
            (None, None, None)
        );
        let alarm = Score::of_counts(0, 2, 0);
        assert_eq!(
            (alarm.precision, alarm.recall, alarm.f1),
            (Some(0.0), None, Some(0.0))
        );
        let some = Score::total([&Score::of_counts(3, 1, 0), &Score::of_counts(0, 0, 2)]);
        assert_eq!(
            (some.precision, some.recall, some.f1),
            (Some(0.75), Some(0.6), Some(6.0 / 9.0))
        );
        let json = serde_json::to_value(nothing).unwrap();
        assert!(json["precision"].is_null() && json["fn"] == 0);
    }

    fn brute_force(predicted: &[FrameRange], blinks: &[FrameRange]) -> u64 {
        let Some((blink, others)) = blinks.split_first() else {
            return 0;
        };
        let mut best = brute_force(predicted, others);
        for (index, prediction) in predicted.iter().enumerate() {
            if prediction.overlaps(blink) {
                let mut rest = predicted.to_vec();
                rest.remove(index);
                best = best.max(1 + brute_force(&rest, others));
            }
        }
        best
    }

    fn some_ranges() -> impl Strategy<Value = Vec<FrameRange>> {
        prop::collection::vec((0_u64..30, 0_u64..8), 0..6).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(first, length)| FrameRange {
                    first,
                    last: first + length,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn as_many_hits_as_trying_everything(predicted in some_ranges(), blinks in some_ranges()) {
            prop_assert_eq!(most_hits(&predicted, &blinks), brute_force(&predicted, &blinks));
        }

        #[test]
        fn every_blink_is_hit_or_missed_and_every_prediction_is_accounted_for(
            predicted in some_ranges(), blinks in some_ranges(), neutral in some_ranges(),
        ) {
            let truth = ClipTruth { blinks: blinks.clone(), neutral };
            let score = Score::of_clip(&predicted, &truth);
            prop_assert_eq!(score.tp + score.missed, blinks.len() as u64);
            prop_assert!(score.tp + score.fp <= predicted.len() as u64);
            // Neutral intervals excuse; they never turn a prediction into a hit or a new alarm.
            let strict = Score::of_clip(&predicted, &ClipTruth { blinks, neutral: Vec::new() });
            prop_assert_eq!(strict.tp, score.tp);
            prop_assert_eq!(strict.tp + strict.fp, predicted.len() as u64);
            prop_assert!(score.fp <= strict.fp);
        }
    }
}
