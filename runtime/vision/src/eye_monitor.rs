//! The way of a frame on one thread: find the face, cut both eyes, classify them, follow them over time.
//!
//! Where frames come from, and what is done with the results, is left to the caller.

use crate::{
    classify::{EyeClassifier, EyeStateModel, ModelError},
    eye_crop::eye_crop,
    eye_state::PerEye,
    frame::Frame,
    locate::{DetectorSettings, Face, FaceTracker, LocateError, find_face_detector},
    reading::{EyeReading, FrameReading, Unseen},
    settings::{SettingError, check_range},
    temporal::{TemporalSettings, TemporalTracker, TemporalUpdate},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Settings of an [`EyeMonitor`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VisionSettings {
    /// Finding the face.
    pub detector: DetectorSettings,
    /// Eye crops.
    pub eyes: EyeSettings,
    /// Blinks, long closures, PERCLOS.
    pub temporal: TemporalSettings,
}

/// Settings of the eye crops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EyeSettings {
    /// Side of an eye's crop in distances between the eyes' centres, 0.3 to 2.
    ///
    /// 0.85 is the framing of the training crops; the network saw a fifth more and less.
    pub crop_side: f32,
}

impl Default for EyeSettings {
    fn default() -> Self {
        Self { crop_side: 0.85 }
    }
}

impl EyeSettings {
    /// Checks that the value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        // A crop of less than a third of the eye distance misses the lids' corners, one of more
        // than two holds the other eye.
        check_range("crop_side", self.crop_side, 0.3..=2.0, "0.3 to 2")
    }
}

/// Processing times of one frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes {
    /// Waiting for the source.
    pub decode_wait: Duration,
    /// Finding the face.
    pub locate: Duration,
    /// Cutting and standardising both eyes.
    pub crop: Duration,
    /// Classifying both eyes.
    pub classify: Duration,
    /// From the frame in hand to its reading, all of the above but the waiting.
    pub total: Duration,
}

/// Why frames cannot be processed.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// The face detector cannot be used.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The eye-state model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Result of one frame.
#[derive(Clone, Debug)]
pub struct FrameResult {
    /// State of each eye in this frame.
    pub reading: FrameReading,
    /// Closures, alerts and baselines that it completed or started.
    pub update: TemporalUpdate,
    /// Processing times; `decode_wait` is left at zero.
    pub times: StageTimes,
}

/// Processes the frames of one source after another: [`FaceTracker`], then [`EyeClassifier`], then
/// [`TemporalTracker`].
#[derive(Debug)]
pub struct EyeMonitor {
    face_tracker: FaceTracker,
    classifier: EyeClassifier,
    settings: VisionSettings,
    temporal: TemporalTracker,
}

impl EyeMonitor {
    /// Loads the face detector and readies the model for the calling thread.
    ///
    /// # Errors
    /// When either cannot be used.
    pub fn new(settings: &VisionSettings, model: &EyeStateModel) -> Result<Self, VisionError> {
        let detector = find_face_detector(settings.detector.file.as_deref())?;
        Ok(Self {
            face_tracker: FaceTracker::open(&detector, settings.detector.detect_every)?,
            classifier: model.classifier()?,
            settings: settings.clone(),
            temporal: TemporalTracker::new(&settings.temporal),
        })
    }

    /// Forgets the face and the past: the next frame is the first of another source.
    pub fn reset(&mut self) {
        self.face_tracker.reset();
        self.temporal = TemporalTracker::new(&self.settings.temporal);
    }

    /// Returns the measures over time since the source began.
    pub fn tracker(&self) -> &TemporalTracker {
        &self.temporal
    }

    /// Processes the next frame.
    ///
    /// # Errors
    /// When the eye-state network fails.
    pub fn process(&mut self, frame: &Frame) -> Result<FrameResult, VisionError> {
        let begin = Instant::now();
        let face = self.face_tracker.track(&frame.rgb, &frame.luma);
        let located = Instant::now();
        let (eyes, crop, classify) = self.classify_eyes(frame, face.as_ref())?;
        let reading = FrameReading {
            frame: frame.sequence,
            time: frame.time,
            face,
            eyes,
        };
        let update = self.temporal.update(&reading);
        Ok(FrameResult {
            reading,
            update,
            times: StageTimes {
                decode_wait: Duration::ZERO,
                locate: located - begin,
                crop,
                classify,
                total: begin.elapsed(),
            },
        })
    }

    /// Takes that no frame comes any more: from `time` on nothing is known of the eyes. A closure that was
    /// going on is broken off, and an alert is lost.
    pub fn interrupt(&mut self, time: Duration) -> TemporalUpdate {
        self.temporal.interrupt(time)
    }

    /// Returns the eyes' readings, and the times of cutting and of classifying.
    fn classify_eyes(
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
        let squares = face.eye_rois(self.settings.eyes.crop_side);
        let detail_side = self.classifier.model().detail_side();
        let crops = PerEye::from_fn(|eye| eye_crop(&frame.luma, squares.get(eye), detail_side));
        let cropped = Instant::now();
        let mut classify = |crop, square| {
            self.classifier
                .probabilities(crop)
                .map(|probabilities| EyeReading::Measured {
                    probabilities,
                    square,
                })
        };
        let eyes = PerEye {
            left: classify(&crops.left, squares.left)?,
            right: classify(&crops.right, squares.right)?,
        };
        Ok((eyes, cropped - begin, cropped.elapsed()))
    }
}
