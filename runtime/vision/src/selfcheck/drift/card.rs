//! The reference on a model's card: the distributions of confidence and entropy on validation images.

use super::BIN_SHARE;
use crate::classify::card::ModelCard;

/// The card's distributions.
#[derive(Debug)]
pub(super) struct CardReference {
    /// Counts in the bins of the card's histogram.
    pub(super) confidence: Vec<f64>,
    /// Edges between the bins of entropy in bits; none where the card has no quantiles.
    pub(super) entropy_edges: Vec<f64>,
    /// Expected counts between the edges, and the mean entropy in bits.
    pub(super) entropy: Option<EntropyReference>,
}

#[derive(Debug)]
pub(super) struct EntropyReference {
    pub(super) counts: Vec<f64>,
    pub(super) mean: f64,
}

impl CardReference {
    /// Takes the card's histogram as it is, and makes bins of at least [`BIN_SHARE`] of its quantiles of
    /// entropy.
    pub(super) fn new(card: &ModelCard) -> Self {
        let confidence = card.reference_confidence.counts.iter();
        let confidence = confidence.map(|count| *count as f64).collect();
        let Some(quantiles) = &card.reference_quantiles else {
            return Self {
                confidence,
                entropy_edges: Vec::new(),
                entropy: None,
            };
        };
        let (mut edges, mut counts) = (Vec::new(), Vec::new());
        let (mut below, mut mean) = (0.0, 0.0);
        let mut last_edge = 0.0;
        let n = quantiles.n as f64;
        for (share, edge) in quantiles.shares.iter().zip(&quantiles.entropy_bits) {
            // The shares are written in decimals.
            let enough = |from: f64, to: f64| to - from >= BIN_SHARE - 1e-9;
            if enough(below, *share) && enough(*share, 1.0) {
                mean += (share - below) * f64::midpoint(last_edge, *edge);
                counts.push(n * (share - below));
                edges.push(*edge);
                (below, last_edge) = (*share, *edge);
            }
        }
        let highest = quantiles.entropy_bits.last().copied().unwrap_or(last_edge);
        mean += (1.0 - below) * f64::midpoint(last_edge, highest);
        counts.push(n * (1.0 - below));
        let entropy = (!edges.is_empty()).then_some(EntropyReference { counts, mean });
        Self {
            confidence,
            entropy_edges: edges,
            entropy,
        }
    }

    /// Mean confidence by the middles of the histogram's bins; `None` where it is empty.
    pub(super) fn mean_confidence(&self) -> Option<f64> {
        let total: f64 = self.confidence.iter().sum();
        let bins = self.confidence.len() as f64;
        let counts = self.confidence.iter().enumerate();
        let sum: f64 = counts.map(|(i, c)| (i as f64 + 0.5) / bins * c).sum();
        (total > 0.0).then(|| sum / total)
    }
}
