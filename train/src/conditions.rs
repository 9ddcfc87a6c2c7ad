//! Runs a classifier on crops under every condition of a plan: as they are, attacked, corrupted. Counting the
//! predictions is left to [`crate::robustness`].

use crate::{
    attack::{
        self, Access, Attack, AttackError, AttackNameError, Classifier,
        budget::{Budget, Norm},
    },
    corruption::{self, CorruptionError, Family, SEVERITY_RANGE},
    crop::Crop,
    data::batch::Batch,
    logits::rows,
};
use parseye_vision::{
    classify::StandardisedCrop,
    eye_state::{EyeState, STATES},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use strum::VariantArray;
use tch::Tensor;

/// Crops that go through a classifier at once; bounds the memory.
const CHUNK: usize = 256;

/// Name of the condition in which nothing is done to the crops.
pub(crate) const CLEAN: &str = "clean";

/// Attack or corruption of the crops before the classifier sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the attack; `clean` for none, `corruption/FAMILY/SEVERITY` for corruptions.
    pub attack: String,
    /// The attack's knowledge of the classifier; none for clean crops and corruptions.
    pub access: Option<Access>,
    /// Norm of the attack's budget.
    pub norm: Option<Norm>,
    /// The budget as perturbation SNR in dB.
    pub snr_db: Option<f64>,
}

impl Condition {
    /// Crops as they are.
    pub fn clean() -> Self {
        Self {
            attack: CLEAN.into(),
            access: None,
            norm: None,
            snr_db: None,
        }
    }

    /// A corruption.
    pub fn corrupted(family: Family, severity: u8) -> Self {
        Self {
            attack: format!("corruption/{family}/{severity}"),
            ..Self::clean()
        }
    }

    /// The family and severity of a corruption.
    pub fn corruption(&self) -> Option<(Family, u8)> {
        let (family, severity) = self.attack.strip_prefix("corruption/")?.split_once('/')?;
        Some((family.parse().ok()?, severity.parse().ok()?))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attack)?;
        if let Some(access) = self.access {
            write!(f, ", {access}")?;
        }
        if let Some(snr_db) = self.snr_db {
            write!(f, ", {snr_db} dB")?;
        }
        Ok(())
    }
}

/// Conditions to run a classifier under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationPlan {
    /// Attacks by name.
    pub attacks: Vec<String>,
    /// Budgets of every attack, as perturbation SNR in dB.
    pub snrs_db: Vec<f64>,
    /// Further budgets of random noise, which hurts no network above 20 dB.
    pub noise_snrs_db: Vec<f64>,
    /// Norm of the attacks' budgets, except for random noise: see [`Access::norm`].
    pub norm: Norm,
    /// Seed of attacks and corruptions.
    pub seed: u64,
    /// Whether to apply every corruption.
    pub corruptions: bool,
}

/// A classifier's predictions under one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Attack or corruption of the crops.
    pub condition: Condition,
    /// Logits of each crop, in the order that the crops were given.
    pub logits: Vec<[f32; STATES]>,
}

/// Why a classifier cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// No such attack.
    #[error(transparent)]
    UnknownAttack(#[from] AttackNameError),
    /// There is nothing to evaluate on.
    #[error("there are no crops to evaluate on; check the manifest's split column")]
    NoCrops,
    /// An attack broke a promise.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// A crop cannot be transformed.
    #[error(transparent)]
    Corruption(#[from] CorruptionError),
    /// A logit is NaN or infinite.
    #[error(
        "model '{model}' gave logits that are not finite under {condition}; its weights are broken, train it again"
    )]
    NotFinite {
        /// Name of the classifier.
        model: String,
        /// The condition.
        condition: String,
    },
    /// The models read images of two sizes.
    #[error(
        "model '{from}' reads {from_side}x{from_side} images and '{target}' {target_side}x{target_side}; examples of one are no images of the other"
    )]
    TwoSizes {
        /// The classifier that examples are made with.
        from: String,
        /// Its side in pixels.
        from_side: usize,
        /// The classifier that is evaluated.
        target: String,
        /// Its side in pixels.
        target_side: usize,
    },
    /// The models are on two devices.
    #[error("model '{from}' computes on another device than '{target}'; put both on one")]
    TwoDevices {
        /// The classifier that examples are made with.
        from: String,
        /// The classifier that is evaluated.
        target: String,
    },
    /// libtorch failed, commonly for want of memory.
    #[error("libtorch failed ({0}); close other programs or give --device cpu if memory ran out")]
    Torch(#[from] tch::TchError),
}

/// Runs `target` on `crops` as they are, then under every attack of the plan at every budget,
/// then, where `transfer_from` is given, under the white-box examples of that other classifier, and
/// last under corruptions. `progress` is called as each condition begins.
///
/// The predictions are per crop and in one order, so that conditions can be compared crop by crop. The
/// first is always clean.
///
/// # Errors
/// See [`EvaluationError`].
pub fn evaluate(
    target: &dyn Classifier,
    crops: &[&Crop],
    plan: &EvaluationPlan,
    transfer_from: Option<&dyn Classifier>,
    progress: &mut dyn FnMut(&Condition),
) -> Result<Vec<Predictions>, EvaluationError> {
    if crops.is_empty() {
        return Err(EvaluationError::NoCrops);
    }
    if let Some(from) = transfer_from
        && from.device() != target.device()
    {
        return Err(EvaluationError::TwoDevices {
            from: from.name().into(),
            target: target.name().into(),
        });
    }
    if let Some(from) = transfer_from
        && from.side() != target.side()
    {
        return Err(EvaluationError::TwoSizes {
            from: from.name().into(),
            from_side: from.side(),
            target: target.name().into(),
            target_side: target.side(),
        });
    }
    // Names are looked up before anything is computed: a mistyped last one must not cost an hour.
    let attacks = plan
        .attacks
        .iter()
        .map(|name| Ok((name, attack::by_name(name)?)))
        .collect::<Result<Vec<_>, AttackNameError>>()?;
    let standardised: Vec<(StandardisedCrop, EyeState)> = crops
        .iter()
        .map(|crop| (crop.standardised(target.side()), crop.sample.label))
        .collect();
    let batches = batched(&standardised, target)?;
    let mut all = Vec::new();
    let mut classify_under = |condition: Condition,
                              inputs: &mut dyn FnMut() -> Result<Vec<Tensor>, EvaluationError>|
     -> Result<(), EvaluationError> {
        progress(&condition);
        all.push(predictions(target, condition, &inputs()?)?);
        Ok(())
    };
    classify_under(Condition::clean(), &mut || {
        Ok(batches.iter().map(|b| b.images.shallow_clone()).collect())
    })?;
    for (name, attack) in &attacks {
        for (norm, snr_db) in budgets(plan, attack.access()) {
            let condition = |access| Condition {
                attack: (*name).clone(),
                access: Some(access),
                norm: Some(norm),
                snr_db: Some(snr_db),
            };
            let budget = Budget::of_snr(norm, snr_db);
            classify_under(condition(attack.access()), &mut || {
                perturbed(attack.as_ref(), target, &batches, budget, plan.seed)
            })?;
            if let Some(from) = transfer_from
                && attack.access() == Access::WhiteBox
            {
                classify_under(condition(Access::Transfer), &mut || {
                    perturbed(attack.as_ref(), from, &batches, budget, plan.seed)
                })?;
            }
        }
    }
    if plan.corruptions {
        for &family in Family::VARIANTS {
            for severity in SEVERITY_RANGE {
                classify_under(Condition::corrupted(family, severity), &mut || {
                    let corrupted = corrupted(family, severity, crops, target.side(), plan.seed)?;
                    let batches = batched(&corrupted, target)?;
                    Ok(batches.into_iter().map(|batch| batch.images).collect())
                })?;
            }
        }
    }
    Ok(all)
}

/// The budgets of an attack, weakest first, none twice.
fn budgets(plan: &EvaluationPlan, access: Access) -> Vec<(Norm, f64)> {
    let mut snrs = plan.snrs_db.clone();
    if access == Access::Random {
        snrs.extend(&plan.noise_snrs_db);
    }
    let norm = access.norm(plan.norm);
    snrs.sort_by(|a, b| b.total_cmp(a));
    snrs.dedup();
    snrs.into_iter().map(|snr_db| (norm, snr_db)).collect()
}

fn batched(
    crops: &[(StandardisedCrop, EyeState)],
    target: &dyn Classifier,
) -> Result<Vec<Batch>, EvaluationError> {
    let of_chunk = |chunk| Ok(Batch::new(chunk, target.device())?);
    crops.chunks(CHUNK).map(of_chunk).collect()
}

/// Perturbed images of every batch, each checked against the attack's promises.
fn perturbed(
    attack: &dyn Attack,
    by: &dyn Classifier,
    batches: &[Batch],
    budget: Budget,
    seed: u64,
) -> Result<Vec<Tensor>, EvaluationError> {
    let of_batch = |(number, batch): (usize, &Batch)| {
        // Batches draw differently, or every 256th crop would get the same noise.
        let seed = seed_of(seed, &(number as u64).to_le_bytes());
        let images = attack.perturb(by, batch, budget, seed)?.detach();
        attack::verify(attack.name(), batch, &images, budget)?;
        Ok(images)
    };
    batches.iter().enumerate().map(of_batch).collect()
}

fn predictions(
    target: &dyn Classifier,
    condition: Condition,
    batches: &[Tensor],
) -> Result<Predictions, EvaluationError> {
    let mut logits = Vec::new();
    for images in batches {
        logits.extend(rows(&tch::no_grad(|| target.logits(images)))?);
    }
    if logits.iter().flatten().any(|logit| !logit.is_finite()) {
        return Err(EvaluationError::NotFinite {
            model: target.name().into(),
            condition: condition.to_string(),
        });
    }
    Ok(Predictions { condition, logits })
}

/// Corrupted crops, made by all cores. A crop's seed comes from its path, so it is corrupted alike
/// whatever other crops are evaluated.
fn corrupted(
    family: Family,
    severity: u8,
    crops: &[&Crop],
    side: usize,
    seed: u64,
) -> Result<Vec<(StandardisedCrop, EyeState)>, CorruptionError> {
    let corrupt = |crop: &&Crop| {
        let seed = seed_of(seed, crop.sample.path.as_os_str().as_encoded_bytes());
        let crop_input = corruption::apply(family, severity, crop, side, seed)?;
        Ok((crop_input, crop.sample.label))
    };
    let corrupted: Vec<_> = crops.par_iter().map(corrupt).collect();
    // The error of the first crop, whichever thread came upon one first.
    corrupted.into_iter().collect()
}

/// A seed of its own for each `name`, the same on every machine.
fn seed_of(seed: u64, name: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name);
    let digest = hash.finalize();
    u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
}
