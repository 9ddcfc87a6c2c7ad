//! A head without its eyes, and the body: skin, brows, nose, mouth, hair, ears, shoulders. How they lie in a frame
//! is left to `face`.
//!
//! Lengths are in face units; (0, 0) is between the eyes, x goes right and y down in the image. On the head's
//! surface the same coordinates are those of the head seen from the front.

use crate::{
    colour::{Colour, blob, ellipse, inside, lay, lighter, mix, scale, shadow, smooth},
    person::Person,
};

/// Where an eye's centre is: so far to either side.
pub(crate) const EYE_X: f32 = 0.37;

/// Radius of the ball that the head is when it turns.
pub(crate) const TURN_RADIUS: f32 = 0.95;

/// Radius of the ball that the head is when it nods, and the height of its middle.
pub(crate) const NOD_RADIUS: f32 = 1.35;
pub(crate) const NOD_CENTRE: f32 = 0.12;

/// Computes the cover of the head's outline at a point of the image; the jaw narrows to the chin.
pub(crate) fn outline(x: f32, y: f32) -> f32 {
    let jaw = 1.0 - 0.30 * smooth(0.25, 1.15, y);
    inside(ellipse(x / jaw, y, [0.0, 0.12], [0.83, 1.05]))
}

/// Computes the light on the head's outline from the upper left, 0.25 to 1.1.
pub(crate) fn light(x: f32, y: f32) -> f32 {
    let (nx, ny) = (x / 0.95, (y - 0.12) / 1.25);
    let nz = (1.0 - nx * nx - ny * ny).max(0.05).sqrt();
    (0.42 + 0.62 * (-0.30 * nx - 0.28 * ny + 0.91 * nz)).clamp(0.25, 1.1)
}

/// Draws the neck and the shoulders; returns the colour and its cover.
pub(crate) fn body(x: f32, y: f32, person: &Person) -> (Colour, f32) {
    let neck = (0.40 + 0.25 * (y - 1.15).max(0.0)) - x.abs();
    let neck_light = 0.62 + 0.20 * smooth(0.35, -0.3, x) - 0.25 * smooth(1.5, 1.05, y);
    let neck_cover = inside(neck.min(y - 0.5));
    let mut colour = scale(person.skin, neck_light);
    // Shoulders slope from the collar and end in arms that go straight down.
    let slope = (x / 1.55).abs().min(1.0);
    let top = 1.38 + 0.10 * slope + 0.62 * (1.0 - (1.0 - slope.powi(3)).sqrt());
    let depth = (y - top).min(1.55 - x.abs());
    let shoulders = inside(depth);
    let folds = 1.0 + 0.07 * (5.0 * x + 2.0 * y).sin() * smooth(1.5, 2.1, y);
    let neckline = smooth(0.03, 0.0, (ellipse(x, y, [0.0, 1.40], [0.50, 0.16])).abs());
    let light = 1.10 - 0.25 * smooth(-0.6, 1.2, x);
    let cloth = scale(person.clothes, folds * light * (1.0 + 0.4 * neckline));
    lay(&mut colour, cloth, shoulders);
    (colour, neck_cover.max(shoulders))
}

/// Computes the cover of the hair behind the head.
pub(crate) fn hair_behind(x: f32, y: f32) -> f32 {
    inside(ellipse(x, y, [0.0, -0.12], [0.94, 1.12])) * smooth(0.62, 0.42, y)
}

/// Computes the cover of the hair before the head: `x` and `y` in the image, `u` and `v` on the surface, and
/// `facing` how far the surface faces the front, -1 to 1.
pub(crate) fn hair_before([x, y]: [f32; 2], [u, v]: [f32; 2], facing: f32) -> f32 {
    // Parted over the forehead, down to the nape behind the ears.
    let hairline = -0.66 + 0.42 * u * u + 0.10 * (u - 0.15).abs();
    let hairline = hairline + 1.1 * smooth(0.18, -0.12, facing);
    let crown = ellipse(x, y, [0.0, -0.12], [0.93, 1.10]);
    inside((hairline - v).min(crown))
}

/// Returns the colour of a strand of hair.
pub(crate) fn strand(u: f32, v: f32, person: &Person) -> Colour {
    let strands = 0.5 * (41.0 * u + 9.0 * v).sin() * (17.0 * u).cos()
        + 0.3 * (97.0 * u - 14.0 * v).sin()
        + 0.3 * (63.0 * u + 21.0 * v).sin() * (5.0 * v).cos();
    // A sheen on the crown.
    let sheen = 0.45 * blob(u, v, [-0.15, -0.90], [0.55, 0.16]);
    scale(person.hair, 0.95 + 0.16 * strands + sheen)
}

/// Draws an ear whose middle is at `middle`, `width` wide: over `colour`.
pub(crate) fn ear(colour: &mut Colour, [x, y]: [f32; 2], middle: f32, width: f32, person: &Person) {
    let whole = inside(ellipse(x, y, [middle, 0.12], [width, 0.23]));
    lay(colour, scale(person.skin, 0.78), whole);
    let inner = inside(ellipse(x, y, [middle, 0.12], [0.45 * width, 0.14]));
    lay(colour, scale(person.skin, 0.6), 0.6 * inner);
}

/// Computes the cover of the nose beside the head's outline when the head is turned; `turn` is the sine of
/// that, to the right in the image.
pub(crate) fn nose_beside(x: f32, y: f32, turn: f32) -> f32 {
    let tip = (TURN_RADIUS + 0.06) * turn.abs();
    let bridge = smooth(-0.02, 0.38, y) * smooth(0.53, 0.40, y);
    let extent = 0.72 + (tip - 0.72) * bridge;
    let beside = x * turn.signum();
    inside(extent - beside) * inside(beside - 0.5) * smooth(-0.02, 0.06, y) * smooth(0.54, 0.48, y)
}

/// Returns the unlit colour of the face at a place of its surface, without the eyes.
pub(crate) fn face(u: f32, v: f32, person: &Person) -> Colour {
    let mut colour = person.skin;
    let au = u.abs();
    // Cheeks, and shadows: eye sockets, beside the nose, under the lower lip, temples.
    let cheek = mix(person.skin, [205.0, 100.0, 84.0], 0.45);
    lay(
        &mut colour,
        cheek,
        0.28 * blob(au, v, [0.46, 0.42], [0.26, 0.20]),
    );
    shadow(&mut colour, 0.24 * blob(au, v, [0.33, -0.10], [0.27, 0.15]));
    shadow(&mut colour, 0.20 * blob(au, v, [0.17, 0.06], [0.07, 0.20]));
    shadow(&mut colour, 0.16 * blob(au, v, [0.33, 0.17], [0.20, 0.06]));
    shadow(&mut colour, 0.22 * blob(u, v, [0.0, 0.93], [0.22, 0.06]));
    shadow(&mut colour, 0.10 * blob(au, v, [0.30, 0.52], [0.04, 0.17]));
    // A few freckles of tone, so that skin is not a gradient alone.
    let mottle = (23.0 * u + 11.0 * v).sin() * (19.0 * v - 7.0 * u).cos();
    colour = scale(colour, 1.0 + 0.012 * mottle);
    brow(&mut colour, au, v, person);
    nose(&mut colour, u, v, person);
    mouth(&mut colour, u, v, person);
    colour
}

fn brow(colour: &mut Colour, au: f32, v: f32, person: &Person) {
    let along = (au - 0.16) / 0.42;
    let middle = -0.215 - 0.10 * along + 0.11 * along * along;
    let half = 0.036 * smooth(-0.05, 0.25, along) * smooth(1.08, 0.55, along) + 0.004;
    let hairs = 0.80 + 0.20 * (70.0 * au - 30.0 * v).sin();
    let cover = smooth(0.018, -0.012, (v - middle).abs() - half)
        * smooth(-0.06, 0.05, along)
        * smooth(1.08, 0.96, along);
    lay(colour, person.hair, person.brows * hairs * cover);
}

fn nose(colour: &mut Colour, u: f32, v: f32, person: &Person) {
    let au = u.abs();
    // Bridge and tip catch light; the right flank and the underside are in shade.
    let lit = lighter(scale(person.skin, 1.06), 0.25);
    lay(colour, lit, 0.40 * blob(u, v, [-0.015, 0.16], [0.05, 0.26]));
    lay(colour, lit, 0.45 * blob(u, v, [-0.02, 0.36], [0.085, 0.07]));
    shadow(colour, 0.22 * blob(u, v, [0.095, 0.26], [0.05, 0.18]));
    shadow(colour, 0.30 * blob(au, v, [0.155, 0.40], [0.035, 0.06]));
    shadow(colour, 0.34 * blob(u, v, [0.0, 0.475], [0.14, 0.035]));
    lay(
        colour,
        scale(person.skin, 0.30),
        0.85 * inside(ellipse(au, v, [0.075, 0.445], [0.042, 0.020])),
    );
}

fn mouth(colour: &mut Colour, u: f32, v: f32, person: &Person) {
    let t = u / 0.27;
    if t.abs() > 1.3 {
        return;
    }
    let lip = mix(person.skin, [168.0, 60.0, 62.0], 0.55);
    let arch = (1.0 - t * t).max(0.0);
    let line = 0.705 - 0.018 * t * t + 0.010 * (1.0 - (3.2 * t).powi(2)).max(0.0);
    let bow = 0.052 * arch.powf(0.8) - 0.014 * (1.0 - (5.0 * t).powi(2)).max(0.0);
    let upper = smooth(-0.008, 0.006, v - (line - bow)) * smooth(0.006, -0.006, v - line);
    let lower = smooth(-0.006, 0.006, v - line)
        * smooth(0.008, -0.008, v - (line + 0.080 * arch.powf(0.7)));
    let fade = smooth(1.02, 0.94, t.abs());
    lay(colour, scale(lip, 0.88), 0.85 * upper * fade);
    lay(colour, lip, 0.85 * lower * fade);
    lay(
        colour,
        lighter(lip, 0.35),
        0.35 * blob(u, v, [-0.03, 0.745], [0.10, 0.016]),
    );
    let slit = smooth(0.014, 0.002, (v - line).abs()) * smooth(1.06, 0.96, t.abs());
    lay(colour, scale(lip, 0.42), 0.85 * slit);
}
