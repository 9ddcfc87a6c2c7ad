//! Input and result of a check: a frame with its eyes' squares, and an eye's measurements, each with the
//! reason where it is missing. How they are measured is [`super::Checker`]'s.

use super::{
    Measurement, Missing, adversarial::AdversarialMargin, agreement::Agreement,
    camera_snr::CameraSnr, corruptions::Corruption,
};
use crate::{
    eye_state::{EyeState, PerEye},
    locate::Roi,
    reading::{EyeReading, FrameReading, Unseen},
};
use image::GrayImage;
use std::{sync::Arc, time::Duration};

/// A frame to check.
#[derive(Clone, Debug)]
pub struct CheckFrame {
    /// Brightness at full resolution.
    pub luma: Arc<GrayImage>,
    /// The frame's time.
    pub time: Duration,
    /// The frame's number: with the seed it decides the random draws.
    pub number: u64,
    /// Where each eye's crop was cut, or why it was not.
    pub squares: PerEye<Result<Roi, Missing>>,
}

impl CheckFrame {
    /// Takes a frame with its reading.
    pub fn new(luma: Arc<GrayImage>, reading: &FrameReading) -> Self {
        Self {
            luma,
            time: reading.time,
            number: reading.frame,
            squares: PerEye::from_fn(|eye| match reading.eyes.get(eye) {
                EyeReading::Measured { square, .. } => Ok(*square),
                EyeReading::Unmeasured(Unseen::NoFace) => Err(Missing::NoFace),
                EyeReading::Unmeasured(Unseen::Profile) => Err(Missing::Profile),
                EyeReading::Unmeasured(Unseen::TooSmall) => Err(Missing::TooSmall),
            }),
        }
    }
}

/// Measurements of one eye's prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReading {
    /// The state that the checks are about; `None` where there was no prediction.
    pub state: Option<EyeState>,
    /// The camera's noise on this crop.
    pub camera: Result<CameraSnr, Missing>,
    /// The highest SNR at which an FGSM step changes the state.
    pub adversarial: Result<AdversarialMargin, Missing>,
    /// First-order chance that the camera's own noise changes the state; only from
    /// [`super::adversarial::FIRST_ORDER_DB`] on.
    pub flip_probability: Measurement,
    /// SNR of the noise that changes one prediction of ten, in dB.
    pub noise_flip_snr_db: Measurement,
    /// Camera SNR less noise flip SNR, in dB.
    pub headroom_db: Measurement,
    /// Predictions under noise at the camera's own SNR.
    pub agreement: Result<Agreement, Missing>,
    /// States under each corruption.
    pub corruptions: Vec<(Corruption, EyeState)>,
}

impl CheckReading {
    /// Creates a reading without measurements, for one reason.
    pub fn missing(reason: Missing) -> Self {
        Self {
            state: None,
            camera: Err(reason),
            adversarial: Err(reason),
            flip_probability: Err(reason),
            noise_flip_snr_db: Err(reason),
            headroom_db: Err(reason),
            agreement: Err(reason),
            corruptions: Vec::new(),
        }
    }

    /// Camera SNR in dB.
    pub fn camera_snr_db(&self) -> Measurement {
        self.camera.map(|snr| snr.db)
    }

    /// Adversarial margin in dB.
    pub fn adversarial_margin_db(&self) -> Measurement {
        self.adversarial.map(|margin| margin.db)
    }

    /// Share of corruptions that left the state unchanged; `None` without any.
    pub fn corruption_agreement(&self) -> Option<f64> {
        let same = self
            .corruptions
            .iter()
            .filter(|(_, s)| Some(*s) == self.state);
        (!self.corruptions.is_empty()).then(|| same.count() as f64 / self.corruptions.len() as f64)
    }
}
