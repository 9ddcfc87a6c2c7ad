//! Who is to be watched, and how the camera stands: the rule among several faces, the region in which faces
//! count, the turn and the mirroring of the picture.
//!
//! How the rule is applied over time is left to [`super::people`].

use super::Face;
use crate::names::{self, UnknownName};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{f32::consts::FRAC_PI_2, fmt, str::FromStr};
use strum::{Display, IntoStaticStr, VariantArray};

/// Which of several faces is watched.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Watch {
    /// The largest, which is the nearest.
    #[default]
    Largest,
    /// The one nearest to the centre of the picture, or of the region where one is given.
    Centre,
    /// The one furthest to the left of the picture.
    Left,
    /// The one furthest to the right of the picture.
    Right,
}

impl FromStr for Watch {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        names::parse("rule of whom to watch", name)
    }
}

/// An upright rectangle of the picture in which faces count: as shares of its width and height where no number
/// exceeds 1, else in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchRegion {
    /// Left edge.
    x: f32,
    /// Upper edge.
    y: f32,
    width: f32,
    height: f32,
}

/// A text that describes no [`WatchRegion`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown region '{0}'; give X,Y,WIDTH,HEIGHT as shares of the picture from 0 to 1, such as 0.5,0,0.5,1 for its right half, or in pixels, such as 320,0,320,480"
)]
pub struct UnknownRegion(String);

/// A rectangle of an image in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelRect {
    /// Upper left corner.
    pub from: [f32; 2],
    /// Lower right corner.
    pub to: [f32; 2],
}

impl PixelRect {
    /// The whole of an image of this size.
    pub fn whole(size: [f32; 2]) -> Self {
        Self {
            from: [0.0; 2],
            to: size,
        }
    }

    /// Tells whether a point lies in it.
    pub fn contains(&self, point: [f32; 2]) -> bool {
        [0, 1]
            .iter()
            .all(|axis| (self.from[*axis]..=self.to[*axis]).contains(&point[*axis]))
    }

    /// Computes its centre.
    pub fn centre(&self) -> [f32; 2] {
        [0, 1].map(|axis| (self.from[axis] + self.to[axis]) / 2.0)
    }

    /// Computes its width and height.
    pub fn size(&self) -> [f32; 2] {
        [0, 1].map(|axis| self.to[axis] - self.from[axis])
    }

    /// Tells whether no point lies in it.
    pub fn is_empty(&self) -> bool {
        !self.size().iter().all(|side| *side > 0.0)
    }
}

impl WatchRegion {
    /// Returns the part of an image of this size that the region covers, in pixels; empty where the region lies
    /// outside of it.
    pub fn in_image(&self, size: [f32; 2]) -> PixelRect {
        let numbers = [self.x, self.y, self.width, self.height];
        let scale = match numbers.iter().all(|number| *number <= 1.0) {
            true => size,
            false => [1.0; 2],
        };
        let corner = [self.x * scale[0], self.y * scale[1]];
        let far = [
            (self.x + self.width) * scale[0],
            (self.y + self.height) * scale[1],
        ];
        PixelRect {
            from: corner,
            to: [0, 1].map(|axis| far[axis].min(size[axis])),
        }
    }
}

/// Returns where faces count in an image of this size: all of it without a region.
pub fn watch_area(region: Option<&WatchRegion>, size: [f32; 2]) -> PixelRect {
    region.map_or_else(|| PixelRect::whole(size), |region| region.in_image(size))
}

impl FromStr for WatchRegion {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let unknown = || UnknownRegion(text.into());
        let numbers: Result<Vec<f32>, _> = text
            .split(',')
            .map(|number| number.trim().parse::<f32>())
            .collect();
        let numbers = numbers.map_err(|_| unknown())?;
        let [x, y, width, height] = <[f32; 4]>::try_from(numbers).map_err(|_| unknown())?;
        let finite = [x, y, width, height].iter().all(|v| v.is_finite());
        let placed = x >= 0.0 && y >= 0.0 && width > 0.0 && height > 0.0;
        let shares = [x, y, width, height].iter().all(|v| *v <= 1.0);
        // A share that begins at the far edge has nothing of the picture.
        let inside = !shares || (x < 1.0 && y < 1.0);
        if finite && placed && inside {
            Ok(Self {
                x,
                y,
                width,
                height,
            })
        } else {
            Err(unknown())
        }
    }
}

impl fmt::Display for WatchRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.x, self.y, self.width, self.height)
    }
}

impl Serialize for WatchRegion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WatchRegion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// How heads stand in the picture: by how many degrees it must be turned clockwise to be upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Any turn is looked for.
    #[default]
    Auto,
    /// A number of quarter turns, 0 to 3.
    Quarters(u8),
}

/// A text that names no [`Rotation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown rotation '{0}'; give the degrees by which the picture must be turned clockwise to be upright (0, 90, 180, 270), or auto"
)]
pub struct UnknownRotation(String);

impl Rotation {
    /// Returns the angles in radians, clockwise as seen on screen, of the squares in which heads are upright. The
    /// detector finds heads that are rolled by a quarter turn either way, so two opposite ones are enough for all
    /// but the smallest.
    pub fn angles(self) -> Vec<f32> {
        match self {
            Self::Auto => vec![0.0, 2.0 * FRAC_PI_2],
            Self::Quarters(_) => vec![self.upright()],
        }
    }

    /// Returns the same for the smallest heads, which are found only about as upright as they stand.
    pub fn all_angles(self) -> Vec<f32> {
        match self {
            Self::Auto => [0.0, 2.0, 1.0, -1.0].map(|turns| turns * FRAC_PI_2).into(),
            Self::Quarters(_) => self.angles(),
        }
    }

    /// Returns the angle of the square that shows the picture upright, 0 where that is not known.
    pub fn upright(self) -> f32 {
        match self {
            Self::Auto => 0.0,
            Self::Quarters(turns) => -f32::from(turns) * FRAC_PI_2,
        }
    }
}

impl FromStr for Rotation {
    type Err = UnknownRotation;

    fn from_str(text: &str) -> Result<Self, UnknownRotation> {
        match text {
            "auto" => Ok(Self::Auto),
            "0" => Ok(Self::Quarters(0)),
            "90" => Ok(Self::Quarters(1)),
            "180" => Ok(Self::Quarters(2)),
            "270" => Ok(Self::Quarters(3)),
            _ => Err(UnknownRotation(text.into())),
        }
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Quarters(turns) => write!(f, "{}", u32::from(*turns) * 90),
        }
    }
}

impl Serialize for Rotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rotation {
    /// Reads a number as well: the environment and a settings file may hold 90 as one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(degrees) => degrees.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// Whom to watch in an image of one size: the rule, applied to the places and sizes of faces.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchRule {
    watch: Watch,
    area: PixelRect,
    /// Direction in the image that is to the right in the upright picture.
    right: [f32; 2],
    /// Size factor from which one face is larger than another.
    larger_by: f32,
}

/// Share of the area's width by which one face must be nearer to where the rule wants it, so that two who sit
/// one behind the other do not take turns.
const NEARER_BY: f32 = 0.1;

impl WatchRule {
    /// Creates the rule for the faces in an area of an image whose upright square has the angle `upright`.
    pub(super) fn new(watch: Watch, area: PixelRect, upright: f32, larger_by: f32) -> Self {
        let (sin, cos) = upright.sin_cos();
        Self {
            watch,
            area,
            right: [cos, sin],
            larger_by,
        }
    }

    /// Whether a face counts at all.
    pub(super) fn counts(&self, face: &Face) -> bool {
        self.area.contains(face.square.centre)
    }

    /// Rank of a face: the greatest is watched.
    pub(super) fn rank(&self, face: &Face) -> f32 {
        let [x, y] = face.square.centre;
        let along = x * self.right[0] + y * self.right[1];
        let [middle_x, middle_y] = self.area.centre();
        match self.watch {
            Watch::Largest => face.square.side,
            Watch::Centre => -(x - middle_x).hypot(y - middle_y),
            Watch::Left => -along,
            Watch::Right => along,
        }
    }

    /// Whether the first of two faces is to be watched rather than the second by more than what changes from
    /// frame to frame.
    pub(super) fn is_clearly_better(&self, face: &Face, than: &Face) -> bool {
        let (rank, other) = (self.rank(face), self.rank(than));
        match self.watch {
            Watch::Largest => rank > self.larger_by * other,
            Watch::Centre | Watch::Left | Watch::Right => {
                let [width, height] = self.area.size();
                rank > other + NEARER_BY * width.max(height)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eye_state::PerEye, locate::Roi};

    fn face(x: f32, y: f32, side: f32) -> Face {
        Face {
            confidence: 0.9,
            square: Roi {
                centre: [x, y],
                side,
                angle: 0.0,
            },
            eyes: PerEye {
                left: [x + side / 5.0, y],
                right: [x - side / 5.0, y],
            },
        }
    }

    #[test]
    fn a_region_is_shares_up_to_1_and_pixels_beyond() {
        let size = [640.0, 480.0];
        let area = |text: &str| text.parse::<WatchRegion>().unwrap().in_image(size);
        let right = PixelRect {
            from: [320.0, 0.0],
            to: [640.0, 480.0],
        };
        assert_eq!(area("0.5,0,0.5,1"), right);
        assert_eq!(area("320, 0, 320, 480"), right);
        assert_eq!(area("320,0,9999,9999"), right, "what is outside is cut off");
        assert!(area("700,0,100,100").is_empty());
        assert_eq!(
            "0.5,0,0.5,1".parse::<WatchRegion>().unwrap().to_string(),
            "0.5,0,0.5,1"
        );
    }

    #[test]
    fn a_region_that_means_nothing_is_explained() {
        for text in [
            "",
            "1,2,3",
            "a,b,c,d",
            "0,0,0,1",
            "-1,0,5,5",
            "1,0,1,1",
            "0,0,nan,1",
        ] {
            let reason = text.parse::<WatchRegion>().unwrap_err().to_string();
            assert!(reason.contains("X,Y,WIDTH,HEIGHT"), "{text}: {reason}");
        }
    }

    #[test]
    fn rotations_are_degrees_or_auto() {
        for (text, angle) in [("0", 0.0), ("90", -FRAC_PI_2), ("270", -3.0 * FRAC_PI_2)] {
            let rotation: Rotation = text.parse().unwrap();
            assert_eq!(rotation.to_string(), text);
            assert_eq!(rotation.angles(), [angle]);
            let number: Rotation = serde_json::from_str(text).unwrap();
            assert_eq!(number, rotation, "a number is read as well");
        }
        assert_eq!("auto".parse(), Ok(Rotation::default()));
        assert!("45".parse::<Rotation>().is_err());
        assert!(serde_json::from_str::<Rotation>("360").is_err());
    }

    #[test]
    fn each_rule_has_its_own_best_face() {
        let area = PixelRect::whole([640.0, 480.0]);
        let faces = [
            face(100.0, 200.0, 60.0),
            face(330.0, 240.0, 80.0),
            face(560.0, 200.0, 120.0),
        ];
        for (watch, best) in [
            (Watch::Largest, 2),
            (Watch::Centre, 1),
            (Watch::Left, 0),
            (Watch::Right, 2),
        ] {
            let rule = WatchRule::new(watch, area, 0.0, 1.3);
            for (index, other) in faces.iter().enumerate() {
                let better = rule.is_clearly_better(&faces[best], other);
                assert_eq!(better, index != best, "{watch} {index}");
            }
        }
    }

    #[test]
    fn left_is_that_of_the_upright_picture() {
        let area = PixelRect::whole([480.0, 640.0]);
        let upright = Rotation::Quarters(1).upright();
        // Turned clockwise by 90 degrees, the lower end of the picture is at the left.
        let (low, high) = (face(240.0, 500.0, 80.0), face(240.0, 100.0, 80.0));
        let rule = WatchRule::new(Watch::Left, area, upright, 1.3);
        assert!(rule.is_clearly_better(&low, &high));
        assert!(!rule.is_clearly_better(&high, &low));
    }

    #[test]
    fn a_face_a_little_larger_is_not_clearly_better() {
        let rule = WatchRule::new(Watch::Largest, PixelRect::whole([640.0, 480.0]), 0.0, 1.3);
        let (one, other) = (face(100.0, 100.0, 100.0), face(500.0, 100.0, 125.0));
        assert!(!rule.is_clearly_better(&other, &one));
        assert!(!rule.is_clearly_better(&one, &other));
    }
}
