//! The check of one eye as a sequence of stages, each made of single runs of a network.
//!
//! ```text
//! prediction -> gradients -> adversarial margin -> noise flip SNR -> agreement -> corruptions
//! ```
//!
//! Stages that are not asked for, or that lack what they need, are left out.

use super::Parts;
use crate::{
    classify::{
        EyeClassifier, ModelError, StandardisedCrop,
        gradient::{Gradient, GradientRunner},
    },
    eye_state::EyeState,
    locate::Roi,
    selfcheck::{
        CheckReading, Missing, SelfCheckSettings,
        adversarial::{CropGradients, Direction, FIRST_ORDER_DB, FlipSearch},
        agreement::Agreement,
        corruptions::Corruption,
        headroom::headroom,
        noise::{FLIP_RATE, NoiseShape, RateSearch, noisy},
    },
    snr::epsilon_of_db,
};
use image::GrayImage;

/// Where the search for the noise flip SNR begins without a gradient to estimate it from: the middle of what
/// real crops showed.
const GUESS_DB: f64 = 8.0;

/// The noise's draws at the camera's own SNR come from streams of their own.
const AGREEMENT_STREAMS: u64 = 1 << 32;

/// An eye whose check goes on.
#[derive(Debug)]
pub(super) struct EyeCheck {
    square: Roi,
    crop: StandardisedCrop,
    shape: NoiseShape,
    seed: u64,
    stage: Option<Stage>,
}

#[derive(Debug)]
enum Stage {
    Prediction,
    Gradients(Vec<Gradient>),
    Margin(FlipSearch, Box<Direction>, Box<CropGradients>),
    NoiseFlip(RateSearch),
    Agreement(Agreement, f64),
    Corruptions(usize),
}

impl EyeCheck {
    pub(super) fn new(square: Roi, crop: StandardisedCrop, shape: NoiseShape, seed: u64) -> Self {
        Self {
            square,
            crop,
            shape,
            seed,
            stage: Some(Stage::Prediction),
        }
    }
}

/// The networks of a step, and its settings.
pub(super) struct Networks<'a> {
    pub(super) classifier: &'a mut EyeClassifier,
    pub(super) gradient: Option<&'a mut GradientRunner>,
    pub(super) settings: &'a SelfCheckSettings,
    pub(super) parts: Parts,
    pub(super) luma: &'a GrayImage,
}

impl Networks<'_> {
    /// Does one step of a check and notes in the reading what it measured; returns whether there is more to
    /// do.
    pub(super) fn advance(
        &mut self,
        check: &mut EyeCheck,
        reading: &mut CheckReading,
    ) -> Result<bool, ModelError> {
        let own = match reading.state {
            Some(state) => state,
            None => {
                let state = self.state_of(&check.crop)?;
                reading.state = Some(state);
                state
            }
        };
        check.stage = match check.stage.take() {
            None => None,
            Some(Stage::Prediction) => self.after_prediction(check, reading),
            Some(Stage::Gradients(known)) => self.gradient(known, check, own, reading)?,
            Some(Stage::Margin(search, direction, gradients)) => {
                self.margin(search, direction, gradients, check, own, reading)?
            }
            Some(Stage::NoiseFlip(search)) => self.noise_flip(search, check, own, reading)?,
            Some(Stage::Agreement(counts, snr_db)) => {
                self.agreement(counts, snr_db, check, own, reading)?
            }
            Some(Stage::Corruptions(index)) => self.corruption(index, check, reading)?,
        };
        Ok(check.stage.is_some())
    }

    fn state_of(&mut self, crop: &StandardisedCrop) -> Result<EyeState, ModelError> {
        Ok(EyeState::most_likely(&self.classifier.logits(crop)?))
    }

    fn after_prediction(&self, check: &EyeCheck, reading: &mut CheckReading) -> Option<Stage> {
        if !self.parts.white_box {
            return self.noise_stage(check, None);
        }
        if self.gradient.is_none() {
            reading.adversarial = Err(Missing::NoGradientGraph);
            reading.flip_probability = Err(Missing::NoGradientGraph);
            return self.noise_stage(check, None);
        }
        Some(Stage::Gradients(Vec::new()))
    }

    /// Runs the gradient for the next label. After the last one: the flip probability, and the direction of
    /// the attack.
    fn gradient(
        &mut self,
        mut known: Vec<Gradient>,
        check: &EyeCheck,
        own: EyeState,
        reading: &mut CheckReading,
    ) -> Result<Option<Stage>, ModelError> {
        if let (Some(runner), Some(label)) =
            (self.gradient.as_mut(), EyeState::ALL.get(known.len()))
        {
            known.push(runner.gradient(&check.crop, *label)?);
        }
        if known.len() < EyeState::ALL.len() {
            return Ok(Some(Stage::Gradients(known)));
        }
        let Some(gradients) = CropGradients::new(&check.crop, own, known) else {
            return Ok(None);
        };
        reading.flip_probability = match reading.camera_snr_db() {
            Ok(db) if db < FIRST_ORDER_DB => Err(Missing::BeyondFirstOrder),
            camera => camera.map(|db| gradients.flip_probability(&check.shape, db)),
        };
        Ok(match gradients.direction() {
            Ok(direction) => {
                let search = FlipSearch::new(gradients.linear_epsilon());
                let (direction, gradients) = (Box::new(direction), Box::new(gradients));
                Some(Stage::Margin(search, direction, gradients))
            }
            Err(reason) => {
                reading.adversarial = Err(reason);
                self.noise_stage(check, Some(&gradients))
            }
        })
    }

    fn margin(
        &mut self,
        mut search: FlipSearch,
        direction: Box<Direction>,
        gradients: Box<CropGradients>,
        check: &EyeCheck,
        own: EyeState,
        reading: &mut CheckReading,
    ) -> Result<Option<Stage>, ModelError> {
        if let Some(db) = search.next_trial() {
            let stepped = direction.step(&check.crop, epsilon_of_db(db));
            search.record(self.state_of(&stepped)? != own);
            return Ok(Some(Stage::Margin(search, direction, gradients)));
        }
        if let Some(result) = search.result() {
            reading.adversarial = result;
        }
        Ok(self.noise_stage(check, Some(&gradients)))
    }

    fn noise_flip(
        &mut self,
        mut search: RateSearch,
        check: &EyeCheck,
        own: EyeState,
        reading: &mut CheckReading,
    ) -> Result<Option<Stage>, ModelError> {
        if let Some((db, stream)) = search.next_trial() {
            let noise = check.shape.draw(check.seed, stream);
            search.record(self.state_of(&noisy(&check.crop, &noise, db))? != own);
            return Ok(Some(Stage::NoiseFlip(search)));
        }
        if let Some(result) = search.result() {
            reading.noise_flip_snr_db = result;
        }
        reading.headroom_db = headroom(reading.camera_snr_db(), reading.noise_flip_snr_db);
        Ok(match reading.camera_snr_db() {
            Ok(db) => Some(Stage::Agreement(Agreement::default(), db)),
            Err(reason) => {
                reading.agreement = Err(reason);
                self.corruption_stage()
            }
        })
    }

    fn agreement(
        &mut self,
        mut counts: Agreement,
        snr_db: f64,
        check: &EyeCheck,
        own: EyeState,
        reading: &mut CheckReading,
    ) -> Result<Option<Stage>, ModelError> {
        if counts.draws < u64::from(self.settings.agreement_draws) {
            let stream = AGREEMENT_STREAMS + counts.draws;
            let noise = check.shape.draw(check.seed, stream);
            counts.add(self.state_of(&noisy(&check.crop, &noise, snr_db))? == own);
            return Ok(Some(Stage::Agreement(counts, snr_db)));
        }
        reading.agreement = Ok(counts);
        Ok(self.corruption_stage())
    }

    fn corruption(
        &mut self,
        index: usize,
        check: &EyeCheck,
        reading: &mut CheckReading,
    ) -> Result<Option<Stage>, ModelError> {
        let Some(corruption) = Corruption::ALL.get(index) else {
            return Ok(None);
        };
        let corrupted = corruption.apply(self.luma, &check.square, &check.crop);
        let state = self.state_of(&corrupted)?;
        reading.corruptions.push((*corruption, state));
        Ok(Some(Stage::Corruptions(index + 1)))
    }

    fn noise_stage(&self, check: &EyeCheck, gradients: Option<&CropGradients>) -> Option<Stage> {
        if !self.parts.noise {
            return self.corruption_stage();
        }
        let guess =
            gradients.and_then(|linear| linear.linear_noise_flip_db(&check.shape, FLIP_RATE));
        let guess = guess.unwrap_or(GUESS_DB);
        Some(Stage::NoiseFlip(RateSearch::new(
            guess,
            self.settings.draws,
        )))
    }

    fn corruption_stage(&self) -> Option<Stage> {
        self.parts.corruptions.then_some(Stage::Corruptions(0))
    }
}
