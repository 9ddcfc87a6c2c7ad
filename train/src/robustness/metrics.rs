//! Metrics of a classifier's predictions: accuracy, recall, areas under ROC curves and calibration, with
//! 95 % intervals that respect that crops of one person are alike.

use super::roc::Ranking;
use crate::estimate::{Estimate, number_or_null, sum};
use parseye_vision::{
    classify::model::softmax,
    evaluate::{
        manifest::Sample,
        metrics,
        metrics::{CALIBRATION_BINS, Confusion, ReliabilityBin, expected_calibration_error},
    },
    eye_state::{EyeState, STATES},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Metrics over some crops under one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Share classified correctly.
    pub accuracy: Estimate,
    /// Mean over the states that occur of the share of each classified correctly.
    pub macro_accuracy: Estimate,
    /// Share of each state that occurs classified correctly.
    pub recall: BTreeMap<String, Estimate>,
    /// Area under the ROC curve of all pairs of crop and state.
    pub auc_micro: Estimate,
    /// Mean over the states of the area under the ROC curve of each against the rest.
    pub auc_macro: Estimate,
    /// Expected calibration error with the model's temperature.
    #[serde(deserialize_with = "number_or_null")]
    pub ece: f64,
    /// The same with temperature 1.
    #[serde(deserialize_with = "number_or_null")]
    pub ece_uncalibrated: f64,
    /// Rows are the label, columns the prediction, both open, partially_open, closed, not_visible.
    pub confusion: Confusion,
}

/// Counts the predictions `logits`, given for `samples` in the same order. `temperature` is the
/// model's, fitted on the validation split; `seed` is that of the bootstrap.
pub fn metrics(
    samples: &[&Sample],
    logits: &[[f32; STATES]],
    temperature: f32,
    seed: u64,
) -> Metrics {
    let people = People::new(samples);
    let by_person = people.confusions(samples, logits);
    let predictions = samples.iter().zip(logits).zip(&people.of_sample);
    let ranking = Ranking::new(
        predictions.map(|((sample, logits), person)| (sample.label, *person, *logits)),
        temperature,
    );
    let everybody: Vec<usize> = (0..people.count).collect();
    let area = |auc: &dyn Fn(&[f64]) -> f64| Estimate {
        value: auc(&vec![1.0; people.count]),
        ..Estimate::interval(&everybody, seed, |drawn| {
            let mut weights = vec![0.0; people.count];
            drawn.for_each(|person| weights[*person] += 1.0);
            auc(&weights)
        })
    };
    let confusion = sum(&mut by_person.iter());
    let recall = confusion.recalls().into_keys().filter_map(|name| {
        let state: EyeState = name.parse().ok()?;
        let recall = |c: &Confusion| c.recall(state).unwrap_or(f64::NAN);
        Some((name, Estimate::of_counts(&by_person, seed, recall)))
    });
    Metrics {
        n: confusion.n(),
        subjects: people.count,
        accuracy: Estimate::of_counts(&by_person, seed, Confusion::accuracy),
        macro_accuracy: Estimate::of_counts(&by_person, seed, Confusion::macro_accuracy),
        recall: recall.collect(),
        auc_micro: area(&|weights| ranking.auc_micro(weights)),
        auc_macro: area(&|weights| ranking.auc_macro(weights)),
        ece: calibration_error(samples, logits, temperature),
        ece_uncalibrated: calibration_error(samples, logits, 1.0),
        confusion,
    }
}

/// Accuracy and macro accuracy over several conditions of the same crops, which is the mean of the
/// conditions' own metrics, with an interval over people.
pub(crate) fn mean_accuracy(
    samples: &[&Sample],
    conditions: &[&[[f32; STATES]]],
    seed: u64,
) -> (Estimate, Estimate) {
    let people = People::new(samples);
    let mut by_person = vec![Confusion::default(); people.count];
    for logits in conditions {
        let more = people.confusions(samples, logits);
        by_person
            .iter_mut()
            .zip(&more)
            .for_each(|(all, one)| all.merge(one));
    }
    (
        Estimate::of_counts(&by_person, seed, Confusion::accuracy),
        Estimate::of_counts(&by_person, seed, Confusion::macro_accuracy),
    )
}

/// The people of some samples by number.
struct People {
    count: usize,
    of_sample: Vec<usize>,
}

impl People {
    fn new(samples: &[&Sample]) -> Self {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for sample in samples {
            numbers.entry(&sample.subject).or_default();
        }
        for (number, (_, person)) in numbers.iter_mut().enumerate() {
            *person = number;
        }
        Self {
            count: numbers.len(),
            of_sample: samples
                .iter()
                .map(|s| numbers[s.subject.as_str()])
                .collect(),
        }
    }

    fn confusions(&self, samples: &[&Sample], logits: &[[f32; STATES]]) -> Vec<Confusion> {
        let mut by_person = vec![Confusion::default(); self.count];
        for ((sample, logits), person) in samples.iter().zip(logits).zip(&self.of_sample) {
            by_person[*person].add(sample.label, EyeState::most_likely(logits));
        }
        by_person
    }
}

/// Whether each prediction is right, with its confidence at a temperature.
fn confidences(
    samples: &[&Sample],
    logits: &[[f32; STATES]],
    temperature: f32,
) -> impl Iterator<Item = (f32, bool)> {
    samples.iter().zip(logits).map(move |(sample, logits)| {
        let state = EyeState::most_likely(logits);
        let confidence = softmax(logits, temperature)[state.index()];
        (confidence, state == sample.label)
    })
}

/// The predictions in bins of confidence, as a reliability diagram shows them.
pub fn reliability(
    samples: &[&Sample],
    logits: &[[f32; STATES]],
    temperature: f32,
) -> [ReliabilityBin; CALIBRATION_BINS] {
    metrics::reliability(confidences(samples, logits, temperature))
}

fn calibration_error(samples: &[&Sample], logits: &[[f32; STATES]], temperature: f32) -> f64 {
    expected_calibration_error(confidences(samples, logits, temperature))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use parseye_vision::evaluate::manifest::{LabelKind, Split};

    /// A sample of somebody in a state.
    pub(crate) fn sample(label: EyeState, subject: &str) -> Sample {
        Sample {
            path: "drawn.png".into(),
            label,
            source: "drawn".into(),
            subject: subject.into(),
            eye: None,
            split: Split::Test,
            label_kind: LabelKind::Human,
            openness: None,
            gaze: None,
            note: String::new(),
        }
    }

    fn logits_for(state: EyeState, size: f32) -> [f32; STATES] {
        std::array::from_fn(|index| if index == state.index() { size } else { 0.0 })
    }

    fn all_of(samples: &[Sample], logits: &[[f32; STATES]], temperature: f32) -> Metrics {
        metrics(&samples.iter().collect::<Vec<_>>(), logits, temperature, 0)
    }

    #[test]
    fn figures_by_hand() {
        // Two people; open is right three times of four, closed always; nothing else occurs.
        let samples = [
            sample(EyeState::Open, "a"),
            sample(EyeState::Open, "a"),
            sample(EyeState::Open, "b"),
            sample(EyeState::Open, "b"),
            sample(EyeState::Closed, "b"),
        ];
        let mut logits: Vec<_> = samples.iter().map(|s| logits_for(s.label, 4.0)).collect();
        logits[0] = logits_for(EyeState::Closed, 4.0);
        let metrics = all_of(&samples, &logits, 2.0);
        assert_eq!((metrics.n, metrics.subjects), (5, 2));
        assert_eq!(metrics.accuracy.value, 0.8);
        assert_eq!(metrics.macro_accuracy.value, 0.875);
        assert_eq!(metrics.recall["open"].value, 0.75);
        assert_eq!(metrics.recall.len(), 2);
        // Open against closed: of 4 pairs 3 are won and one, with equal scores, is half won; and
        // the same from the other side.
        assert!((metrics.auc_macro.value - 0.875).abs() < 1e-12);
        // Confidence e^4 / (e^4 + 3) and e^2 / (e^2 + 3), both in one bin, where 0.8 are right.
        let at = |gap: f64| gap.exp() / (gap.exp() + 3.0);
        assert!((metrics.ece_uncalibrated - (at(4.0) - 0.8)).abs() < 1e-6);
        assert!((metrics.ece - (at(2.0) - 0.8).abs()).abs() < 1e-6);
        // All draws are of "a" alone (1/2), "b" alone (2/2), or both: the interval is the range.
        let recall = metrics.recall["open"];
        assert_eq!((recall.low, recall.high), (Some(0.5), Some(1.0)));
    }

    #[test]
    fn figures_survive_json_also_where_they_are_undefined() {
        let samples = [sample(EyeState::Open, "a")];
        let metrics = all_of(&samples, &[logits_for(EyeState::Open, 1.0)], 1.0);
        assert!(metrics.auc_macro.value.is_nan());
        assert_eq!(metrics.accuracy.low, None);
        let json = serde_json::to_string(&metrics).unwrap();
        let back: Metrics = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
    }

    #[test]
    fn the_mean_over_conditions_is_the_mean_of_their_figures() {
        let samples: Vec<Sample> = (0..40)
            .map(|i| sample(EyeState::ALL[i % 3], &format!("p{}", i % 7)))
            .collect();
        let refs: Vec<&Sample> = samples.iter().collect();
        let condition = |step: usize| -> Vec<[f32; STATES]> {
            let prediction = |i: usize| {
                if i.is_multiple_of(step) {
                    EyeState::Closed
                } else {
                    samples[i].label
                }
            };
            (0..40).map(|i| logits_for(prediction(i), 1.0)).collect()
        };
        let (a, b) = (condition(2), condition(5));
        let (accuracy, macro_accuracy) = mean_accuracy(&refs, &[&a, &b], 0);
        let (one, two) = (metrics(&refs, &a, 1.0, 0), metrics(&refs, &b, 1.0, 0));
        let mean = |x: Estimate, y: Estimate| (x.value + y.value) / 2.0;
        assert!((accuracy.value - mean(one.accuracy, two.accuracy)).abs() < 1e-12);
        let expected = mean(one.macro_accuracy, two.macro_accuracy);
        assert!((macro_accuracy.value - expected).abs() < 1e-12);
        assert!(accuracy.low.unwrap() < accuracy.value && accuracy.high.unwrap() > accuracy.value);
    }

    #[test]
    fn the_interval_of_an_area_holds_it() {
        // People who are ranked well and people who are not.
        let samples: Vec<Sample> = (0..120)
            .map(|i| sample(EyeState::ALL[i % 4], &format!("p{}", i % 9)))
            .collect();
        let logits: Vec<_> = (0..120)
            .map(|i| {
                logits_for(
                    EyeState::ALL[(i + usize::from(i % 9 < 3)) % 4],
                    (i % 5) as f32,
                )
            })
            .collect();
        let auc = all_of(&samples, &logits, 1.0).auc_macro;
        assert!(auc.low.unwrap() < auc.value && auc.value < auc.high.unwrap());
        assert!(auc.high.unwrap() - auc.low.unwrap() > 0.1);
    }
}
