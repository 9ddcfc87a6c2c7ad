//! How far a face has moved since it was last looked for, by its gray levels alone: a thousandth of
//! what the network costs, and enough while a head is nearly still.
//!
//! When to trust a motion for how long is left to [`super::track`].

use super::{Face, Roi};
use image::GrayImage;

/// Cells along each side of the square that is compared.
const CELLS: usize = 32;

/// Farthest shift that is tried, in cells either way. The best must lie within: at the border of
/// what was tried it may be anywhere beyond.
const REACH: usize = 3;

/// Cells along each side that stay within the square however it is shifted.
const INNER: usize = CELLS - 2 * REACH;

/// Side of the square in face sides: the face and its edge against what is behind, which tell a
/// shift better than cheeks do.
const PER_FACE: f32 = 1.2;

/// Largest share of the face's contrast, as variance, that a shift may leave unexplained.
///
/// 0.08: heads that turn, nod or talk leave more, lids that close leave 0.01 to 0.03; under noise of
/// 30 gray levels everything leaves more, so that noisy frames are always looked at.
const MOST_UNEXPLAINED: f32 = 0.08;

/// Least standard deviation in gray levels of what can be compared: below, it is noise and rounding.
const LEAST_CONTRAST: f32 = 4.0;

/// A face's gray levels when it was looked for.
#[derive(Clone, Debug)]
pub struct MotionEstimate {
    square: Roi,
    cells: [f32; CELLS * CELLS],
}

impl MotionEstimate {
    /// Remembers how a face looks.
    pub fn at(face: &Face, luma: &GrayImage) -> Self {
        let square = Roi {
            side: PER_FACE * face.square.side,
            angle: face.roll(),
            ..face.square
        };
        Self {
            cells: cells(luma, &square),
            square,
        }
    }

    /// How far the face has moved since, in pixels of the picture; `None` where that cannot be said:
    /// it went too far, turned, or is hidden.
    pub fn moved(&self, luma: &GrayImage) -> Option<[f32; 2]> {
        let now = cells(luma, &self.square);
        let reach = REACH as isize;
        let mut best = (f32::INFINITY, 0, 0);
        for down in -reach..=reach {
            for right in -reach..=reach {
                let residual = self.residual(&now, right, down);
                if residual < best.0 {
                    best = (residual, right, down);
                }
            }
        }
        let (residual, right, down) = best;
        let variance = self.variance();
        let sure = variance >= LEAST_CONTRAST * LEAST_CONTRAST
            && residual <= MOST_UNEXPLAINED * variance
            && right.abs() < reach
            && down.abs() < reach;
        if !sure {
            return None;
        }
        let between = |before: f32, after: f32| vertex(before, residual, after);
        let x = right as f32
            + between(
                self.residual(&now, right - 1, down),
                self.residual(&now, right + 1, down),
            );
        let y = down as f32
            + between(
                self.residual(&now, right, down - 1),
                self.residual(&now, right, down + 1),
            );
        let cell = self.square.side / CELLS as f32;
        let (sin, cos) = self.square.angle.sin_cos();
        Some([cell * (cos * x - sin * y), cell * (sin * x + cos * y)])
    }

    /// Mean square difference of the inner cells from what is found so many cells farther on, apart
    /// from an even change of light.
    fn residual(&self, now: &[f32; CELLS * CELLS], right: isize, down: isize) -> f32 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for row in REACH..REACH + INNER {
            let before = &self.cells[row * CELLS + REACH..][..INNER];
            let shifted = row.saturating_add_signed(down) * CELLS + REACH;
            let after = &now[shifted.saturating_add_signed(right)..][..INNER];
            for (a, b) in before.iter().zip(after) {
                let difference = a - b;
                sum += difference;
                squares += difference * difference;
            }
        }
        let n = (INNER * INNER) as f32;
        (squares / n - (sum / n).powi(2)).max(0.0)
    }

    /// Variance of the inner cells.
    fn variance(&self) -> f32 {
        self.residual(&[0.0; CELLS * CELLS], 0, 0)
    }
}

/// Where the parabola through three equally spaced values has its lowest point, from the middle one:
/// -0.5 to 0.5 when that is the least of the three.
fn vertex(before: f32, middle: f32, after: f32) -> f32 {
    let bend = before - 2.0 * middle + after;
    if bend > 0.0 {
        (0.5 * (before - after) / bend).clamp(-0.5, 0.5)
    } else {
        0.0
    }
}

/// Gray levels of a square's cells, each the mean of four pixels in it: the nearest ones, for reading
/// between pixels costs four times as much. Beyond the picture's edge the edge goes on.
fn cells(luma: &GrayImage, square: &Roi) -> [f32; CELLS * CELLS] {
    let mut cells = [0.0; CELLS * CELLS];
    let (Some(right), Some(bottom)) = (luma.width().checked_sub(1), luma.height().checked_sub(1))
    else {
        return cells;
    };
    let pixels = luma.as_raw();
    let stride = luma.width() as usize;
    let read = |[x, y]: [f32; 2]| {
        // Casts round towards zero and hold at both ends.
        let (x, y) = ((x as u32).min(right), (y as u32).min(bottom));
        f32::from(pixels[y as usize * stride + x as usize])
    };
    // Steps in the picture from one pixel read to the next.
    let step = square.side / (2 * CELLS) as f32;
    let (sin, cos) = square.angle.sin_cos();
    let [first_x, first_y] = square.to_picture([0.25 / CELLS as f32; 2]);
    let at = |column: usize, row: usize| {
        let (right, down) = (column as f32 * step, row as f32 * step);
        read([
            first_x + cos * right - sin * down,
            first_y + sin * right + cos * down,
        ])
    };
    for (row, values) in cells.chunks_exact_mut(CELLS).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let (x, y) = (2 * column, 2 * row);
            *value = (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4.0;
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eye_state::PerEye;
    use image::Luma;
    use proptest::prelude::*;

    /// A picture with a blob and an edge, shifted.
    fn scene(x: f32, y: f32, light: f32) -> GrayImage {
        GrayImage::from_fn(320, 240, |column, row| {
            let (u, v) = (column as f32 - x, row as f32 - y);
            let blob = |cx: f32, cy: f32, r: f32| {
                80.0 * (-((u - cx).powi(2) + (v - cy).powi(2)) / (2.0 * r * r)).exp()
            };
            let level =
                60.0 + blob(160.0, 120.0, 45.0) - blob(135.0, 105.0, 8.0) - blob(185.0, 105.0, 8.0)
                    + light;
            Luma([level.round().clamp(0.0, 255.0) as u8])
        })
    }

    fn face() -> Face {
        Face {
            score: 0.9,
            square: Roi {
                centre: [160.0, 120.0],
                side: 110.0,
                angle: 0.0,
            },
            eyes: PerEye {
                left: [185.0, 105.0],
                right: [135.0, 105.0],
            },
        }
    }

    proptest! {
        /// A cell is 4.1 pixels wide; a fifth of it is 2 % of the eyes' distance.
        #[test]
        fn a_shift_is_found_whatever_the_light_and_the_roll(
            x in -7.0_f32..7.0, y in -7.0_f32..7.0, light in -30.0_f32..30.0, roll in -0.3_f32..0.3,
        ) {
            let mut tilted = face();
            tilted.eyes.left[1] += 50.0 * roll.tan();
            let moved = MotionEstimate::at(&tilted, &scene(0.0, 0.0, 0.0)).moved(&scene(x, y, light));
            let [dx, dy] = moved.unwrap_or([f32::NAN; 2]);
            prop_assert!((dx - x).hypot(dy - y) < 0.9, "{x}, {y}: found {dx}, {dy}");
        }
    }

    #[test]
    fn what_cannot_be_the_same_face_a_moment_later_is_not_said_to_be() {
        let motion = MotionEstimate::at(&face(), &scene(0.0, 0.0, 0.0));
        // Too far.
        assert_eq!(motion.moved(&scene(25.0, 0.0, 0.0)), None);
        // Gone, and a frame without a pixel.
        let wall = GrayImage::from_pixel(320, 240, Luma([90]));
        assert_eq!(motion.moved(&wall), None);
        assert_eq!(motion.moved(&GrayImage::new(0, 0)), None);
        // A hand over one half of it.
        let mut hidden = scene(0.0, 0.0, 0.0);
        for (x, _, level) in hidden.enumerate_pixels_mut() {
            if x > 160 {
                level.0 = [150];
            }
        }
        assert_eq!(motion.moved(&hidden), None);
        // Nothing to go by.
        assert_eq!(MotionEstimate::at(&face(), &wall).moved(&wall), None);
    }
}
