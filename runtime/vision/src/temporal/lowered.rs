//! Whether somebody looks down or has lowered the head, so that shut lids may be those of a reader: the lids that follow
//! an eye down hide it as sleep does.
//!
//! How far a head is lowered is told by where the eyes lie in the face, against where this person's usually do. What
//! follows from it for closures is left to [`super::closure`].

use super::TemporalSettings;
use crate::{eye_state::PerEye, locate::Face, reading::EyeReading, seconds};
use std::time::Duration;

/// Time over which the usual place of the eyes in the face is averaged, and time of it that must be known.
const USUAL_OVER: Duration = Duration::from_secs(20);
const KNOWN_AFTER: Duration = Duration::from_secs(2);

/// How much lower than usual the eyes of a lowered head lie, as a share of the face's side. On two clips of people who
/// look at a table and up again they lie at .26 to .30 of it above its middle, and at .20 to .23 with the head lowered;
/// from frame to frame the detector differs by .015.
const LOWERED_BY: f32 = 0.035;

/// Openness above which an eye is taken to be awake.
const AWAKE_ABOVE: f32 = 0.6;

/// Follows one person's head and gaze.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    looking_down_above: f32,
    looked_down_for: Duration,
    /// Mean height of the eyes in the face, and how long it has been known.
    usual: Option<(f32, Duration)>,
    /// Time of the last reading with an awake face.
    last: Option<Duration>,
    /// When an eye last looked down.
    looked_down: Option<Duration>,
}

impl Lowered {
    /// Starts with nothing known.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            looking_down_above: settings.maybe_down_above as f32,
            looked_down_for: seconds::duration(settings.maybe_down_s),
            usual: None,
            last: None,
            looked_down: None,
        }
    }

    /// Takes the eyes of a frame, and the face where it is known. Returns whether lids that are shut in it may be those
    /// of somebody who looks down; never with a model that has no output for the lids.
    pub(super) fn update(
        &mut self,
        time: Duration,
        eyes: &PerEye<EyeReading>,
        face: Option<&Face>,
    ) -> bool {
        let lids = || [eyes.left.lids(), eyes.right.lids()].into_iter().flatten();
        if lids().next().is_none() {
            self.last = None;
            return false;
        }
        let down = lids().any(|lids| lids.looking_down > self.looking_down_above);
        if down {
            self.looked_down = Some(time);
        }
        let height = face.map(Face::eye_height);
        let lowered = match (height, self.usual) {
            (Some(height), Some((usual, known))) => {
                known >= KNOWN_AFTER && height < usual - LOWERED_BY
            }
            _ => false,
        };
        let awake = lids().all(|lids| lids.openness > AWAKE_ABOVE);
        match height.filter(|_| awake && !down && !lowered) {
            Some(height) => self.learn(time, height),
            None => self.last = None,
        }
        let since = self.looked_down.map(|at| time.saturating_sub(at));
        lowered || since.is_some_and(|since| since <= self.looked_down_for)
    }

    /// Takes the height of awake eyes: the mean over the first seconds, then one that forgets.
    fn learn(&mut self, time: Duration, height: f32) {
        let step = self
            .last
            .replace(time)
            .map_or(Duration::ZERO, |last| time.saturating_sub(last));
        self.usual = Some(match self.usual {
            None => (height, Duration::ZERO),
            Some((usual, known)) => {
                let known = (known + step).min(USUAL_OVER);
                let share = step.as_secs_f32() / known.as_secs_f32().max(f32::EPSILON);
                (usual + share.min(1.0) * (height - usual), known)
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eye_state::STATES, lids::Lids, locate::crop::Roi};

    fn eyes(openness: f32, looking_down: f32) -> PerEye<EyeReading> {
        PerEye::from_fn(|_| EyeReading::Measured {
            probabilities: [0.25; STATES],
            lids: Some(Lids {
                openness,
                openness_error: 0.05,
                looking_down,
            }),
            square: Roi::whole(32, 32),
        })
    }

    /// A face whose eyes lie this share of its side above its middle, tilted by `roll`.
    fn face(height: f32, roll: f32) -> Face {
        let (sin, cos) = roll.sin_cos();
        let turned = |x: f32, y: f32| [100.0 + cos * x - sin * y, 100.0 + sin * x + cos * y];
        Face {
            confidence: 1.0,
            square: Roi {
                centre: [100.0, 100.0],
                side: 100.0,
                angle: 0.0,
            },
            eyes: PerEye {
                left: turned(20.0, -100.0 * height),
                right: turned(-20.0, -100.0 * height),
            },
        }
    }

    /// Shows a scene for some seconds at ten readings a second; what the last of them said.
    fn shown(
        lowered: &mut Lowered,
        from: f64,
        length: f64,
        openness: f32,
        down: f32,
        face: Option<&Face>,
    ) -> bool {
        let mut said = false;
        for step in 0..(length * 10.0) as u32 {
            let time = seconds::duration(from + f64::from(step) / 10.0);
            said = lowered.update(time, &eyes(openness, down), face);
        }
        said
    }

    #[test]
    fn a_head_is_lowered_against_its_owners_usual_height_however_it_is_tilted() {
        for (usual, roll) in [(0.28, 0.0), (0.2, 0.4)] {
            let mut lowered = Lowered::new(&TemporalSettings::default());
            assert!(!shown(
                &mut lowered,
                0.0,
                5.0,
                0.95,
                0.0,
                Some(&face(usual, roll))
            ));
            let down = face(usual - 0.06, roll);
            assert!(shown(&mut lowered, 5.0, 1.0, 0.02, 0.0, Some(&down)));
            // However long it stays so, that is not what is usual.
            assert!(shown(&mut lowered, 6.0, 60.0, 0.02, 0.0, Some(&down)));
            assert!(!shown(
                &mut lowered,
                66.0,
                1.0,
                0.02,
                0.0,
                Some(&face(usual, roll))
            ));
        }
    }

    #[test]
    fn a_gaze_that_was_lowered_a_moment_ago_counts_and_no_longer() {
        let mut lowered = Lowered::new(&TemporalSettings::default());
        assert!(shown(&mut lowered, 0.0, 1.0, 0.4, 0.6, None));
        assert!(shown(&mut lowered, 1.0, 0.3, 0.02, 0.0, None));
        assert!(!shown(&mut lowered, 1.3, 0.6, 0.02, 0.0, None));
    }

    #[test]
    fn without_an_output_for_the_lids_nothing_is_in_doubt() {
        let mut lowered = Lowered::new(&TemporalSettings::default());
        let down = face(0.1, 0.0);
        shown(&mut lowered, 0.0, 5.0, 0.95, 0.0, Some(&face(0.28, 0.0)));
        let mut without = eyes(0.02, 0.0);
        for eye in [&mut without.left, &mut without.right] {
            if let EyeReading::Measured { lids, .. } = eye {
                *lids = None;
            }
        }
        assert!(!lowered.update(seconds::duration(5.0), &without, Some(&down)));
    }
}
