//! An eye: the lids with their crease and lashes, the eyeball between them, and glasses before it. Where eyes are
//! on a face, and the skin around them, is left to `head`.
//!
//! Lengths are in face units; x grows from the nose outwards, y down, and (0, 0) is the eye's centre, so that
//! one drawing serves both eyes.

use crate::{
    colour::{Colour, blob, ellipse, inside, lay, lighter, mix, scale, shadow, smooth},
    person::{Glasses, Person},
};
use parseye_vision::eye_state::EyeState;

/// What an eye does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EyePose {
    /// Aperture of the lids over that of the person's open eye, 0 (the lids meet) to 1; up to 1.15 for eyes
    /// opened wide.
    pub openness: f32,
    /// Where the eye looks: to the right in the image and down, -1 to 1 each; (0, 0) is straight ahead. The
    /// lids follow `openness` alone.
    pub gaze: [f32; 2],
}

impl Default for EyePose {
    /// Open, looking straight ahead.
    fn default() -> Self {
        Self {
            openness: 1.0,
            gaze: [0.0, 0.0],
        }
    }
}

/// Openness from which on lids show the iris as they do when awake: two thirds of it.
const OPEN_FROM: f32 = 0.65;

/// Openness up to which the lids count as meeting: the 80 % of PERCLOS, and what is left is a slit of lashes.
const CLOSED_UP_TO: f32 = 0.20;

/// Returns the state that a drawn eye of this openness is labelled with.
pub fn state_of(openness: f32) -> EyeState {
    if openness <= CLOSED_UP_TO {
        EyeState::Closed
    } else if openness < OPEN_FROM {
        EyeState::PartiallyOpen
    } else {
        EyeState::Open
    }
}

/// Half the width and height around an eye's centre that its drawing may change.
pub(crate) const REACH: [f32; 2] = [0.36, 0.30];

/// How far the iris moves when the gaze goes to its end.
const GAZE_TRAVEL: [f32; 2] = [0.075, 0.062];

/// Heights of the lids over one place along the eye.
struct Lids {
    /// Place along the eye: -1 at the inner corner, 1 at the outer one.
    along: f32,
    /// Edge of the upper lid as it is.
    upper: f32,
    /// Edge of the lower lid.
    lower: f32,
    /// Crease above the upper lid.
    crease: f32,
}

impl Lids {
    fn at(x: f32, person: &Person, pose: &EyePose) -> Self {
        let shape = &person.lids;
        let open = pose.openness.clamp(0.0, 1.15);
        let along = x / shape.half_width;
        let arch = (1.0 - along * along).max(0.0);
        let tilt = -shape.tilt * along;
        // The lower lid follows the gaze downwards a little.
        let sag = 0.012 * pose.gaze[1].max(0.0) * arch;
        let lower = tilt + shape.lower * arch.powf(0.8) + sag;
        let raised = tilt - shape.upper * arch.powf(0.7) * (1.0 - 0.12 * along);
        Self {
            along,
            upper: lower + (raised - sag - lower) * open,
            lower,
            crease: tilt - (shape.upper + 0.057) * arch.powf(0.6) - 0.01,
        }
    }
}

/// Draws an eye of a person over the colour of the skin at a point. `mirror` is 1 where x grows to the right
/// in the image, -1 where it grows to the left.
pub(crate) fn draw(
    colour: &mut Colour,
    [x, y]: [f32; 2],
    mirror: f32,
    person: &Person,
    pose: &EyePose,
) {
    if x.abs() > REACH[0] || y.abs() > REACH[1] {
        return;
    }
    let lids = Lids::at(x, person, pose);
    let open = pose.openness.clamp(0.0, 1.0);
    if lids.along.abs() < 1.6 {
        lid_skin(colour, y, &lids, person, open);
        eyeball(colour, [x, y], mirror, &lids, person, pose);
        lashes(colour, [x, y], &lids, person, open);
    }
    if let Some(glasses) = &person.glasses {
        lens(colour, [x, y], mirror, glasses);
    }
}

/// The skin of the upper lid: closed, it bulges over the eyeball and catches light. The crease above it.
fn lid_skin(colour: &mut Colour, y: f32, lids: &Lids, person: &Person, open: f32) {
    let within_corners = smooth(1.04, 0.96, lids.along.abs());
    let crease = smooth(0.024, 0.0, (y - lids.crease).abs()) * smooth(1.15, 0.85, lids.along.abs());
    shadow(
        colour,
        0.34 * person.lids.crease * crease * (0.45 + 0.55 * open),
    );
    let lid = smooth(-0.01, 0.01, y - lids.crease)
        * smooth(0.008, -0.008, y - lids.upper)
        * within_corners;
    let middle = (lids.crease + lids.upper) / 2.0;
    let height = (lids.upper - lids.crease).max(0.03);
    let bulge = 1.06 - 0.132 * ((y - middle) / height).powi(2);
    lay(colour, scale(person.skin, 0.88 * bulge), 0.75 * lid);
    // A faint bag below the lower lid.
    let bag =
        smooth(0.020, 0.0, (y - lids.lower - 0.052).abs()) * smooth(1.1, 0.7, lids.along.abs());
    shadow(colour, 0.10 * bag);
}

/// The eyeball between the lids: white, iris, pupil, a glint, the inner corner, and the upper lid's shadow.
fn eyeball(
    colour: &mut Colour,
    [x, y]: [f32; 2],
    mirror: f32,
    lids: &Lids,
    person: &Person,
    pose: &EyePose,
) {
    let within_corners = smooth(1.04, 0.96, lids.along.abs());
    let gap = smooth(-0.006, 0.006, y - lids.upper)
        * smooth(0.006, -0.006, y - lids.lower)
        * within_corners;
    if gap <= 0.0 || pose.openness <= 0.0 {
        return;
    }
    let mut ball: Colour = [228.0, 222.0, 216.0];
    ball = scale(ball, 1.0 - 0.35 * smooth(0.45, 1.0, lids.along.abs()));
    let centre = [
        -0.004 + GAZE_TRAVEL[0] * mirror * pose.gaze[0],
        -0.012 + GAZE_TRAVEL[1] * pose.gaze[1],
    ];
    let (ix, iy) = (x - centre[0], y - centre[1]);
    let radius = ix.hypot(iy);
    let fibres = 0.9 + 0.16 * (14.0 * iy.atan2(ix)).sin() * smooth(0.03, 0.08, radius);
    let rim = mix(scale(person.iris, 0.36), [40.0, 30.0, 27.0], 0.5);
    let iris = mix(person.iris, rim, smooth(0.065, 0.094, radius));
    lay(&mut ball, scale(iris, fibres), smooth(0.099, 0.088, radius));
    lay(&mut ball, [14.0, 11.0, 11.0], smooth(0.045, 0.036, radius));
    // Light from the upper left of the image, on both eyes alike.
    let glint = (ix + 0.026 * mirror).hypot(iy + 0.028);
    lay(
        &mut ball,
        [250.0, 250.0, 250.0],
        smooth(0.021, 0.012, glint),
    );
    let corner = blob(
        x,
        y,
        [-person.lids.half_width * 0.93, 0.012],
        [0.030, 0.030],
    );
    lay(&mut ball, [206.0, 138.0, 128.0], 0.8 * corner);
    let shade = 0.25 + 0.20 * pose.openness.min(1.0);
    ball = scale(ball, 1.0 - shade * smooth(0.055, 0.0, y - lids.upper));
    // The wet edge of the lower lid.
    lay(
        &mut ball,
        lighter(mix(person.skin, [220.0, 150.0, 140.0], 0.5), 0.25),
        0.7 * smooth(0.012, 0.002, lids.lower - y),
    );
    lay(colour, ball, gap);
}

/// A dark edge on the upper lid, thicker and drooping when closed; a faint lower rim.
fn lashes(colour: &mut Colour, [x, y]: [f32; 2], lids: &Lids, person: &Person, open: f32) {
    let (along, strength) = (lids.along, person.lids.lashes);
    let edge =
        smooth(0.018, 0.005, (y - lids.upper + 0.008).abs()) * smooth(1.10, 0.94, along.abs());
    let cover = (0.60 + 0.25 * strength + 0.12 * (1.0 - open)) * edge;
    lay(colour, person.lash(), cover);
    let length = (0.018 + 0.015 * strength) + 0.028 * (1.0 - open);
    let direction = if open > 0.3 {
        lids.upper - y
    } else {
        y - lids.upper
    };
    let comb = 0.5 + 0.5 * (95.0 * x + 20.0 * y * along).sin();
    let fringe = smooth(0.0, 0.008, direction)
        * smooth(length, 0.004, direction)
        * smooth(1.15, 0.9, along.abs());
    lay(
        colour,
        person.lash(),
        (0.25 + 0.38 * strength) * comb * fringe,
    );
    let rim = smooth(0.014, 0.002, (y - lids.lower - 0.006).abs()) * smooth(1.05, 0.9, along.abs());
    shadow(colour, 0.30 * rim * open);
}

/// A lens with its rim, and what is reflected on it. Bridge and temples are left out: crops do not show them.
fn lens(colour: &mut Colour, [x, y]: [f32; 2], mirror: f32, glasses: &Glasses) {
    let (u, v) = ((x - 0.01) / 0.31, (y - 0.03) / 0.235);
    // Between an ellipse and a rectangle.
    let radius = (u.abs().powf(3.0) + v.abs().powf(3.0)).powf(1.0 / 3.0);
    let depth = (1.0 - radius) * 0.235;
    let lens = inside(depth);
    *colour = scale(*colour, 1.0 - glasses.tint * lens);
    let streak = smooth(0.06, 0.0, (mirror * x + 0.5 * y + 0.06).abs())
        + 0.6 * inside(ellipse(mirror * x, y, [0.12, -0.08], [0.06, 0.04]));
    lay(
        colour,
        [240.0, 244.0, 250.0],
        glasses.glare * lens * streak.min(1.0),
    );
    let rim = smooth(
        0.008,
        -0.004,
        (depth + glasses.rim * 0.5).abs() - glasses.rim,
    );
    lay(colour, glasses.colour, 0.95 * rim);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Share of the eye's height in which the eyeball shows, along the middle of the eye.
    fn gap(person: &Person, openness: f32) -> f32 {
        let pose = EyePose {
            openness,
            ..EyePose::default()
        };
        let lids = Lids::at(0.0, person, &pose);
        lids.lower - lids.upper
    }

    #[test]
    fn the_states_follow_the_openness() {
        let state = |openness| state_of(openness);
        assert_eq!(state(0.0), EyeState::Closed);
        assert_eq!(state(0.4), EyeState::PartiallyOpen);
        assert_eq!(state(1.0), EyeState::Open);
    }

    #[test]
    fn a_closed_eye_hides_the_iris_and_a_lowered_gaze_shows_it() {
        let person = Person::default();
        let dark = |pose: &EyePose| {
            let mut dark = 0;
            for row in -60..60_i8 {
                let mut colour = person.skin;
                draw(
                    &mut colour,
                    [0.0, f32::from(row) / 400.0],
                    1.0,
                    &person,
                    pose,
                );
                dark += u32::from(colour[0] < 30.0);
            }
            dark
        };
        let open = dark(&EyePose::default());
        let down = dark(&EyePose {
            openness: 0.55,
            gaze: [0.0, 0.9],
        });
        let closed = dark(&EyePose {
            openness: 0.0,
            ..EyePose::default()
        });
        assert!(
            open > 20 && down > 10 && closed == 0,
            "{open} {down} {closed}"
        );
    }

    proptest! {
        #[test]
        fn the_aperture_is_the_openness_of_any_person(seed in 0_u64..500, openness in 0.0_f32..=1.0) {
            let person = Person::from_seed(seed);
            let share = gap(&person, openness) / gap(&person, 1.0);
            prop_assert!((share - openness).abs() < 1e-4);
        }

        #[test]
        fn every_colour_is_a_colour(
            seed in 0_u64..500, openness in 0.0_f32..=1.0, x in -0.5_f32..0.5, y in -0.5_f32..0.5,
            right in -1.0_f32..=1.0, down in -1.0_f32..=1.0,
        ) {
            let person = Person::from_seed(seed);
            let mut colour = person.skin;
            let pose = EyePose { openness, gaze: [right, down] };
            draw(&mut colour, [x, y], -1.0, &person, &pose);
            prop_assert!(colour.iter().all(|level| (0.0..=270.0).contains(level)), "{:?}", colour);
        }
    }
}
