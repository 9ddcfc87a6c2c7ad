//! Systems whose cameras Parseye cannot read yet.

use super::{CameraCounters, CameraRequest, Frame, Node, SourceError};
use std::{convert::Infallible, path::Path, time::Instant};

pub(super) const NO_NODE: &str = "this version reads cameras on Linux only";
pub(super) const WITHOUT_CAMERA: &str = "use `parseye replay FILE` with a recording";

/// No device can exist.
#[derive(Debug)]
pub(super) struct Device(Infallible);

pub(super) fn nodes() -> Vec<Node> {
    Vec::new()
}

impl Device {
    pub(super) fn open(path: &Path, _: &CameraRequest) -> Result<Self, SourceError> {
        Err(SourceError::Camera {
            camera: path.display().to_string(),
            reason: NO_NODE.into(),
            remedy: WITHOUT_CAMERA.into(),
        })
    }

    pub(super) fn counters(&self) -> CameraCounters {
        match self.0 {}
    }

    pub(super) fn opened(&self) -> Instant {
        match self.0 {}
    }

    pub(super) fn format(&self) -> String {
        match self.0 {}
    }

    pub(super) fn name(&self) -> &str {
        match self.0 {}
    }

    pub(super) fn next_frame(&mut self) -> Result<Frame, SourceError> {
        match self.0 {}
    }
}
