//! The frames of the script: a person before a wall, for a minute. Playing them is left to a source of frames.

use crate::{
    exposure::Exposure,
    eye::EyePose,
    face::{EyeLabel, FaceRenderer, Pose},
    person::Person,
    script::{LENGTH_S, Scene, Step},
};
use image::RgbImage;
use parseye_vision::eye_state::{Eye, PerEye};
use std::f32::consts::TAU;

/// Height of the face from the forehead to the chin, as a share of the frame's height.
const FACE_SHARE: f32 = 0.44;

/// Where the point between the eyes rests, as shares of the frame's width and height.
const RESTING: [f32; 2] = [0.5, 0.42];

/// A turn to profile and a bend of the neck in sleep, in radians.
const PROFILE: f32 = 1.25;
const SUNK: f32 = 0.16;

/// How long the eyes rest on one spot.
const GAZE_EVERY_S: f32 = 1.25;

/// The person of the demonstration and the camera that watches.
#[derive(Clone, Debug)]
pub struct Demonstration {
    renderer: FaceRenderer,
    size: (u32, u32),
    rate: u32,
    seed: u32,
    script: Vec<Step>,
}

impl Demonstration {
    /// Width and height of the frames in pixels: a usual webcam's.
    pub const SIZE: (u32, u32) = (640, 480);

    /// Frames a second.
    pub const RATE: u32 = 30;

    /// Creates the demonstration with its script; `seed` is that of the noise and of where the eyes wander.
    pub fn new(seed: u32) -> Self {
        Self::scripted(&crate::script::SCRIPT, Self::SIZE, seed)
    }

    /// Creates a demonstration with a script and a frame size of one's own.
    pub fn scripted(script: &[Step], size: (u32, u32), seed: u32) -> Self {
        Self {
            renderer: FaceRenderer::new(&Person::default(), size, FACE_SHARE * size.1 as f32),
            size,
            rate: Self::RATE,
            seed,
            script: script.to_vec(),
        }
    }

    /// Returns the number of frames until the script begins again.
    pub fn frames(&self) -> u64 {
        (LENGTH_S * self.rate as f32) as u64
    }

    /// Returns the time of a frame in seconds since the script began.
    pub fn time_s(&self, frame: u64) -> f32 {
        frame as f32 / self.rate as f32
    }

    /// Draws a frame.
    pub fn render(&self, frame: u64) -> RgbImage {
        let scene = Scene::of(&self.script, self.time_s(frame));
        let mut image = self.renderer.render(&self.pose(frame, &scene));
        let exposure = Exposure {
            gain: scene.light,
            noise: scene.noise,
            seed: self.seed.wrapping_mul(0x0100_0193) ^ frame as u32,
            ..Exposure::default()
        };
        exposure.apply(&mut image);
        image
    }

    /// Returns what is known of the eyes in a frame.
    pub fn labels(&self, frame: u64) -> PerEye<EyeLabel> {
        let scene = Scene::of(&self.script, self.time_s(frame));
        self.renderer.labels(&self.pose(frame, &scene))
    }

    /// Returns the pose in a frame: a head that sways a little by itself, in periods that divide the script.
    fn pose(&self, frame: u64, scene: &Scene) -> Pose {
        let time = self.time_s(frame);
        let wave = |times: f32, phase: f32| (TAU * times * time / LENGTH_S + phase).sin();
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        let unit = height / 480.0;
        // Who leaves stands up a little.
        let body = [
            RESTING[0] * width + 2.0 * unit * wave(5.0, 0.0) + 0.85 * width * scene.gone,
            RESTING[1] * height - 30.0 * unit * (std::f32::consts::PI * scene.gone).sin(),
        ];
        let head = [
            body[0] + unit * (4.0 * wave(7.0, 1.0) + 1.0 * wave(23.0, 2.0)),
            body[1] + unit * (2.0 * wave(11.0, 0.5) + 26.0 * scene.sunk + 5.0 * scene.look_down),
        ];
        let gaze = [
            0.25 * self.wandering(time, 0) + 0.5 * scene.turned,
            0.12 * self.wandering(time, 1) + 0.85 * scene.look_down,
        ];
        let eye = |eye: Eye| EyePose {
            openness: scene.openness[eye.index()],
            gaze,
        };
        Pose {
            head,
            body,
            roll: 0.025 * wave(4.0, 0.0) + 0.10 * scene.sunk + 0.06 * scene.gone,
            turn: 0.04 * wave(6.0, 0.7) + PROFILE * scene.turned,
            nod: 0.02 * wave(9.0, 0.2) + SUNK * scene.sunk + 0.09 * scene.look_down,
            eyes: PerEye::from_fn(eye),
        }
    }

    /// Returns where the eyes wander along an axis, -1 to 1: they rest, then leap.
    fn wandering(&self, time: f32, axis: u32) -> f32 {
        let rests = (LENGTH_S / GAZE_EVERY_S) as u32;
        let rest = (time / GAZE_EVERY_S) as u32 % rests;
        crate::colour::hash(rest, axis, self.seed) as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_same_for_the_same_seed_and_no_two_frames_are() {
        let demonstration = Demonstration::new(1);
        assert_eq!(demonstration.render(40), Demonstration::new(1).render(40));
        assert_ne!(demonstration.render(40), Demonstration::new(2).render(40));
        assert_ne!(demonstration.render(40), demonstration.render(41));
        assert_eq!(demonstration.render(0).dimensions(), Demonstration::SIZE);
    }

    #[test]
    fn the_labels_follow_the_script() {
        let demonstration = Demonstration::new(1);
        let at = |second: f32| demonstration.labels((30.0 * second).round() as u64);
        assert!(at(1.0).left.visible && at(1.0).left.openness == 1.0);
        assert_eq!(at(2.1).right.openness, 0.0);
        assert_eq!(at(51.0).left.openness, 0.0);
        assert!(!at(28.0).left.visible && !at(28.0).right.visible);
        assert!(!at(22.0).left.visible, "turned away");
    }
}
