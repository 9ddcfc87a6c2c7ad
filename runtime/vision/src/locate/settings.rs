//! Settings of finding the face.

use crate::settings::{SettingError, check_range};
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, path::PathBuf};

/// Range of `detect_every`. Further apart, a face that turns slowly is lost from one detection to the
/// next.
const DETECT_EVERY: RangeInclusive<u32> = 1..=30;

/// Settings of finding the face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectorSettings {
    /// The face detector's ONNX file; none searches where `make models` puts it.
    pub file: Option<PathBuf>,
    /// The network runs in one frame of so many, 1 to 30, while the face is nearly still; in between it
    /// is followed by block matching on its gray levels.
    ///
    /// 5: see docs/results/detection-interval.txt.
    pub detect_every: u32,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            file: None,
            detect_every: 5,
        }
    }
}

impl DetectorSettings {
    /// Checks that every value is in range.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        check_range(
            "detect_every",
            self.detect_every,
            DETECT_EVERY,
            format!(
                "a number of frames from {} to {}",
                DETECT_EVERY.start(),
                DETECT_EVERY.end()
            ),
        )
    }
}
