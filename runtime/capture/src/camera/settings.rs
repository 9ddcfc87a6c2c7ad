//! Which camera is wanted, and how it should deliver.

use super::MAX_RATE;
use crate::url;
use parseye_vision::{
    frame::MAX_SIDE,
    settings::{SettingError, check_range},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

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
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// A number (`0`), a device path (`/dev/video0`), a part of the camera's name, `pipe:` and a command, the
    /// URL of a network camera (`rtsp://...`, `http://...`), a recording's path, or `-` for a stream at the
    /// standard input; `None` takes the first camera that delivers frames. It is written and shown without the
    /// user, password and query of a URL.
    #[serde(
        deserialize_with = "text_or_number",
        serialize_with = "without_credentials"
    )]
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

impl CameraSettings {
    /// Checks that every value is in range.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        for (key, value) in [("width", self.width), ("height", self.height)] {
            let expected = format!("pixels from 1 to {MAX_SIDE}");
            check_range(key, value, 1..=MAX_SIDE, expected)?;
        }
        check_range(
            "frame_rate",
            self.frame_rate,
            1.0..=MAX_RATE,
            format!("frames per second from 1 to {MAX_RATE}"),
        )
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

impl fmt::Debug for CameraSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraSettings")
            .field("id", &self.id.as_deref().map(url::without_credentials))
            .field("backend", &self.backend)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("frame_rate", &self.frame_rate)
            .finish()
    }
}

fn without_credentials<S: Serializer>(
    id: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    id.as_deref()
        .map(url::without_credentials)
        .serialize(serializer)
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
