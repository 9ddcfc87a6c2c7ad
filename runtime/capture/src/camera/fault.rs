//! Why a camera delivers nothing, as one word that a program can act on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a camera cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraFault {
    /// It is open but no picture comes.
    Stalled,
    /// It was there and is gone.
    Unplugged,
    /// Another program is using it.
    Busy,
    /// Pictures come, but none is whole.
    Corrupt,
    /// There is no such camera.
    Missing,
    /// Anything else, said in words only.
    Failed,
}

impl CameraFault {
    /// The word that stands in the event log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::Unplugged => "unplugged",
            Self::Busy => "busy",
            Self::Corrupt => "corrupt",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CameraFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
