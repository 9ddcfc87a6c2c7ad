//! Whether the results of attacks on a classifier can be believed (Carlini et al. 2019, "On
//! evaluating adversarial robustness", section 5): a network that hides its gradient looks robust
//! to attacks that follow it and falls to those that do not.
//!
//! Each check is cheap next to an evaluation; [`check`] runs all of them. What is compared are
//! counts of pictures; attacks with a random start differ by a few from run to run, so a check
//! fails when it is missed by more than [`slack`].

use super::{
    Attack, Classifier,
    apgd::ApgdCe,
    apgd_targeted::ApgdTargeted,
    budget::{Budget, Norm},
    loss::errs,
    pgd::{Keep, Pgd},
    square::Square,
    strongest::{positions, select},
    transfer::Transfer,
    worst::Worst,
};
use crate::data::batch::Batch;
use tch::Kind;

/// Iterations of the gradient attacks and queries of the random search: fewer than in an
/// evaluation, in the same proportion to each other.
const ITERATIONS: u32 = 50;
const QUERIES: u32 = 1_000;

/// Steps of the transferred attack.
const TRANSFER_STEPS: u32 = 20;

/// Rising budgets, in dB: from where networks mostly stand to where they mostly fall.
const RISING_SNRS_DB: [f64; 4] = [40.0, 33.0, 25.0, 20.0];

/// The budget of the comparisons: in the middle, where attacks differ most.
const COMPARED_SNR_DB: f64 = 25.0;

/// Share of the pictures by which a check may be missed.
const SLACK: f64 = 0.01;

/// Why the results of attacks on a classifier cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum SanityError {
    /// There is nothing to be broken.
    #[error(
        "cannot check the attacks on '{target}': it answers none of the {n} pictures rightly undisturbed; give more pictures or a trained model"
    )]
    NothingStands {
        /// The classifier.
        target: String,
        /// Pictures given.
        n: i64,
    },
    /// More was allowed and less was broken.
    #[error(
        "the attacks on '{target}' cannot be believed: {attack} leaves {standing} of {n} pictures standing at {snr_db} dB but only {standing_before} at {snr_db_before} dB, a smaller budget; give it more iterations or look for masked gradients"
    )]
    BiggerBudgetHelps {
        /// The classifier.
        target: String,
        /// The attack.
        attack: String,
        /// Rightly answered under the larger budget.
        standing: i64,
        /// The larger budget.
        snr_db: f64,
        /// Rightly answered under the smaller budget.
        standing_before: i64,
        /// The smaller budget.
        snr_db_before: f64,
        /// Pictures.
        n: i64,
    },
    /// Pictures made for another classifier work better than those made for this one.
    #[error(
        "the attacks on '{target}' cannot be believed: pictures made for '{other}' break {transferred} of {n}, those made with its own gradient only {white_box} at {snr_db} dB; its gradient is masked"
    )]
    TransferBeatsWhiteBox {
        /// The classifier.
        target: String,
        /// Whose gradient was used.
        other: String,
        /// Broken by transfer.
        transferred: i64,
        /// Broken by its own gradient.
        white_box: i64,
        /// The budget.
        snr_db: f64,
        /// Pictures answered rightly undisturbed.
        n: i64,
    },
    /// Not even a picture that may become any other one errs.
    #[error(
        "the attacks on '{target}' cannot be believed: with no bound but that of 8-bit pixels {standing} of {n} pictures are still answered rightly; its gradient is masked"
    )]
    UnboundedFails {
        /// The classifier.
        target: String,
        /// Rightly answered still.
        standing: i64,
        /// Pictures answered rightly undisturbed.
        n: i64,
    },
    /// Random search finds more than the gradient.
    #[error(
        "the attacks on '{target}' cannot be believed: Square, which sees no gradient, breaks {square} of {n} pictures, APGD only {apgd} at {snr_db} dB; its gradient is masked"
    )]
    GradientsMasked {
        /// The classifier.
        target: String,
        /// Broken by Square.
        square: i64,
        /// Broken by APGD.
        apgd: i64,
        /// The budget.
        snr_db: f64,
        /// Pictures answered rightly undisturbed.
        n: i64,
    },
    /// libtorch failed.
    #[error("libtorch failed in the sanity checks; give fewer pictures if memory ran out")]
    Torch(#[from] tch::TchError),
}

/// Pictures of `n` by which a check may be missed: one in a hundred, at least one.
pub fn slack(n: i64) -> i64 {
    ((n as f64 * SLACK).ceil() as i64).max(1)
}

/// Runs all checks on the pictures of a batch that the target answers rightly; 64 to 256 are
/// enough. `other` is a second classifier for the check of transfer, which is left out without.
/// Takes roughly 600 forward and backward passes and 1,000 forward passes over the batch.
///
/// # Errors
/// The first check that fails; see [`SanityError`].
pub fn check(
    target: &dyn Classifier,
    batch: &Batch,
    other: Option<&dyn Classifier>,
    seed: u64,
) -> Result<(), SanityError> {
    square_finds_no_more(target, batch, seed)?;
    unbounded_breaks_all(target, batch, seed)?;
    if let Some(other) = other {
        white_box_is_no_weaker(target, batch, other, seed)?;
    }
    a_bigger_budget_never_helps(target, batch, &ApgdCe::new(ITERATIONS, 1), seed)
}

/// Square breaks no more pictures than APGD-CE and APGD-T together.
///
/// # Errors
/// [`SanityError::GradientsMasked`].
pub fn square_finds_no_more(
    target: &dyn Classifier,
    batch: &Batch,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = rightly_answered(target, batch)?;
    let budget = Budget::of_snr(Norm::Linf, COMPARED_SNR_DB);
    let n = batch.len();
    let apgd = n - standing(target, &batch, &gradient_attacks(), budget, seed)?;
    let square = n - standing(target, &batch, &Square::new(QUERIES), budget, seed)?;
    if square > apgd + slack(n) {
        return Err(SanityError::GradientsMasked {
            target: target.name().into(),
            square,
            apgd,
            snr_db: COMPARED_SNR_DB,
            n,
        });
    }
    Ok(())
}

/// Bounded by 8 bits alone, every picture can be turned into any other, so gradient attacks break
/// all of them; here no slack is given.
///
/// # Errors
/// [`SanityError::UnboundedFails`].
pub fn unbounded_breaks_all(
    target: &dyn Classifier,
    batch: &Batch,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = rightly_answered(target, batch)?;
    let range = (&batch.highest - &batch.lowest).max().f_double_value(&[])?;
    let standing = standing(
        target,
        &batch,
        &gradient_attacks(),
        Budget::linf(range),
        seed,
    )?;
    if standing > 0 {
        return Err(SanityError::UnboundedFails {
            target: target.name().into(),
            standing,
            n: batch.len(),
        });
    }
    Ok(())
}

/// Pictures made with another classifier's gradient break no more than those made with its own.
///
/// # Errors
/// [`SanityError::TransferBeatsWhiteBox`].
pub fn white_box_is_no_weaker(
    target: &dyn Classifier,
    batch: &Batch,
    other: &dyn Classifier,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = rightly_answered(target, batch)?;
    let budget = Budget::of_snr(Norm::Linf, COMPARED_SNR_DB);
    let n = batch.len();
    let white_box = n - standing(target, &batch, &gradient_attacks(), budget, seed)?;
    let transfer = Transfer {
        from: other,
        attack: Box::new(Pgd::new(TRANSFER_STEPS, 1, Keep::Best)),
    };
    let transferred = n - standing(target, &batch, &transfer, budget, seed)?;
    if transferred > white_box + slack(n) {
        return Err(SanityError::TransferBeatsWhiteBox {
            target: target.name().into(),
            other: other.name().into(),
            transferred,
            white_box,
            snr_db: COMPARED_SNR_DB,
            n,
        });
    }
    Ok(())
}

/// Under rising budgets, each attacked afresh, `attack` leaves ever fewer pictures standing.
///
/// # Errors
/// [`SanityError::BiggerBudgetHelps`].
pub fn a_bigger_budget_never_helps(
    target: &dyn Classifier,
    batch: &Batch,
    attack: &dyn Attack,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = rightly_answered(target, batch)?;
    let n = batch.len();
    // The budget so far that left the fewest standing.
    let (mut fewest, mut fewest_at) = (n, f64::INFINITY);
    for snr_db in RISING_SNRS_DB {
        let budget = Budget::of_snr(Norm::Linf, snr_db);
        let left = standing(target, &batch, attack, budget, seed)?;
        if left > fewest + slack(n) {
            return Err(SanityError::BiggerBudgetHelps {
                target: target.name().into(),
                attack: attack.name().into(),
                standing: left,
                snr_db,
                standing_before: fewest,
                snr_db_before: fewest_at,
                n,
            });
        }
        if left < fewest {
            (fewest, fewest_at) = (left, snr_db);
        }
    }
    Ok(())
}

fn gradient_attacks() -> Worst {
    let attacks: Vec<Box<dyn Attack>> = vec![
        Box::new(ApgdCe::new(ITERATIONS, 1)),
        Box::new(ApgdTargeted::new(ITERATIONS)),
    ];
    Worst::of("apgd".into(), attacks)
}

fn rightly_answered(target: &dyn Classifier, batch: &Batch) -> Result<Batch, SanityError> {
    let logits = tch::no_grad(|| target.logits(&batch.images));
    let right = positions(&errs(&logits, &batch.labels).logical_not());
    if right.size()[0] == 0 {
        return Err(SanityError::NothingStands {
            target: target.name().into(),
            n: batch.len(),
        });
    }
    Ok(select(batch, &right))
}

/// Pictures that the target answers rightly after an attack.
fn standing(
    target: &dyn Classifier,
    batch: &Batch,
    attack: &dyn Attack,
    budget: Budget,
    seed: u64,
) -> Result<i64, tch::TchError> {
    let attacked = attack.perturb(target, batch, budget, seed)?;
    let logits = tch::no_grad(|| target.logits(&attacked));
    errs(&logits, &batch.labels)
        .logical_not()
        .sum(Kind::Int64)
        .f_int64_value(&[])
}
