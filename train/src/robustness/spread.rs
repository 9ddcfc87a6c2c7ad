//! Accuracy person by person: one mean over all hides whom a monitor fails.

use parseye_vision::{
    evaluate::{manifest::Sample, metrics::Confusion},
    eye_state::{EyeState, STATES},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Fewest crops of a person that give an accuracy of its own: with fewer a single crop moves it by
/// more than 5 points.
pub(crate) const FEWEST_CROPS: u64 = 20;

/// Worst people that are named.
const NAMED: usize = 5;

/// Accuracy person by person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectSpread {
    /// People with at least [`FEWEST_CROPS`] crops.
    pub subjects: usize,
    /// Least accuracy, its quartiles and the greatest.
    pub quartiles: [f64; 5],
    /// The people of least accuracy, the worst first.
    pub worst: Vec<Subject>,
}

/// A person's accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Name in the manifest.
    pub name: String,
    /// Number of crops.
    pub n: u64,
    /// Share classified correctly.
    pub accuracy: f64,
}

/// The spread over people; `None` where nobody has enough crops.
pub(crate) fn spread(samples: &[&Sample], logits: &[[f32; STATES]]) -> Option<SubjectSpread> {
    let mut people: BTreeMap<&str, Confusion> = BTreeMap::new();
    for (sample, logits) in samples.iter().zip(logits) {
        let counts = people.entry(&sample.subject).or_default();
        counts.add(sample.label, EyeState::most_likely(logits));
    }
    let mut people: Vec<Subject> = people
        .into_iter()
        .filter(|(_, counts)| counts.n() >= FEWEST_CROPS)
        .map(|(name, counts)| Subject {
            name: name.into(),
            n: counts.n(),
            accuracy: counts.accuracy(),
        })
        .collect();
    people.sort_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    let last = people.len().checked_sub(1)?;
    // The nearest person: a value that nobody has would be none of a person.
    let at = |quarter: usize| people[(last * quarter + 2) / 4].accuracy;
    Some(SubjectSpread {
        subjects: people.len(),
        quartiles: std::array::from_fn(at),
        worst: people.iter().take(NAMED).cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    #[test]
    fn people_with_enough_crops_are_ranked() {
        let mut samples = Vec::new();
        let mut logits = Vec::new();
        // Of 20 crops each, person i has 2 i wrong; "few" has too few to count.
        for person in 0..5 {
            for crop in 0..20 {
                samples.push(sample(EyeState::Open, &format!("p{person}")));
                let wrong = if crop < 2 * person { 1.0 } else { -1.0 };
                logits.push([0.0, wrong, -2.0, -2.0]);
            }
        }
        samples.push(sample(EyeState::Open, "few"));
        logits.push([0.0, 1.0, 0.0, 0.0]);
        let refs: Vec<&Sample> = samples.iter().collect();
        let spread = spread(&refs, &logits).unwrap();
        assert_eq!(spread.subjects, 5);
        assert_eq!(spread.quartiles, [0.6, 0.7, 0.8, 0.9, 1.0]);
        assert_eq!(
            (spread.worst[0].name.as_str(), spread.worst[0].n),
            ("p4", 20)
        );
        assert!(super::spread(&refs[100..], &logits[100..]).is_none());
    }
}
