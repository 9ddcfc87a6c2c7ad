//! Cameras; first version. Bodies follow.

use super::{Frame, FrameSource, SourceError};
use std::path::PathBuf;

/// What camera is wanted, and how it should deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraRequest {
    /// A number (`0`), a device path (`/dev/video0`) or a part of the camera's name; `None` takes
    /// the first that can capture.
    pub id: Option<String>,
    /// Wanted width in pixels; the nearest size that the camera has is taken.
    pub width: u32,
    /// Wanted height in pixels.
    pub height: u32,
    /// Wanted frames a second; the camera decides.
    pub frame_rate: u32,
}

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraDescription {
    /// Its device.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Its formats, such as `MJPG 640x480`.
    pub formats: Vec<String>,
}

/// An open camera.
#[derive(Debug)]
pub struct Camera {
    name: String,
}

impl Camera {
    /// Opens a camera and starts it.
    ///
    /// # Errors
    /// When there is no such camera or it cannot be started.
    pub fn open(request: &CameraRequest) -> Result<Self, SourceError> {
        Err(SourceError::Camera {
            camera: request.id.clone().unwrap_or_default(),
            reason: "no camera can be read yet".into(),
            remedy: "replay a recording instead".into(),
        })
    }
}

impl FrameSource for Camera {
    fn name(&self) -> &str {
        &self.name
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        Ok(None)
    }
}

/// The cameras of this machine.
pub fn list_cameras() -> Vec<CameraDescription> {
    Vec::new()
}
