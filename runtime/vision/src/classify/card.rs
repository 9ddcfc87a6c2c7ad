//! The model card: what a model is, what it was made from and how it was measured, kept as
//! JSON in the ONNX file's own metadata so that one file is enough.
//!
//! Reading it from a file is left to [`super::model`], writing it to `train`.

use super::{
    adopted::{ImageLayout, PixelFault, PixelScaling},
    input::{CONTRAST_FLOOR, SIDES, USUAL_SIDE},
};
use crate::{
    eye_state::{EyeState, STATES},
    statistics,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Key of the card among an ONNX file's metadata properties.
pub const METADATA_KEY: &str = "parseye.card";

/// Version of the card's layout that this program reads and writes.
pub const FORMAT: u32 = 1;

/// Number of equal bins over 0 to 1 in a confidence histogram.
pub const CONFIDENCE_BINS: usize = 20;

/// Why a card is not one that this program can run a model by.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// Another layout of the card.
    #[error("the card has layout {0}, where this program reads {FORMAT}")]
    Format(u32),
    /// Other states, or in another order.
    #[error("the card's labels are {found:?}, where Parseye's are {expected:?}")]
    Labels {
        /// Those of the card.
        found: Vec<String>,
        /// Those of this program.
        expected: [&'static str; STATES],
    },
    /// Another input.
    #[error(
        "the card's input is {0}, where Parseye feeds {USUAL_INPUT} [1, 1, S, S] with S from {min} to {max}",
        min = SIDES.start(), max = SIDES.end()
    )]
    Input(String),
    /// Another standardisation.
    #[error(
        "the model was trained with a contrast floor of {found} gray levels, where this program uses {expected}"
    )]
    ContrastFloor {
        /// That of the card.
        found: f32,
        /// That of this program.
        expected: f32,
    },
    /// States that an adopted model cannot have.
    #[error(
        "the card's labels are {0:?}, where two to four different states of {known:?} are needed, open and closed among them",
        known = EyeState::ALL.map(EyeState::name)
    )]
    States(Vec<String>),
    /// An input that nothing can be fed to.
    #[error(
        "the card's input has shape {0:?}, where [1, C, S, S] or [1, S, S, C] with 1 or 3 channels and {min} to {max} pixels is needed",
        min = SIDES.start(), max = SIDES.end()
    )]
    Shape([usize; 4]),
    /// A scaling of pixels that gives no numbers.
    #[error(transparent)]
    Pixels(#[from] PixelFault),
    /// A temperature that logits cannot be divided by.
    #[error("the card's temperature is {0}, where a number above 0 is needed")]
    Temperature(f32),
    /// Quantiles that are none.
    #[error("the card's `reference_quantiles.{key}` {fault}; `train card` writes them anew")]
    Quantiles {
        /// The list.
        key: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// What a user may want to know of a model, and what the runtime needs to run it correctly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Layout of this card, [`FORMAT`].
    pub format: u32,
    /// Short name, such as `wrn-16-1`.
    pub name: String,
    /// Architecture as `train --arch` takes it.
    pub architecture: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Eye states in the order of the outputs.
    pub labels: Vec<String>,
    /// What the network is fed.
    pub input: InputCard,
    /// Logits are divided by this before the softmax; fitted on the validation split.
    pub temperature: f32,
    /// How the model was made.
    pub training: TrainingCard,
    /// Accuracy on the validation split, clean images.
    pub validation: AccuracyCard,
    /// How good the output `lids` is on the same; models without that output have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lids: Option<LidsCard>,
    /// Accuracy on the validation split under attack.
    pub robustness: Vec<AttackCard>,
    /// Confidence on the clean validation split: what to compare a live stream with.
    pub reference_confidence: ConfidenceHistogram,
    /// Quantiles on the same; models of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_quantiles: Option<ReferenceQuantiles>,
}

/// What the network is fed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputCard {
    /// Name of the ONNX input.
    pub name: String,
    /// Shape for one eye.
    pub shape: [usize; 4],
    /// Description of the preprocessing.
    pub preprocessing: String,
    /// Smallest standard deviation that a crop is divided by, in gray levels.
    pub contrast_floor: f32,
    /// How pixels become the input of an adopted model; models of `train` have none, and are fed the
    /// standardised crop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<PixelScaling>,
}

/// Name of the input of a model that `train` made.
const USUAL_INPUT: &str = "image";

impl InputCard {
    /// The input of a model of `train` that reads crops of `side` rows and columns.
    pub fn of_side(side: usize) -> Self {
        Self {
            name: USUAL_INPUT.into(),
            shape: [1, 1, side, side],
            preprocessing: "full-range BT.601 luma, levelled square around the eye, area average, \
                            minus its mean, over its standard deviation"
                .into(),
            contrast_floor: CONTRAST_FLOOR,
            pixels: None,
        }
    }
}

impl Default for InputCard {
    fn default() -> Self {
        Self::of_side(USUAL_SIDE)
    }
}

/// How a model was made: with these, the same data and the same number of threads, `train` makes
/// the same model again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingCard {
    /// The command.
    pub command: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Version control commit of the program, with `-dirty` where files had been changed.
    pub commit: String,
    /// Hash over the manifest and every image it lists.
    pub data_sha256: String,
    /// Hashes of the other files that went into it, by the placeholder of each in the command:
    /// `BASE`, `TEACHER`, `FIXES`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files_sha256: BTreeMap<String, String>,
    /// Crops of the training split, by source.
    pub crops_by_source: BTreeMap<String, usize>,
    /// The data's origins and the credit that they ask for.
    pub data_credit: String,
    /// Epochs trained.
    pub epochs: usize,
    /// Epoch whose weights were kept, from 1, chosen on the validation split.
    pub chosen_epoch: usize,
    /// Arithmetic of the training, `f32` or `bf16`.
    pub precision: String,
    /// Device of the training.
    pub device: String,
    /// Threads of the training.
    pub threads: usize,
}

/// Accuracy on clean images; the default says that nothing was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccuracyCard {
    /// Number of crops.
    pub n: usize,
    /// Share predicted correctly.
    pub accuracy: f64,
    /// Mean over the states of the share of each predicted correctly.
    pub macro_accuracy: f64,
    /// Share of each state predicted correctly.
    pub recall: BTreeMap<String, f64>,
    /// Expected calibration error with the card's temperature.
    pub ece: f64,
    /// The same with temperature 1.
    pub ece_uncalibrated: f64,
}

/// How good a model's [`Lids`](crate::lids::Lids) are on the validation split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LidsCard {
    /// Number of crops whose openness is known.
    pub openness_n: usize,
    /// Mean absolute error of the openness.
    pub openness_error: f64,
    /// Mean of the error that the model says it has.
    pub openness_error_said: f64,
    /// Number of crops that look down with their lids apart, and of those that do not.
    pub looking_down_n: [usize; 2],
    /// Chance that of one each the one that looks down has the higher probability; 0.5 is guessing, and `None` where
    /// one kind is missing.
    pub looking_down_auc: Option<f64>,
}

/// Accuracy under one attack at one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackCard {
    /// Name of the attack, such as `fgsm`.
    pub attack: String,
    /// Budget as a step in standardised units.
    pub epsilon: f64,
    /// The same budget as perturbation SNR in dB.
    pub snr_db: f64,
    /// Number of crops.
    pub n: usize,
    /// Share predicted correctly.
    pub accuracy: f64,
    /// Mean over the states of the share of each predicted correctly.
    pub macro_accuracy: f64,
}

/// Counts of confidences in [`CONFIDENCE_BINS`] equal bins over 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfidenceHistogram {
    /// Counts from the lowest bin to the highest.
    pub counts: Vec<u64>,
}

impl ConfidenceHistogram {
    /// Counts confidences, 0 to 1; 1.0 belongs to the last bin.
    pub fn of(confidences: impl IntoIterator<Item = f32>) -> Self {
        let mut counts = vec![0; CONFIDENCE_BINS];
        for confidence in confidences {
            let bin = (confidence * CONFIDENCE_BINS as f32) as usize;
            counts[bin.min(CONFIDENCE_BINS - 1)] += 1;
        }
        Self { counts }
    }
}

/// Shares of crops that [`ReferenceQuantiles`] are given for: ends, tenths, and the median in between.
const QUANTILE_SHARES: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// What confidence and entropy are on the clean validation split, by quantiles. Camera SNR has none here:
/// single crops show no noise from frame to frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceQuantiles {
    /// Number of crops.
    pub n: usize,
    /// Shares of crops, rising from above 0 to below 1.
    pub shares: Vec<f64>,
    /// For each share the confidence, 0 to 1, that so many crops stay below.
    pub confidence: Vec<f64>,
    /// For each share the entropy in bits, 0 to 2, that so many crops stay below.
    pub entropy_bits: Vec<f64>,
}

impl ReferenceQuantiles {
    /// Computes the quantiles of predicted probabilities; `None` without any.
    pub fn of(predictions: &[[f32; STATES]]) -> Option<Self> {
        let confidences = predictions
            .iter()
            .map(|p| f64::from(p.iter().copied().fold(0.0, f32::max)));
        let entropies = predictions.iter().map(entropy_bits);
        (!predictions.is_empty()).then(|| Self {
            n: predictions.len(),
            shares: QUANTILE_SHARES.to_vec(),
            confidence: quantiles(confidences),
            entropy_bits: quantiles(entropies),
        })
    }

    fn check(&self) -> Result<(), CardError> {
        for (key, values) in [
            ("shares", &self.shares),
            ("confidence", &self.confidence),
            ("entropy_bits", &self.entropy_bits),
        ] {
            let fault = if values.len() != self.shares.len() {
                "does not have one value for each of `shares`"
            } else if !values.iter().all(|value| value.is_finite()) {
                "has values that are not finite"
            } else if !values.is_sorted() {
                "does not rise"
            } else {
                continue;
            };
            return Err(CardError::Quantiles { key, fault });
        }
        if self.shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Ok(());
        }
        Err(CardError::Quantiles {
            key: "shares",
            fault: "has values outside 0 to 1",
        })
    }
}

/// The values of [`QUANTILE_SHARES`], by the nearest rank, to six decimals: no more is measured, and so
/// a card that is written and read again is the same.
fn quantiles(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values = statistics::sorted(values);
    QUANTILE_SHARES
        .iter()
        .filter_map(|share| statistics::nearest_rank(&values, *share))
        // Adding 0 turns -0 into 0.
        .map(|value| (value * 1e6).round() / 1e6 + 0.0)
        .collect()
}

/// Computes the entropy of probabilities in bits, 0 to 2.
pub fn entropy_bits(probabilities: &[f32; STATES]) -> f64 {
    probabilities
        .iter()
        .map(|p| f64::from(*p))
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.log2())
        .sum()
}

impl ModelCard {
    /// Checks that this program would feed and read the model as it was trained.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn check(&self) -> Result<(), CardError> {
        if self.format != FORMAT {
            return Err(CardError::Format(self.format));
        }
        if let Some(pixels) = &self.input.pixels {
            self.check_adopted(pixels)?;
        } else {
            self.check_own()?;
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(CardError::Temperature(self.temperature));
        }
        self.reference_quantiles
            .as_ref()
            .map_or(Ok(()), ReferenceQuantiles::check)
    }

    /// The states of the outputs in their order.
    pub fn states(&self) -> Vec<EyeState> {
        let parsed = self.labels.iter().map(|label| label.parse());
        parsed.filter_map(Result::ok).collect()
    }

    /// Checks a model that was adopted: an input of its own, and some of the states.
    fn check_adopted(&self, pixels: &PixelScaling) -> Result<(), CardError> {
        let states = self.states();
        let different: BTreeSet<EyeState> = states.iter().copied().collect();
        let speaks_of = |state| different.contains(&state);
        if self.labels.len() != states.len()
            || states.len() != different.len()
            || !(speaks_of(EyeState::Open) && speaks_of(EyeState::Closed))
        {
            let most = self.labels.iter().take(STATES + 1);
            return Err(CardError::States(most.cloned().collect()));
        }
        let layout = ImageLayout::of(self.input.shape);
        let layout = layout.ok_or(CardError::Shape(self.input.shape))?;
        Ok(pixels.check(layout.channels)?)
    }

    /// Checks a model of `train`.
    fn check_own(&self) -> Result<(), CardError> {
        let expected = EyeState::ALL.map(EyeState::name);
        if self.labels != expected {
            return Err(CardError::Labels {
                found: self.labels.clone(),
                expected,
            });
        }
        let InputCard { name, shape, .. } = &self.input;
        let [1, 1, rows, columns] = *shape else {
            return Err(CardError::Input(format!("{name} {shape:?}")));
        };
        if name != USUAL_INPUT || rows != columns || !SIDES.contains(&rows) {
            return Err(CardError::Input(format!("{name} {shape:?}")));
        }
        if self.input.contrast_floor != CONTRAST_FLOOR {
            return Err(CardError::ContrastFloor {
                found: self.input.contrast_floor,
                expected: CONTRAST_FLOOR,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A card that passes [`ModelCard::check`], for tests.
    pub(crate) fn example() -> ModelCard {
        ModelCard {
            format: FORMAT,
            name: "example".into(),
            architecture: "none".into(),
            parameters: 0,
            labels: EyeState::ALL.map(|state| state.name().to_owned()).to_vec(),
            input: InputCard::default(),
            temperature: 1.0,
            training: TrainingCard {
                command: "none".into(),
                seed: 0,
                commit: "none".into(),
                data_sha256: String::new(),
                crops_by_source: BTreeMap::new(),
                files_sha256: BTreeMap::new(),
                data_credit: String::new(),
                epochs: 0,
                chosen_epoch: 0,
                precision: "f32".into(),
                device: "cpu".into(),
                threads: 1,
            },
            validation: AccuracyCard {
                n: 0,
                accuracy: 0.0,
                macro_accuracy: 0.0,
                recall: BTreeMap::new(),
                ece: 0.0,
                ece_uncalibrated: 0.0,
            },
            robustness: Vec::new(),
            reference_confidence: ConfidenceHistogram::default(),
            reference_quantiles: None,
            lids: None,
        }
    }

    #[test]
    fn a_card_survives_its_json() {
        let card = example();
        let json = serde_json::to_string(&card).unwrap();
        assert_eq!(serde_json::from_str::<ModelCard>(&json).unwrap(), card);
    }

    #[test]
    fn what_differs_is_named() {
        let mut other = example();
        other.labels.swap(0, 2);
        assert!(other.check().unwrap_err().to_string().contains("labels"));
        let mut other = example();
        other.input.contrast_floor = 4.0;
        assert!(
            other
                .check()
                .unwrap_err()
                .to_string()
                .contains("contrast floor of 4")
        );
        let mut other = example();
        other.temperature = f32::NAN;
        assert!(
            other
                .check()
                .unwrap_err()
                .to_string()
                .contains("temperature")
        );
        assert_eq!(example().check(), Ok(()));
    }

    #[test]
    fn confidences_fall_into_their_bins() {
        let histogram = ConfidenceHistogram::of([0.0, 0.049, 0.05, 0.999, 1.0]);
        assert_eq!(histogram.counts[0], 2);
        assert_eq!(histogram.counts[1], 1);
        assert_eq!(histogram.counts[CONFIDENCE_BINS - 1], 2);
    }

    #[test]
    fn a_card_without_quantiles_is_read_and_errors_in_them_are_named() {
        let mut card = example();
        let json = serde_json::to_string(&card).unwrap();
        assert!(!json.contains("reference_quantiles"));
        assert_eq!(serde_json::from_str::<ModelCard>(&json).unwrap(), card);
        let predictions: Vec<[f32; STATES]> = (0..=100)
            .map(|i| 0.25 + 0.75 * i as f32 / 100.0)
            .map(|largest| {
                let rest = (1.0 - largest) / 3.0;
                [largest, rest, rest, rest]
            })
            .collect();
        let mut quantiles = ReferenceQuantiles::of(&predictions).unwrap();
        assert!((quantiles.confidence[5] - 0.625).abs() < 1e-6);
        assert!(quantiles.entropy_bits[0] < 0.4 && quantiles.entropy_bits[10] > 1.9);
        card.reference_quantiles = Some(quantiles.clone());
        assert_eq!(card.check(), Ok(()));
        quantiles.entropy_bits.swap(0, 5);
        card.reference_quantiles = Some(quantiles);
        assert!(card.check().unwrap_err().to_string().contains("quantiles"));
        assert_eq!(ReferenceQuantiles::of(&[]), None);
    }

    #[test]
    fn entropy_is_in_bits() {
        assert_eq!(entropy_bits(&[1.0, 0.0, 0.0, 0.0]), 0.0);
        assert_eq!(entropy_bits(&[0.25; 4]), 2.0);
    }
}
