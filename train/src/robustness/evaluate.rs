//! Asks a classifier about crops under every condition of a plan.

use crate::{
    attack::{
        self, Access, Attack, AttackError, Classifier,
        budget::{Budget, Norm},
    },
    corruption::{self, CorruptionError, Family, SEVERITY_RANGE},
    data::{batch::Batch, crops::Crop},
    export::parity::rows,
};
use parseye_vision::{
    classify::StandardisedCrop,
    eye_state::{EyeState, STATES},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use tch::Tensor;

/// Crops that go through a classifier at once; bounds the memory.
const CHUNK: usize = 256;

/// Name of the condition in which nothing is done to the crops.
pub const CLEAN: &str = "clean";

/// What was done to the crops before the classifier saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the attack; `clean` for none, `corruption/FAMILY/SEVERITY` for natural ones.
    pub attack: String,
    /// What the attack knew of the classifier; none for clean and natural ones.
    pub access: Option<Access>,
    /// How the attack's budget is measured.
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

    /// A natural transformation.
    pub fn natural(family: Family, severity: u8) -> Self {
        Self {
            attack: format!("corruption/{family}/{severity}"),
            ..Self::clean()
        }
    }

    /// The family and severity of a natural transformation.
    pub fn corruption(&self) -> Option<(Family, u8)> {
        let (family, severity) = self.attack.strip_prefix("corruption/")?.split_once('/')?;
        let family = Family::ALL.into_iter().find(|one| one.name() == family)?;
        Some((family, severity.parse().ok()?))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attack)?;
        if let Some(access) = self.access {
            write!(f, ", {}", access.name())?;
        }
        if let Some(snr_db) = self.snr_db {
            write!(f, ", {snr_db} dB")?;
        }
        Ok(())
    }
}

/// What to ask a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationPlan {
    /// Attacks by name.
    pub attacks: Vec<String>,
    /// Budgets of every attack, as perturbation SNR in dB.
    pub snrs_db: Vec<f64>,
    /// Further budgets of random noise, which hurts no network above 20 dB.
    pub noise_snrs_db: Vec<f64>,
    /// How the budgets of attacks are measured, but for random noise: see [`Access::norm`].
    pub norm: Norm,
    /// Seed of attacks and natural transformations.
    pub seed: u64,
    /// Whether to apply every natural transformation.
    pub corruptions: bool,
}

/// A classifier's answers under one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// What was done to the crops.
    pub condition: Condition,
    /// Logits of each crop, in the order that the crops were given.
    pub logits: Vec<[f32; STATES]>,
}

/// Why a classifier cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RobustnessError {
    /// No such attack.
    #[error("{0}")]
    UnknownAttack(String),
    /// There is nothing to judge on.
    #[error("there are no crops to judge on; check the manifest's split column")]
    NoCrops,
    /// An attack broke a promise.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// A crop cannot be transformed.
    #[error(transparent)]
    Corruption(#[from] CorruptionError),
    /// The classifier gave a number that is none.
    #[error(
        "model '{model}' gave logits that are not finite under {condition}; its weights are broken, train it again"
    )]
    NotFinite {
        /// Name of the classifier.
        model: String,
        /// The condition in words.
        condition: String,
    },
    /// The models are on two devices.
    #[error("model '{from}' computes on another device than '{target}'; put both on one")]
    TwoDevices {
        /// The classifier that examples are made with.
        from: String,
        /// The classifier that is judged.
        target: String,
    },
    /// libtorch failed, commonly for want of memory.
    #[error("libtorch failed ({0}); close other programs or give --device cpu if memory ran out")]
    Torch(#[from] tch::TchError),
}

/// Asks `target` about `crops` as they are, then under every attack of the plan at every budget,
/// then, where `transfer_from` is given, under the white-box examples of that other classifier, and
/// last under natural transformations. `progress` is called as each condition begins.
///
/// The answers are per crop and in one order, so that conditions can be compared crop by crop. The
/// first is always clean.
///
/// # Errors
/// See [`RobustnessError`].
pub fn judge(
    target: &dyn Classifier,
    crops: &[&Crop],
    plan: &EvaluationPlan,
    transfer_from: Option<&dyn Classifier>,
    progress: &mut dyn FnMut(&Condition),
) -> Result<Vec<Answers>, RobustnessError> {
    if crops.is_empty() {
        return Err(RobustnessError::NoCrops);
    }
    if let Some(from) = transfer_from
        && from.device() != target.device()
    {
        return Err(RobustnessError::TwoDevices {
            from: from.name().into(),
            target: target.name().into(),
        });
    }
    // Names are looked up before anything is computed: a mistyped last one must not cost an hour.
    let attacks = plan
        .attacks
        .iter()
        .map(|name| Ok((name, attack::by_name(name)?)))
        .collect::<Result<Vec<_>, String>>()
        .map_err(RobustnessError::UnknownAttack)?;
    let standardised: Vec<(StandardisedCrop, EyeState)> = crops
        .iter()
        .map(|crop| (crop.standardised(), crop.sample.label))
        .collect();
    let batches = batched(&standardised, target)?;
    let mut all = Vec::new();
    let mut ask = |condition: Condition,
                   pictures: &mut dyn FnMut(&Condition) -> Result<Vec<Tensor>, RobustnessError>|
     -> Result<(), RobustnessError> {
        progress(&condition);
        let pictures = pictures(&condition)?;
        all.push(answers(target, condition, &pictures)?);
        Ok(())
    };
    ask(Condition::clean(), &mut |_| {
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
            ask(condition(attack.access()), &mut |_| {
                perturbed(attack.as_ref(), target, &batches, budget, plan.seed)
            })?;
            if let Some(from) = transfer_from
                && attack.access() == Access::WhiteBox
            {
                ask(condition(Access::Transfer), &mut |_| {
                    perturbed(attack.as_ref(), from, &batches, budget, plan.seed)
                })?;
            }
        }
    }
    if plan.corruptions {
        for family in Family::ALL {
            for severity in SEVERITY_RANGE {
                ask(Condition::natural(family, severity), &mut |_| {
                    let changed = transformed(family, severity, crops, plan.seed)?;
                    let batches = batched(&changed, target)?;
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
) -> Result<Vec<Batch>, RobustnessError> {
    let of_chunk = |chunk| Ok(Batch::new(chunk, target.device())?);
    crops.chunks(CHUNK).map(of_chunk).collect()
}

/// Perturbed pictures of every batch, each checked against the attack's promises.
fn perturbed(
    attack: &dyn Attack,
    by: &dyn Classifier,
    batches: &[Batch],
    budget: Budget,
    seed: u64,
) -> Result<Vec<Tensor>, RobustnessError> {
    let of_batch = |(number, batch): (usize, &Batch)| {
        // Batches draw differently, or every 256th crop would get the same noise.
        let seed = seed_of(seed, &(number as u64).to_le_bytes());
        let pictures = attack.perturb(by, batch, budget, seed)?.detach();
        attack::verify(attack.name(), batch, &pictures, budget)?;
        Ok(pictures)
    };
    batches.iter().enumerate().map(of_batch).collect()
}

fn answers(
    target: &dyn Classifier,
    condition: Condition,
    pictures: &[Tensor],
) -> Result<Answers, RobustnessError> {
    let mut logits = Vec::new();
    for images in pictures {
        logits.extend(rows(&tch::no_grad(|| target.logits(images)))?);
    }
    if logits.iter().flatten().any(|logit| !logit.is_finite()) {
        return Err(RobustnessError::NotFinite {
            model: target.name().into(),
            condition: condition.to_string(),
        });
    }
    Ok(Answers { condition, logits })
}

/// Transformed crops, made by all cores. A crop's seed comes from its path, so it is transformed
/// alike whatever other crops are judged.
fn transformed(
    family: Family,
    severity: u8,
    crops: &[&Crop],
    seed: u64,
) -> Result<Vec<(StandardisedCrop, EyeState)>, CorruptionError> {
    let one = |crop: &&Crop| {
        let seed = seed_of(seed, crop.sample.path.as_os_str().as_encoded_bytes());
        let changed = corruption::apply(family, severity, crop, seed)?;
        Ok((changed, crop.sample.label))
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = crops.len().div_ceil(cores).max(1);
    let mut parts: Vec<Result<Vec<_>, CorruptionError>> = Vec::new();
    parts.resize_with(crops.len().div_ceil(share), || Ok(Vec::new()));
    std::thread::scope(|scope| {
        for (crops, part) in crops.chunks(share).zip(&mut parts) {
            scope.spawn(move || *part = crops.iter().map(one).collect());
        }
    });
    let mut all = Vec::with_capacity(crops.len());
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}

/// A seed of its own for each `name`, the same on every machine.
fn seed_of(seed: u64, name: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name);
    let digest = hash.finalize();
    u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
}
