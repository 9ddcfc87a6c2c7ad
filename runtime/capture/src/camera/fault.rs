//! Why a camera delivers nothing, as one word that a program can act on.

use serde::{Deserialize, Serialize};

/// Why a camera cannot be read.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CameraFault {
    /// It is open but no frame comes.
    Stalled,
    /// It was there and is gone.
    Unplugged,
    /// Another program is using it.
    Busy,
    /// Frames come, but none is whole.
    Corrupt,
    /// There is no such camera.
    Missing,
    /// Anything else; the error's message says what.
    Failed,
}

impl CameraFault {
    /// Returns the name that stands in the event log.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
