//! Checks both eyes of a frame in small steps: each is at most one run of a network, so that whoever
//! schedules them can stop after any.

use super::{
    CheckFrame, CheckReading, Missing, SelfCheckSettings,
    adversarial::{CropGradients, Direction, FIRST_ORDER_DB, FlipSearch},
    camera_snr::{CameraNoise, FrameNoise},
    corruptions::{Change, cut},
    headroom::headroom,
    noise::{Agreement, FLIP_RATE, NoiseShape, RateSearch, noisy},
    quantisation::QUANTISATION_VARIANCE,
};
use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        gradient::{Gradient, GradientModel, GradientRunner},
        input::CONTRAST_FLOOR,
    },
    eye_state::{Eye, EyeState, PerEye},
    locate::Roi,
    snr::epsilon_of_db,
};
use image::GrayImage;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Mean gray level below which a crop without contrast is called black.
const BLACK: f32 = 8.0;

/// Where the search for the noise flip SNR begins without a gradient to guess from: the middle of
/// what real crops showed.
const GUESS_DB: f64 = 8.0;

/// The noise's draws at the camera's own SNR come from streams of their own.
const AGREEMENT_STREAMS: u64 = 1 << 32;

/// Whether a check is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// Both eyes are checked.
    Done(Box<PerEye<CheckReading>>),
    /// No frame was begun.
    Idle,
}

/// Which checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Gradient, adversarial margin, flip probability.
    pub white_box: bool,
    /// Noise flip SNR and agreement.
    pub noise: bool,
    /// Shifts, scales, brightness, blur.
    pub natural: bool,
}

impl Parts {
    /// All.
    pub const ALL: Self = Self {
        white_box: true,
        noise: true,
        natural: true,
    };
}

/// Checks answers on one thread.
#[derive(Debug)]
pub struct Checker {
    classifier: EyeClassifier,
    gradient: Option<GradientRunner>,
    settings: SelfCheckSettings,
    parts: Parts,
    camera: CameraNoise,
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    luma: Arc<GrayImage>,
    eyes: PerEye<EyeWork>,
}

#[derive(Debug)]
struct EyeWork {
    reading: CheckReading,
    /// `None` when done.
    eye: Option<Box<EyeCheck>>,
}

/// An eye whose check goes on.
#[derive(Debug)]
struct EyeCheck {
    square: Roi,
    crop: StandardisedCrop,
    shape: NoiseShape,
    seed: u64,
    gradients: Vec<Gradient>,
    solved: Option<CropGradients>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Answer,
    Gradients,
    Flip(FlipSearch, Box<Direction>),
    Noise(RateSearch),
    Agreement(Agreement, f64),
    Natural(usize),
}

impl Checker {
    /// For the calling thread; without a gradient graph there are no white-box checks.
    ///
    /// # Errors
    /// When tract cannot set up its state.
    pub fn new(
        model: &EyeStateModel,
        gradient: Option<&GradientModel>,
        settings: &SelfCheckSettings,
        parts: Parts,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            classifier: model.classifier()?,
            gradient: gradient.map(GradientModel::runner).transpose()?,
            settings: settings.clone(),
            parts,
            camera: CameraNoise::new(),
            work: None,
        })
    }

    /// Looks at a frame for the camera's noise; pairs of frames that follow each other tell most.
    /// Takes a few milliseconds at most.
    pub fn observe(&mut self, luma: &Arc<GrayImage>, time: Duration) {
        self.camera.observe(luma, time);
    }

    /// The camera's noise as lately observed.
    ///
    /// # Errors
    /// As [`CameraNoise::frame_noise`].
    pub fn frame_noise(&self) -> Result<FrameNoise, Missing> {
        self.camera.frame_noise()
    }

    /// Forgets the camera's noise and the check that is under way: another source follows.
    pub fn reset(&mut self) {
        self.camera = CameraNoise::new();
        self.work = None;
    }

    /// Begins to check a frame; one that is under way is given up.
    pub fn begin(&mut self, frame: &CheckFrame) {
        let noise = self.camera.frame_noise();
        let eyes = PerEye::from_fn(|eye| match frame.squares.get(eye) {
            Err(reason) => EyeWork::done(CheckReading::missing(*reason)),
            Ok(square) => self.begin_eye(frame, eye, square, noise.as_ref()),
        });
        self.work = Some(Work {
            luma: Arc::clone(&frame.luma),
            eyes,
        });
    }

    fn begin_eye(
        &self,
        frame: &CheckFrame,
        eye: Eye,
        square: &Roi,
        noise: Result<&FrameNoise, &Missing>,
    ) -> EyeWork {
        let crop = cut(&frame.luma, square);
        if crop.contrast <= CONTRAST_FLOOR {
            return EyeWork::done(CheckReading::missing(if crop.mean < BLACK {
                Missing::Black
            } else {
                Missing::ConstantCrop
            }));
        }
        let camera = noise
            .map_err(|missing| *missing)
            .and_then(|noise| noise.camera_snr(square, &crop));
        let shape = match (noise, camera) {
            (Ok(noise), Ok(camera)) => {
                let level = |value: &f32| f64::from(crop.mean + crop.contrast * value);
                let variances = crop
                    .values
                    .iter()
                    .map(|value| noise.curve.variance(level(value)) + QUANTISATION_VARIANCE);
                NoiseShape::new(camera.neighbours, variances)
            }
            _ => NoiseShape::white(),
        };
        let unasked = CheckReading::missing(Missing::NotAsked);
        EyeWork {
            reading: CheckReading { camera, ..unasked },
            eye: Some(Box::new(EyeCheck {
                square: *square,
                crop,
                shape,
                seed: self.settings.seed ^ frame.number.wrapping_mul(2) ^ eye as u64,
                gradients: Vec::new(),
                solved: None,
                stage: Stage::Answer,
            })),
        }
    }

    /// Does the next step: one run of a network at most.
    pub fn step(&mut self) -> Progress {
        let Some(work) = &mut self.work else {
            return Progress::Idle;
        };
        let eyes = &mut work.eyes;
        let Some(eye) = Eye::ALL
            .into_iter()
            .find(|eye| eyes.get(*eye).eye.is_some())
        else {
            return match self.work.take() {
                Some(work) => Progress::Done(Box::new(PerEye {
                    left: work.eyes.left.reading,
                    right: work.eyes.right.reading,
                })),
                None => Progress::Idle,
            };
        };
        let work_of_eye = eyes.get_mut(eye);
        let mut tools = Tools {
            classifier: &mut self.classifier,
            gradient: self.gradient.as_mut(),
            settings: &self.settings,
            parts: self.parts,
            luma: &work.luma,
        };
        if let Some(check) = work_of_eye.eye.take() {
            match tools.step(check, &mut work_of_eye.reading) {
                Ok(more) => work_of_eye.eye = more,
                // Whatever was measured of an answer by a model that then fails is not worth much.
                Err(_) => {
                    let camera = work_of_eye.reading.camera;
                    let failed = CheckReading::missing(Missing::ModelFailed);
                    work_of_eye.reading = CheckReading { camera, ..failed };
                }
            }
        }
        Progress::More
    }

    /// Observes and checks a frame at once.
    pub fn check(&mut self, frame: &CheckFrame) -> PerEye<CheckReading> {
        self.observe(&frame.luma, frame.time);
        self.begin(frame);
        loop {
            if let Progress::Done(readings) = self.step() {
                return *readings;
            }
        }
    }
}

impl EyeWork {
    fn done(reading: CheckReading) -> Self {
        Self { reading, eye: None }
    }
}

/// What a step works with.
struct Tools<'a> {
    classifier: &'a mut EyeClassifier,
    gradient: Option<&'a mut GradientRunner>,
    settings: &'a SelfCheckSettings,
    parts: Parts,
    luma: &'a GrayImage,
}

impl Tools<'_> {
    fn state_of(&mut self, crop: &StandardisedCrop) -> Result<EyeState, ModelError> {
        Ok(EyeState::most_likely(&self.classifier.logits(crop)?))
    }

    /// One step; gives back the check where there is more to do.
    fn step(
        &mut self,
        mut check: Box<EyeCheck>,
        reading: &mut CheckReading,
    ) -> Result<Option<Box<EyeCheck>>, ModelError> {
        let own = match reading.state {
            Some(state) => state,
            None => {
                let state = self.state_of(&check.crop)?;
                reading.state = Some(state);
                state
            }
        };
        let next = match &mut check.stage {
            Stage::Answer => {
                if self.parts.white_box && self.gradient.is_none() {
                    reading.adversarial = Err(Missing::NoGradientGraph);
                    reading.flip_probability = Err(Missing::NoGradientGraph);
                }
                match self.parts.white_box && self.gradient.is_some() {
                    true => Some(Stage::Gradients),
                    false => self.noise_stage(&check),
                }
            }
            Stage::Gradients => {
                if let (Some(runner), Some(label)) = (
                    self.gradient.as_mut(),
                    EyeState::ALL.get(check.gradients.len()),
                ) {
                    let gradient = runner.gradient(&check.crop, *label)?;
                    check.gradients.push(gradient);
                }
                if check.gradients.len() < EyeState::ALL.len() {
                    return Ok(Some(check));
                }
                self.solve(&mut check, own, reading)
            }
            Stage::Flip(search, direction) => match search.ask() {
                Some(db) => {
                    let stepped = direction.step(&check.crop, epsilon_of_db(db));
                    search.tell(self.state_of(&stepped)? != own);
                    return Ok(Some(check));
                }
                None => {
                    if let Some(result) = search.result() {
                        reading.adversarial = result;
                    }
                    self.noise_stage(&check)
                }
            },
            Stage::Noise(search) => match search.ask() {
                Some((db, stream)) => {
                    let noise = check.shape.draw(check.seed, stream);
                    search.tell(self.state_of(&noisy(&check.crop, &noise, db))? != own);
                    return Ok(Some(check));
                }
                None => {
                    if let Some(result) = search.result() {
                        reading.noise_flip_snr_db = result;
                    }
                    reading.headroom_db =
                        headroom(reading.camera_snr_db(), reading.noise_flip_snr_db);
                    self.agreement_stage(reading)
                }
            },
            Stage::Agreement(agreement, db) => {
                if agreement.draws < u64::from(self.settings.agreement_draws) {
                    let noise = check
                        .shape
                        .draw(check.seed, AGREEMENT_STREAMS + agreement.draws);
                    agreement.add(self.state_of(&noisy(&check.crop, &noise, *db))? == own);
                    return Ok(Some(check));
                }
                reading.agreement = Ok(*agreement);
                self.corruption_stage()
            }
            Stage::Natural(index) => match Change::ALL.get(*index) {
                Some(change) => {
                    let changed = change.apply(self.luma, &check.square, &check.crop);
                    let state = self.state_of(&changed)?;
                    reading.natural.push((*change, state));
                    *index += 1;
                    return Ok(Some(check));
                }
                None => None,
            },
        };
        Ok(next.map(|stage| {
            check.stage = stage;
            check
        }))
    }

    fn solve(
        &self,
        check: &mut EyeCheck,
        own: EyeState,
        reading: &mut CheckReading,
    ) -> Option<Stage> {
        let gradients = CropGradients::new(&check.crop, own, std::mem::take(&mut check.gradients))?;
        reading.flip_probability = match reading.camera_snr_db() {
            Ok(db) if db < FIRST_ORDER_DB => Err(Missing::BeyondFirstOrder),
            camera => camera.map(|db| gradients.flip_probability(&check.shape, db)),
        };
        let direction = gradients.direction();
        let linear = gradients.linear_epsilon();
        check.solved = Some(gradients);
        match direction {
            Ok(direction) => Some(Stage::Flip(FlipSearch::new(linear), Box::new(direction))),
            Err(reason) => {
                reading.adversarial = Err(reason);
                self.noise_stage(check)
            }
        }
    }

    fn noise_stage(&self, check: &EyeCheck) -> Option<Stage> {
        if !self.parts.noise {
            return self.corruption_stage();
        }
        let linear = check.solved.as_ref();
        let guess = linear.and_then(|g| g.linear_noise_flip_db(&check.shape, FLIP_RATE));
        Some(Stage::Noise(RateSearch::new(
            guess.unwrap_or(GUESS_DB),
            self.settings.draws,
        )))
    }

    fn agreement_stage(&self, reading: &mut CheckReading) -> Option<Stage> {
        match reading.camera_snr_db() {
            Ok(db) => Some(Stage::Agreement(Agreement::default(), db)),
            Err(reason) => {
                reading.agreement = Err(reason);
                self.corruption_stage()
            }
        }
    }

    fn corruption_stage(&self) -> Option<Stage> {
        self.parts.natural.then_some(Stage::Natural(0))
    }
}
