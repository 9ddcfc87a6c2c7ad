//! Drift: whether the answers of a stream still look as they did, so that a dirty lens, a dark room or
//! another camera does not go unnoticed.
//!
//! Two references are kept. The stream's own first minutes say what is usual here: means of short
//! blocks are watched by a Page-Hinkley test ([`super::page_hinkley`]) for a quick answer, and the
//! distributions of the last minute by the population stability index ([`super::stability`]). The model
//! card's histogram and quantiles say what confidence and entropy were on validation pictures: a stream may
//! well be surer than that, but one that is clearly less sure is not what the model was made for.

mod block;

use super::{
    page_hinkley::{PageHinkley, Shift},
    stability::{PSI_CHANGED, joined, psi},
};
use crate::{classify::card::ModelCard, eye_state::STATES};
use block::{Block, Reference, reference_of};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Probability of the answer.
    Confidence,
    /// Entropy of the probabilities in bits, 0 to 2.
    Entropy,
    /// Camera SNR in dB.
    CameraSnr,
    /// How often each state is answered.
    States,
    /// Confidence against the model's card.
    ConfidenceOfCard,
    /// Entropy against the model's card.
    EntropyOfCard,
}

impl Quantity {
    /// What to do when it drifts.
    pub const fn advice(self, shift: Shift) -> &'static str {
        match (self, shift) {
            (Self::Confidence, Shift::Down) | (Self::Entropy, Shift::Up) => {
                "clean the lens, check its focus, and see that the face is lit from the front"
            }
            (Self::CameraSnr, Shift::Down) => "give more light, or lower the camera's gain",
            (Self::ConfidenceOfCard | Self::EntropyOfCard, _) => {
                "this camera shows other pictures than the model was made with: clean the lens and give light, else use or train a model for it"
            }
            (Self::States, _) => {
                "check that the camera still shows the face as before; nothing is wrong if the person merely sleeps"
            }
            (Self::Confidence | Self::Entropy | Self::CameraSnr, _) => {
                "nothing is wrong with the picture; restart to take this as the new reference"
            }
        }
    }
}

/// How a drift was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Means of blocks.
    PageHinkley,
    /// Distribution of the last minute.
    Psi,
}

/// Whether a drift begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPhase {
    /// It was found.
    Raised,
    /// All is as it was.
    Cleared,
}

/// A drift that began or ended; [`Quantity::advice`] says what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftEvent {
    /// What drifted.
    pub quantity: Quantity,
    /// How it was found.
    pub detector: Detector,
    /// Begin or end.
    pub phase: DriftPhase,
    /// Which way; for distributions, by their mean.
    pub shift: Shift,
    /// When it was found, in seconds of the stream.
    pub time: f64,
    /// Since when, in seconds of the stream.
    pub since: f64,
    /// Mean of the reference; `None` for states, which have none.
    pub reference: Option<f64>,
    /// Mean of what was seen since.
    pub now: Option<f64>,
    /// Population stability index, where that found it.
    pub psi: Option<f64>,
}

/// One answer of the stream.
#[derive(Clone, Copy, Debug)]
pub struct DriftSample {
    /// Time in the stream.
    pub time: Duration,
    /// Probabilities of the states.
    pub probabilities: [f32; STATES],
    /// Camera SNR of the crop in dB, where known.
    pub camera_snr_db: Option<f64>,
}

/// Constants of the detectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftTuning {
    /// Length of a block: means over less follow single blinks.
    pub block: Duration,
    /// Blocks that make the reference: two minutes see what a person usually does.
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

/// Quantities whose means are watched.
const MEANS: usize = 3;
const OF_MEANS: [Quantity; MEANS] = [Quantity::Confidence, Quantity::Entropy, Quantity::CameraSnr];

/// Bins of the index hold at least this share of the reference: with tenths, the usual number, the
/// blinks of one minute move it above its limits.
const BIN_SHARE: f64 = 0.2;

/// A watched quantity's present state.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    drifted: Option<(Shift, Duration)>,
    /// Blocks in a row above the limit, or, once drifted, calm.
    in_a_row: usize,
}

/// The card's entropies in bins of equal share.
#[derive(Debug, Default)]
struct CardEntropy {
    /// Between the bins.
    edges: Vec<f64>,
    reference: Option<CardCounts>,
}

#[derive(Debug)]
struct CardCounts {
    counts: Vec<f64>,
    mean: f64,
}

impl CardEntropy {
    /// Bins of at least [`BIN_SHARE`] each; none where the card has no quantiles.
    fn new(card: &ModelCard) -> Self {
        let Some(quantiles) = &card.reference_quantiles else {
            return Self::default();
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
        let reference = (!edges.is_empty()).then_some(CardCounts { counts, mean });
        Self { edges, reference }
    }
}

/// Watches one stream of answers.
#[derive(Debug)]
pub struct DriftMonitor {
    tuning: DriftTuning,
    card: Vec<f64>,
    card_entropy: CardEntropy,
    block: Option<Block>,
    learning: Vec<Block>,
    reference: Option<Reference>,
    window: VecDeque<Block>,
    tests: [PageHinkley; MEANS],
    of_means: [Watch; MEANS],
    of_states: Watch,
    of_confidence: Watch,
    of_card: Watch,
    of_card_entropy: Watch,
}

impl DriftMonitor {
    /// Nothing seen yet; the card gives the reference of validation pictures.
    pub fn new(card: &ModelCard, tuning: DriftTuning) -> Self {
        let counts = card.reference_confidence.counts.iter();
        Self {
            tuning,
            card: counts.map(|count| *count as f64).collect(),
            card_entropy: CardEntropy::new(card),
            block: None,
            learning: Vec::new(),
            reference: None,
            window: VecDeque::new(),
            tests: [PageHinkley::new(tuning.allowance, tuning.threshold); MEANS],
            of_means: [Watch::default(); MEANS],
            of_states: Watch::default(),
            of_confidence: Watch::default(),
            of_card: Watch::default(),
            of_card_entropy: Watch::default(),
        }
    }

    /// Whether the reference is complete; before that only the card is compared with.
    pub fn is_watching(&self) -> bool {
        self.reference.is_some()
    }

    /// Takes an answer; gives the drifts that it began or ended.
    pub fn add(&mut self, sample: &DriftSample) -> Vec<DriftEvent> {
        let ends = self.block.as_ref().is_some_and(|block| {
            sample.time < block.begin || sample.time - block.begin >= self.tuning.block
        });
        let mut events = Vec::new();
        if ends && let Some(block) = self.block.take() {
            events = self.end_block(block, sample.time);
        }
        let edges = &self.card_entropy.edges;
        self.block
            .get_or_insert_with(|| Block::new(sample.time, edges))
            .add(sample, edges);
        events
    }

    fn end_block(&mut self, block: Block, now: Duration) -> Vec<DriftEvent> {
        let mut events = Vec::new();
        if let Some(reference) = self.reference.clone() {
            for index in 0..MEANS {
                events.extend(self.watch_mean(index, &reference, &block, now));
            }
        } else {
            self.learning.push(block.clone());
            if self.learning.len() >= self.tuning.reference_blocks {
                self.reference = reference_of(&std::mem::take(&mut self.learning));
            }
        }
        self.window.push_back(block);
        if self.window.len() > self.tuning.window_blocks {
            self.window.pop_front();
        }
        if self.window.len() == self.tuning.window_blocks {
            events.extend(self.watch_distributions(now));
        }
        events
    }

    fn watch_mean(
        &mut self,
        index: usize,
        reference: &Reference,
        block: &Block,
        now: Duration,
    ) -> Option<DriftEvent> {
        let usual = reference.usual[index]?;
        let mean = block.mean(index)?;
        let z = (mean - usual.mean) / usual.deviation;
        let event = |shift: Shift, phase, since: Duration| DriftEvent {
            quantity: OF_MEANS[index],
            detector: Detector::PageHinkley,
            phase,
            shift,
            time: now.as_secs_f64(),
            since: since.as_secs_f64(),
            reference: Some(usual.mean),
            now: Some(mean),
            psi: None,
        };
        let watch = &mut self.of_means[index];
        if let Some((shift, since)) = watch.drifted {
            let calm = z.abs() <= 2.0 * self.tuning.allowance;
            watch.in_a_row = if calm { watch.in_a_row + 1 } else { 0 };
            if watch.in_a_row < self.tuning.calm_blocks {
                return None;
            }
            *watch = Watch::default();
            return Some(event(shift, DriftPhase::Cleared, since));
        }
        let change = self.tests[index].add(z)?;
        let ago = self.tuning.block * u32::try_from(change.values_ago).unwrap_or(u32::MAX);
        let since = now.saturating_sub(ago);
        *watch = Watch {
            drifted: Some((change.shift, since)),
            in_a_row: 0,
        };
        Some(event(change.shift, DriftPhase::Raised, since))
    }

    fn watch_distributions(&mut self, now: Duration) -> Vec<DriftEvent> {
        let begin = self.window.front().map_or(now, |block| block.begin);
        let mut window = Block::new(begin, &self.card_entropy.edges);
        for block in &self.window {
            window.merge(block);
        }
        let tuning = self.tuning;
        let mut events = Vec::new();
        let mut judge = |watch: &mut Watch, quantity, index, shift, reference, now_mean| {
            let Some(index) = index else { return };
            let phase = watch.judge(index, shift, begin, &tuning);
            events.extend(
                phase.map(|(phase, shift, since): (_, Shift, Duration)| DriftEvent {
                    quantity,
                    detector: Detector::Psi,
                    phase,
                    shift,
                    time: now.as_secs_f64(),
                    since: since.as_secs_f64(),
                    reference,
                    now: now_mean,
                    psi: Some(index),
                }),
            );
        };
        let confidence = window.mean(0);
        let shift_from = |reference: Option<f64>| match (confidence, reference) {
            (Some(now), Some(then)) if now > then => Shift::Up,
            _ => Shift::Down,
        };
        if let Some(reference) = &self.reference {
            let mean = reference.all.mean(0);
            let (expected, actual) =
                joined(&reference.all.confidence, &window.confidence, BIN_SHARE);
            judge(
                &mut self.of_confidence,
                Quantity::Confidence,
                psi(&expected, &actual),
                shift_from(mean),
                mean,
                confidence,
            );
            let index = psi(&reference.all.states, &window.states);
            judge(
                &mut self.of_states,
                Quantity::States,
                index,
                Shift::Up,
                None,
                None,
            );
        }
        let card = mean_of_histogram(&self.card);
        if self.card.len() == window.confidence.len() {
            let (expected, actual) = joined(&self.card, &window.confidence, BIN_SHARE);
            // Surer than on validation pictures is no reason to worry.
            let less_sure = shift_from(card) == Shift::Down;
            let index = psi(&expected, &actual).map(|index| if less_sure { index } else { 0.0 });
            judge(
                &mut self.of_card,
                Quantity::ConfidenceOfCard,
                index,
                Shift::Down,
                card,
                confidence,
            );
        }
        if let Some(reference) = &self.card_entropy.reference {
            let entropy = window.mean(1);
            let less_sure = entropy > Some(reference.mean);
            let index = psi(&reference.counts, &window.entropy);
            let index = index.map(|index| if less_sure { index } else { 0.0 });
            judge(
                &mut self.of_card_entropy,
                Quantity::EntropyOfCard,
                index,
                Shift::Up,
                Some(reference.mean),
                entropy,
            );
        }
        events
    }
}

impl Watch {
    fn judge(
        &mut self,
        index: f64,
        shift: Shift,
        begin: Duration,
        tuning: &DriftTuning,
    ) -> Option<(DriftPhase, Shift, Duration)> {
        let counts = match self.drifted {
            None => index >= PSI_CHANGED,
            Some(_) => index < PSI_CHANGED,
        };
        self.in_a_row = if counts { self.in_a_row + 1 } else { 0 };
        match self.drifted {
            None if self.in_a_row >= tuning.psi_windows => {
                *self = Self {
                    drifted: Some((shift, begin)),
                    in_a_row: 0,
                };
                Some((DriftPhase::Raised, shift, begin))
            }
            Some((shift, since)) if self.in_a_row >= tuning.calm_blocks => {
                *self = Self::default();
                Some((DriftPhase::Cleared, shift, since))
            }
            _ => None,
        }
    }
}

/// Mean of a confidence histogram, by the middles of its bins.
fn mean_of_histogram(counts: &[f64]) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    let bins = counts.len() as f64;
    let sum: f64 = counts
        .iter()
        .enumerate()
        .map(|(i, c)| (i as f64 + 0.5) / bins * c)
        .sum();
    (total > 0.0).then(|| sum / total)
}

#[cfg(test)]
mod tests;
