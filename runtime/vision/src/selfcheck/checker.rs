//! Checks both eyes of a frame in small steps: each is at most one run of a network, so that whoever
//! schedules them can stop after any.
//!
//! What a step measures is [`eye_check`]'s; when steps are taken is decided elsewhere
//! ([`super::schedule`]).

mod eye_check;

use super::{
    CheckFrame, CheckReading, Missing, SelfCheckSettings,
    camera_snr::{CameraNoise, FrameNoise},
    noise::NoiseShape,
    quantisation::QUANTISATION_VARIANCE,
};
use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        gradient::{GradientModel, GradientRunner},
        input::CONTRAST_FLOOR,
    },
    eye_crop::eye_crop,
    eye_state::{Eye, PerEye},
    locate::Roi,
};
use eye_check::{EyeCheck, Networks};
use image::GrayImage;
use std::{sync::Arc, time::Duration};

/// Mean gray level below which a crop without contrast is called black.
const BLACK: f32 = 8.0;

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

/// Checks that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Gradient, adversarial margin, flip probability.
    pub white_box: bool,
    /// Noise flip SNR and agreement.
    pub noise: bool,
    /// Shifts, scales, brightness, blur.
    pub corruptions: bool,
}

impl Parts {
    /// All of them.
    pub const ALL: Self = Self {
        white_box: true,
        noise: true,
        corruptions: true,
    };
}

/// Checks predictions on one thread.
#[derive(Debug)]
pub struct Checker {
    classifier: EyeClassifier,
    gradient: Option<GradientRunner>,
    settings: SelfCheckSettings,
    parts: Parts,
    camera: CameraNoise,
    work: Option<Work>,
}

/// The check of a frame.
#[derive(Debug)]
struct Work {
    luma: Arc<GrayImage>,
    eyes: PerEye<EyeWork>,
}

#[derive(Debug)]
struct EyeWork {
    reading: CheckReading,
    /// `None` when done.
    check: Option<Box<EyeCheck>>,
}

impl EyeWork {
    fn done(reading: CheckReading) -> Self {
        Self {
            reading,
            check: None,
        }
    }
}

impl Work {
    /// The eye whose turn it is: the left one first.
    fn next(&mut self) -> Option<&mut EyeWork> {
        let mut eyes = [&mut self.eyes.left, &mut self.eyes.right].into_iter();
        eyes.find(|eye| eye.check.is_some())
    }

    fn readings(self) -> PerEye<CheckReading> {
        PerEye {
            left: self.eyes.left.reading,
            right: self.eyes.right.reading,
        }
    }
}

impl Checker {
    /// Creates a checker for the calling thread; without a gradient graph there are no white-box checks.
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

    /// Measures the camera's noise on a frame; pairs of frames that follow each other show most. Takes a
    /// few milliseconds at most.
    pub fn observe(&mut self, luma: &Arc<GrayImage>, time: Duration) {
        self.camera.observe(luma, time);
    }

    /// Returns the camera's noise as lately observed.
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
        let crop = eye_crop(&frame.luma, square, self.classifier.model().side());
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
            (Ok(noise), Ok(camera)) => shape_of(noise, camera.neighbours, &crop),
            _ => NoiseShape::white(crop.side()),
        };
        let unasked = CheckReading::missing(Missing::NotAsked);
        let seed = self.settings.seed ^ frame.number.wrapping_mul(2) ^ eye.index() as u64;
        EyeWork {
            reading: CheckReading { camera, ..unasked },
            check: Some(Box::new(EyeCheck::new(*square, crop, shape, seed))),
        }
    }

    /// Does the next step: one run of a network at most.
    pub fn step(&mut self) -> Progress {
        let Some(mut work) = self.work.take() else {
            return Progress::Idle;
        };
        let luma = Arc::clone(&work.luma);
        let Some(EyeWork { reading, check }) = work.next() else {
            return Progress::Done(Box::new(work.readings()));
        };
        let mut networks = Networks {
            classifier: &mut self.classifier,
            gradient: self.gradient.as_mut(),
            settings: &self.settings,
            parts: self.parts,
            luma: &luma,
        };
        if let Some(running) = check.as_mut() {
            match networks.advance(running, reading) {
                Ok(true) => {}
                Ok(false) => *check = None,
                // A model that fails on one input makes its other results worthless.
                Err(_) => {
                    let failed = CheckReading::missing(Missing::ModelFailed);
                    let camera = reading.camera;
                    *reading = CheckReading { camera, ..failed };
                    *check = None;
                }
            }
        }
        self.work = Some(work);
        Progress::More
    }

    /// Observes and checks a frame at once.
    pub fn check(&mut self, frame: &CheckFrame) -> PerEye<CheckReading> {
        self.observe(&frame.luma, frame.time);
        self.check_observed(frame)
    }

    /// Checks a frame that was observed already at once.
    pub(super) fn check_observed(&mut self, frame: &CheckFrame) -> PerEye<CheckReading> {
        self.begin(frame);
        // A check that was begun ends: every stage has a bound of its own.
        loop {
            if let Progress::Done(readings) = self.step() {
                return *readings;
            }
        }
    }
}

/// The shape of a camera's noise on a crop: how its neighbours are correlated, and the variance at each
/// pixel's gray level.
fn shape_of(noise: &FrameNoise, neighbours: f64, crop: &StandardisedCrop) -> NoiseShape {
    let level = |value: &f32| f64::from(crop.mean + crop.contrast * value);
    let variances = crop
        .values
        .iter()
        .map(|value| noise.curve.variance(level(value)) + QUANTISATION_VARIANCE);
    NoiseShape::new(neighbours, variances)
}
