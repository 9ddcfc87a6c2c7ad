//! A drawn face that blinks on schedule: the project's own test clip, nobody's picture.
//!
//! It is drawn by `parseye-demo`, which holds how; here is only what tests ask of it.

use parseye_demo::{Exposure, EyePose, FaceRenderer, Person, Pose};
use parseye_vision::eye_state::PerEye;
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Width of a frame in pixels.
pub const WIDTH: usize = 480;
/// Height of a frame in pixels.
pub const HEIGHT: usize = 360;

/// Frames per second.
pub const RATE: usize = 30;

/// Height of the face in pixels, from the forehead to the chin.
const FACE_HEIGHT: f32 = 216.0;

/// Standard deviation of the noise in 8-bit levels.
const NOISE: f32 = 1.2;

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
    static RENDERER: OnceLock<FaceRenderer> = OnceLock::new();
    let size = (WIDTH as u32, HEIGHT as u32);
    let renderer =
        RENDERER.get_or_init(|| FaceRenderer::new(&Person::default(), size, FACE_HEIGHT));
    let phase = frame as f32 / RATE as f32;
    let pose = Pose {
        roll: 0.035 * (1.3 * phase).sin(),
        eyes: PerEye::from_fn(|_| EyePose {
            openness: openness(frame, blinks),
            ..EyePose::default()
        }),
        ..Pose::at([
            WIDTH as f32 / 2.0 + 5.0 * (0.9 * phase).sin(),
            HEIGHT as f32 * 0.42 + 3.0 * (1.7 * phase).sin(),
        ])
    };
    let mut image = renderer.render(&pose);
    let exposure = Exposure {
        noise: NOISE,
        seed: frame as u32,
        ..Exposure::default()
    };
    exposure.apply(&mut image);
    image.into_raw()
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
