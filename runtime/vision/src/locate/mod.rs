//! Where the eyes are: a face detector, tracking of a face from frame to frame, and the roll-aligned region
//! of interest of each eye.
//!
//! What an eye's state is, and what a frame without a face means, is left to [`crate::classify`]
//! and [`crate::eye_monitor`].

pub mod blazeface;
mod change;
pub mod crop;
mod detector;
mod life;
mod motion;
mod people;
mod search;
mod settings;
pub mod track;
mod views;
mod watch;

pub use crop::Roi;
pub use detector::FaceDetector;
pub use people::{ChangeReason, PersonChange};
pub use settings::DetectorSettings;
pub use track::{FaceTracker, TrackedFace};
pub use views::SMALLEST_FACE;
pub use watch::{
    PixelRect, Rotation, UnknownRegion, UnknownRotation, Watch, WatchRegion, watch_area,
};

use crate::{eye_state::PerEye, installed};
use std::path::{Path, PathBuf};

/// Name of the face detector's file, below `models/face-detector/` or `share/parseye/face-detector/`.
pub const FACE_DETECTOR_FILE: &str = "face_detection_front_128x128.onnx";

/// Below this ratio of eye distance to face width the head is turned so far that an eye hides
/// behind the nose: the far eye's crop shows no eye. Frontal faces measure 0.35 to 0.5.
const PROFILE_RATIO: f32 = 0.3;

/// A face in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// The detector's confidence that this is a face, 0 to 1. Only good for thresholds: it is not a
    /// calibrated probability.
    pub confidence: f32,
    /// The face's box from forehead to chin as an upright square; its side is the larger of the
    /// box's width and height.
    pub square: Roi,
    /// Centres of the subject's left and right eye in pixels of the image. In an image that is
    /// not mirrored the subject's left eye has the larger x.
    pub eyes: PerEye<[f32; 2]>,
}

impl Face {
    /// Computes the distance between the eyes' centres in pixels.
    pub fn eye_distance(&self) -> f32 {
        let [x, y] = self.eye_line();
        x.hypot(y)
    }

    /// Computes the tilt of the line from the subject's right eye to the left one, in radians, clockwise as
    /// seen on screen; 0 for a level head.
    pub fn roll(&self) -> f32 {
        let [x, y] = self.eye_line();
        y.atan2(x)
    }

    /// Computes the distance between the eyes as a share of the face's side: 0.35 to 0.5 for a face that looks at the
    /// camera, less the further it is turned.
    pub fn frontality(&self) -> f32 {
        self.eye_distance() / self.square.side
    }

    /// Computes how far above the middle of the face the eyes lie, towards the top of the head, as a share of the face's
    /// side: the less the further the head is lowered.
    pub fn eye_height(&self) -> f32 {
        let PerEye { left, right } = self.eyes;
        let middle = [(left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0];
        let (sin, cos) = self.roll().sin_cos();
        let [x, y] = self.square.centre;
        (cos * (y - middle[1]) - sin * (x - middle[0])) / self.square.side
    }

    /// Tells whether the head is turned too far to classify both eyes.
    pub fn is_profile(&self) -> bool {
        self.frontality() < PROFILE_RATIO
    }

    /// Places a roll-aligned square around each eye; its side is `eye_distances_per_side` times the eye
    /// distance. The distance is taken as at least that of a profile, so that no square shrinks
    /// to a point when the eyes fall together.
    pub fn eye_rois(&self, eye_distances_per_side: f32) -> PerEye<Roi> {
        let distance = self.eye_distance().max(PROFILE_RATIO * self.square.side);
        let angle = self.roll();
        PerEye::from_fn(|eye| Roi {
            centre: *self.eyes.get(eye),
            side: eye_distances_per_side * distance,
            angle,
        })
    }

    /// Exchanges the eyes: the image is mirrored, and what seems to be the left eye is the right one.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self {
            eyes: self.eyes.swapped(),
            ..self
        }
    }

    /// Moves the face by this many pixels to the right and down.
    pub fn moved(&self, [right, down]: [f32; 2]) -> Self {
        let by = |[x, y]: [f32; 2]| [x + right, y + down];
        Self {
            square: Roi {
                centre: by(self.square.centre),
                ..self.square
            },
            eyes: PerEye {
                left: by(self.eyes.left),
                right: by(self.eyes.right),
            },
            ..*self
        }
    }

    fn eye_line(&self) -> [f32; 2] {
        let PerEye { left, right } = self.eyes;
        [left[0] - right[0], left[1] - right[1]]
    }
}

/// Why the face detector cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// Its file is in none of the usual places.
    #[error("no face detector ({FACE_DETECTOR_FILE}); searched {}; run `make models`, or give its path", list(.searched))]
    Missing {
        /// Every path that was tried, in order.
        searched: Vec<PathBuf>,
    },
    /// Its file cannot be read.
    #[error(
        "{path}: the face detector cannot be read: {reason}; check the path and its permissions, or run `make models`"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file holds something else.
    #[error(
        "{path}: not the face detector (its sha256 is {found}, expected {}); delete it and run `make models`",
        blazeface::SHA256
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Its own hash.
        found: String,
    },
    /// The network cannot be set up: a defect of the program, since the file is the right one.
    #[error("the face detector cannot be set up: {reason}; please report this")]
    Failed {
        /// What is wrong with it.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}

/// Finds the face detector's file: `explicit` where given, else the first that exists of
/// `models/face-detector/` below the current folder, `../share/parseye/face-detector/` beside the program,
/// and `models/face-detector/` of the workspace whose `target/` holds the program. In each place the
/// folder's earlier name, `locator`, is tried next.
///
/// # Errors
/// [`LocateError::Missing`] with every path that was tried.
pub fn find_face_detector(explicit: Option<&Path>) -> Result<PathBuf, LocateError> {
    let candidates = match explicit {
        Some(path) => vec![path.to_path_buf()],
        // Without the program's own path (a deleted executable, say) the rest still counts.
        None => candidates(std::env::current_exe().ok().as_deref()),
    };
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(LocateError::Missing {
            searched: candidates,
        }),
    }
}

/// The detector's folder, and its name of earlier versions.
const FOLDERS: [&str; 2] = ["face-detector", "locator"];

fn candidates(program: Option<&Path>) -> Vec<PathBuf> {
    let share = program.and_then(installed::share_of);
    let target = program
        .and_then(Path::parent)
        .and_then(|folder| folder.ancestors().find(|folder| folder.ends_with("target")));
    let workspace = target.and_then(Path::parent);
    let parents = [
        Some(PathBuf::from("models")),
        share,
        workspace.map(|workspace| workspace.join("models")),
    ];
    let parents = parents.into_iter().flatten();
    parents
        .flat_map(|parent| FOLDERS.map(|folder| parent.join(folder).join(FACE_DETECTOR_FILE)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn face(left: [f32; 2], right: [f32; 2], side: f32) -> Face {
        Face {
            confidence: 0.9,
            square: Roi {
                centre: [(left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0],
                side,
                angle: 0.0,
            },
            eyes: PerEye { left, right },
        }
    }

    #[test]
    fn a_level_unmirrored_face_has_no_roll() {
        let face = face([140.0, 100.0], [100.0, 100.0], 100.0);
        assert_eq!(face.roll(), 0.0);
        assert_eq!(face.eye_distance(), 40.0);
        assert!(!face.is_profile());
    }

    #[test]
    fn a_narrow_eye_distance_is_a_profile_whose_rois_stay_usable() {
        let face = face([105.0, 100.0], [100.0, 100.0], 100.0);
        assert!(face.is_profile());
        assert!((face.eye_rois(1.0).left.side - 30.0).abs() < 1e-3);
    }

    #[test]
    fn the_search_names_every_place() {
        let file = |folder: &str| Path::new(folder).join(FACE_DETECTOR_FILE);
        let paths = candidates(Some(Path::new("/opt/parseye/bin/parseye")));
        assert_eq!(
            paths,
            [
                file("models/face-detector"),
                file("models/locator"),
                file("/opt/parseye/share/parseye/face-detector"),
                file("/opt/parseye/share/parseye/locator"),
            ]
        );
        let built = candidates(Some(Path::new("/home/me/parseye/target/release/parseye")));
        assert!(built.contains(&file("/home/me/parseye/models/face-detector")));
    }

    #[test]
    fn a_missing_detector_says_where_and_what_to_do() {
        let error = find_face_detector(Some(Path::new("/nowhere/at.onnx"))).unwrap_err();
        let line = error.to_string();
        assert!(
            line.contains("/nowhere/at.onnx") && line.contains("make models"),
            "{line}"
        );
        assert!(!line.contains('\n'));
    }

    proptest! {
        #[test]
        fn eye_rois_are_centred_and_roll_aligned(
            x in 0.0_f32..1000.0, y in 0.0_f32..1000.0, distance in 10.0_f32..200.0,
            roll in -3.0_f32..3.0, factor in 0.5_f32..1.5,
        ) {
            let left = [x + distance * roll.cos(), y + distance * roll.sin()];
            let face = face(left, [x, y], distance * 2.0);
            let rois = face.eye_rois(factor);
            prop_assert!((rois.left.side - factor * distance).abs() < 0.01 * distance);
            // Seen from the right eye's region, the left eye lies exactly to the right.
            let other = rois.right.from_image(left);
            prop_assert!((other[0] - 0.5 - 1.0 / factor).abs() < 0.01, "{:?}", other);
            prop_assert!((other[1] - 0.5).abs() < 0.01, "{:?}", other);
        }
    }
}
