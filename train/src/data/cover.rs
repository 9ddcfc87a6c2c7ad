//! Things that hide an eye wholly: a hand, a dark or mirrored lens, a cup, hair. Painted in training alone,
//! so that a network learns the state not visible; what hides an eye in part is a corruption
//! ([`crate::corruption`]) and leaves the label as it is.
//!
//! What is drawn is of no certain kind: a shade that is often the face's own, light that falls off
//! across it, and stripes as between fingers or strands, behind an edge that leaves some of the
//! crop's border to be seen.

use crate::{corruption::obstruction::from_centre, normal::normal};
use rand::{Rng, RngExt};
use std::ops::RangeInclusive;

/// Least distance of the thing's edge from the crop's centre as a share of its side: iris and lids of
/// an eye that fills half of the crop, as those of a located face do, stay hidden.
const LEAST_REACH: f32 = 0.27;
/// Farthest edge: beyond the crop's corner nothing of the face is left.
const MOST_REACH: f32 = 0.75;
/// Chance that the thing has the face's own shade, as a hand has.
const SKIN: f32 = 0.5;
/// Chance of stripes.
const STRIPED: f32 = 0.5;
/// Stripes across the crop. A single dark line would be that of a closed eye's lashes.
const STRIPES: RangeInclusive<u32> = 2..=5;
/// Largest change of light from one side of the crop to the other, in gray levels.
const SLOPE: f32 = 60.0;

/// A straight line that hides what lies on the centre's side of it.
struct Edge {
    direction: [f32; 2],
    /// In pixels from the crop's centre.
    distance: f32,
}

/// Paints something over an eye at the middle of a crop of gray levels 0 to 255.
pub fn hide(gray: &mut [f32], rng: &mut impl Rng) {
    let pixels = gray.len().isqrt();
    let side = pixels as f32;
    let shade = shade(gray, rng);
    let edges = edges(side, rng);
    let slope = direction(rng);
    let steepness = SLOPE * rng.random::<f32>() / side;
    let stripes = stripes(side, rng);
    let grain = 4.0 * rng.random::<f32>();
    for (index, value) in gray.iter_mut().enumerate() {
        let at = from_centre(index, pixels);
        // Share of the pixel that is hidden, by its distance from the nearest edge.
        let inside = edges
            .iter()
            .map(|edge| edge.distance - dot(edge.direction, at));
        let hidden = (inside.fold(f32::INFINITY, f32::min) + 0.5).clamp(0.0, 1.0);
        let light = steepness * dot(slope, at) + grain * normal(rng);
        let level = (shade + light) * (1.0 - stripes.depth(at));
        *value += hidden * (level.clamp(0.0, 255.0) - *value);
    }
}

/// A shade of the image, a little lighter or darker, or any.
fn shade(gray: &[f32], rng: &mut impl Rng) -> f32 {
    if rng.random::<f32>() < SKIN {
        let own = gray[rng.random_range(0..gray.len())];
        own * (0.8 + 0.4 * rng.random::<f32>())
    } else {
        10.0 + 230.0 * rng.random::<f32>()
    }
}

/// One to four straight edges around the eye: a palm's, a pair of fingers', a lens's.
fn edges(side: f32, rng: &mut impl Rng) -> Vec<Edge> {
    let count = rng.random_range(1..=4);
    let first = std::f32::consts::TAU * rng.random::<f32>();
    let turn = std::f32::consts::TAU / count as f32;
    let edge = |number: i32| {
        let angle = first + number as f32 * turn;
        let reach = LEAST_REACH + (MOST_REACH - LEAST_REACH) * rng.random::<f32>();
        Edge {
            direction: [angle.cos(), angle.sin()],
            distance: reach * side,
        }
    };
    (0..count).map(edge).collect()
}

/// Narrow dark lines at equal distances: the gaps between fingers, or none.
struct Stripes {
    direction: [f32; 2],
    /// Turns of a circle for each pixel.
    frequency: f32,
    phase: f32,
    /// Share of the light that is lost in a gap's middle.
    depth: f32,
    /// The larger, the narrower are the gaps.
    narrowness: i32,
}

impl Stripes {
    fn depth(&self, at: [f32; 2]) -> f32 {
        let turns = self.frequency * dot(self.direction, at) + self.phase;
        let wave = 0.5 + 0.5 * (std::f32::consts::TAU * turns).cos();
        self.depth * wave.powi(self.narrowness)
    }
}

fn stripes(side: f32, rng: &mut impl Rng) -> Stripes {
    let depth = if rng.random::<f32>() < STRIPED {
        0.7 * rng.random::<f32>()
    } else {
        0.0
    };
    Stripes {
        direction: direction(rng),
        frequency: rng.random_range(STRIPES) as f32 / side,
        phase: rng.random(),
        depth,
        narrowness: rng.random_range(1..=8),
    }
}

fn direction(rng: &mut impl Rng) -> [f32; 2] {
    let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
    [cos, sin]
}

fn dot(a: [f32; 2], b: [f32; 2]) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const SIDE: usize = 32;
    const PIXELS: usize = SIDE * SIDE;

    /// Pixels around the centre that show an eye.
    fn is_eye(index: usize) -> bool {
        let [x, y] = [index % SIDE, index / SIDE].map(|v| v as f32 - (SIDE as f32 - 1.0) / 2.0);
        x.hypot(y) < (LEAST_REACH * SIDE as f32) - 1.0
    }

    #[test]
    fn nothing_of_the_eye_is_left_and_something_is_always_painted() {
        // An image that cannot be mistaken for paint: paint has levels from 0 to 255.
        for seed in 0..200 {
            let mut gray = [1000.0; PIXELS];
            hide(&mut gray, &mut ChaCha8Rng::seed_from_u64(seed));
            let eye = gray.iter().enumerate().filter(|(index, _)| is_eye(*index));
            for (index, level) in eye {
                assert!(
                    (0.0..=255.0).contains(level),
                    "seed {seed}, pixel {index}: {level}"
                );
            }
        }
    }

    #[test]
    fn edges_leave_the_border_of_some_crops_to_be_seen() {
        let seen = (0..200).filter(|seed| {
            let mut gray = [1000.0; PIXELS];
            hide(&mut gray, &mut ChaCha8Rng::seed_from_u64(*seed));
            gray.iter().any(|level| *level > 255.0)
        });
        let seen = seen.count();
        assert!((60..=199).contains(&seen), "{seen} of 200");
    }

    #[test]
    fn seeds_repeat_and_differ() {
        let hidden = |seed| {
            let mut gray = [100.0; PIXELS];
            hide(&mut gray, &mut ChaCha8Rng::seed_from_u64(seed));
            gray
        };
        assert_eq!(hidden(3), hidden(3));
        assert_ne!(hidden(3), hidden(4));
    }
}
