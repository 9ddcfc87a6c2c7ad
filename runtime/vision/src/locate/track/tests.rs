//! Scenes with several people as scripts: who is watched when, to the frame, and how often the network runs. The
//! detector is scripted: it finds what stands in its region upright and large enough, as the network does.

use super::*;
use crate::{eye_state::PerEye, locate::ChangeReason};
use image::{Luma, Rgb};
use std::{cell::RefCell, f32::consts::FRAC_PI_2, rc::Rc};

mod people;
mod searching;

const FPS: f64 = 30.0;

/// Who or what has a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Blinks and glances.
    Person,
    /// Never changes.
    Picture,
    /// Sleeps, and never changes.
    Sleeper,
}

/// A face of the scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    pub(super) who: Who,
    /// When it is there, in seconds.
    pub(super) there: (f64, f64),
    /// Its centre and side in pixels.
    pub(super) at: [f32; 2],
    pub(super) side: f32,
    /// Angle of its upright square.
    pub(super) angle: f32,
}

pub(super) const fn actor(who: Who, there: (f64, f64), at: [f32; 2], side: f32) -> Actor {
    Actor {
        who,
        there,
        at,
        side,
        angle: 0.0,
    }
}

pub(super) const ALWAYS: (f64, f64) = (0.0, 1e9);

impl Actor {
    pub(super) fn is_there(&self, time: f64) -> bool {
        (self.there.0..self.there.1).contains(&time)
    }

    pub(super) fn face(&self) -> Face {
        let roi = Roi {
            centre: self.at,
            side: self.side,
            angle: self.angle,
        };
        Face {
            confidence: 0.9,
            square: Roi { angle: 0.0, ..roi },
            eyes: PerEye {
                left: roi.to_image([0.7, 0.4]),
                right: roi.to_image([0.3, 0.4]),
            },
        }
    }

    /// Gray level of a point of its face, of which (0, 0) is the centre and 1 a side.
    fn level(&self, [u, v]: [f32; 2], time: f64) -> f32 {
        // Every two seconds a blink of a quarter, and a glance to the side in between.
        let moves = self.who == Who::Person;
        let blinks = moves && (time + f64::from(self.side)).rem_euclid(2.0) < 0.25;
        let glance = if moves && time.rem_euclid(1.4) < 0.5 {
            0.03
        } else {
            0.0
        };
        let spot =
            |x: f32, y: f32, r: f32| (-((u - x).powi(2) + (v - y).powi(2)) / (2.0 * r * r)).exp();
        let eyes = spot(glance - 0.2, -0.1, 0.07) + spot(glance + 0.2, -0.1, 0.07);
        let mouth = spot(0.0, 0.25, 0.1);
        180.0 - if blinks { 0.0 } else { 90.0 * eyes } - 50.0 * mouth
    }
}

/// Finds the actors that a region shows, as they are now.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripted(Rc<RefCell<Vec<Face>>>);

/// Shares of a region's side that a face may take.
const FOUND: std::ops::RangeInclusive<f32> = 0.125..=0.98;

impl FaceDetector for Scripted {
    fn detect(&mut self, _: &RgbImage, region: &Roi, _: Averaging, _: f32) -> Vec<Face> {
        let shows = |face: &&Face| {
            let inside = face.square.centre;
            let [x, y] = region.from_image(inside);
            let reach = 0.4 * face.square.side / region.side;
            FOUND.contains(&(face.square.side / region.side))
                && (reach..=1.0 - reach).contains(&x)
                && (reach..=1.0 - reach).contains(&y)
                && (face.roll() - region.angle).cos() > -0.1
        };
        self.0.borrow().iter().filter(shows).copied().collect()
    }
}

/// A scene that is tracked.
pub(super) struct Stage {
    pub(super) tracker: FaceTracker<Scripted>,
    faces: Scripted,
    size: (u32, u32),
    frame: u64,
}

/// What a frame brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) time: f64,
    pub(super) face: Option<Face>,
    pub(super) change: Option<PersonChange>,
    /// Runs of the network.
    pub(super) runs: u64,
}

impl Seen {
    /// Whether an actor is watched.
    pub(super) fn is(&self, actor: &Actor) -> bool {
        self.face.is_some_and(|face| are_one(&face, &actor.face()))
    }
}

impl Stage {
    pub(super) fn new(size: (u32, u32), settings: &DetectorSettings) -> Self {
        let faces = Scripted::default();
        Self {
            tracker: FaceTracker::with(faces.clone(), settings),
            faces,
            size,
            frame: 0,
        }
    }

    /// Plays one frame of a background that changes everywhere where `restless`.
    pub(super) fn frame(&mut self, actors: &[Actor], restless: bool) -> Seen {
        let time = self.frame as f64 / FPS;
        let there: Vec<Actor> = actors
            .iter()
            .filter(|actor| actor.is_there(time))
            .copied()
            .collect();
        *self.faces.0.borrow_mut() = there.iter().map(Actor::face).collect();
        let (width, height) = self.size;
        let flicker = if restless {
            40 * (self.frame % 2) as u8
        } else {
            0
        };
        let mut luma = GrayImage::from_pixel(width, height, Luma([80 + flicker]));
        for actor in &there {
            draw(&mut luma, actor, time);
        }
        let runs = self.tracker.runs();
        let tracked = self.tracker.track(&Frame {
            sequence: self.frame,
            time: Duration::from_secs_f64(time),
            // Nobody reads its colours here.
            rgb: RgbImage::from_pixel(width, height, Rgb([0; 3])),
            luma,
        });
        self.frame += 1;
        Seen {
            time,
            face: tracked.face,
            change: tracked.change,
            runs: self.tracker.runs() - runs,
        }
    }

    /// Leaves out frames that the camera takes meanwhile, as a machine does that is late.
    pub(super) const fn leave_out(&mut self, frames: u64) {
        self.frame += frames;
    }

    pub(super) fn play(&mut self, actors: &[Actor], seconds: f64) -> Vec<Seen> {
        (0..(seconds * FPS).round() as u64)
            .map(|_| self.frame(actors, false))
            .collect()
    }
}

/// Draws a face as an upright disc; how it is turned does not matter here.
fn draw(luma: &mut GrayImage, actor: &Actor, time: f64) {
    let reach = actor.side / 2.0;
    let range = |axis: usize, most: u32| {
        let from = (actor.at[axis] - reach).max(0.0) as u32;
        let to = (actor.at[axis] + reach).clamp(0.0, most as f32) as u32;
        from..to
    };
    for y in range(1, luma.height()) {
        for x in range(0, luma.width()) {
            let u = (x as f32 + 0.5 - actor.at[0]) / actor.side;
            let v = (y as f32 + 0.5 - actor.at[1]) / actor.side;
            if u.hypot(v) < 0.5 {
                let level = actor.level([u, v], time).round().clamp(0.0, 255.0);
                luma.put_pixel(x, y, Luma([level as u8]));
            }
        }
    }
}

fn face(centre: [f32; 2], side: f32) -> Face {
    actor(Who::Picture, ALWAYS, centre, side).face()
}

#[test]
fn the_region_is_roll_aligned_by_the_eyes() {
    let tilted = Actor {
        angle: 0.6,
        ..actor(Who::Person, ALWAYS, [100.0, 80.0], 100.0)
    };
    let last = tilted.face();
    let region = region_around(&last);
    assert_eq!((region.centre, region.side), ([100.0, 80.0], 200.0));
    let (left, right) = (
        region.from_image(last.eyes.left),
        region.from_image(last.eyes.right),
    );
    assert!((left[1] - right[1]).abs() < 1e-5 && left[0] > right[0]);
}

#[test]
fn a_face_that_jumps_in_size_or_leaves_the_image_is_not_tracked() {
    let last = face([100.0, 80.0], 100.0);
    let follows = |face: &Face| is_plausible_successor(face, &last, (640, 480));
    assert!(follows(&face([110.0, 80.0], 120.0)));
    for (centre, side) in [
        ([110.0, 80.0], 210.0),
        ([110.0, 80.0], 45.0),
        ([-5.0, 80.0], 100.0),
        ([f32::NAN, 80.0], 100.0),
        ([100.0, 80.0], f32::NAN),
    ] {
        assert!(!follows(&face(centre, side)), "{centre:?}, {side}");
    }
}

#[test]
fn a_head_upside_down_is_found_by_itself_or_where_the_camera_is_said_to_be() {
    for (rotate, angle, found) in [
        ("auto", 2.0 * FRAC_PI_2, true),
        ("auto", FRAC_PI_2, true),
        ("auto", -FRAC_PI_2, true),
        ("180", 2.0 * FRAC_PI_2, true),
        ("0", 2.0 * FRAC_PI_2, false),
        ("180", 0.0, false),
    ] {
        let settings = DetectorSettings {
            rotate: rotate.parse().unwrap(),
            ..DetectorSettings::default()
        };
        let mut stage = Stage::new((640, 480), &settings);
        let head = Actor {
            angle,
            ..actor(Who::Person, ALWAYS, [320.0, 240.0], 120.0)
        };
        let seen = stage.frame(&[head], false);
        assert_eq!(seen.is(&head), found, "{rotate} {angle}");
    }
}
