//! The event of a frame: its face and what was predicted of each eye.

use crate::rounding::{millionths, seconds, thousandths};
use parseye_vision::{
    evaluate::manifest::Gaze,
    eye_state::{Eye, EyeState, PerEye},
    lids::Lids,
    locate::{Face, crop::Roi},
    reading::{EyeReading, FrameReading, Unseen},
    selfcheck::HeadroomState,
};
use serde::{Deserialize, Serialize};

/// One frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EyesEvent {
    /// Source.
    pub clip: String,
    /// Seconds since the source's first frame, or since the camera was opened.
    pub time: f64,
    /// Frame number from 0.
    pub frame: u64,
    /// The face, where one was found.
    pub face: Option<FaceRecord>,
    /// The subject's left eye.
    pub left: EyeRecord,
    /// The subject's right eye.
    pub right: EyeRecord,
    /// Present, and true, where both eyes' lids are shut but may be those of somebody who looks down: closures and alerts
    /// wait for at most a second.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
    /// Frame age: milliseconds from capture to prediction, in a monitor's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<f64>,
    /// Wall clock in seconds since 1970, in a monitor's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_time: Option<f64>,
}

/// A face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceRecord {
    /// The face detector's confidence, 0 to 1, not a calibrated probability.
    pub score: f64,
    /// Square around it.
    #[serde(rename = "box")]
    pub square: BoxRecord,
    /// Centres of the eyes in pixels, `[x, y]`.
    pub eyes: PerEye<[f64; 2]>,
}

/// One eye.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EyeRecord {
    /// The most likely state, `not_visible` where nothing was measured.
    pub state: EyeState,
    /// Probability of each state; null where nothing was measured.
    pub probabilities: Option<Probabilities>,
    /// The largest of them; null where nothing was measured.
    pub confidence: Option<f64>,
    /// Where the crop was cut; null where none was.
    #[serde(rename = "box")]
    pub square: Option<BoxRecord>,
    /// How far the prediction can be trusted, in a monitor's log: `ok`, `low`, `exhausted`; absent where
    /// it is not known. Schema 1 said `thin` and `none` for the last two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<HeadroomState>,
    /// Why nothing was measured; absent where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Unseen>,
    /// How far the lids are apart, where the model says it.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub lids: Option<LidsRecord>,
}

/// How far the lids are apart and where the eye looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LidsRecord {
    /// Openness, from 0, shut, to 1, as far apart as the person's usually are.
    pub openness: f64,
    /// By how much the openness is off on average, by the model's own word.
    pub openness_error: f64,
    /// Probability that the eye looks down with its lids apart.
    pub looking_down: f64,
    /// `down` where that is more likely than not and the eye neither closed nor hidden; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaze: Option<Gaze>,
}

impl LidsRecord {
    fn of(reading: &EyeReading) -> Option<Self> {
        let lids = reading.lids()?;
        Some(Self {
            openness: millionths(lids.openness.into()),
            openness_error: millionths(lids.openness_error.into()),
            looking_down: millionths(lids.looking_down.into()),
            gaze: (reading.looks_down() == Some(true)).then_some(Gaze::Down),
        })
    }

    /// The lids that it was made of.
    pub const fn lids(&self) -> Lids {
        Lids {
            openness: self.openness as f32,
            openness_error: self.openness_error as f32,
            looking_down: self.looking_down as f32,
        }
    }
}

/// Probability of each state, 0 to 1, summing to 1; states that an adopted model has no output for are absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    /// Open.
    pub open: f64,
    /// Partially open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partially_open: Option<f64>,
    /// Closed.
    pub closed: f64,
    /// Not visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_visible: Option<f64>,
}

/// A square in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxRecord {
    /// Centre, pixels from the left edge.
    pub x: f64,
    /// Centre, pixels from the upper edge.
    pub y: f64,
    /// Side in pixels.
    pub side: f64,
    /// Rotation in degrees, clockwise as seen on screen.
    pub angle: f64,
}

impl EyesEvent {
    /// Makes the event of a reading.
    pub fn new(clip: &str, reading: &FrameReading, unix_time: Option<f64>) -> Self {
        Self {
            clip: clip.into(),
            time: seconds(reading.time),
            frame: reading.frame,
            face: reading.face.as_ref().map(FaceRecord::from),
            left: EyeRecord::from(&reading.eyes.left),
            right: EyeRecord::from(&reading.eyes.right),
            uncertain: false,
            age_ms: None,
            unix_time,
        }
    }

    /// Borrows the record of one eye.
    pub const fn eye(&self, eye: Eye) -> &EyeRecord {
        match eye {
            Eye::Left => &self.left,
            Eye::Right => &self.right,
        }
    }
}

impl Probabilities {
    /// Returns the probability of a state; `None` where the model has no output for it.
    pub const fn of(&self, state: EyeState) -> Option<f64> {
        match state {
            EyeState::Open => Some(self.open),
            EyeState::PartiallyOpen => self.partially_open,
            EyeState::Closed => Some(self.closed),
            EyeState::NotVisible => self.not_visible,
        }
    }
}

impl From<&Face> for FaceRecord {
    fn from(face: &Face) -> Self {
        let centre = |point: &[f32; 2]| point.map(|value| thousandths(value.into()));
        Self {
            score: millionths(face.confidence.into()),
            square: BoxRecord::from(&face.square),
            eyes: PerEye::from_fn(|eye| centre(face.eyes.get(eye))),
        }
    }
}

impl From<&EyeReading> for EyeRecord {
    fn from(reading: &EyeReading) -> Self {
        let (probabilities, square, reason) = match reading {
            EyeReading::Measured {
                probabilities,
                square,
                ..
            } => {
                let of = |state: EyeState| millionths(probabilities[state.index()].into());
                let said = |state| reading.probability(state).map(|_| of(state));
                let named = Probabilities {
                    open: of(EyeState::Open),
                    partially_open: said(EyeState::PartiallyOpen),
                    closed: of(EyeState::Closed),
                    not_visible: said(EyeState::NotVisible),
                };
                (Some(named), Some(BoxRecord::from(square)), None)
            }
            EyeReading::Unmeasured(reason) => (None, None, Some(*reason)),
        };
        Self {
            state: reading.state(),
            probabilities,
            confidence: reading.confidence().map(|value| millionths(value.into())),
            square,
            trust: None,
            reason,
            lids: LidsRecord::of(reading),
        }
    }
}

impl From<&Roi> for BoxRecord {
    fn from(square: &Roi) -> Self {
        Self {
            x: thousandths(square.centre[0].into()),
            y: thousandths(square.centre[1].into()),
            side: thousandths(square.side.into()),
            angle: thousandths(square.angle.to_degrees().into()),
        }
    }
}
