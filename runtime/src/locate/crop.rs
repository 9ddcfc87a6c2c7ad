//! Levelled square cut-outs of a picture: the one sampler behind face regions, eye crops and the
//! training crops, so that a network meets the same pixels in training and live.
//!
//! Standardisation is left to [`crate::classify::input`].

use image::{GrayImage, RgbImage};

/// A square region of a picture, possibly turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// Centre in pixels; (0, 0) is the outer corner of the first pixel, whose centre is (0.5, 0.5).
    pub centre: [f32; 2],
    /// Length of a side in pixels, above 0.
    pub side: f32,
    /// Turn of the square's x axis from the picture's, in radians, clockwise as seen on screen.
    pub angle: f32,
}

impl Square {
    /// Maps a point of the square, (0, 0) to (1, 1), to pixels of the picture.
    pub fn to_picture(&self, point: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let u = (point[0] - 0.5) * self.side;
        let v = (point[1] - 0.5) * self.side;
        [
            self.centre[0] + cos * u - sin * v,
            self.centre[1] + sin * u + cos * v,
        ]
    }

    /// Maps pixels of the picture to a point of the square; the inverse of [`Self::to_picture`].
    pub fn from_picture(&self, pixel: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let x = pixel[0] - self.centre[0];
        let y = pixel[1] - self.centre[1];
        [
            (cos * x + sin * y) / self.side + 0.5,
            (cos * y - sin * x) / self.side + 0.5,
        ]
    }
}

/// Samples averaged along each side of an output pixel that covers `scale` picture pixels: one
/// for each pixel covered, so that the mean approximates the area average. Four are plenty for a
/// 32-pixel crop of an eye up to 128 pixels wide; past eight more of them change no gray level.
pub(crate) fn samples_per_side(scale: f32) -> usize {
    (scale.ceil() as usize).clamp(1, 8)
}

/// Area-averages a square of a gray picture into `side` x `side` values (row by row) in 8-bit gray
/// levels, 0 to 255. Beyond the picture's edge the edge goes on.
///
/// `out` must hold `side * side` values; surplus ones are left alone.
pub fn sample_gray(picture: &GrayImage, square: &Square, side: usize, out: &mut [f32]) {
    let scale = square.side / side as f32;
    let samples = samples_per_side(scale);
    let (sin, cos) = square.angle.sin_cos();
    // Steps in the picture for one sample to the right and one down.
    let step = scale / samples as f32;
    let (right, down) = ([cos * step, sin * step], [-sin * step, cos * step]);
    let first = square.to_picture([0.5 / (side * samples) as f32; 2]);
    // Bilinear reading is between pixel centres.
    let first = [first[0] - 0.5, first[1] - 0.5];
    let weight = 1.0 / (samples * samples) as f32;
    let bilinear = Bilinear::new(picture);
    let at = |i: f32, j: f32| {
        [
            first[0] + i * right[0] + j * down[0],
            first[1] + i * right[1] + j * down[1],
        ]
    };
    let last = (side * samples - 1) as f32;
    let corners = [(0.0, 0.0), (last, 0.0), (0.0, last), (last, last)].map(|(i, j)| at(i, j));
    let inside = corners
        .into_iter()
        .all(|corner| bilinear.has_inside(corner));
    for (row, values) in out.chunks_exact_mut(side).take(side).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let mut sum = 0.0;
            for a in 0..samples {
                let j = (row * samples + a) as f32;
                for b in 0..samples {
                    let point = at((column * samples + b) as f32, j);
                    sum += match inside {
                        true => bilinear.at_inside(point),
                        false => bilinear.at(point),
                    };
                }
            }
            *value = sum * weight;
        }
    }
}

/// Bilinear reading of a gray picture whose edge goes on for ever.
struct Bilinear<'a> {
    pixels: &'a [u8],
    stride: usize,
    right: i32,
    bottom: i32,
}

impl<'a> Bilinear<'a> {
    fn new(picture: &'a GrayImage) -> Self {
        Self {
            pixels: picture.as_raw(),
            stride: picture.width() as usize,
            right: picture.width() as i32 - 1,
            bottom: picture.height() as i32 - 1,
        }
    }

    /// Whether the four pixels around a point, and around any that rounding puts beside it, exist.
    fn has_inside(&self, [x, y]: [f32; 2]) -> bool {
        (1.0..self.right as f32 - 1.0).contains(&x) && (1.0..self.bottom as f32 - 1.0).contains(&y)
    }

    /// [`Self::at`] where no edge is near, for half the time.
    #[inline]
    fn at_inside(&self, [x, y]: [f32; 2]) -> f32 {
        let (left, top) = ((x + 1.0) as i32 - 1, (y + 1.0) as i32 - 1);
        let (across, below) = (x - left as f32, y - top as f32);
        let start = top as usize * self.stride + left as usize;
        let row = |start: usize| match self.pixels.get(start..start + 2) {
            Some(&[one, next]) => f32::from(one) * (1.0 - across) + f32::from(next) * across,
            _ => 0.0,
        };
        row(start) * (1.0 - below) + row(start + self.stride) * below
    }

    #[inline]
    fn at(&self, [x, y]: [f32; 2]) -> f32 {
        // A pixel beyond the edge all is the same. With both above -1 a cast rounds down: `floor`
        // is a library call on processors before SSE4.1, which is what x86-64 means by default.
        let x = x.max(-1.0).min(self.right as f32 + 1.0);
        let y = y.max(-1.0).min(self.bottom as f32 + 1.0);
        let (left, top) = ((x + 1.0) as i32 - 1, (y + 1.0) as i32 - 1);
        let (across, below) = (x - left as f32, y - top as f32);
        let x0 = left.clamp(0, self.right) as usize;
        let x1 = (left + 1).clamp(0, self.right) as usize;
        let y0 = top.clamp(0, self.bottom) as usize * self.stride;
        let y1 = (top + 1).clamp(0, self.bottom) as usize * self.stride;
        let read = |offset: usize| f32::from(self.pixels[offset]);
        let upper = read(y0 + x0) * (1.0 - across) + read(y0 + x1) * across;
        let lower = read(y1 + x0) * (1.0 - across) + read(y1 + x1) * across;
        upper * (1.0 - below) + lower * below
    }
}

/// How many pixels of the picture a value of the locator's input is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Averaging {
    /// Four of those that it covers when shrinking, else the nearest. The locator is coarse: its eye
    /// centres are as good as with all of them, at a fraction of the time.
    Sparse,
    /// All that it covers, and at least three pixels either way: noise of 60 gray levels, which
    /// hides a face from the locator otherwise, is a third of that then.
    Full,
}

/// Least width that [`Averaging::Full`] averages over, in pixels.
const CALM_PIXELS: f32 = 3.0;

/// Averages a square of a colour picture into `side` x `side` RGB triples scaled to -1 to 1, the
/// face locator's input. Outside the picture all is black, as the locator was trained (letterbox).
///
/// `out` must hold `3 * side * side` values; surplus ones are left alone.
pub fn sample_rgb_letterboxed(
    picture: &RgbImage,
    square: &Square,
    side: usize,
    averaging: Averaging,
    out: &mut [f32],
) {
    let scale = square.side / side as f32;
    let (samples, width) = match averaging {
        // Nearest reading is as good as bilinear and four times as fast.
        Averaging::Sparse if scale > 1.5 => (2, scale),
        Averaging::Sparse => (1, scale),
        Averaging::Full => {
            let width = scale.max(CALM_PIXELS);
            (samples_per_side(width), width)
        }
    };
    let (sin, cos) = square.angle.sin_cos();
    // From value to value, and from sample to sample of one value.
    let steps = [scale, width / samples as f32];
    let [(right, down), (across, below)] =
        steps.map(|step| ([cos * step, sin * step], [-sin * step, cos * step]));
    let middle = square.to_picture([0.5 / side as f32; 2]);
    let back = (samples - 1) as f32 / 2.0;
    let first = [
        middle[0] - back * (across[0] + below[0]),
        middle[1] - back * (across[1] + below[1]),
    ];
    let weight = 1.0 / (127.5 * (samples * samples) as f32);
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let row_bytes = 3 * picture.width() as usize;
    let pixels = picture.as_raw();
    for (row, values) in out.chunks_exact_mut(3 * side).take(side).enumerate() {
        for (column, value) in values.chunks_exact_mut(3).enumerate() {
            let (i, j) = (column as f32, row as f32);
            let corner = [
                first[0] + i * right[0] + j * down[0],
                first[1] + i * right[1] + j * down[1],
            ];
            let mut sum = [0_u32; 3];
            for a in 0..samples {
                for b in 0..samples {
                    let (a, b) = (a as f32, b as f32);
                    let x = corner[0] + b * across[0] + a * below[0];
                    let y = corner[1] + b * across[1] + a * below[1];
                    // Within the picture a cast rounds down, without a call of `floor`.
                    if x >= 0.0 && x < width && y >= 0.0 && y < height {
                        let offset = y as usize * row_bytes + 3 * x as usize;
                        for (total, byte) in sum.iter_mut().zip(&pixels[offset..offset + 3]) {
                            *total += u32::from(*byte);
                        }
                    }
                }
            }
            for (channel, total) in value.iter_mut().zip(sum) {
                *channel = total as f32 * weight - 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};
    use proptest::prelude::*;

    fn whole(side: f32) -> Square {
        Square {
            centre: [side / 2.0; 2],
            side,
            angle: 0.0,
        }
    }

    #[test]
    fn an_unscaled_crop_copies_the_pixels() {
        let picture = GrayImage::from_fn(32, 32, |x, y| Luma([(x * 7 + y) as u8]));
        let mut out = [0.0; 1024];
        sample_gray(&picture, &whole(32.0), 32, &mut out);
        for (value, pixel) in out.iter().zip(picture.as_raw()) {
            assert!((value - f32::from(*pixel)).abs() < 1e-3);
        }
    }

    #[test]
    fn shrinking_averages_the_area() {
        let picture = GrayImage::from_fn(64, 64, |x, y| {
            Luma([if (x + y) % 2 == 0 { 200 } else { 100 }])
        });
        let mut out = [0.0; 1024];
        sample_gray(&picture, &whole(64.0), 32, &mut out);
        assert!(out.iter().all(|value| (value - 150.0).abs() < 1e-3));
    }

    #[test]
    fn a_quarter_turn_turns_the_picture() {
        let picture = GrayImage::from_fn(32, 32, |x, y| Luma([(x * 8) as u8 ^ (y as u8)]));
        let square = Square {
            angle: std::f32::consts::FRAC_PI_2,
            ..whole(32.0)
        };
        let mut out = [0.0; 1024];
        sample_gray(&picture, &square, 32, &mut out);
        // The square's x axis points down the picture, its y axis to the left.
        for (row, column) in [(0, 0), (3, 17), (31, 5)] {
            let expected = f32::from(picture.get_pixel(31 - row, column).0[0]);
            assert!((out[row as usize * 32 + column as usize] - expected).abs() < 0.05);
        }
    }

    #[test]
    fn beyond_the_edge_gray_goes_on_and_colour_is_black() {
        let far = Square {
            centre: [-1e7, 1e9],
            side: 40.0,
            angle: 0.3,
        };
        let mut gray = [0.0; 1024];
        sample_gray(
            &GrayImage::from_pixel(8, 8, Luma([90])),
            &far,
            32,
            &mut gray,
        );
        assert!(gray.iter().all(|value| (value - 90.0).abs() < 1e-3));
        let mut colours = [0.0; 48];
        sample_rgb_letterboxed(
            &RgbImage::from_pixel(8, 8, Rgb([90; 3])),
            &far,
            4,
            Averaging::Full,
            &mut colours,
        );
        assert_eq!(colours, [-1.0; 48]);
    }

    #[test]
    fn full_averaging_takes_every_pixel_and_sparse_only_some() {
        // One bright pixel of 16: on a quarter's corner, which two samples a side pass by.
        let picture = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([if (x % 4, y % 4) == (0, 0) { 255 } else { 0 }; 3])
        });
        let sampled = |square: &Square, averaging| {
            let mut out = [0.0; 3 * 16 * 16];
            sample_rgb_letterboxed(&picture, square, 16, averaging, &mut out);
            out
        };
        let full = sampled(&whole(64.0), Averaging::Full);
        let mean = 2.0 / 16.0 - 1.0;
        assert!(full.iter().all(|value| (value - mean).abs() < 1e-5));
        let sparse = sampled(&whole(64.0), Averaging::Sparse);
        assert!(sparse.iter().all(|value| (value + 1.0).abs() < 1e-5));

        // Not shrunk: sparse copies the pixels, full still takes three by three.
        let inner = Square {
            centre: [28.0; 2],
            side: 16.0,
            angle: 0.0,
        };
        let at = |values: &[f32], x: usize, y: usize| values[3 * (16 * y + x)];
        let (full, sparse) = (
            sampled(&inner, Averaging::Full),
            sampled(&inner, Averaging::Sparse),
        );
        // Pixel (24, 24) of the picture is (4, 4) of the square.
        assert_eq!((at(&sparse, 4, 4), at(&sparse, 5, 4)), (1.0, -1.0));
        let ninth = 2.0 / 9.0 - 1.0;
        for (x, y) in [(3, 3), (4, 4), (5, 5)] {
            assert!((at(&full, x, y) - ninth).abs() < 1e-5);
        }
        assert!((at(&full, 6, 6) + 1.0).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn away_from_the_edges_reading_is_the_same(
            seed in 0_u32..1000, x in -2.0_f32..42.0, y in -2.0_f32..32.0, nudge in 0_u32..4,
        ) {
            let picture = GrayImage::from_fn(40, 30, |i, j| Luma([((i * 31 + j * 57) * (seed + 7) % 251) as u8]));
            let bilinear = Bilinear::new(&picture);
            // On a pixel's middle, just below it, and anywhere.
            let nudged = |v: f32| match nudge {
                0 => v.round(),
                1 => v.round().next_down(),
                _ => v,
            };
            let point = [nudged(x), nudged(y)];
            if bilinear.has_inside(point) {
                prop_assert_eq!(bilinear.at(point), bilinear.at_inside(point));
            } else {
                prop_assert!(x < 2.0 || y < 2.0 || x > 36.0 || y > 26.0, "{:?}", point);
            }
        }

        #[test]
        fn the_mapping_inverts(
            x in -500.0_f32..2000.0, y in -500.0_f32..2000.0, side in 1.0_f32..800.0,
            angle in -3.2_f32..3.2, u in -1.0_f32..2.0, v in -1.0_f32..2.0,
        ) {
            let square = Square { centre: [x, y], side, angle };
            let back = square.from_picture(square.to_picture([u, v]));
            // Single precision at coordinates of up to 3,000 pixels, over a side of at least one.
            let tolerance = 2e-3 / side + 1e-4;
            prop_assert!((back[0] - u).abs() < tolerance && (back[1] - v).abs() < tolerance);
        }

        #[test]
        fn values_stay_within_the_pictures_range(
            low in 0_u8..100, span in 0_u8..100, side in 4.0_f32..200.0,
            angle in -3.0_f32..3.0, x in -20.0_f32..60.0, y in -20.0_f32..60.0,
        ) {
            let picture = GrayImage::from_fn(40, 30, |i, j| Luma([low + ((i * 31 + j * 17) % (u32::from(span) + 1)) as u8]));
            let mut out = [0.0; 1024];
            sample_gray(&picture, &Square { centre: [x, y], side, angle }, 32, &mut out);
            for value in out {
                prop_assert!(value >= f32::from(low) - 0.01 && value <= f32::from(low + span) + 0.01);
            }
        }
    }
}
