//! Tracks one face from frame to frame: acquires it on the whole frame, confirms it, then searches only the
//! region around its last position, roll-aligned and at the size that suits the network best; and while it
//! is nearly still, only in some frames.
//!
//! Detection on one region is left to [`super::blazeface`], the motion between two detections to
//! `motion.rs`.

use super::{
    Face, LocateError,
    blazeface::BlazeFace,
    crop::{Averaging, Roi},
    motion::MotionEstimate,
};
use image::{GrayImage, RgbImage};
use std::path::Path;

/// Confidence that a face on the whole frame must reach. Below 0.75 hands, pillows and logos were seen
/// to pass; it is stricter than MediaPipe's 0.5, since a false face would be tracked.
const ACQUIRE_CONFIDENCE: f32 = 0.75;

/// Confidence that a face must reach where one is expected, for confirming and tracking; MediaPipe's
/// min_score_thresh. Closed eyes and motion blur lower the confidence of true faces.
const TRACK_CONFIDENCE: f32 = 0.5;

/// Side of the region that is searched, in face sides. At 2.0 the face fills half of the input, as
/// in the network's training, and may move by half its size between two frames.
const REGION_PER_FACE: f32 = 2.0;

/// Largest change of a face's side between two detections, as a factor. No head comes twice as near in
/// a frame; the bound keeps garbage from blowing the region up or shrinking it to a point.
const MAX_GROWTH: f32 = 2.0;

/// Finds the face and the eyes of one person, frame after frame.
#[derive(Debug)]
pub struct FaceTracker {
    network: BlazeFace,
    detect_every: u32,
    /// The face of the last frame, while it is tracked.
    last: Option<Face>,
    /// The last detection of it, where motion may be estimated from that.
    detection: Option<Detection>,
}

/// A face as the network detected it.
#[derive(Debug)]
struct Detection {
    face: Face,
    motion: MotionEstimate,
    /// Frames since then.
    age: u32,
}

impl FaceTracker {
    /// Loads the network; see [`super::find_face_detector`] for where it is. While a face is nearly still the
    /// network runs in one frame of `detect_every`; with 1, and 0, in all.
    ///
    /// # Errors
    /// When the file cannot be read or is not the expected one.
    pub fn open(path: &Path, detect_every: u32) -> Result<Self, LocateError> {
        Ok(Self {
            network: BlazeFace::open(path)?,
            detect_every,
            last: None,
            detection: None,
        })
    }

    /// Finds the face that is tracked, or the largest new one, in the next frame; `None` where it shows none.
    /// `luma` is the luma of `rgb`.
    pub fn track(&mut self, rgb: &RgbImage, luma: &GrayImage) -> Option<Face> {
        if let Some(face) = self.estimated(luma) {
            self.last = Some(face);
            return Some(face);
        }
        let found = self.detect(rgb);
        let detected = found.filter(|_| self.detect_every > 1);
        self.detection = detected.map(|face| Detection {
            motion: MotionEstimate::at(&face, luma),
            face,
            age: 0,
        });
        found
    }

    /// Moves the last detection to where it is now, while that is recent enough and its motion can be estimated.
    fn estimated(&mut self, luma: &GrayImage) -> Option<Face> {
        let detection = self.detection.as_mut()?;
        detection.age += 1;
        if detection.age >= self.detect_every {
            return None;
        }
        let shift = detection.motion.shift(luma)?;
        Some(detection.face.moved(shift))
    }

    /// Runs the network around the last face, or on the whole frame.
    fn detect(&mut self, rgb: &RgbImage) -> Option<Face> {
        let last = self.last.take();
        self.last = last
            .and_then(|last| self.confirm(rgb, &last))
            // Acquiring on the very frame that lost the face: a jump costs no frame.
            .or_else(|| self.acquire(rgb));
        self.last
    }

    /// Forgets the face that is tracked: another recording starts.
    pub fn reset(&mut self) {
        self.last = None;
        self.detection = None;
    }

    /// Searches the whole frame, then its centre at a larger scale.
    fn acquire(&mut self, rgb: &RgbImage) -> Option<Face> {
        for view in views(rgb) {
            // All pixels are averaged here: this is not done while a face is tracked.
            let mut faces = self
                .network
                .detect(rgb, &view, Averaging::Full, ACQUIRE_CONFIDENCE);
            // The person in front of the camera is the one to monitor.
            faces.sort_by(|a, b| b.square.side.total_cmp(&a.square.side));
            for face in faces {
                // A second detection, at another scale and roll-aligned, drops what resembled a
                // face by chance and places the eyes more exactly.
                if let Some(confirmed) = self.confirm(rgb, &face) {
                    return Some(confirmed);
                }
            }
        }
        None
    }

    /// Detects the face nearest to `last`; where there is none, retries on the area-averaged region, which
    /// has less noise.
    fn confirm(&mut self, rgb: &RgbImage, last: &Face) -> Option<Face> {
        self.detect_near(rgb, last, Averaging::Sparse)
            .or_else(|| self.detect_near(rgb, last, Averaging::Full))
    }

    /// Detects the face nearest to `last` in the region around it.
    fn detect_near(&mut self, rgb: &RgbImage, last: &Face, averaging: Averaging) -> Option<Face> {
        let region = region_around(last);
        let faces = self
            .network
            .detect(rgb, &region, averaging, TRACK_CONFIDENCE);
        let distance = |face: &Face| {
            let [x, y] = last.square.centre;
            (face.square.centre[0] - x).hypot(face.square.centre[1] - y)
        };
        faces
            .into_iter()
            .filter(|face| is_plausible_successor(face, last, rgb.dimensions()))
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// Places the region to search for a face that was at `last`, roll-aligned by its eyes.
pub fn region_around(last: &Face) -> Roi {
    Roi {
        side: REGION_PER_FACE * last.square.side,
        angle: last.roll(),
        ..last.square
    }
}

/// Whether `face` can be where `last` was one frame ago, in an image of the given size.
fn is_plausible_successor(face: &Face, last: &Face, (width, height): (u32, u32)) -> bool {
    let growth = face.square.side / last.square.side;
    let [x, y] = face.square.centre;
    (1.0 / MAX_GROWTH..=MAX_GROWTH).contains(&growth)
        && (0.0..=width as f32).contains(&x)
        && (0.0..=height as f32).contains(&y)
}

/// The whole frame with bars, and the largest square at its centre. Nothing for an empty image,
/// and only one where both are the same.
fn views(rgb: &RgbImage) -> Vec<Roi> {
    let (width, height) = (rgb.width() as f32, rgb.height() as f32);
    let mut sides = vec![width.max(height), width.min(height)];
    sides.dedup();
    sides.retain(|_| width.min(height) > 0.0);
    sides
        .into_iter()
        .map(|side| Roi {
            centre: [width / 2.0, height / 2.0],
            side,
            angle: 0.0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eye_state::PerEye;

    fn face(centre: [f32; 2], side: f32) -> Face {
        Face {
            confidence: 0.9,
            square: Roi {
                centre,
                side,
                angle: 0.0,
            },
            eyes: PerEye {
                left: [centre[0] + 20.0, centre[1] + 20.0],
                right: [centre[0] - 20.0, centre[1] - 20.0],
            },
        }
    }

    #[test]
    fn the_region_is_roll_aligned_by_the_eyes() {
        let last = face([100.0, 80.0], 100.0);
        let region = region_around(&last);
        assert_eq!((region.centre, region.side), ([100.0, 80.0], 200.0));
        let (left, right) = (
            region.from_image(last.eyes.left),
            region.from_image(last.eyes.right),
        );
        assert!((left[1] - right[1]).abs() < 1e-5 && left[0] > right[0]);
    }

    #[test]
    fn a_face_that_jumps_in_size_or_leaves_the_image_is_not_tracked() {
        let last = face([100.0, 80.0], 100.0);
        let size = (640, 480);
        assert!(is_plausible_successor(
            &face([110.0, 80.0], 120.0),
            &last,
            size
        ));
        assert!(!is_plausible_successor(
            &face([110.0, 80.0], 210.0),
            &last,
            size
        ));
        assert!(!is_plausible_successor(
            &face([110.0, 80.0], 45.0),
            &last,
            size
        ));
        assert!(!is_plausible_successor(
            &face([-5.0, 80.0], 100.0),
            &last,
            size
        ));
        assert!(!is_plausible_successor(
            &face([f32::NAN, 80.0], 100.0),
            &last,
            size
        ));
        assert!(!is_plausible_successor(
            &face([100.0, 80.0], f32::NAN),
            &last,
            size
        ));
    }

    #[test]
    fn a_square_image_is_searched_once_and_an_empty_one_not_at_all() {
        assert_eq!(views(&RgbImage::new(64, 64)).len(), 1);
        let wide: Vec<_> = views(&RgbImage::new(64, 48))
            .iter()
            .map(|v| v.side)
            .collect();
        assert_eq!(wide, [64.0, 48.0]);
        assert!(views(&RgbImage::new(0, 48)).is_empty());
    }
}
