//! A drawn face that blinks on schedule: the project's own test clip, nobody's picture.
//!
//! It is drawn from formulas alone, so that every machine gets the same pixels. Lengths are in face
//! units: 1 is about half the face's height; x goes right and y down from between the eyes.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Width of a frame in pixels.
pub const WIDTH: usize = 480;
/// Height of a frame in pixels.
pub const HEIGHT: usize = 360;

/// Frames per second.
pub const RATE: usize = 30;

/// Pixels of one face unit.
const UNIT: f32 = 118.0;

/// Where an eye's centre is.
const EYE: [f32; 2] = [0.37, 0.0];

/// Half an eye's width.
const EYE_WIDTH: f32 = 0.185;

/// Frames in which the lids meet, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blink {
    /// First frame in which the lids meet.
    pub first: usize,
    /// Last one.
    pub last: usize,
}

/// How far the lids are open in a frame: 0 closed to 1 open. Lids take two frames to close and
/// three to open, as at 30 frames a second.
pub fn openness(frame: usize, blinks: &[Blink]) -> f32 {
    const CLOSING: [f32; 2] = [0.45, 0.85];
    const OPENING: [f32; 3] = [0.4, 0.7, 0.9];
    let of_blink = |blink: &Blink| {
        if frame < blink.first {
            CLOSING.get(blink.first - frame - 1).copied().unwrap_or(1.0)
        } else if frame > blink.last {
            OPENING.get(frame - blink.last - 1).copied().unwrap_or(1.0)
        } else {
            0.0
        }
    };
    blinks.iter().map(of_blink).fold(1.0, f32::min)
}

/// Draws one frame as RGB bytes. The head sways and tilts a little with time.
pub fn draw(frame: usize, blinks: &[Blink]) -> Vec<u8> {
    let open = openness(frame, blinks);
    let phase = frame as f32 / RATE as f32;
    let roll = 0.035 * (1.3 * phase).sin();
    let centre = [
        WIDTH as f32 / 2.0 + 5.0 * (0.9 * phase).sin(),
        HEIGHT as f32 * 0.42 + 3.0 * (1.7 * phase).sin(),
    ];
    let (sin, cos) = roll.sin_cos();
    let mut pixels = Vec::with_capacity(3 * WIDTH * HEIGHT);
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let dx = (column as f32 + 0.5 - centre[0]) / UNIT;
            let dy = (row as f32 + 0.5 - centre[1]) / UNIT;
            let colour = shade(cos * dx + sin * dy, cos * dy - sin * dx, open);
            // Sensor noise of about one gray level, the same for all colours.
            let grain = hash(column as u32, row as u32, frame as u32) * 4.0 - 2.0;
            pixels.extend(colour.map(|value| (value + grain).round().clamp(0.0, 255.0) as u8));
        }
    }
    pixels
}

type Colour = [f32; 3];

fn shade(x: f32, y: f32, open: f32) -> Colour {
    let mut colour = mix(
        [150.0, 160.0, 172.0],
        [112.0, 122.0, 138.0],
        smooth(-1.5, 2.0, y),
    );
    // Hair behind the head, neck, shoulders.
    lay(
        &mut colour,
        [52.0, 38.0, 30.0],
        inside(ellipse(x, y, [0.0, -0.12], [0.94, 1.12])),
    );
    let neck = (0.40 + 0.25 * (y - 1.15).max(0.0)) - x.abs();
    let neck_light = 0.62 + 0.20 * smooth(0.35, -0.3, x) - 0.25 * smooth(1.5, 1.05, y);
    lay(
        &mut colour,
        scale(SKIN, neck_light),
        inside(neck.min(y - 0.5)),
    );
    lay(
        &mut colour,
        [46.0, 62.0, 92.0],
        inside(ellipse(x, y, [0.0, 2.25], [1.55, 0.78])),
    );
    // Ears.
    for side in [-1.0, 1.0] {
        let ear = ellipse(x, y, [side * 0.83, 0.12], [0.11, 0.23]);
        lay(&mut colour, scale(SKIN, 0.78), inside(ear));
        lay(
            &mut colour,
            scale(SKIN, 0.6),
            0.6 * inside(ellipse(x, y, [side * 0.83, 0.12], [0.05, 0.14])),
        );
    }
    let head = head(x, y);
    let cover = inside(head);
    if cover > 0.0 {
        let skin = face(x, y, open);
        lay(&mut colour, skin, cover);
    }
    // Hair over the forehead, parted.
    let hairline = -0.66 + 0.42 * x * x + 0.10 * (x - 0.15).abs();
    let hair = (hairline - y).min(ellipse(x, y, [0.0, -0.12], [0.93, 1.10]));
    let strand = 0.85 + 0.25 * (40.0 * x + 9.0 * y).sin() * (17.0 * x).cos();
    lay(&mut colour, scale([60.0, 44.0, 34.0], strand), inside(hair));
    colour
}

const SKIN: Colour = [222.0, 176.0, 148.0];

/// Distance-like depth within the head, positive inside; the jaw narrows to the chin.
fn head(x: f32, y: f32) -> f32 {
    let jaw = 1.0 - 0.30 * smooth(0.25, 1.15, y);
    ellipse(x / jaw, y, [0.0, 0.12], [0.83, 1.05])
}

fn face(x: f32, y: f32, open: f32) -> Colour {
    // Light from the upper left on a rounded head.
    let nx = x / 0.95;
    let ny = (y - 0.12) / 1.25;
    let nz = (1.0 - nx * nx - ny * ny).max(0.05).sqrt();
    let light = (0.42 + 0.62 * (-0.30 * nx - 0.28 * ny + 0.91 * nz)).clamp(0.25, 1.1);
    let mut colour = scale(SKIN, light);
    let ax = x.abs();
    // Cheeks, and shadows: eye sockets, beside the nose, under the lower lip, temples.
    lay(
        &mut colour,
        [214.0, 140.0, 120.0],
        0.28 * blob(ax, y, [0.46, 0.42], [0.26, 0.20]),
    );
    shadow(&mut colour, 0.24 * blob(ax, y, [0.33, -0.10], [0.27, 0.15]));
    shadow(&mut colour, 0.20 * blob(ax, y, [0.17, 0.06], [0.07, 0.20]));
    shadow(&mut colour, 0.16 * blob(ax, y, [0.33, 0.17], [0.20, 0.06]));
    shadow(&mut colour, 0.22 * blob(x, y, [0.0, 0.93], [0.22, 0.06]));
    shadow(&mut colour, 0.10 * blob(ax, y, [0.30, 0.52], [0.04, 0.17]));
    brow(&mut colour, ax, y);
    for side in [-1.0, 1.0] {
        eye(&mut colour, side * x - EYE[0], y - EYE[1], open);
    }
    nose(&mut colour, x, y);
    mouth(&mut colour, x, y);
    colour
}

fn brow(colour: &mut Colour, ax: f32, y: f32) {
    let along = (ax - 0.16) / 0.42;
    let middle = -0.215 - 0.10 * along + 0.11 * along * along;
    let half = 0.036 * smooth(-0.05, 0.25, along) * smooth(1.08, 0.55, along) + 0.004;
    let hairs = 0.80 + 0.20 * (70.0 * ax - 30.0 * y).sin();
    let cover = smooth(0.018, -0.012, (y - middle).abs() - half)
        * smooth(-0.06, 0.05, along)
        * smooth(1.08, 0.96, along);
    lay(colour, [64.0, 46.0, 36.0], 0.88 * hairs * cover);
}

/// One eye; x grows from the nose outwards, (0, 0) is its centre.
fn eye(colour: &mut Colour, x: f32, y: f32, open: f32) {
    let t = x / EYE_WIDTH;
    if t.abs() > 1.6 || y.abs() > 0.4 {
        return;
    }
    let arch = (1.0 - t * t).max(0.0);
    // The outer corner lies a little higher.
    let tilt = -0.014 * t;
    let lower = tilt + 0.062 * arch.powf(0.8);
    let raised = tilt - 0.108 * arch.powf(0.7) * (1.0 - 0.12 * t);
    let upper = lower + (raised - lower) * open;
    let within_corners = smooth(1.04, 0.96, t.abs());
    // The lid's skin: a closed lid bulges over the eyeball and catches light.
    let lid_top = tilt - 0.165 * arch.powf(0.6) - 0.01;
    let crease = smooth(0.024, 0.0, (y - lid_top).abs()) * smooth(1.15, 0.85, t.abs());
    shadow(colour, 0.34 * crease * (0.45 + 0.55 * open));
    let lid = smooth(-0.01, 0.01, y - lid_top) * smooth(0.008, -0.008, y - upper) * within_corners;
    let bulge = 1.06
        - 2.2 * (y - (lid_top + upper) / 2.0).powi(2) / (upper - lid_top).max(0.03).powi(2) * 0.06;
    lay(
        colour,
        scale([212.0, 164.0, 138.0], bulge * 0.93),
        0.75 * lid,
    );
    // The eyeball between the lids.
    let gap = smooth(-0.006, 0.006, y - upper) * smooth(0.006, -0.006, y - lower) * within_corners;
    if gap > 0.0 && open > 0.0 {
        let mut ball: Colour = [228.0, 222.0, 216.0];
        ball = scale(ball, 1.0 - 0.35 * smooth(0.45, 1.0, t.abs()));
        let (ix, iy) = (x + 0.004, y + 0.012);
        let radius = (ix * ix + iy * iy).sqrt();
        let fibres = 0.9 + 0.16 * (14.0 * iy.atan2(ix)).sin() * smooth(0.03, 0.08, radius);
        let iris = mix(
            [124.0, 86.0, 54.0],
            [46.0, 32.0, 26.0],
            smooth(0.065, 0.094, radius),
        );
        lay(&mut ball, scale(iris, fibres), smooth(0.099, 0.088, radius));
        lay(&mut ball, [14.0, 11.0, 11.0], smooth(0.045, 0.036, radius));
        let glint = ((x + 0.030).powi(2) + (y + 0.040).powi(2)).sqrt();
        lay(
            &mut ball,
            [250.0, 250.0, 250.0],
            smooth(0.021, 0.012, glint),
        );
        // The upper lid's shadow on the ball.
        ball = scale(ball, 1.0 - 0.45 * smooth(0.055, 0.0, y - upper));
        lay(colour, ball, gap);
    }
    // Lashes: a dark edge on the upper lid, thicker and drooping when closed; a faint lower rim.
    let edge = smooth(0.020, 0.006, (y - upper + 0.004).abs()) * smooth(1.10, 0.94, t.abs());
    lay(
        colour,
        [34.0, 24.0, 21.0],
        (0.80 + 0.12 * (1.0 - open)) * edge,
    );
    let fringe_length = 0.030 + 0.028 * (1.0 - open);
    let direction = if open > 0.3 { upper - y } else { y - upper };
    let comb = 0.5 + 0.5 * (95.0 * x + 20.0 * y * t).sin();
    let fringe = smooth(0.0, 0.008, direction)
        * smooth(fringe_length, 0.004, direction)
        * smooth(1.15, 0.9, t.abs());
    lay(colour, [40.0, 28.0, 24.0], 0.55 * comb * fringe);
    let rim = smooth(0.014, 0.002, (y - lower - 0.006).abs()) * smooth(1.05, 0.9, t.abs());
    shadow(colour, 0.30 * rim * open);
}

fn nose(colour: &mut Colour, x: f32, y: f32) {
    let ax = x.abs();
    // Bridge and tip catch light; the right flank and the underside are in shade.
    lay(
        colour,
        [246.0, 208.0, 184.0],
        0.40 * blob(x, y, [-0.015, 0.16], [0.05, 0.26]),
    );
    lay(
        colour,
        [248.0, 214.0, 192.0],
        0.45 * blob(x, y, [-0.02, 0.36], [0.085, 0.07]),
    );
    shadow(colour, 0.22 * blob(x, y, [0.095, 0.26], [0.05, 0.18]));
    shadow(colour, 0.30 * blob(ax, y, [0.155, 0.40], [0.035, 0.06]));
    shadow(colour, 0.34 * blob(x, y, [0.0, 0.475], [0.14, 0.035]));
    lay(
        colour,
        [70.0, 38.0, 32.0],
        0.85 * inside(ellipse(ax, y, [0.075, 0.445], [0.042, 0.020])),
    );
}

fn mouth(colour: &mut Colour, x: f32, y: f32) {
    let t = x / 0.27;
    if t.abs() > 1.3 {
        return;
    }
    let arch = (1.0 - t * t).max(0.0);
    let line = 0.705 - 0.018 * t * t + 0.010 * (1.0 - (3.2 * t).powi(2)).max(0.0);
    let bow = 0.052 * arch.powf(0.8) - 0.014 * (1.0 - (5.0 * t).powi(2)).max(0.0);
    let upper = smooth(-0.008, 0.006, y - (line - bow)) * smooth(0.006, -0.006, y - line);
    let lower = smooth(-0.006, 0.006, y - line)
        * smooth(0.008, -0.008, y - (line + 0.080 * arch.powf(0.7)));
    let fade = smooth(1.02, 0.94, t.abs());
    lay(colour, [164.0, 84.0, 80.0], 0.85 * upper * fade);
    lay(colour, [188.0, 104.0, 98.0], 0.85 * lower * fade);
    lay(
        colour,
        [232.0, 170.0, 160.0],
        0.35 * blob(x, y, [-0.03, 0.745], [0.10, 0.016]),
    );
    let slit = smooth(0.014, 0.002, (y - line).abs()) * smooth(1.06, 0.96, t.abs());
    lay(colour, [78.0, 34.0, 34.0], 0.85 * slit);
}

/// Lays a colour over another with a cover of 0 to 1.
fn lay(under: &mut Colour, over: Colour, cover: f32) {
    *under = mix(*under, over, cover.clamp(0.0, 1.0));
}

fn shadow(colour: &mut Colour, depth: f32) {
    // Skin in shade turns redder.
    *colour = [
        colour[0] * (1.0 - 0.9 * depth),
        colour[1] * (1.0 - depth),
        colour[2] * (1.0 - depth),
    ];
}

fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}

fn scale(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}

/// About the depth within an ellipse, positive inside.
fn ellipse(x: f32, y: f32, centre: [f32; 2], radii: [f32; 2]) -> f32 {
    let (u, v) = ((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
    (1.0 - (u * u + v * v).sqrt()) * radii[0].min(radii[1])
}

/// Cover of what a depth says, with an edge a pixel or two wide.
fn inside(depth: f32) -> f32 {
    smooth(-0.008, 0.008, depth)
}

/// A soft spot: 1 at its centre.
fn blob(x: f32, y: f32, centre: [f32; 2], radii: [f32; 2]) -> f32 {
    let (u, v) = ((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]);
    (-(u * u + v * v)).exp()
}

/// Smooth step from 0 at `from` to 1 at `to`, which may lie on either side.
fn smooth(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Noise of 0 to 1 from integers alone (Wang's mixing), the same on every machine.
fn hash(x: u32, y: u32, z: u32) -> f32 {
    let mut h =
        x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ z.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    ((h ^ (h >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// Writes a clip through ffmpeg; the ending of the path decides its form.
pub fn write_clip(path: &Path, frames: usize, blinks: &[Blink]) {
    let mut child = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-f",
            "rawvideo",
            "-pixel_format",
            "rgb24",
        ])
        .args([
            "-video_size",
            &format!("{WIDTH}x{HEIGHT}"),
            "-framerate",
            &RATE.to_string(),
            "-i",
            "pipe:0",
        ])
        .args(["-threads", "1", "-pix_fmt", "yuv420p", "-crf", "18"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg starts");
    let mut pipe = child.stdin.take().expect("a pipe was asked for");
    for frame in 0..frames {
        pipe.write_all(&draw(frame, blinks))
            .expect("ffmpeg takes the frame");
    }
    drop(pipe);
    assert!(child.wait().expect("ffmpeg ends").success());
}
