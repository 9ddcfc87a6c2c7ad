//! From a frame to what is said about it, on one thread: locate, crop, classify, follow over time.

use crate::{
    classify::{
        EyeClassifier, EyeStateModel, ModelError, StandardisedCrop,
        input::{PIXELS, SIDE},
    },
    config::Settings,
    eye_state::PerEye,
    locate::{
        Face, FaceLocator, LocateError,
        crop::{Square, sample_gray},
        find_locator,
    },
    reading::{EyeReading, FrameReading, Unseen},
    report::summary::StageTimes,
    source::Frame,
    temporal::{EyesOverTime, OverTimeStep, TemporalSettings},
};
use std::time::{Duration, Instant};

/// Why frames cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// The face locator.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The eye-state model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What came of one frame.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What is said about it.
    pub reading: FrameReading,
    /// What it brought to an end or set off.
    pub changes: OverTimeStep,
    /// How long it took; `decode_wait` is left at zero.
    pub times: StageTimes,
}

/// Judges the frames of one source after another.
#[derive(Debug)]
pub struct VisionChain {
    locator: FaceLocator,
    classifier: EyeClassifier,
    crop_side: f32,
    temporal: TemporalSettings,
    over_time: EyesOverTime,
}

impl VisionChain {
    /// Loads the locator and readies the model for the calling thread.
    ///
    /// # Errors
    /// When either cannot be used.
    pub fn new(settings: &Settings, model: &EyeStateModel) -> Result<Self, VisionError> {
        let locator = find_locator(settings.locator.file.as_deref())?;
        Ok(Self {
            locator: FaceLocator::open(&locator, settings.locator.look_every)?,
            classifier: model.classifier()?,
            crop_side: settings.eyes.crop_side,
            temporal: settings.temporal.clone(),
            over_time: EyesOverTime::new(&settings.temporal),
        })
    }

    /// Forgets the face and the past: the next frame is the first of another source.
    pub fn reset(&mut self) {
        self.locator.reset();
        self.over_time = EyesOverTime::new(&self.temporal);
    }

    /// What the eyes have done since the source began.
    pub fn over_time(&self) -> &EyesOverTime {
        &self.over_time
    }

    /// Judges the next frame.
    ///
    /// # Errors
    /// When the eye-state network fails.
    pub fn judge(&mut self, frame: &Frame) -> Result<Judged, VisionError> {
        let begin = Instant::now();
        let face = self.locator.locate(&frame.rgb, &frame.luma);
        let located = Instant::now();
        let (eyes, crop, classify) = self.judge_eyes(frame, face.as_ref())?;
        let reading = FrameReading {
            frame: frame.sequence,
            time: frame.time,
            face,
            eyes,
        };
        let changes = self.over_time.step(&reading);
        Ok(Judged {
            reading,
            changes,
            times: StageTimes {
                decode_wait: Duration::ZERO,
                locate: located - begin,
                crop,
                classify,
                total: begin.elapsed(),
            },
        })
    }

    /// No frame comes any more: from `time` on nothing is known of the eyes. A closure that was
    /// going on is broken off, and an alert is lost.
    pub fn unseen(&mut self, time: Duration) -> OverTimeStep {
        let eye = EyeReading::Unmeasured(Unseen::NoFace);
        self.over_time.step(&FrameReading {
            // Only closed frames are named by their number.
            frame: 0,
            time,
            face: None,
            eyes: PerEye::from_fn(|_| eye),
        })
    }

    fn judge_eyes(
        &mut self,
        frame: &Frame,
        face: Option<&Face>,
    ) -> Result<(PerEye<EyeReading>, Duration, Duration), ModelError> {
        let unmeasured = |reason| {
            let eyes = PerEye::from_fn(|_| EyeReading::Unmeasured(reason));
            Ok((eyes, Duration::ZERO, Duration::ZERO))
        };
        let face = match face {
            None => return unmeasured(Unseen::NoFace),
            Some(face) if face.is_profile() => return unmeasured(Unseen::Profile),
            Some(face) => face,
        };
        let begin = Instant::now();
        let squares = face.eye_squares(self.crop_side);
        let crops = PerEye::from_fn(|eye| standardised(frame, squares.get(eye)));
        let cropped = Instant::now();
        let mut judge = |crop, square| {
            self.classifier
                .probabilities(crop)
                .map(|probabilities| EyeReading::Measured {
                    probabilities,
                    square,
                })
        };
        let eyes = PerEye {
            left: judge(&crops.left, squares.left)?,
            right: judge(&crops.right, squares.right)?,
        };
        Ok((eyes, cropped - begin, cropped.elapsed()))
    }
}

fn standardised(frame: &Frame, square: &Square) -> StandardisedCrop {
    let mut gray = [0.0; PIXELS];
    sample_gray(&frame.luma, square, SIDE, &mut gray);
    StandardisedCrop::new(&gray)
}
