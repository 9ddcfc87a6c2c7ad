//! The distributions of the last minute beside those of a reference.

use super::{
    BIN_SHARE, Quantity,
    block::{Block, Mean, Reference},
    card::CardReference,
};
use crate::selfcheck::{
    page_hinkley::Shift,
    stability::{joined, psi},
};

/// A distribution of the last minute compared with its reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) quantity: Quantity,
    /// Population stability index.
    pub(super) psi: f64,
    /// Direction in which the mean has moved.
    pub(super) shift: Shift,
    /// Mean of the reference; `None` for states, which have none.
    pub(super) reference: Option<f64>,
    /// Mean of the last minute.
    pub(super) now: Option<f64>,
}

/// Number of distributions that are followed.
pub(super) const DISTRIBUTIONS: usize = 4;

/// Compares a window with the stream's own reference and with the card's, in the order in which drifts are
/// reported; `None` where there is nothing to compare with.
pub(super) fn compare(
    window: &Block,
    own: Option<&Reference>,
    card: &CardReference,
) -> [Option<Comparison>; DISTRIBUTIONS] {
    [
        own.and_then(|own| confidence(window, own)),
        own.and_then(|own| states(window, own)),
        confidence_of_card(window, card),
        entropy_of_card(window, card),
    ]
}

fn shift(now: Option<f64>, reference: Option<f64>) -> Shift {
    match (now, reference) {
        (Some(now), Some(reference)) if now > reference => Shift::Up,
        _ => Shift::Down,
    }
}

fn confidence(window: &Block, own: &Reference) -> Option<Comparison> {
    let (expected, actual) = joined(&own.all.confidence, &window.confidence, BIN_SHARE);
    let now = window.mean(Mean::Confidence);
    let reference = own.all.mean(Mean::Confidence);
    Some(Comparison {
        quantity: Quantity::Confidence,
        psi: psi(&expected, &actual)?,
        shift: shift(now, reference),
        reference,
        now,
    })
}

fn states(window: &Block, own: &Reference) -> Option<Comparison> {
    Some(Comparison {
        quantity: Quantity::States,
        psi: psi(&own.all.states, &window.states)?,
        shift: Shift::Up,
        reference: None,
        now: None,
    })
}

fn confidence_of_card(window: &Block, card: &CardReference) -> Option<Comparison> {
    if card.confidence.len() != window.confidence.len() {
        return None;
    }
    let (expected, actual) = joined(&card.confidence, &window.confidence, BIN_SHARE);
    let now = window.mean(Mean::Confidence);
    let reference = card.mean_confidence();
    let psi = psi(&expected, &actual)?;
    // More confidence than on validation images is no reason to worry.
    let less_sure = shift(now, reference) == Shift::Down;
    Some(Comparison {
        quantity: Quantity::ConfidenceOfCard,
        psi: if less_sure { psi } else { 0.0 },
        shift: Shift::Down,
        reference,
        now,
    })
}

fn entropy_of_card(window: &Block, card: &CardReference) -> Option<Comparison> {
    let reference = card.entropy.as_ref()?;
    let now = window.mean(Mean::Entropy);
    let psi = psi(&reference.counts, &window.entropy)?;
    let less_sure = now > Some(reference.mean);
    Some(Comparison {
        quantity: Quantity::EntropyOfCard,
        psi: if less_sure { psi } else { 0.0 },
        shift: Shift::Up,
        reference: Some(reference.mean),
        now,
    })
}
