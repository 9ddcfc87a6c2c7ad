//! Follows one face from frame to frame: finds it on the whole frame, confirms it, then looks only
//! where it was, level and at the size the network likes best; and while it is nearly still, only
//! now and then.
//!
//! What the network says about one region is [`super::blazeface`]'s, how far a face moved without
//! being looked for [`super::motion`]'s.

use super::{
    Face, LocateError,
    blazeface::BlazeFace,
    crop::{Averaging, Roi},
    motion::MotionEstimate,
};
use image::{GrayImage, RgbImage};
use std::path::Path;

/// Score that a face on the whole frame must reach. Below 0.75 hands, pillows and logos were seen
/// to pass; it is stricter than MediaPipe's 0.5, since a false face would be followed.
const ACQUIRE_SCORE: f32 = 0.75;

/// Score that a face must reach where one is already believed to be, for confirming and following;
/// MediaPipe's min_score_thresh. Closed eyes and motion blur lower the score of true faces.
const FOLLOW_SCORE: f32 = 0.5;

/// Side of the region that is searched, in face sides. At 2.0 the face fills half of the input, as
/// in the network's training, and may move by half its size between two frames.
const REGION_PER_FACE: f32 = 2.0;

/// Largest change of a face's side between two looks, as a factor. No head comes twice as near in
/// a frame; the bound keeps garbage from blowing the region up or shrinking it to a point.
const MOST_GROWTH: f32 = 2.0;

/// Finds the eyes of one person, frame after frame.
#[derive(Debug)]
pub struct FaceTracker {
    network: BlazeFace,
    detect_every: u32,
    /// The face of the last frame, as long as it is followed.
    last: Option<Face>,
    /// What the network last saw of it.
    look: Option<Look>,
}

/// A face as the network found it.
#[derive(Debug)]
struct Look {
    face: Face,
    motion: MotionEstimate,
    /// Frames since then.
    age: u32,
}

impl FaceTracker {
    /// Loads the network; see [`super::find_face_detector`] for where it is. A face that is nearly still is
    /// looked for in one frame of `detect_every`; with 1, and 0, in all.
    ///
    /// # Errors
    /// When the file cannot be read or is not the expected one.
    pub fn open(path: &Path, detect_every: u32) -> Result<Self, LocateError> {
        Ok(Self {
            network: BlazeFace::open(path)?,
            detect_every,
            last: None,
            look: None,
        })
    }

    /// The face that is followed, or the largest new one; `None` where the picture shows none. `luma`
    /// is the picture's brightness.
    pub fn locate(&mut self, picture: &RgbImage, luma: &GrayImage) -> Option<Face> {
        if let Some(face) = self.estimated(luma) {
            self.last = Some(face);
            return Some(face);
        }
        let found = self.look(picture);
        self.look = found.filter(|_| self.detect_every > 1).map(|face| Look {
            motion: MotionEstimate::at(&face, luma),
            face,
            age: 0,
        });
        found
    }

    /// The face of the last look where it is now, while that is recent enough and a motion can tell.
    fn estimated(&mut self, luma: &GrayImage) -> Option<Face> {
        let look = self.look.as_mut()?;
        look.age += 1;
        if look.age >= self.detect_every {
            return None;
        }
        let by = look.motion.moved(luma)?;
        Some(look.face.moved(by))
    }

    /// What the network finds.
    fn look(&mut self, picture: &RgbImage) -> Option<Face> {
        let last = self.last.take();
        self.last = last
            .and_then(|last| self.retry_averaged(picture, &last))
            // Acquiring on the very frame that lost the face: a jump costs no frame.
            .or_else(|| self.acquire(picture));
        self.last
    }

    /// Forgets the face that is followed: another recording starts.
    pub fn reset(&mut self) {
        self.last = None;
        self.look = None;
    }

    /// Searches the whole frame, then its centre at a larger scale.
    fn acquire(&mut self, picture: &RgbImage) -> Option<Face> {
        for view in views(picture) {
            // Every pixel counts here: this is not done while a face is followed.
            let mut faces = self
                .network
                .detect(picture, &view, Averaging::Full, ACQUIRE_SCORE);
            // The person in front of the camera is the one to watch.
            faces.sort_by(|a, b| b.square.side.total_cmp(&a.square.side));
            for face in faces {
                // The second look, at another scale and levelled, drops what only looked like a
                // face by chance and places the eyes more exactly.
                if let Some(confirmed) = self.retry_averaged(picture, &face) {
                    return Some(confirmed);
                }
            }
        }
        None
    }

    /// The face nearest to `last`, looked for again with the noise averaged out where a first look
    /// finds none.
    fn retry_averaged(&mut self, picture: &RgbImage, last: &Face) -> Option<Face> {
        self.follow(picture, last, Averaging::Sparse)
            .or_else(|| self.follow(picture, last, Averaging::Full))
    }

    /// The face nearest to `last` in the region around it.
    fn follow(&mut self, picture: &RgbImage, last: &Face, averaging: Averaging) -> Option<Face> {
        let region = region_around(last);
        let faces = self
            .network
            .detect(picture, &region, averaging, FOLLOW_SCORE);
        let distance = |face: &Face| {
            let [x, y] = last.square.centre;
            (face.square.centre[0] - x).hypot(face.square.centre[1] - y)
        };
        faces
            .into_iter()
            .filter(|face| can_follow(face, last, picture.dimensions()))
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// The square to search for a face that was at `last`: levelled by its eyes.
pub fn region_around(last: &Face) -> Roi {
    Roi {
        side: REGION_PER_FACE * last.square.side,
        angle: last.roll(),
        ..last.square
    }
}

/// Whether `face` can be where `last` was a moment ago, in a picture of the given size.
fn can_follow(face: &Face, last: &Face, (width, height): (u32, u32)) -> bool {
    let growth = face.square.side / last.square.side;
    let [x, y] = face.square.centre;
    (1.0 / MOST_GROWTH..=MOST_GROWTH).contains(&growth)
        && (0.0..=width as f32).contains(&x)
        && (0.0..=height as f32).contains(&y)
}

/// The whole frame with bars, and the largest square at its centre. Nothing for an empty picture,
/// and only one where both are the same.
fn views(picture: &RgbImage) -> Vec<Roi> {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
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
            score: 0.9,
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
    fn the_region_is_levelled_by_the_eyes() {
        let last = face([100.0, 80.0], 100.0);
        let region = region_around(&last);
        assert_eq!((region.centre, region.side), ([100.0, 80.0], 200.0));
        let (left, right) = (
            region.from_picture(last.eyes.left),
            region.from_picture(last.eyes.right),
        );
        assert!((left[1] - right[1]).abs() < 1e-5 && left[0] > right[0]);
    }

    #[test]
    fn a_face_that_jumps_in_size_or_leaves_the_picture_is_not_followed() {
        let last = face([100.0, 80.0], 100.0);
        let size = (640, 480);
        assert!(can_follow(&face([110.0, 80.0], 120.0), &last, size));
        assert!(!can_follow(&face([110.0, 80.0], 210.0), &last, size));
        assert!(!can_follow(&face([110.0, 80.0], 45.0), &last, size));
        assert!(!can_follow(&face([-5.0, 80.0], 100.0), &last, size));
        assert!(!can_follow(&face([f32::NAN, 80.0], 100.0), &last, size));
        assert!(!can_follow(&face([100.0, 80.0], f32::NAN), &last, size));
    }

    #[test]
    fn a_square_picture_is_searched_once_and_an_empty_one_not_at_all() {
        assert_eq!(views(&RgbImage::new(64, 64)).len(), 1);
        let wide: Vec<_> = views(&RgbImage::new(64, 48))
            .iter()
            .map(|v| v.side)
            .collect();
        assert_eq!(wide, [64.0, 48.0]);
        assert!(views(&RgbImage::new(0, 48)).is_empty());
    }
}
