//! Drift: whether the predictions of a stream still look as they did, so that a dirty lens, a dark room or
//! another camera does not go unnoticed.
//!
//! Two references are kept. The stream's own first minutes show what is usual here: means of short blocks are
//! followed by a Page-Hinkley test for a quick result, and the distributions of the last minute by the
//! population stability index (equations and sources in `page_hinkley.rs` and `stability.rs`). The model
//! card's histogram and quantiles hold what confidence and entropy were on validation images: a stream may
//! well be surer than that, but one that is clearly less sure is not what the model was made for.

mod block;
mod card;
mod distribution;
mod watch;

use super::page_hinkley::Shift;
use crate::{classify::card::ModelCard, eye_state::STATES, timed_window::TimedWindow};
use block::{Block, Mean, Reference, reference_of};
use card::CardReference;
use distribution::{DISTRIBUTIONS, compare};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use watch::{DistributionWatch, MeanWatch};

/// A quantity that is followed for drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Probability of the predicted state.
    Confidence,
    /// Entropy of the probabilities in bits, 0 to 2.
    Entropy,
    /// Camera SNR in dB.
    CameraSnr,
    /// How often each state is predicted.
    States,
    /// Confidence against the model's card.
    ConfidenceOfCard,
    /// Entropy against the model's card.
    EntropyOfCard,
}

impl Quantity {
    /// Message for the user: what to do when it drifts.
    pub const fn advice(self, shift: Shift) -> &'static str {
        match (self, shift) {
            (Self::Confidence, Shift::Down) | (Self::Entropy, Shift::Up) => {
                "clean the lens, check its focus, and see that the face is lit from the front"
            }
            (Self::CameraSnr, Shift::Down) => "give more light, or lower the camera's gain",
            (Self::ConfidenceOfCard | Self::EntropyOfCard, _) => {
                "this camera shows other images than the model was made with: clean the lens and give light, else use or train a model for it"
            }
            (Self::States, _) => {
                "check that the camera still shows the face as before; nothing is wrong if the person merely sleeps"
            }
            (Self::Confidence | Self::Entropy | Self::CameraSnr, _) => {
                "nothing is wrong with the image; restart to take this as the new reference"
            }
        }
    }
}

/// Detector of a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Page-Hinkley test over means of blocks.
    PageHinkley,
    /// Population stability index of the last minute.
    Psi,
}

/// Whether a drift begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPhase {
    /// It was detected.
    Raised,
    /// All is as it was.
    Cleared,
}

/// A drift that began or ended; [`Quantity::advice`] says what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftEvent {
    /// What drifted.
    pub quantity: Quantity,
    /// How it was detected.
    pub detector: Detector,
    /// Begin or end.
    pub phase: DriftPhase,
    /// Direction; for distributions, by their mean.
    pub shift: Shift,
    /// When it was detected, in seconds of the stream.
    pub time: f64,
    /// Since when, in seconds of the stream.
    pub since: f64,
    /// Mean of the reference; `None` for states, which have none.
    pub reference: Option<f64>,
    /// Mean of the block or minute in which it was detected.
    pub now: Option<f64>,
    /// Population stability index, where that detected it.
    pub psi: Option<f64>,
}

/// One prediction of the stream.
#[derive(Clone, Copy, Debug)]
pub struct DriftSample {
    /// Time in the stream.
    pub time: Duration,
    /// Probabilities of the states.
    pub probabilities: [f32; STATES],
    /// Camera SNR of the crop in dB, where known.
    pub camera_snr_db: Option<f64>,
}

/// Parameters of the detectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftTuning {
    /// Length of a block: means over less time follow single blinks.
    pub block: Duration,
    /// Blocks that make the reference: two minutes show what is usual for a person.
    pub reference_blocks: usize,
    /// Blocks whose distribution is compared: a minute.
    pub window_blocks: usize,
    /// Page-Hinkley's allowance in standard deviations of block means. 1: the reference itself is
    /// only known to a third of one.
    pub allowance: f64,
    /// Page-Hinkley's threshold in the same. 8: with normal block means, years between false alarms;
    /// real ones have heavier tails.
    pub threshold: f64,
    /// Windows in a row, a block apart, that must exceed the published limit of the index.
    pub psi_windows: usize,
    /// Blocks in a row that must look as before for a drift to end.
    pub calm_blocks: usize,
}

impl Default for DriftTuning {
    fn default() -> Self {
        Self {
            block: Duration::from_secs(5),
            reference_blocks: 24,
            window_blocks: 12,
            allowance: 1.0,
            threshold: 8.0,
            psi_windows: 3,
            calm_blocks: 6,
        }
    }
}

/// Bins of the index hold at least this share of the reference: with tenths, the usual number, the
/// blinks of one minute move it above its limits.
const BIN_SHARE: f64 = 0.2;

/// Follows one eye's stream of predictions.
#[derive(Debug)]
pub struct DriftMonitor {
    tuning: DriftTuning,
    card: CardReference,
    block: Option<Block>,
    learning: Vec<Block>,
    reference: Option<Reference>,
    /// The last [`DriftTuning::window_blocks`] blocks.
    window: TimedWindow<Block>,
    means: [MeanWatch; Mean::ALL.len()],
    distributions: [DistributionWatch; DISTRIBUTIONS],
}

impl DriftMonitor {
    /// Starts without a reference of the stream; the card gives that of validation images.
    pub fn new(card: &ModelCard, tuning: DriftTuning) -> Self {
        Self {
            tuning,
            card: CardReference::new(card),
            block: None,
            learning: Vec::new(),
            reference: None,
            window: TimedWindow::of_last(tuning.window_blocks),
            means: [MeanWatch::new(&tuning); Mean::ALL.len()],
            distributions: [DistributionWatch::default(); DISTRIBUTIONS],
        }
    }

    /// Whether the stream's reference is complete; before that only the card is compared with.
    pub fn has_reference(&self) -> bool {
        self.reference.is_some()
    }

    /// Takes a prediction; returns the drifts that it began or ended.
    pub fn add(&mut self, sample: &DriftSample) -> Vec<DriftEvent> {
        let ends = self.block.as_ref().is_some_and(|block| {
            sample.time < block.begin || sample.time - block.begin >= self.tuning.block
        });
        let mut events = Vec::new();
        if ends && let Some(block) = self.block.take() {
            events = self.end_block(block, sample.time);
        }
        let edges = &self.card.entropy_edges;
        self.block
            .get_or_insert_with(|| Block::new(sample.time, edges))
            .add(sample, edges);
        events
    }

    fn end_block(&mut self, block: Block, now: Duration) -> Vec<DriftEvent> {
        let mut events = Vec::new();
        if let Some(reference) = &self.reference {
            for (mean, watch) in Mean::ALL.into_iter().zip(&mut self.means) {
                events.extend(drift_of_mean(
                    mean,
                    watch,
                    reference,
                    &block,
                    now,
                    &self.tuning,
                ));
            }
        } else {
            self.learning.push(block.clone());
            if self.learning.len() >= self.tuning.reference_blocks {
                self.reference = reference_of(&std::mem::take(&mut self.learning));
            }
        }
        self.window.push(block);
        if self.window.len() == self.tuning.window_blocks {
            events.extend(self.drifts_of_distributions(now));
        }
        events
    }

    fn drifts_of_distributions(&mut self, now: Duration) -> Vec<DriftEvent> {
        let begin = self.window.front().map_or(now, |block| block.begin);
        let mut window = Block::new(begin, &self.card.entropy_edges);
        for block in self.window.iter() {
            window.merge(block);
        }
        let comparisons = compare(&window, self.reference.as_ref(), &self.card);
        comparisons
            .into_iter()
            .zip(&mut self.distributions)
            .filter_map(|(comparison, watch)| {
                let comparison = comparison?;
                let (psi, shift) = (comparison.psi, comparison.shift);
                let transition = watch.update(psi, shift, begin, &self.tuning)?;
                Some(DriftEvent {
                    quantity: comparison.quantity,
                    detector: Detector::Psi,
                    phase: transition.phase,
                    shift: transition.shift,
                    time: now.as_secs_f64(),
                    since: transition.since.as_secs_f64(),
                    reference: comparison.reference,
                    now: comparison.now,
                    psi: Some(psi),
                })
            })
            .collect()
    }
}

fn drift_of_mean(
    mean: Mean,
    watch: &mut MeanWatch,
    reference: &Reference,
    block: &Block,
    now: Duration,
    tuning: &DriftTuning,
) -> Option<DriftEvent> {
    let usual = reference.usual(mean)?;
    let value = block.mean(mean)?;
    let z = (value - usual.mean) / usual.deviation;
    let transition = watch.update(z, now, tuning)?;
    Some(DriftEvent {
        quantity: mean.quantity(),
        detector: Detector::PageHinkley,
        phase: transition.phase,
        shift: transition.shift,
        time: now.as_secs_f64(),
        since: transition.since.as_secs_f64(),
        reference: Some(usual.mean),
        now: Some(value),
        psi: None,
    })
}

#[cfg(test)]
mod tests;
