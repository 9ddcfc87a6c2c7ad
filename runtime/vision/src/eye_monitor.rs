//! The way of a frame on one thread: find the face, cut both eyes, classify them, follow them over time.
//!
//! Where frames come from, and what is done with the results, is left to the caller.

use crate::{
    classify::{EyeClassifier, EyeStateModel, ModelError},
    eye_crop::eye_crop,
    eye_state::PerEye,
    frame::Frame,
    locate::{
        DetectorSettings, Face, FaceTracker, LocateError, PersonChange, WatchRegion,
        find_face_detector, watch_area,
    },
    reading::{EyeReading, FrameReading, Unseen},
    settings::{SettingError, check_range},
    temporal::{AlertKind, AlertPhase, TemporalSettings, TemporalTracker, TemporalUpdate},
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
    /// Side in pixels below which a crop is not classified, 0 to 64: its eye is not visible.
    ///
    /// 12: scaled down to it, 93 % of the validation split's open eyes and 82 % of its closed ones are read as such,
    /// at 32 pixels 97 and 86 % (`people crop-size`).
    pub least_side_px: f32,
}

impl Default for EyeSettings {
    fn default() -> Self {
        Self {
            crop_side: 0.85,
            least_side_px: 12.0,
        }
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
        check_range("crop_side", self.crop_side, 0.3..=2.0, "0.3 to 2")?;
        check_range(
            "least_side_px",
            self.least_side_px,
            0.0..=64.0,
            "a number of pixels from 0 to 64",
        )
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
    /// The region in which faces count shows nothing of the frame.
    #[error(
        "detector.roi (--roi) {region} lies outside of the picture of {width}x{height} pixels; give a part of it, or shares from 0 to 1"
    )]
    Region {
        /// The region.
        region: WatchRegion,
        /// Width of the frame in pixels.
        width: u32,
        /// Height of the frame in pixels.
        height: u32,
    },
}

/// Result of one frame.
#[derive(Clone, Debug)]
pub struct FrameResult {
    /// State of each eye in this frame.
    pub reading: FrameReading,
    /// That another person is watched from this frame on.
    pub change: Option<PersonChange>,
    /// Closures, alerts and baselines that it completed or started. Where another person is watched, first the
    /// alerts of the one before, which are lost.
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
            face_tracker: FaceTracker::open(&detector, &settings.detector)?,
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

    /// Returns how often the face detector's network has run.
    pub const fn detector_runs(&self) -> u64 {
        self.face_tracker.runs()
    }

    /// Returns the measures over time since the source began, or since another person is watched.
    pub fn tracker(&self) -> &TemporalTracker {
        &self.temporal
    }

    /// Processes the next frame.
    ///
    /// # Errors
    /// When the eye-state network fails, or the region in which faces count lies outside of the frame.
    pub fn process(&mut self, frame: &Frame) -> Result<FrameResult, VisionError> {
        let begin = Instant::now();
        self.check_region(frame)?;
        let tracked = self.face_tracker.track(frame);
        let located = Instant::now();
        let (eyes, crop, classify) = self.classify_eyes(frame, tracked.face.as_ref())?;
        let mirror = self.settings.detector.mirror;
        let reading = FrameReading {
            frame: frame.sequence,
            time: frame.time,
            face: match mirror {
                true => tracked.face.map(Face::mirrored),
                false => tracked.face,
            },
            eyes: if mirror { eyes.swapped() } else { eyes },
        };
        let lost = match tracked.change {
            Some(_) => self.temporal.start_anew(),
            None => Vec::new(),
        };
        let mut update = self.temporal.update(&reading);
        update.alerts.splice(0..0, lost);
        if update.alerts.iter().any(|alert| {
            alert.phase == AlertPhase::Raised && alert.kind == AlertKind::LongClosureWarning
        }) {
            self.face_tracker.confirm_life();
        }
        Ok(FrameResult {
            reading,
            change: tracked.change,
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

    /// Checks that faces count anywhere in the frame.
    fn check_region(&self, frame: &Frame) -> Result<(), VisionError> {
        let (width, height) = frame.rgb.dimensions();
        match self.settings.detector.roi {
            Some(region) if watch_area(Some(&region), [width as f32, height as f32]).is_empty() => {
                Err(VisionError::Region {
                    region,
                    width,
                    height,
                })
            }
            _ => Ok(()),
        }
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
        if squares.left.side < self.settings.eyes.least_side_px {
            return unmeasured(Unseen::TooSmall);
        }
        let side = self.classifier.model().side();
        let crops = PerEye::from_fn(|eye| eye_crop(&frame.luma, squares.get(eye), side));
        let cropped = Instant::now();
        let mut classify = |crop, square| {
            self.classifier
                .predict(crop)
                .map(|prediction| EyeReading::Measured {
                    probabilities: prediction.probabilities,
                    lids: prediction.lids,
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
