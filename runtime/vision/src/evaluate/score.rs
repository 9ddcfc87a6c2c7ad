//! Scores what was found in recordings against what is confirmed: blinks, long closures and winks as events, and the
//! time for which eyes were said to be closed that are not.
//!
//! An event is hit when a prediction shares a frame with it; each of the two is used once, and of
//! all such pairings one with the most hits counts. A prediction that meets no event of its kind but an interval of
//! one that is neutral to it is left out: neither hit nor false alarm. To blinks all other kinds are neutral; to long
//! closures all but looking down, which is what they must not be taken for; to winks only what is uncertain or
//! of an unknown kind.

use super::{
    metrics::{Interval, clustered_interval},
    truth::{ClipTruth, FrameRange, Truth, TruthKind},
};
use crate::temporal::{Closure, ClosureKind, Laterality};
use serde::{Deserialize, Serialize};

/// Seed of the bootstrap intervals, so that they are the same on every run.
const INTERVAL_SEED: u64 = 1;

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

    /// Scores one recording's blinks of both eyes.
    pub fn of_clip(predicted: &[FrameRange], truth: &ClipTruth) -> Self {
        Self::of_kind(TruthKind::Blink, predicted, truth)
    }

    /// Scores one recording's events of a kind.
    pub fn of_kind(kind: TruthKind, predicted: &[FrameRange], truth: &ClipTruth) -> Self {
        let confirmed = truth.of(kind);
        let tp = most_hits(predicted, confirmed);
        let is_excused = |prediction: &&FrameRange| {
            !confirmed.iter().any(|range| range.overlaps(prediction))
                && truth
                    .all()
                    .any(|(other, range)| is_neutral(other, kind) && range.overlaps(prediction))
        };
        let excused = predicted.iter().filter(is_excused).count() as u64;
        Self::of_counts(
            tp,
            predicted.len() as u64 - excused - tp,
            confirmed.len() as u64 - tp,
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

/// Whether an interval of a kind makes predictions of another neither hits nor false alarms.
fn is_neutral(interval: TruthKind, predicted: TruthKind) -> bool {
    match predicted {
        TruthKind::LongClosure => interval != TruthKind::GazeDown,
        TruthKind::Wink => matches!(interval, TruthKind::Uncertain | TruthKind::Other),
        _ => true,
    }
}

/// What was found in one recording, as far as it is scored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundEvents {
    /// Blinks of both eyes.
    pub blinks: Vec<FrameRange>,
    /// Long closures of both eyes.
    pub long_closures: Vec<FrameRange>,
    /// Closures of one eye while the other was open.
    pub winks: Vec<FrameRange>,
    /// Frames with both eyes closed, in the order of time.
    closed: Vec<FrameRange>,
}

impl FoundEvents {
    /// Adds a closure that ended.
    pub fn add_closure(&mut self, closure: &Closure) {
        let range = FrameRange {
            first: closure.first_frame,
            last: closure.last_frame,
        };
        match (closure.eye, closure.kind) {
            (Laterality::Both, ClosureKind::Blink) => self.blinks.push(range),
            (Laterality::Both, ClosureKind::LongClosure) => self.long_closures.push(range),
            (
                Laterality::Left | Laterality::Right,
                ClosureKind::Blink | ClosureKind::LongClosure,
            ) if closure.wink => {
                self.winks.push(range);
            }
            _ => {}
        }
    }

    /// Adds a frame with both eyes closed, which comes after those that were added before.
    pub fn add_closed_frame(&mut self, frame: u64) {
        match self.closed.last_mut() {
            Some(range) if range.last + 1 == frame => range.last = frame,
            _ => self.closed.push(FrameRange {
                first: frame,
                last: frame,
            }),
        }
    }
}

/// Seconds of eyes that are confirmed not to be closed, and for how long of these both were said to be. What is neither
/// (partial blinks, winks, what is uncertain or of an unknown kind) is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClosedSeconds {
    /// Seconds outside of all intervals but those of looking down.
    pub not_closed_s: f64,
    /// Of these, seconds for which both eyes were said to be closed.
    pub said_closed_s: f64,
    /// Seconds of looking down, a part of `not_closed_s`.
    pub gaze_down_s: f64,
    /// Of these, seconds for which both eyes were said to be closed.
    pub gaze_down_said_closed_s: f64,
}

impl ClosedSeconds {
    /// Counts the frames of a recording of `frames` frames that lasts for `seconds`.
    pub fn of_clip(found: &FoundEvents, truth: &ClipTruth, frames: u64, seconds: f64) -> Self {
        let marked = |ranges: &mut dyn Iterator<Item = FrameRange>| {
            let mut marks = vec![false; frames as usize];
            for range in ranges {
                let end = range.last.saturating_add(1).min(frames);
                let first = range.first.min(end);
                marks[first as usize..end as usize].fill(true);
            }
            marks
        };
        let excluded = marked(
            &mut truth
                .all()
                .filter(|(kind, _)| *kind != TruthKind::GazeDown)
                .map(|(_, range)| range),
        );
        let down = marked(&mut truth.of(TruthKind::GazeDown).iter().copied());
        let closed = marked(&mut found.closed.iter().copied());
        let each = if frames > 0 {
            seconds / frames as f64
        } else {
            0.0
        };
        let sum = |counts: &dyn Fn(usize) -> bool| {
            let frames = (0..excluded.len()).filter(|frame| !excluded[*frame] && counts(*frame));
            each * frames.count() as f64
        };
        Self {
            not_closed_s: sum(&|_| true),
            said_closed_s: sum(&|frame| closed[frame]),
            gaze_down_s: sum(&|frame| down[frame]),
            gaze_down_said_closed_s: sum(&|frame| down[frame] && closed[frame]),
        }
    }

    fn total<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().fold(Self::default(), |sum, one| Self {
            not_closed_s: sum.not_closed_s + one.not_closed_s,
            said_closed_s: sum.said_closed_s + one.said_closed_s,
            gaze_down_s: sum.gaze_down_s + one.gaze_down_s,
            gaze_down_said_closed_s: sum.gaze_down_said_closed_s + one.gaze_down_said_closed_s,
        })
    }
}

/// All scores of one recording, or of several.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RecordingScore {
    /// Blinks of both eyes.
    #[serde(flatten)]
    pub blinks: Score,
    /// 95 % interval of the blinks' F1, bootstrapped by recording; `None` for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1_interval: Option<Interval>,
    /// Long closures of both eyes; `None` where the truth file has none, and so perhaps knows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_closures: Option<Score>,
    /// Winks, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winks: Option<Score>,
    /// Time for which eyes were said to be closed that are not.
    pub closed: ClosedSeconds,
}

impl RecordingScore {
    /// Scores the recording `clip` of `frames` frames, which lasts for `seconds`. `complete` says that all of it was
    /// read: otherwise what ends behind its last frame is no miss.
    pub fn of_clip(
        clip: &str,
        found: &FoundEvents,
        truth: &Truth,
        (frames, seconds): (u64, f64),
        complete: bool,
    ) -> Self {
        let mut confirmed = truth.clips.get(clip).cloned().unwrap_or_default();
        if !complete {
            confirmed.cut(frames);
        }
        let score = |kind, predicted: &[FrameRange]| {
            let is_known = truth.has(kind);
            is_known.then(|| Score::of_kind(kind, predicted, &confirmed))
        };
        Self {
            blinks: Score::of_clip(&found.blinks, &confirmed),
            f1_interval: None,
            long_closures: score(TruthKind::LongClosure, &found.long_closures),
            winks: score(TruthKind::Wink, &found.winks),
            closed: ClosedSeconds::of_clip(found, &confirmed, frames, seconds),
        }
    }

    /// Computes the scores over several recordings of one truth file.
    pub fn total(all: &[Self]) -> Self {
        let of = |get: fn(&Self) -> Option<&Score>| {
            let mut scores = all.iter().filter_map(get).peekable();
            scores.peek().is_some().then(|| Score::total(scores))
        };
        let f1 = |drawn: &mut dyn Iterator<Item = &Self>| {
            let total = Score::total(drawn.map(|score| &score.blinks));
            total.f1.unwrap_or(f64::NAN)
        };
        Self {
            blinks: Score::total(all.iter().map(|score| &score.blinks)),
            f1_interval: clustered_interval(all, INTERVAL_SEED, f1),
            long_closures: of(|score| score.long_closures.as_ref()),
            winks: of(|score| score.winks.as_ref()),
            closed: ClosedSeconds::total(all.iter().map(|score| &score.closed)),
        }
    }
}

impl std::fmt::Display for RecordingScore {
    /// What people read behind "against the truth: ".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Score {
            tp, missed, fp, f1, ..
        } = self.blinks;
        write!(f, "{tp} hit, {missed} missed, {fp} false")?;
        if let Some(f1) = f1 {
            write!(f, ", F1 {f1:.3}")?;
        }
        if let Some(Interval { low, high }) = self.f1_interval {
            write!(f, " ({low:.3} to {high:.3})")?;
        }
        for (name, score) in [("long closures", self.long_closures), ("winks", self.winks)] {
            if let Some(Score { tp, missed, fp, .. }) = score {
                write!(f, "; {name}: {tp} hit, {missed} missed, {fp} false")?;
            }
        }
        let closed = &self.closed;
        write!(
            f,
            "; said closed for {:.1} of {:.1} s that are not",
            closed.said_closed_s, closed.not_closed_s
        )?;
        if closed.gaze_down_s > 0.0 {
            write!(
                f,
                ", {:.1} of {:.1} s of looking down",
                closed.gaze_down_said_closed_s, closed.gaze_down_s
            )?;
        }
        Ok(())
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

    fn truth_of(blinks: &[FrameRange], neutral: &[FrameRange]) -> ClipTruth {
        let mut truth = ClipTruth::default();
        for range in blinks {
            truth.add(TruthKind::Blink, *range);
        }
        for range in neutral {
            truth.add(TruthKind::Uncertain, *range);
        }
        truth
    }

    fn score(
        predicted: &[(u64, u64)],
        blinks: &[(u64, u64)],
        neutral: &[(u64, u64)],
    ) -> (u64, u64, u64) {
        let truth = truth_of(&ranges(blinks), &ranges(neutral));
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
    fn looking_down_excuses_no_long_closure_and_a_blink_no_wink() {
        let mut truth = ClipTruth::default();
        for (kind, first, last) in [
            (TruthKind::Blink, 10, 14),
            (TruthKind::GazeDown, 30, 80),
            (TruthKind::LongClosure, 100, 140),
            (TruthKind::Wink, 160, 165),
            (TruthKind::Uncertain, 200, 220),
        ] {
            truth.add(kind, FrameRange { first, last });
        }
        let counts = |kind, predicted: &[(u64, u64)]| {
            let score = Score::of_kind(kind, &ranges(predicted), &truth);
            (score.tp, score.fp, score.missed)
        };
        let found = [(10, 14), (40, 60), (100, 139), (161, 163), (205, 210)];
        assert_eq!(counts(TruthKind::Blink, &found), (1, 0, 0));
        assert_eq!(counts(TruthKind::LongClosure, &found), (1, 1, 0));
        assert_eq!(counts(TruthKind::Wink, &found), (1, 3, 0));
        assert_eq!(counts(TruthKind::Wink, &[]), (0, 0, 1));
    }

    #[test]
    fn seconds_said_closed_leave_out_what_is_closed_and_what_nobody_knows() {
        let mut truth = ClipTruth::default();
        for (kind, first, last) in [
            (TruthKind::Blink, 0, 9),
            (TruthKind::GazeDown, 20, 39),
            (TruthKind::Uncertain, 35, 49),
            // Beyond the end.
            (TruthKind::LongClosure, 90, u64::MAX),
        ] {
            truth.add(kind, FrameRange { first, last });
        }
        let mut found = FoundEvents::default();
        for frame in (5..12).chain(30..45).chain(60..61).chain(95..100) {
            found.add_closed_frame(frame);
        }
        assert_eq!(found.closed.len(), 4);
        let closed = ClosedSeconds::of_clip(&found, &truth, 100, 10.0);
        let expected = ClosedSeconds {
            not_closed_s: 6.5,
            said_closed_s: 0.8,
            gaze_down_s: 1.5,
            gaze_down_said_closed_s: 0.5,
        };
        for (seconds, expected) in [
            (closed.not_closed_s, expected.not_closed_s),
            (closed.said_closed_s, expected.said_closed_s),
            (closed.gaze_down_s, expected.gaze_down_s),
            (
                closed.gaze_down_said_closed_s,
                expected.gaze_down_said_closed_s,
            ),
        ] {
            assert!((seconds - expected).abs() < 1e-9, "{closed:?}");
        }
        assert_eq!(
            ClosedSeconds::of_clip(&found, &truth, 0, 0.0),
            ClosedSeconds::default()
        );
    }

    #[test]
    fn a_recording_without_rows_is_one_without_blinks() {
        let truth = Truth {
            clips: [("a".to_owned(), truth_of(&ranges(&[(1, 2)]), &[]))].into(),
        };
        let found = FoundEvents {
            blinks: ranges(&[(1, 2)]),
            ..FoundEvents::default()
        };
        let [a, b] =
            ["a", "b"].map(|clip| RecordingScore::of_clip(clip, &found, &truth, (9, 0.3), true));
        assert_eq!((a.blinks.tp, b.blinks.fp, b.long_closures), (1, 1, None));
        let all = RecordingScore::total(&[a, b]);
        assert_eq!((all.blinks.tp, all.blinks.fp), (1, 1));
        let Interval { low, high } = all.f1_interval.unwrap();
        assert_eq!((low, high), (0.0, 1.0));
        // A recording that was left early misses nothing behind its last frame.
        let cut = RecordingScore::of_clip("a", &FoundEvents::default(), &truth, (2, 0.1), false);
        assert_eq!(cut.blinks.missed, 0);
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
            let truth = truth_of(&blinks, &neutral);
            let score = Score::of_clip(&predicted, &truth);
            prop_assert_eq!(score.tp + score.missed, blinks.len() as u64);
            prop_assert!(score.tp + score.fp <= predicted.len() as u64);
            // Neutral intervals excuse; they never turn a prediction into a hit or a new alarm.
            let strict = Score::of_clip(&predicted, &truth_of(&blinks, &[]));
            prop_assert_eq!(strict.tp, score.tp);
            prop_assert_eq!(strict.tp + strict.fp, predicted.len() as u64);
            prop_assert!(score.fp <= strict.fp);
        }
    }
}
