//! Statistics of the predictions of some seconds, and the reference that many such blocks make.

use super::{DriftSample, Quantity};
use crate::{
    classify::card::{CONFIDENCE_BINS, ConfidenceHistogram, entropy_bits},
    eye_state::{EyeState, STATES},
    timed_window::Timed,
};
use std::time::Duration;

/// A quantity whose mean is followed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mean {
    Confidence,
    Entropy,
    CameraSnr,
}

impl Mean {
    pub(super) const ALL: [Self; 3] = [Self::Confidence, Self::Entropy, Self::CameraSnr];

    pub(super) const fn quantity(self) -> Quantity {
        match self {
            Self::Confidence => Quantity::Confidence,
            Self::Entropy => Quantity::Entropy,
            Self::CameraSnr => Quantity::CameraSnr,
        }
    }
}

const MEANS: usize = Mean::ALL.len();

/// Smallest standard deviations that block means are divided by: less of a change is of no
/// consequence, however steady the reference was. Confidence, entropy in bits, SNR in dB.
const FLOORS: [f64; MEANS] = [0.02, 0.06, 1.0];

/// Counts and sums over some time.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) begin: Duration,
    n: f64,
    sums: [f64; MEANS],
    /// Number of values in each sum: the SNR is not always known.
    counts: [f64; MEANS],
    /// In the bins of the card's histogram.
    pub(super) confidence: Vec<f64>,
    /// Between the edges given at the beginning.
    pub(super) entropy: Vec<f64>,
    pub(super) states: [f64; STATES],
}

impl Block {
    /// Empty; entropies will be counted between `entropy_edges`.
    pub(super) fn new(begin: Duration, entropy_edges: &[f64]) -> Self {
        Self {
            begin,
            confidence: vec![0.0; CONFIDENCE_BINS],
            entropy: vec![0.0; entropy_edges.len() + 1],
            ..Self::default()
        }
    }

    /// Takes a prediction; the edges are those of [`Self::new`].
    pub(super) fn add(&mut self, sample: &DriftSample, entropy_edges: &[f64]) {
        let state = EyeState::most_likely(&sample.probabilities);
        let confidence = sample.probabilities[state.index()];
        let entropy = entropy_bits(&sample.probabilities);
        let values = [
            Some(f64::from(confidence)),
            Some(entropy),
            sample.camera_snr_db.filter(|db| db.is_finite()),
        ];
        for (index, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.sums[index] += value;
                self.counts[index] += 1.0;
            }
        }
        let one = ConfidenceHistogram::of([confidence]);
        for (sum, count) in self.confidence.iter_mut().zip(one.counts) {
            *sum += count as f64;
        }
        let bin = entropy_edges.partition_point(|edge| *edge <= entropy);
        if let Some(count) = self.entropy.get_mut(bin) {
            *count += 1.0;
        }
        self.states[state.index()] += 1.0;
        self.n += 1.0;
    }

    /// Adds another block's predictions.
    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        let pairs = self.sums.iter_mut().zip(other.sums);
        let pairs = pairs.chain(self.counts.iter_mut().zip(other.counts));
        let pairs = pairs.chain(self.states.iter_mut().zip(other.states));
        let counts = self.confidence.iter_mut().zip(&other.confidence);
        let counts = counts.chain(self.entropy.iter_mut().zip(&other.entropy));
        for (sum, more) in pairs.chain(counts.map(|(sum, more)| (sum, *more))) {
            *sum += more;
        }
    }

    /// Mean of a quantity, where it was known.
    pub(super) fn mean(&self, mean: Mean) -> Option<f64> {
        let (sum, count) = (self.sums[mean as usize], self.counts[mean as usize]);
        (count > 0.0).then(|| sum / count)
    }
}

impl Timed for Block {
    fn time(&self) -> Duration {
        self.begin
    }
}

/// Mean and standard deviation of the reference's block means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// The reference of a stream.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    usual: [Option<Usual>; MEANS],
    pub(super) all: Block,
}

impl Reference {
    pub(super) fn usual(&self, mean: Mean) -> Option<Usual> {
        self.usual[mean as usize]
    }
}

/// Computes the reference from blocks; `None` without any.
pub(super) fn reference_of(blocks: &[Block]) -> Option<Reference> {
    let (first, others) = blocks.split_first()?;
    let mut all = first.clone();
    for block in others {
        all.merge(block);
    }
    let usual = Mean::ALL.map(|quantity| {
        let means: Vec<f64> = blocks
            .iter()
            .filter_map(|block| block.mean(quantity))
            .collect();
        let n = means.len() as f64;
        // Of a quantity that was hardly ever known nothing is usual.
        if means.len() * 2 < blocks.len() || means.len() < 2 {
            return None;
        }
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Some(Usual {
            mean,
            deviation: variance.sqrt().max(FLOORS[quantity as usize]),
        })
    });
    Some(Reference { usual, all })
}
