//! Losses of a hardened training, and the attacks that make its examples.
//!
//! Attacks here serve training alone: they are cheap, and N-FGSM's examples lie outside of its
//! epsilon on purpose. For measuring there is [`crate::attack`].

use crate::{
    attack::{
        Attack, Classifier,
        budget::Budget,
        fgsm::Fgsm,
        gradient,
        pgd::{self, KeptPoint, Pgd},
    },
    data::batch::Batch,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use tch::{Kind, Tensor};

/// Noise of N-FGSM's start in epsilons (de Jorge et al. 2022, section 4).
const NOISE_START: f64 = 2.0;

/// Most steps of PGD accepted in training.
const MOST_STEPS: u32 = 1000;

/// The attack that makes the examples of an adversarial training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TrainingAttack {
    /// One step of epsilon: the study's.
    Fgsm,
    /// One step of epsilon from a start with strong noise, the sum not cut to the ball: as cheap as
    /// FGSM and without its catastrophic overfitting (de Jorge et al. 2022).
    NFgsm,
    /// This many small steps from a random start (Madry et al. 2018).
    Pgd(u32),
}

/// A name that no attack for training has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown attack '{name}'{}; known for training: fgsm, n-fgsm, and pgd-K of 1 to {MOST_STEPS} steps",
    parseye_vision::nearest::hint(.name, ["fgsm", "n-fgsm", "pgd-3"])
)]
pub struct TrainingAttackError {
    /// The name that was given.
    pub name: String,
}

impl FromStr for TrainingAttack {
    type Err = TrainingAttackError;

    fn from_str(text: &str) -> Result<Self, TrainingAttackError> {
        let steps = || text.strip_prefix("pgd-")?.parse::<u32>().ok();
        match text {
            "fgsm" => Ok(Self::Fgsm),
            "n-fgsm" => Ok(Self::NFgsm),
            _ => match steps() {
                Some(steps) if (1..=MOST_STEPS).contains(&steps) => Ok(Self::Pgd(steps)),
                _ => Err(TrainingAttackError { name: text.into() }),
            },
        }
    }
}

impl TryFrom<String> for TrainingAttack {
    type Error = TrainingAttackError;

    fn try_from(text: String) -> Result<Self, TrainingAttackError> {
        text.parse()
    }
}

impl From<TrainingAttack> for String {
    fn from(attack: TrainingAttack) -> Self {
        attack.to_string()
    }
}

impl fmt::Display for TrainingAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fgsm => write!(f, "fgsm"),
            Self::NFgsm => write!(f, "n-fgsm"),
            Self::Pgd(steps) => write!(f, "pgd-{steps}"),
        }
    }
}

impl TrainingAttack {
    /// Examples for training against the cross-entropy.
    ///
    /// # Errors
    /// When the device cannot hold what the attack needs.
    pub(crate) fn examples(
        self,
        network: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        match self {
            Self::Fgsm => Fgsm.perturb(network, batch, budget, seed),
            Self::Pgd(steps) => {
                Pgd::new(steps, 1, KeptPoint::Last).perturb(network, batch, budget, seed)
            }
            Self::NFgsm => {
                let noise = uniform(batch, NOISE_START * budget.epsilon, seed)?;
                let start = batch.clip(&(&batch.images + noise));
                let gradient = gradient::of_cross_entropy(network, &start, &batch.labels)?;
                let step = budget.steepest(&gradient) * budget.epsilon;
                Ok(batch.clip(&(start + step)).detach())
            }
        }
    }

    /// Examples that are classified as differently from the clean images as can be, whatever the
    /// label: those of TRADES.
    ///
    /// # Errors
    /// As [`Self::examples`].
    pub(crate) fn diverging_examples(
        self,
        network: &dyn Classifier,
        batch: &Batch,
        budget: Budget,
        seed: u64,
    ) -> Result<Tensor, tch::TchError> {
        let clean = tch::no_grad(|| network.logits(&batch.images));
        let (steps, start, length) = match self {
            // At the image itself the divergence has no slope: a small start gives it one
            // (Zhang et al. 2019 use 0.001 where pixels are 0 to 1).
            Self::Fgsm => (1, 0.1, 1.0),
            Self::NFgsm => (1, NOISE_START, 1.0),
            Self::Pgd(steps) => (steps, 1.0, pgd::PATH / f64::from(steps)),
        };
        let noise = uniform(batch, start * budget.epsilon, seed)?;
        let mut point = batch.clip(&(&batch.images + noise));
        for _ in 0..steps {
            let (_, gradient) =
                gradient::of_loss(network, &point, |logits| divergence(&clean, logits))?;
            let step = budget.steepest(&gradient) * (length * budget.epsilon);
            let moved = point + step - &batch.images;
            let moved = if self == Self::NFgsm {
                moved
            } else {
                budget.project(&moved)
            };
            point = batch.clip(&(&batch.images + moved));
        }
        Ok(point.detach())
    }
}

/// Noise spread evenly over -size to size on every pixel.
fn uniform(batch: &Batch, size: f64, seed: u64) -> Result<Tensor, tch::TchError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = batch.images.numel();
    let draws = (0..count).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * size) as f32);
    let draws: Vec<f32> = draws.collect();
    Tensor::f_from_slice(&draws)?
        .f_view_as(&batch.images.contiguous())?
        .f_to_device(batch.images.device())
}

/// Kullback-Leibler divergence f32 `[N]` of the predictions `logits` `[N,4]` from those of `reference`,
/// KL(reference || predictions).
pub(crate) fn divergence(reference: &Tensor, logits: &Tensor) -> Tensor {
    let (p, log_p) = (
        reference.softmax(1, Kind::Float),
        reference.log_softmax(1, Kind::Float),
    );
    (p * (log_p - logits.log_softmax(1, Kind::Float))).sum_dim_intlist(
        [1_i64].as_slice(),
        false,
        Kind::Float,
    )
}

/// Loss that is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy on clean and attacked images alike.
    CrossEntropy,
    /// Cross-entropy on clean images plus a multiple of how differently the attacked ones are
    /// classified (Zhang et al. 2019).
    Trades,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_by_hand() {
        // p = (1/2, 1/2), q = (1/4, 3/4): 1/2 ln 2 + 1/2 ln(2/3); two more states of no weight.
        let far = -1e4_f32;
        let p = Tensor::from_slice2(&[[0.0_f32, 0.0, far, far]]);
        let q = Tensor::from_slice2(&[[1.0_f32.ln(), 3.0_f32.ln(), far, far]]);
        let expected = 0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln();
        assert!((divergence(&p, &q).double_value(&[0]) - expected).abs() < 1e-6);
        assert!(divergence(&p, &p).double_value(&[0]).abs() < 1e-7);
    }

    #[test]
    fn attacks_by_name() {
        for name in ["fgsm", "n-fgsm", "pgd-7"] {
            assert_eq!(name.parse::<TrainingAttack>().unwrap().to_string(), name);
        }
        for (slip, words) in [
            ("fsgm", "did you mean 'fgsm'"),
            ("pgd-0", "pgd-K"),
            ("pgd-x", "pgd-K"),
        ] {
            let error = slip.parse::<TrainingAttack>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
