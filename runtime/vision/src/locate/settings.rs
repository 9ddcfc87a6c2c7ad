//! Settings of finding the face.

use super::watch::{Rotation, Watch, WatchRegion};
use crate::settings::{SettingError, check_range, check_seconds};
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
    /// Which of several faces is watched.
    pub watch: Watch,
    /// Where faces count: `X,Y,WIDTH,HEIGHT` as shares of the picture where no number exceeds 1, else in pixels;
    /// none counts them everywhere.
    pub roi: Option<WatchRegion>,
    /// By how many degrees the picture must be turned clockwise to show heads upright; `auto` finds heads at any
    /// turn, for twice the searching.
    pub rotate: Rotation,
    /// Whether the picture is mirrored: what seems to be the left eye is then the right one.
    pub mirror: bool,
    /// Seconds for which another face must suit `watch` clearly better before it is watched instead, 0 to 60.
    ///
    /// 0.6: longer than somebody takes who passes between, and short, since a sleeper may be the one who is nearer.
    pub switch_after_s: f64,
    /// How many times as large as the watched face another must be to be clearly larger, 1.05 to 10.
    ///
    /// 1.3: people who sit side by side lean by a fifth of their distance.
    pub larger_by: f32,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            file: None,
            detect_every: 5,
            watch: Watch::Largest,
            roi: None,
            rotate: Rotation::Auto,
            mirror: false,
            switch_after_s: 0.6,
            larger_by: 1.3,
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
        )?;
        check_seconds("switch_after_s", self.switch_after_s, 0.0..=60.0)?;
        check_range(
            "larger_by",
            self.larger_by,
            1.05..=10.0,
            "a ratio of sizes from 1.05 to 10",
        )
    }
}
