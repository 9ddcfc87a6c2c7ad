//! Checks whether the results of attacks on a classifier are reliable (Carlini et al. 2019, "On
//! evaluating adversarial robustness", section 5): a network that hides its gradient looks robust
//! to attacks that follow it and falls to those that do not.
//!
//! Each check is cheap next to an evaluation; [`check`] runs all of them. What is compared are
//! counts of images; attacks with a random start differ by a few from run to run, so a check
//! fails when it is missed by more than [`slack`].

use super::{
    Attack, Classifier,
    apgd::ApgdCe,
    apgd_targeted::ApgdTargeted,
    budget::{Budget, Norm},
    loss::errs,
    pgd::{KeptPoint, Pgd},
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

/// Share of the images by which a check may be missed.
const SLACK: f64 = 0.01;

/// Why the results of attacks on a classifier are unreliable.
#[derive(Debug, thiserror::Error)]
pub enum SanityError {
    /// There is nothing to be broken.
    #[error(
        "cannot check the attacks on '{target}': it classifies none of the {n} images correctly; give more images or a trained model"
    )]
    NothingCorrect {
        /// The classifier.
        target: String,
        /// Images given.
        n: i64,
    },
    /// More was allowed and less was broken.
    #[error(
        "the attacks on '{target}' are unreliable: {attack} leaves {still_correct} of {n} images correctly classified at {snr_db} dB but only {still_correct_before} at {snr_db_before} dB, a smaller budget; give it more iterations or look for masked gradients"
    )]
    BiggerBudgetHelps {
        /// The classifier.
        target: String,
        /// The attack.
        attack: String,
        /// Classified correctly under the larger budget.
        still_correct: i64,
        /// The larger budget.
        snr_db: f64,
        /// Classified correctly under the smaller budget.
        still_correct_before: i64,
        /// The smaller budget.
        snr_db_before: f64,
        /// Images.
        n: i64,
    },
    /// Images made for another classifier work better than those made for this one.
    #[error(
        "the attacks on '{target}' are unreliable: images made for '{other}' break {transferred} of {n}, those made with its own gradient only {white_box} at {snr_db} dB; its gradient is masked"
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
        /// Images classified correctly unperturbed.
        n: i64,
    },
    /// Not even an image that may become any other one errs.
    #[error(
        "the attacks on '{target}' are unreliable: with no bound but that of 8-bit pixels {still_correct} of {n} images are still classified correctly; its gradient is masked"
    )]
    UnboundedFails {
        /// The classifier.
        target: String,
        /// Still classified correctly.
        still_correct: i64,
        /// Images classified correctly unperturbed.
        n: i64,
    },
    /// Random search finds more than the gradient.
    #[error(
        "the attacks on '{target}' are unreliable: Square, which sees no gradient, breaks {square} of {n} images, APGD only {apgd} at {snr_db} dB; its gradient is masked"
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
        /// Images classified correctly unperturbed.
        n: i64,
    },
    /// libtorch failed.
    #[error("libtorch failed in the sanity checks; give fewer images if memory ran out")]
    Torch(#[from] tch::TchError),
}

/// Images of `n` by which a check may be missed: one in a hundred, at least one.
pub(crate) fn slack(n: i64) -> i64 {
    ((n as f64 * SLACK).ceil() as i64).max(1)
}

/// Runs all checks on the images of a batch that the target classifies correctly; 64 to 256 are
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

/// Square breaks no more images than APGD-CE and APGD-T together.
///
/// # Errors
/// [`SanityError::GradientsMasked`].
pub(crate) fn square_finds_no_more(
    target: &dyn Classifier,
    batch: &Batch,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = correctly_classified(target, batch)?;
    let budget = Budget::of_snr(Norm::Linf, COMPARED_SNR_DB);
    let n = batch.len();
    let apgd = n - still_correct(target, &batch, &gradient_attacks(), budget, seed)?;
    let square = n - still_correct(target, &batch, &Square::new(QUERIES), budget, seed)?;
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

/// Bounded by 8 bits alone, every image can be turned into any other, so gradient attacks break
/// all of them; here no slack is given.
///
/// # Errors
/// [`SanityError::UnboundedFails`].
pub fn unbounded_breaks_all(
    target: &dyn Classifier,
    batch: &Batch,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = correctly_classified(target, batch)?;
    let range = (&batch.highest - &batch.lowest).max().f_double_value(&[])?;
    let still_correct = still_correct(
        target,
        &batch,
        &gradient_attacks(),
        Budget::linf(range),
        seed,
    )?;
    if still_correct > 0 {
        return Err(SanityError::UnboundedFails {
            target: target.name().into(),
            still_correct,
            n: batch.len(),
        });
    }
    Ok(())
}

/// Images made with another classifier's gradient break no more than those made with its own.
///
/// # Errors
/// [`SanityError::TransferBeatsWhiteBox`].
pub fn white_box_is_no_weaker(
    target: &dyn Classifier,
    batch: &Batch,
    other: &dyn Classifier,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = correctly_classified(target, batch)?;
    let budget = Budget::of_snr(Norm::Linf, COMPARED_SNR_DB);
    let n = batch.len();
    let white_box = n - still_correct(target, &batch, &gradient_attacks(), budget, seed)?;
    let transfer = Transfer {
        from: other,
        attack: Box::new(Pgd::new(TRANSFER_STEPS, 1, KeptPoint::Best)),
    };
    let transferred = n - still_correct(target, &batch, &transfer, budget, seed)?;
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

/// Under rising budgets, each attacked afresh, `attack` leaves ever fewer images correctly classified.
///
/// # Errors
/// [`SanityError::BiggerBudgetHelps`].
pub fn a_bigger_budget_never_helps(
    target: &dyn Classifier,
    batch: &Batch,
    attack: &dyn Attack,
    seed: u64,
) -> Result<(), SanityError> {
    let batch = correctly_classified(target, batch)?;
    let n = batch.len();
    // The budget so far that left the fewest still correct.
    let (mut fewest, mut fewest_at) = (n, f64::INFINITY);
    for snr_db in RISING_SNRS_DB {
        let budget = Budget::of_snr(Norm::Linf, snr_db);
        let left = still_correct(target, &batch, attack, budget, seed)?;
        if left > fewest + slack(n) {
            return Err(SanityError::BiggerBudgetHelps {
                target: target.name().into(),
                attack: attack.name().into(),
                still_correct: left,
                snr_db,
                still_correct_before: fewest,
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

fn correctly_classified(target: &dyn Classifier, batch: &Batch) -> Result<Batch, SanityError> {
    let logits = tch::no_grad(|| target.logits(&batch.images));
    let right = positions(&errs(&logits, &batch.labels).logical_not());
    if right.size()[0] == 0 {
        return Err(SanityError::NothingCorrect {
            target: target.name().into(),
            n: batch.len(),
        });
    }
    Ok(select(batch, &right))
}

/// Images that the target classifies correctly after an attack.
fn still_correct(
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
