//! Figures of an evaluation as the study stores them.

use crate::attack::budget::Norm;
use parseye::evaluate::metrics::Confusion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an attacker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing: random noise.
    Random,
    /// The attacked model's gradient.
    WhiteBox,
    /// The attacked model's answers.
    BlackBox,
    /// Another model's gradient.
    Transfer,
}

/// What a model was measured under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the attack, `clean` for none.
    pub attack: String,
    /// What the attacker knows; absent for clean pictures.
    pub access: Option<Access>,
    /// How the disturbance is measured.
    pub norm: Option<Norm>,
    /// Perturbation SNR in dB.
    pub snr_db: Option<f64>,
}

/// A figure with its 95 % interval, bootstrapped by subject.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end; absent for fewer than two people.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Figures over some crops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Number of crops.
    pub n: u64,
    /// Number of people.
    pub subjects: usize,
    /// Share answered rightly.
    pub accuracy: Estimate,
    /// Mean over the states of the share of each answered rightly.
    pub macro_accuracy: Estimate,
    /// Share of each state answered rightly.
    pub recall: BTreeMap<String, Estimate>,
    /// Area under the ROC curve over all answers for all states.
    pub auc_micro: Estimate,
    /// Mean of the states' areas.
    pub auc_macro: Estimate,
    /// Expected calibration error with the model's temperature.
    pub ece: f64,
    /// The same with temperature 1.
    pub ece_uncalibrated: f64,
    /// Rows are the label, columns the answer.
    pub confusion: Confusion,
}
