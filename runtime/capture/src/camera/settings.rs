//! Which camera is wanted, and how it should deliver.

use super::MAX_RATE;
use parseye_vision::frame::MAX_SIDE;
use serde::{Deserialize, Deserializer, Serialize};

/// The library or interface that cameras are read through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The best of this system: V4L2 on Linux, nokhwa elsewhere.
    #[default]
    Auto,
    /// Video4Linux, with true capture times and exact counts of lost frames.
    V4l2,
    /// The nokhwa library, which reads the cameras of other systems too.
    Nokhwa,
}

/// The wanted camera and its format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// A number (`0`), a device path (`/dev/video0`), a part of the camera's name, or `pipe:` and a command;
    /// `None` takes the first camera that delivers frames.
    #[serde(deserialize_with = "text_or_number")]
    pub id: Option<String>,
    /// What reads the camera. V4L2 reports lost frames and true times, so nokhwa is for systems without
    /// it.
    pub backend: Backend,
    /// Width asked for in pixels.
    pub width: u32,
    /// Height asked for in pixels.
    pub height: u32,
    /// Frames per second asked for; cameras have fractions such as 29.97 and 7.5.
    pub frame_rate: f64,
}

/// A camera setting that is out of range: the key, its value, and what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CameraSettingsError {
    /// Width or height.
    #[error("{key} is {value}; give pixels from 1 to {MAX_SIDE}")]
    Size {
        /// `width` or `height`.
        key: &'static str,
        /// Its value in pixels.
        value: u32,
    },
    /// The frame rate.
    #[error("frame_rate is {value}; give frames per second from 1 to {MAX_RATE}")]
    FrameRate {
        /// Its value in frames per second.
        value: f64,
    },
}

impl CameraSettings {
    /// Checks that every value is in range.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn check(&self) -> Result<(), CameraSettingsError> {
        for (key, value) in [("width", self.width), ("height", self.height)] {
            if !(1..=MAX_SIDE).contains(&value) {
                return Err(CameraSettingsError::Size { key, value });
            }
        }
        if !(1.0..=MAX_RATE).contains(&self.frame_rate) {
            return Err(CameraSettingsError::FrameRate {
                value: self.frame_rate,
            });
        }
        Ok(())
    }
}

impl Default for CameraSettings {
    fn default() -> Self {
        // VGA at 30 is what every webcam delivers, and an eye at arm's length spans 40 pixels.
        Self {
            id: None,
            backend: Backend::Auto,
            width: 640,
            height: 480,
            frame_rate: 30.0,
        }
    }
}

/// A camera may be given as `"/dev/video0"` or as the number 0.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrNumber {
        Text(String),
        Number(u32),
    }
    Ok(
        Option::<TextOrNumber>::deserialize(deserializer)?.map(|id| match id {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }),
    )
}
