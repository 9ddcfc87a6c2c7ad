//! Signs of life of a face: blinks, glances, words and turns change it in a way that a picture on the wall, moved
//! as a whole by a camera that shakes, never does.
//!
//! What follows from a face being alive or not is left to [`super::people`].

use super::{Face, motion::MotionEstimate};
use image::GrayImage;
use std::time::Duration;

/// Least and longest time between two moments that are compared. In less, a lid has hardly moved; over more, light
/// changes.
const LEAST_APART: Duration = Duration::from_millis(150);
const MOST_APART: Duration = Duration::from_millis(1000);

/// Residual as a share of the face's variance from which on a face has changed in itself, beyond what noise
/// leaves.
const SIGN: f32 = 0.01;

/// Residual from which on something else is there: a hand, another face.
const SOMETHING_ELSE: f32 = 0.3;

/// How many times the residual that noise leaves is left out of account.
const NOISES: f32 = 3.0;

/// Noise in gray levels beyond which nothing is concluded: the camera moves, or sees next to nothing.
const MOST_NOISE: f32 = 15.0;

/// Pixels that a cell of a compared face averages.
const PIXELS_OF_A_CELL: f32 = 4.0;

/// Number of signs after which a face is alive: one may be the shadow of somebody who passes.
const SIGNS_OF_LIFE: u32 = 3;

/// What was seen of one face's life.
#[derive(Clone, Debug, Default)]
pub(super) struct LifeSigns {
    signs: u32,
    before: Option<(Duration, MotionEstimate)>,
}

impl LifeSigns {
    /// Tells whether the face has been seen to be alive.
    pub(super) const fn is_alive(&self) -> bool {
        self.signs >= SIGNS_OF_LIFE
    }

    /// Takes for granted that the face is alive: its closed eyes raised an alert, which no picture's do.
    pub(super) const fn confirm(&mut self) {
        self.signs = SIGNS_OF_LIFE;
    }

    /// Takes that this is most likely a face that was alive before it was lost from sight: one more sign is enough.
    pub(super) const fn resume(&mut self) {
        self.signs = SIGNS_OF_LIFE - 1;
    }

    /// Takes the face in a frame; `noise` is the standard deviation of a pixel's noise in gray levels.
    pub(super) fn observe(&mut self, face: &Face, luma: &GrayImage, noise: f32, time: Duration) {
        if self.is_alive() {
            // Once is enough: a sleeper does not move either.
            self.before = None;
            return;
        }
        let apart = self
            .before
            .as_ref()
            .map(|(since, _)| time.saturating_sub(*since));
        if apart.is_some_and(|apart| apart < LEAST_APART) {
            return;
        }
        if let (Some(apart), Some((_, before))) = (apart, &self.before)
            && apart <= MOST_APART
            && noise <= MOST_NOISE
            && let Some(now) = before.compare(luma)
        {
            let of_noise = 2.0 * noise * noise / PIXELS_OF_A_CELL / now.variance;
            let changed = now.residual > SIGN + NOISES * of_noise && now.residual < SOMETHING_ELSE;
            self.signs += u32::from(changed);
        }
        self.before = Some((time, MotionEstimate::at(face, luma)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::motion::tests::FACE;
    use image::Luma;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A bright oval with two dark eyes that may be shut, moved, under noise.
    fn scene(open: f32, [dx, dy]: [f32; 2], noise: f32, seed: u64) -> GrayImage {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        GrayImage::from_fn(320, 240, |column, row| {
            let (u, v) = (column as f32 - dx, row as f32 - dy);
            let spot = |x: f32, y: f32, r: f32, level: f32| {
                level * (-((u - x).powi(2) + (v - y).powi(2)) / (2.0 * r * r)).exp()
            };
            let eyes = spot(135.0, 105.0, 7.0, 60.0) + spot(185.0, 105.0, 7.0, 60.0);
            let level = 60.0 + spot(160.0, 120.0, 45.0, 100.0) - open * eyes;
            Luma([(level + noise * chance.random_range(-1.7..1.7)).round() as u8])
        })
    }

    /// Whether a face is seen to be alive within 5 s at 10 frames a second.
    fn lives(script: impl Fn(u64) -> (f32, [f32; 2]), noise: f32) -> bool {
        let mut life = LifeSigns::default();
        for tenth in 0..50 {
            let (open, moved) = script(tenth);
            let time = Duration::from_millis(100 * tenth);
            life.observe(&FACE, &scene(open, moved, noise, tenth), noise, time);
        }
        life.is_alive()
    }

    #[test]
    fn who_blinks_is_alive_and_a_picture_is_not_though_the_camera_shakes() {
        for noise in [0.0, 5.0] {
            let blinks = |tenth: u64| (if tenth % 20 < 3 { 0.0 } else { 1.0 }, [0.0; 2]);
            assert!(lives(blinks, noise), "{noise}");
            assert!(!lives(|_| (1.0, [0.0; 2]), noise), "{noise}");
            let shaken = |tenth: u64| {
                let swing = (tenth as f32 * 1.7).sin();
                (1.0, [3.0 * swing, 2.0 * swing])
            };
            assert!(!lives(shaken, noise), "{noise}");
        }
    }

    #[test]
    fn a_picture_that_somebody_passes_is_still_a_picture() {
        let mut life = LifeSigns::default();
        for tenth in 0..50 {
            let mut frame = scene(1.0, [0.0; 2], 2.0, tenth);
            // A hand over it for half a second.
            if (20..25).contains(&tenth) {
                for (x, _, level) in frame.enumerate_pixels_mut() {
                    if x < 160 {
                        level.0 = [200];
                    }
                }
            }
            life.observe(&FACE, &frame, 2.0, Duration::from_millis(100 * tenth));
        }
        assert!(!life.is_alive());
    }
}
