//! White-box checks of one prediction: the smallest FGSM step that changes it, and how likely the
//! camera's own noise does.
//!
//! Both come from the model's own gradient at the crop ([`crate::classify::gradient`]); the search
//! over the attack's size runs the model only forwards.

use super::{Missing, noise::NoiseShape};
use crate::{
    classify::{
        ModelError, StandardisedCrop,
        gradient::{Gradient, GradientRunner},
        model::softmax,
    },
    eye_state::{EyeState, STATES},
    snr::{db_of_epsilon, epsilon_of_db},
};
use statrs::distribution::{ContinuousCDF, Normal};
use std::cmp::Ordering;

/// SNR in dB from which the first-order flip probability holds. Below, a network is no longer straight
/// over the noise's reach and it says a half to a third of what draws show (`make bench-selfcheck`).
pub const FIRST_ORDER_DB: f64 = 20.0;

/// 1 - p of the prediction below which the cross-entropy's own gradient is mostly rounding: f32 keeps
/// p to 6e-8, so a direction is good to a thousandth above this.
const SATURATED: f64 = 1e-4;

/// The gradients of one crop: of the cross-entropy with each state in turn as the label.
///
/// With p the softmax and z the logits, the gradient for label k is `sum_j p_j grad z_j - grad z_k`,
/// so that of the margin `z_y - z_k` is the difference of two of them.
#[derive(Clone, Debug)]
pub struct CropGradients {
    state: EyeState,
    crop: Vec<f64>,
    gradients: Vec<Gradient>,
}

impl CropGradients {
    /// Takes the gradients at `crop` for each state in the order of [`EyeState::ALL`], where the model
    /// predicts `state`; `None` when one is missing.
    pub fn new(crop: &StandardisedCrop, state: EyeState, gradients: Vec<Gradient>) -> Option<Self> {
        (gradients.len() == STATES).then(|| Self {
            state,
            crop: crop.values.iter().map(|value| f64::from(*value)).collect(),
            gradients,
        })
    }

    /// The state that the model predicts, the label of every check.
    pub fn state(&self) -> EyeState {
        self.state
    }

    fn others(&self) -> impl Iterator<Item = EyeState> {
        let own = self.state;
        EyeState::ALL.into_iter().filter(move |state| *state != own)
    }

    /// Logit of the state less that of another; held at 0, for two graphs of one model round
    /// differently.
    fn margin(&self, other: EyeState) -> f64 {
        let logits = &self.gradients[0].logits;
        (f64::from(logits[self.state.index()]) - f64::from(logits[other.index()])).max(0.0)
    }

    /// Gradient of [`Self::margin`].
    fn margin_gradient(&self, other: EyeState) -> Vec<f64> {
        let own = &self.gradients[self.state.index()].values;
        let others = &self.gradients[other.index()].values;
        own.iter()
            .zip(others)
            .map(|(own, other)| f64::from(*other) - f64::from(*own))
            .collect()
    }

    /// Sign of the cross-entropy's gradient with the model's own state as label: where an FGSM step
    /// goes, as `train` takes it.
    ///
    /// A model that is all but certain has a gradient that f32 cannot hold; it is then put together
    /// from those of the margins, `-sum_k p_k grad(z_y - z_k)`, which is the same but for rounding.
    ///
    /// # Errors
    /// [`Missing::NoGradient`] where it points nowhere.
    pub fn direction(&self) -> Result<Direction, Missing> {
        let own = &self.gradients[self.state.index()];
        if is_saturated(&self.gradients[0].logits, self.state) {
            Direction::of(&self.gradient_of_margins())
        } else {
            Direction::of(&doubles(&own.values))
        }
    }

    /// The gradient of the cross-entropy but for a factor, from those of the margins.
    fn gradient_of_margins(&self) -> Vec<f64> {
        let closest = self
            .others()
            .map(|k| self.margin(k))
            .fold(f64::INFINITY, f64::min);
        let mut sum = vec![0.0; self.crop.len()];
        for other in self.others() {
            // Proportional to p_k, without the underflow.
            let weight = (closest - self.margin(other)).exp();
            for (sum, value) in sum.iter_mut().zip(self.margin_gradient(other)) {
                *sum -= weight * value;
            }
        }
        sum
    }

    /// The step on every pixel that would bring the nearest other state level if the model were
    /// linear: `min_k margin_k / ||grad margin_k||_1`. Infinite where nothing moves the margins.
    pub fn linear_epsilon(&self) -> f64 {
        self.others()
            .map(|k| self.margin(k) / self.margin_gradient(k).iter().map(|v| v.abs()).sum::<f64>())
            .fold(f64::INFINITY, f64::min)
    }

    /// The chance that noise of this shape and SNR changes the state if the model were linear:
    /// `Phi(-m / (sigma ||grad m||2))` of the state that is likeliest to win, where the norm is taken
    /// after the noise's shape ([`NoiseShape::response`]).
    ///
    /// Below [`FIRST_ORDER_DB`] it is too low.
    ///
    /// Standardising again scales crop and noise by `c = 1 / sqrt(1 + sigma^2)`: to first order
    /// the margin's mean becomes `m + (c - 1) grad m . x` and its deviation `c sigma ||grad m||2`,
    /// which for a linear model without offset is the formula above.
    pub fn flip_probability(&self, shape: &NoiseShape, snr_db: f64) -> f64 {
        chance(&self.linear_margins(shape), snr_db)
    }

    /// The SNR at which [`Self::flip_probability`] is `probability` (below one half), in dB; `None`
    /// where no noise gets there.
    pub fn linear_noise_flip_db(&self, shape: &NoiseShape, probability: f64) -> Option<f64> {
        let margins = self.linear_margins(shape);
        let (mut noisy, mut quiet) = (-20.0, WEAKEST_DB);
        if chance(&margins, noisy) < probability || chance(&margins, quiet) > probability {
            return None;
        }
        for _ in 0..40 {
            let middle = f64::midpoint(noisy, quiet);
            if chance(&margins, middle) < probability {
                quiet = middle;
            } else {
                noisy = middle;
            }
        }
        Some(f64::midpoint(noisy, quiet))
    }

    fn linear_margins(&self, shape: &NoiseShape) -> Vec<LinearMargin> {
        self.others()
            .map(|k| {
                let gradient = self.margin_gradient(k);
                LinearMargin {
                    margin: self.margin(k),
                    along: gradient.iter().zip(&self.crop).map(|(g, x)| g * x).sum(),
                    response: shape.response(&gradient),
                }
            })
            .collect()
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Whether a prediction is so certain that the gradient of its own cross-entropy is mostly rounding.
fn is_saturated(logits: &[f32; STATES], state: EyeState) -> bool {
    let probabilities = softmax(logits, 1.0);
    let others = EyeState::ALL.into_iter().filter(|other| *other != state);
    let doubt: f64 = others
        .map(|other| f64::from(probabilities[other.index()]))
        .sum();
    doubt < SATURATED
}

/// Computes the direction of the FGSM step of a crop, as [`CropGradients::direction`] does, with one run of
/// the gradient graph where that is enough; `None` where the gradient points nowhere.
///
/// # Errors
/// When the gradient graph fails.
pub(super) fn fgsm_direction(
    runner: &mut GradientRunner,
    crop: &StandardisedCrop,
    state: EyeState,
) -> Result<Option<Direction>, ModelError> {
    let own = runner.gradient(crop, state)?;
    if !is_saturated(&own.logits, state) {
        return Ok(Direction::of(&doubles(&own.values)).ok());
    }
    let gradients = EyeState::ALL.map(|label| match label == state {
        true => Ok(own.clone()),
        false => runner.gradient(crop, label),
    });
    let gradients = gradients.into_iter().collect::<Result<Vec<_>, _>>()?;
    let gradients = CropGradients::new(crop, state, gradients);
    Ok(gradients.and_then(|gradients| gradients.direction().ok()))
}

/// A margin to first order: its value, its gradient times the crop, and its standard deviation
/// under noise of root mean square 1.
struct LinearMargin {
    margin: f64,
    along: f64,
    response: f64,
}

/// The chance that the least certain of the margins is lost under noise.
fn chance(margins: &[LinearMargin], snr_db: f64) -> f64 {
    let sigma = epsilon_of_db(snr_db);
    let scale = 1.0 / (1.0 + sigma * sigma).sqrt();
    let standard = Normal::standard();
    margins
        .iter()
        .filter(|margin| margin.response > 0.0)
        .map(|m| {
            let mean = m.margin + (scale - 1.0) * m.along;
            standard.cdf(-mean / (scale * sigma * m.response))
        })
        .fold(0.0, f64::max)
}

/// The direction of an FGSM step: the signs of a gradient, 1, -1 or 0 for each pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction(Vec<f32>);

impl Direction {
    /// Takes the signs of a gradient.
    ///
    /// # Errors
    /// [`Missing::NoGradient`] where all are 0.
    pub fn of(gradient: &[f64]) -> Result<Self, Missing> {
        let sign = |value: &f64| match value.partial_cmp(&0.0) {
            Some(Ordering::Greater) => 1.0,
            Some(Ordering::Less) => -1.0,
            Some(Ordering::Equal) | None => 0.0,
        };
        let signs: Vec<f32> = gradient.iter().map(sign).collect();
        if signs.iter().all(|sign| *sign == 0.0) {
            return Err(Missing::NoGradient);
        }
        Ok(Self(signs))
    }

    /// Returns x + epsilon sign(gradient), clipped to the values that an 8-bit pixel can take.
    pub fn step(&self, crop: &StandardisedCrop, epsilon: f64) -> StandardisedCrop {
        let (low, high) = crop.range();
        let mut stepped = crop.clone();
        for (value, sign) in stepped.values.iter_mut().zip(&self.0) {
            *value = (*value + epsilon as f32 * sign).clamp(low, high);
        }
        stepped
    }
}

/// Weakest and strongest step tried, in dB: f32 rounds at about 140 dB, and at 0 dB the step is as
/// large as the crop.
const WEAKEST_DB: f64 = 110.0;
const STRONGEST_DB: f64 = 0.0;

/// Distance of the steps tried first, in dB.
const SCAN_DB: f64 = 2.0;

/// The scan begins this far above the linear estimate: a network's bend rarely wins more.
const HEAD_START_DB: f64 = 8.0;

/// The margin is found to this, in dB.
const RESOLUTION_DB: f64 = 0.25;

/// Above the margin this much, in dB, the state must hold for the margin to mean something.
const CONFIRM_ABOVE_DB: f64 = 0.5;

/// Below the margin by these, in dB, the state must stay turned.
const CONFIRM_BELOW_DB: [f64; 3] = [1.0, 3.0, 6.0];

/// Searches the highest SNR at which a step flips the state: scans from weak to strong, then bisects, then
/// tries half a decibel above and some below.
///
/// Without a network, and so tested without one: [`FlipSearch::next_trial`] says what to try,
/// [`FlipSearch::record`] takes what came of it, until there is a result.
#[derive(Clone, Debug)]
pub struct FlipSearch {
    phase: Phase,
    trial_db: f64,
    monotone: bool,
    holds_db: f64,
    trials: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// It flips where the scan began: towards weaker steps.
    Up,
    Down,
    Bisect {
        flips_db: f64,
    },
    Above {
        flips_db: f64,
    },
    Below {
        flips_db: f64,
        index: usize,
    },
    Done(Result<f64, Missing>),
}

impl FlipSearch {
    /// Starts above the linear estimate of the step that flips ([`CropGradients::linear_epsilon`]).
    pub fn new(linear_epsilon: f64) -> Self {
        let guess = db_of_epsilon(linear_epsilon.max(f64::MIN_POSITIVE));
        let start = ((guess + HEAD_START_DB) / SCAN_DB).ceil() * SCAN_DB;
        Self {
            phase: Phase::Down,
            trial_db: start.clamp(STRONGEST_DB + 10.0 * SCAN_DB, WEAKEST_DB),
            monotone: true,
            holds_db: f64::INFINITY,
            trials: 0,
        }
    }

    /// SNR of the step to try next, in dB; `None` when there is a result.
    pub fn next_trial(&self) -> Option<f64> {
        (!matches!(self.phase, Phase::Done(_))).then_some(self.trial_db)
    }

    /// Number of steps tried so far.
    pub fn trials(&self) -> u32 {
        self.trials
    }

    /// Takes whether the trial flipped the state.
    pub fn record(&mut self, flipped: bool) {
        self.trials += 1;
        let trial = self.trial_db;
        match self.phase {
            Phase::Down if !flipped => {
                self.holds_db = trial;
                if trial <= STRONGEST_DB {
                    self.phase = Phase::Done(Err(Missing::NeverFlips));
                } else {
                    self.trial_db = (trial - SCAN_DB).max(STRONGEST_DB);
                }
            }
            // Flipped at the very start.
            Phase::Down if self.holds_db.is_infinite() => self.up(trial),
            Phase::Up if flipped => self.up(trial),
            Phase::Up => {
                self.holds_db = trial;
                self.bisect(trial - SCAN_DB);
            }
            Phase::Down => self.bisect(trial),
            Phase::Bisect { flips_db } => {
                if flipped {
                    self.bisect(trial);
                } else {
                    self.holds_db = trial;
                    self.bisect(flips_db);
                }
            }
            Phase::Above { flips_db } => {
                if flipped {
                    // An island of flips above: the margin is there.
                    self.monotone = false;
                    self.holds_db = trial + SCAN_DB;
                    self.bisect(trial);
                } else {
                    self.below(flips_db, 0);
                }
            }
            Phase::Below { flips_db, index } => {
                self.monotone &= flipped;
                self.below(flips_db, index + 1);
            }
            Phase::Done(_) => {}
        }
    }

    fn up(&mut self, flips_db: f64) {
        if flips_db >= WEAKEST_DB {
            // The logits are level to within rounding.
            self.phase = Phase::Done(Ok(flips_db));
        } else {
            self.phase = Phase::Up;
            self.trial_db = (flips_db + SCAN_DB).min(WEAKEST_DB);
        }
    }

    fn bisect(&mut self, flips_db: f64) {
        if self.holds_db - flips_db > RESOLUTION_DB {
            self.phase = Phase::Bisect { flips_db };
            self.trial_db = f64::midpoint(flips_db, self.holds_db);
        } else {
            self.phase = Phase::Above { flips_db };
            self.trial_db = flips_db + CONFIRM_ABOVE_DB;
        }
    }

    fn below(&mut self, flips_db: f64, index: usize) {
        match CONFIRM_BELOW_DB.get(index) {
            Some(less) if flips_db - less >= STRONGEST_DB => {
                self.phase = Phase::Below { flips_db, index };
                self.trial_db = flips_db - less;
            }
            _ => self.phase = Phase::Done(Ok(flips_db)),
        }
    }

    /// The adversarial margin; `None` while there is more to try.
    pub fn result(&self) -> Option<Result<AdversarialMargin, Missing>> {
        match self.phase {
            Phase::Done(result) => Some(result.map(|db| AdversarialMargin {
                db,
                monotone: self.monotone,
            })),
            _ => None,
        }
    }
}

/// The highest SNR at which an FGSM step flips the state.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct AdversarialMargin {
    /// In dB, to a quarter of one.
    pub db: f64,
    /// Whether every stronger step that was tried flips the state too, and no weaker one.
    pub monotone: bool,
}

#[cfg(test)]
mod tests;
