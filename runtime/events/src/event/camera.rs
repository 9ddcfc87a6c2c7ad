//! The event of a camera: what its state became, and why.

use parseye_capture::CameraFault;
use serde::{Deserialize, Serialize};

/// The state of the camera, changed; of a recording, damaged frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraEvent {
    /// Source.
    pub clip: String,
    /// Time in seconds.
    pub time: f64,
    /// What happened.
    pub kind: CameraEventKind,
    /// Why, in one word; absent where nothing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CameraFault>,
    /// Why and what to do, for people; absent where nothing is wrong. Schema 1 said `words`.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "words")]
    pub message: Option<String>,
    /// How it delivers, when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Number of damaged frames since the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Numbers of the first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u64>,
    /// Length in seconds of a time without frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// Wall clock in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

impl CameraEvent {
    /// Creates an event that says nothing but its kind.
    pub fn new(clip: &str, time: f64, kind: CameraEventKind) -> Self {
        Self {
            clip: clip.into(),
            time,
            kind,
            reason: None,
            message: None,
            format: None,
            frames: None,
            numbers: Vec::new(),
            length: None,
            unix_time: None,
        }
    }

    /// Creates the event of a damaged frame in a recording.
    pub fn damaged_frame(clip: &str, time: f64, frame: u64) -> Self {
        Self {
            reason: Some(CameraFault::Corrupt),
            frames: Some(1),
            numbers: vec![frame],
            ..Self::new(clip, time, CameraEventKind::Damaged)
        }
    }
}

/// What happened to the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CameraEventKind {
    /// It delivered its first frame.
    Opened,
    /// It delivers nothing; it will be opened again.
    Lost,
    /// It still delivers nothing, for another reason than was reported before.
    Waiting,
    /// It delivers again.
    Reopened,
    /// Frames arrived damaged and were left out.
    Damaged,
    /// For some time there are no frames, though it delivers.
    Gap,
    /// A remark about the source.
    Note,
}
