//! Colours, soft edges and simple shapes that drawings are made of. What they make is left to the other
//! modules.

/// Red, green and blue in 8-bit levels, 0 to 255.
pub type Colour = [f32; 3];

/// Lays a colour over another with a cover of 0 to 1.
pub(crate) fn lay(under: &mut Colour, over: Colour, cover: f32) {
    *under = mix(*under, over, cover.clamp(0.0, 1.0));
}

/// Darkens skin by a depth of 0 to 1. Skin in shade turns redder.
pub(crate) fn shadow(colour: &mut Colour, depth: f32) {
    *colour = [
        colour[0] * (1.0 - 0.9 * depth),
        colour[1] * (1.0 - depth),
        colour[2] * (1.0 - depth),
    ];
}

/// Goes from `a` to `b` by a share of 0 to 1.
pub(crate) fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}

/// Multiplies all levels.
pub(crate) fn scale(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}

/// Lightens a colour, by a share of 0 to 1 of what is left to white.
pub(crate) fn lighter(colour: Colour, share: f32) -> Colour {
    mix(colour, [255.0, 250.0, 244.0], share)
}

/// Rounds to 8 bit.
pub(crate) fn to_bytes(colour: Colour) -> [u8; 3] {
    // `as` saturates, and the levels are positive: adding a half rounds.
    colour.map(|value| (value + 0.5) as u8)
}

/// Computes about the depth within an ellipse, positive inside.
pub(crate) fn ellipse(x: f32, y: f32, centre: [f32; 2], radii: [f32; 2]) -> f32 {
    let (u, v) = ((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
    (1.0 - (u * u + v * v).sqrt()) * radii[0].min(radii[1])
}

/// Computes the cover that a depth means, with an edge a pixel or two wide.
pub(crate) fn inside(depth: f32) -> f32 {
    smooth(-0.008, 0.008, depth)
}

/// Computes a soft spot: 1 at its centre.
pub(crate) fn blob(x: f32, y: f32, centre: [f32; 2], radii: [f32; 2]) -> f32 {
    let (u, v) = ((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
    (-(u * u + v * v)).exp()
}

/// Steps smoothly from 0 at `from` to 1 at `to`, which may lie on either side.
pub(crate) fn smooth(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Mixes three integers to noise (Wang's mixing), the same on every machine.
pub(crate) fn hash(x: u32, y: u32, z: u32) -> u32 {
    let mut h =
        x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ z.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}
