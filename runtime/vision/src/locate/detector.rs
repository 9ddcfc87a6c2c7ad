//! What a face detector does for tracking and searching, so that their policy is tested with a scripted one.

use super::{
    Face,
    blazeface::BlazeFace,
    crop::{Averaging, Roi},
};
use image::RgbImage;

/// Detects faces in a square region of an image.
pub trait FaceDetector {
    /// Detects faces of at least the confidence `threshold`: best first, in pixels of the image.
    fn detect(
        &mut self,
        image: &RgbImage,
        region: &Roi,
        averaging: Averaging,
        threshold: f32,
    ) -> Vec<Face>;
}

impl FaceDetector for BlazeFace {
    fn detect(
        &mut self,
        image: &RgbImage,
        region: &Roi,
        averaging: Averaging,
        threshold: f32,
    ) -> Vec<Face> {
        Self::detect(self, image, region, averaging, threshold)
    }
}

/// A detector that counts its runs.
#[derive(Debug)]
pub(super) struct Counted<D> {
    detector: D,
    runs: u64,
}

impl<D> Counted<D> {
    pub(super) const fn new(detector: D) -> Self {
        Self { detector, runs: 0 }
    }

    /// Returns the number of runs so far.
    pub(super) const fn runs(&self) -> u64 {
        self.runs
    }
}

impl<D: FaceDetector> FaceDetector for Counted<D> {
    fn detect(
        &mut self,
        image: &RgbImage,
        region: &Roi,
        averaging: Averaging,
        threshold: f32,
    ) -> Vec<Face> {
        self.runs += 1;
        self.detector.detect(image, region, averaging, threshold)
    }
}
