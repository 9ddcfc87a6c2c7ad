//! Block matching: how far a face has moved since the last detection, by its gray levels alone, at a
//! thousandth of the network's cost; enough while a head is nearly still.
//!
//! How long an estimate may stand in for a detection is left to [`super::track`].

use super::{Face, Roi};
use image::GrayImage;

/// Cells along each side of the square that is compared.
const CELLS: usize = 32;

/// Largest shift that is tried, in cells either way. The best must lie within: at the border of
/// what was tried it may be anywhere beyond.
const MAX_SHIFT: usize = 3;

/// Cells along each side that stay within the square however it is shifted.
const INNER: usize = CELLS - 2 * MAX_SHIFT;

/// Side of the square in face sides: the face and its edge against what is behind, which tell a
/// shift better than cheeks do.
const PER_FACE: f32 = 1.2;

/// Largest residual of a shift that is accepted, as a share of the face's variance.
///
/// 0.08: heads that turn, nod or talk leave more, lids that close leave 0.01 to 0.03; under noise of
/// 30 gray levels everything leaves more, so that the detector runs on every noisy frame.
const MAX_RESIDUAL: f32 = 0.08;

/// Smallest standard deviation in gray levels that can be matched: below, it is noise and rounding.
const MIN_CONTRAST: f32 = 4.0;

/// A face's gray levels at its detection, to be matched with later frames.
#[derive(Clone, Debug)]
pub struct MotionEstimate {
    square: Roi,
    cells: [f32; CELLS * CELLS],
}

/// A face now beside the face then.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockMatch {
    /// Residual of the best shift as a share of the face's variance.
    pub(super) residual: f32,
    /// Variance of the face's cells in squared gray levels.
    pub(super) variance: f32,
}

impl MotionEstimate {
    /// Stores the gray levels of a detected face.
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

    /// Estimates how far the face has moved since, in pixels of the image to the right and down; `None` where
    /// no shift matches: it moved too far, turned, or is hidden.
    pub fn shift(&self, luma: &GrayImage) -> Option<[f32; 2]> {
        let now = cells(luma, &self.square);
        let (residual, right, down) = self.best(&now);
        let variance = self.variance();
        let matches = variance >= MIN_CONTRAST * MIN_CONTRAST
            && residual <= MAX_RESIDUAL * variance
            && is_within_reach(right, down);
        if !matches {
            return None;
        }
        Some(self.in_pixels(&now, (residual, right, down)))
    }

    /// Compares the face with what is there now, however it has shifted: what a rigid picture of it, moved as a
    /// whole, leaves unexplained. `None` where the face has too little contrast, or has shifted too far.
    pub(super) fn compare(&self, luma: &GrayImage) -> Option<BlockMatch> {
        let variance = self.variance();
        // Also false for what is not a number.
        let has_contrast = variance >= MIN_CONTRAST * MIN_CONTRAST;
        if !has_contrast {
            return None;
        }
        let now = cells(luma, &self.square);
        let best = self.best(&now);
        let (residual, right, down) = best;
        if !is_within_reach(right, down) {
            return None;
        }
        // Parts of a cell leave a residual at every edge, so the square follows them.
        let [x, y] = self.in_pixels(&now, best);
        let moved = Roi {
            centre: [self.square.centre[0] + x, self.square.centre[1] + y],
            ..self.square
        };
        let exact = self.residual(&cells(luma, &moved), 0, 0);
        Some(BlockMatch {
            residual: residual.min(exact) / variance,
            variance,
        })
    }

    /// The shift in pixels of the image, to a part of a cell, of the best one in cells with its residual; that
    /// must be within reach.
    fn in_pixels(
        &self,
        now: &[f32; CELLS * CELLS],
        (residual, right, down): (f32, isize, isize),
    ) -> [f32; 2] {
        let between = |before: f32, after: f32| vertex(before, residual, after);
        let x = right as f32
            + between(
                self.residual(now, right - 1, down),
                self.residual(now, right + 1, down),
            );
        let y = down as f32
            + between(
                self.residual(now, right, down - 1),
                self.residual(now, right, down + 1),
            );
        let cell = self.square.side / CELLS as f32;
        let (sin, cos) = self.square.angle.sin_cos();
        [cell * (cos * x - sin * y), cell * (sin * x + cos * y)]
    }

    /// The least residual of all shifts, and its shift in cells.
    fn best(&self, now: &[f32; CELLS * CELLS]) -> (f32, isize, isize) {
        let reach = MAX_SHIFT as isize;
        let mut best = (f32::INFINITY, 0, 0);
        for down in -reach..=reach {
            for right in -reach..=reach {
                let residual = self.residual(now, right, down);
                if residual < best.0 {
                    best = (residual, right, down);
                }
            }
        }
        best
    }

    /// Variance of the difference between the inner cells and those of `now` shifted by so many cells: the
    /// mean square difference less an even change of light.
    fn residual(&self, now: &[f32; CELLS * CELLS], right: isize, down: isize) -> f32 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for row in MAX_SHIFT..MAX_SHIFT + INNER {
            let before = &self.cells[row * CELLS + MAX_SHIFT..][..INNER];
            let shifted = row.saturating_add_signed(down) * CELLS + MAX_SHIFT;
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

fn is_within_reach(right: isize, down: isize) -> bool {
    let reach = MAX_SHIFT as isize;
    right.abs() < reach && down.abs() < reach
}

/// Computes the minimum's position of the parabola through three equally spaced values, from the middle one:
/// -0.5 to 0.5 when that is the least of the three.
fn vertex(before: f32, middle: f32, after: f32) -> f32 {
    let bend = before - 2.0 * middle + after;
    if bend > 0.0 {
        (0.5 * (before - after) / bend).clamp(-0.5, 0.5)
    } else {
        0.0
    }
}

/// Samples a square's cells, each the mean of four pixels in it: the nearest ones, for bilinear sampling
/// costs four times as much. Beyond the image's edge the edge pixels repeat.
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
    // Step in the image from one sample to the next.
    let step = square.side / (2 * CELLS) as f32;
    let (sin, cos) = square.angle.sin_cos();
    let [first_x, first_y] = square.to_image([0.25 / CELLS as f32; 2]);
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
pub(super) mod tests {
    use super::*;
    use crate::eye_state::PerEye;
    use image::Luma;
    use proptest::prelude::*;

    /// An image with a blob and an edge, shifted.
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

    /// The face of the scene, unshifted.
    pub(in crate::locate) const FACE: Face = Face {
        confidence: 0.9,
        square: Roi {
            centre: [160.0, 120.0],
            side: 110.0,
            angle: 0.0,
        },
        eyes: PerEye {
            left: [185.0, 105.0],
            right: [135.0, 105.0],
        },
    };

    proptest! {
        /// A cell is 4.1 pixels wide; a fifth of it is 2 % of the eyes' distance.
        #[test]
        fn a_shift_is_found_whatever_the_light_and_the_roll(
            x in -7.0_f32..7.0, y in -7.0_f32..7.0, light in -30.0_f32..30.0, roll in -0.3_f32..0.3,
        ) {
            let mut tilted = FACE;
            tilted.eyes.left[1] += 50.0 * roll.tan();
            let shift = MotionEstimate::at(&tilted, &scene(0.0, 0.0, 0.0)).shift(&scene(x, y, light));
            let [dx, dy] = shift.unwrap_or([f32::NAN; 2]);
            prop_assert!((dx - x).hypot(dy - y) < 0.9, "{x}, {y}: found {dx}, {dy}");
        }
    }

    #[test]
    fn a_face_that_cannot_be_the_same_is_not_matched() {
        let motion = MotionEstimate::at(&FACE, &scene(0.0, 0.0, 0.0));
        // Too far.
        assert_eq!(motion.shift(&scene(25.0, 0.0, 0.0)), None);
        // Gone, and a frame without a pixel.
        let wall = GrayImage::from_pixel(320, 240, Luma([90]));
        assert_eq!(motion.shift(&wall), None);
        assert_eq!(motion.shift(&GrayImage::new(0, 0)), None);
        // A hand over one half of it.
        let mut hidden = scene(0.0, 0.0, 0.0);
        for (x, _, level) in hidden.enumerate_pixels_mut() {
            if x > 160 {
                level.0 = [150];
            }
        }
        assert_eq!(motion.shift(&hidden), None);
        // No contrast.
        assert_eq!(MotionEstimate::at(&FACE, &wall).shift(&wall), None);
    }
}
