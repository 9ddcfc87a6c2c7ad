//! Looks for results that no sound attack on a sound model has, among those that were measured and
//! by attacks made for the purpose (Carlini et al. 2019, "On
//! evaluating adversarial robustness", section 3; Athalye et al. 2018 on masked gradients).

use super::selection;
use crate::{
    attack::{
        Access, Classifier,
        sanity::{self, SanityError},
    },
    conditions::{Condition, EvaluationError, Predictions},
    crop::Crop,
    data::batch::Batch,
};
use parseye_vision::{
    evaluate::manifest::Sample,
    eye_state::{EyeState, STATES},
};

/// Difference of accuracies that is no finding: a few crops near a boundary fall to either side
/// under noise, and a single step that overshoots misses a few that a shorter one hits.
const SLACK: f64 = 0.01;

/// Crops that may differ besides: on few crops [`SLACK`] is less than one.
const FEW: f64 = 2.0;

/// Crops of the checks that make attacks of their own: as many of each state as of the others.
const CHECKED_CROPS: usize = 128;

/// Checks that fail among a classifier's predictions on `samples`, a sentence each; nothing where all
/// is well.
pub(crate) fn failed_checks(samples: &[&Sample], predictions: &[Predictions]) -> Vec<String> {
    let measured: Vec<(&Condition, f64)> = predictions
        .iter()
        .map(|one| (&one.condition, accuracy(samples, &one.logits)))
        .collect();
    let slack = SLACK + FEW / samples.len().max(1) as f64;
    let mut found = Vec::new();
    let clean = measured
        .iter()
        .find(|(condition, _)| condition.access.is_none());
    for (index, (condition, accuracy)) in measured.iter().enumerate() {
        let Some((access, snr_db)) = condition.access.zip(condition.snr_db) else {
            continue;
        };
        let series = |other: &Condition| {
            other.attack == condition.attack
                && other.access == condition.access
                && other.norm == condition.norm
        };
        let weaker = measured[..index]
            .iter()
            .filter(|(other, _)| series(other) && other.snr_db > Some(snr_db))
            .chain(clean);
        for (other, weaker) in weaker {
            if *accuracy > weaker + slack {
                found.push(format!(
                    "a bigger budget helped the model: {condition} {accuracy:.3}, {other} {weaker:.3}"
                ));
            }
        }
        let here =
            |other: &Condition| other.norm == condition.norm && other.snr_db == condition.snr_db;
        match access {
            Access::Transfer => {
                let own = measured.iter().find(|(other, _)| {
                    here(other)
                        && other.attack == condition.attack
                        && other.access == Some(Access::WhiteBox)
                });
                if let Some((_, white_box)) = own.filter(|(_, own)| *own > accuracy + slack) {
                    found.push(format!(
                        "transfer beat white-box: {condition} {accuracy:.3}, white-box {white_box:.3}"
                    ));
                }
            }
            Access::BlackBox => {
                let white_box = measured
                    .iter()
                    .filter(|(o, _)| here(o) && o.access == Some(Access::WhiteBox))
                    .map(|(_, accuracy)| *accuracy)
                    .fold(f64::INFINITY, f64::min);
                if white_box.is_finite() && white_box > accuracy + slack {
                    found.push(format!(
                        "gradients look masked: {condition} {accuracy:.3}, best white-box {white_box:.3}"
                    ));
                }
            }
            Access::WhiteBox | Access::Random => {}
        }
    }
    found
}

/// Runs the attacks made for the purpose and returns the check that fails: see
/// [`crate::attack::sanity`].
///
/// # Errors
/// When the device cannot hold what the attacks need.
pub(crate) fn failed_attack_check(
    target: &dyn Classifier,
    transfer_from: Option<&dyn Classifier>,
    crops: &[&Crop],
    seed: u64,
) -> Result<Option<String>, EvaluationError> {
    let inputs: Vec<_> = selection::balanced(crops, CHECKED_CROPS, seed)
        .into_iter()
        .map(|crop| (crop.standardised(target.side()), crop.sample.label))
        .collect();
    let batch = Batch::new(&inputs, target.device())?;
    match sanity::check(target, &batch, transfer_from, seed) {
        Ok(()) => Ok(None),
        Err(SanityError::Torch(error)) => Err(error.into()),
        Err(failed_check) => Ok(Some(failed_check.to_string())),
    }
}

fn accuracy(samples: &[&Sample], logits: &[[f32; STATES]]) -> f64 {
    let right = samples
        .iter()
        .zip(logits)
        .filter(|(sample, logits)| EyeState::most_likely(logits) == sample.label);
    right.count() as f64 / samples.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attack::budget::Norm, robustness::metrics::tests::sample};

    /// Predictions of which the first `right` of 1,000 are right.
    fn predicted(attack: &str, access: Access, snr_db: f64, right: usize) -> Predictions {
        let logits = |index| [if index < right { 1.0 } else { -1.0 }, 0.0, 0.0, 0.0];
        Predictions {
            condition: Condition {
                attack: attack.into(),
                access: Some(access),
                norm: Some(Norm::Linf),
                snr_db: Some(snr_db),
            },
            logits: (0..1000).map(logits).collect(),
        }
    }

    fn found(predictions: &[Predictions]) -> Vec<String> {
        let samples = vec![sample(EyeState::Open, "p"); 1000];
        let mut all = vec![Predictions {
            condition: Condition::clean(),
            ..predicted("", Access::Random, 0.0, 900)
        }];
        all.extend_from_slice(predictions);
        failed_checks(&samples.iter().collect::<Vec<_>>(), &all)
    }

    #[test]
    fn sound_results_fail_no_check() {
        use Access::{BlackBox, Random, Transfer, WhiteBox};
        let sound = [
            predicted("pgd-20", WhiteBox, 40.0, 700),
            predicted("pgd-20", Transfer, 40.0, 850),
            predicted("pgd-20", WhiteBox, 30.0, 300),
            predicted("square", BlackBox, 30.0, 400),
            predicted("uniform", Random, 30.0, 905),
        ];
        assert_eq!(found(&sound), Vec::<String>::new());
    }

    #[test]
    fn each_unsound_result_is_named() {
        use Access::{BlackBox, Transfer, WhiteBox};
        for (unsound, words) in [
            (
                vec![
                    predicted("pgd-20", WhiteBox, 40.0, 500),
                    predicted("pgd-20", WhiteBox, 30.0, 600),
                ],
                "bigger budget",
            ),
            (
                vec![predicted("fgsm", WhiteBox, 40.0, 950)],
                "bigger budget",
            ),
            (
                vec![
                    predicted("fgsm", WhiteBox, 40.0, 700),
                    predicted("fgsm", Transfer, 40.0, 600),
                ],
                "transfer beat",
            ),
            (
                vec![
                    predicted("apgd-ce", WhiteBox, 40.0, 700),
                    predicted("square", BlackBox, 40.0, 600),
                ],
                "masked",
            ),
        ] {
            let found = found(&unsound);
            assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
        }
    }
}
