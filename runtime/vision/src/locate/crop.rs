//! Crops of rotated squares of an image: the one sampler of face regions, eye crops and training crops, so
//! that a network is fed the same pixels in training and live.
//!
//! Standardisation is left to [`crate::classify::input`].

mod gray;
mod letterbox;

pub use gray::sample_gray;
pub use letterbox::{Averaging, sample_rgb_letterboxed};

/// A region of interest: a rotated square of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roi {
    /// Centre in pixels; (0, 0) is the outer corner of the first pixel, whose centre is (0.5, 0.5).
    pub centre: [f32; 2],
    /// Length of a side in pixels, above 0.
    pub side: f32,
    /// Angle from the image's x axis to the square's, in radians, clockwise as seen on screen.
    pub angle: f32,
}

impl Roi {
    /// The square around the middle of an image that holds all of it.
    pub fn whole(width: u32, height: u32) -> Self {
        let (width, height) = (width as f32, height as f32);
        Self {
            centre: [width / 2.0, height / 2.0],
            side: width.max(height),
            angle: 0.0,
        }
    }

    /// Maps a point of the square, (0, 0) to (1, 1), to pixels of the image.
    pub fn to_image(&self, point: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let u = (point[0] - 0.5) * self.side;
        let v = (point[1] - 0.5) * self.side;
        [
            self.centre[0] + cos * u - sin * v,
            self.centre[1] + sin * u + cos * v,
        ]
    }

    /// Maps pixels of the image to a point of the square; the inverse of [`Self::to_image`].
    pub fn from_image(&self, pixel: [f32; 2]) -> [f32; 2] {
        let (sin, cos) = self.angle.sin_cos();
        let x = pixel[0] - self.centre[0];
        let y = pixel[1] - self.centre[1];
        [
            (cos * x + sin * y) / self.side + 0.5,
            (cos * y - sin * x) / self.side + 0.5,
        ]
    }
}

/// Computes how many samples are averaged along each side of an output pixel that covers `scale` image
/// pixels: one for each pixel covered, so that the mean approximates the area average. Four are plenty for a
/// 32-pixel crop of an eye up to 128 pixels wide; past eight more of them change no gray level.
pub(crate) fn samples_per_side(scale: f32) -> usize {
    (scale.ceil() as usize).clamp(1, 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use proptest::prelude::*;

    fn whole(side: f32) -> Roi {
        Roi {
            centre: [side / 2.0; 2],
            side,
            angle: 0.0,
        }
    }

    #[test]
    fn an_unscaled_crop_copies_the_pixels() {
        let image = GrayImage::from_fn(32, 32, |x, y| Luma([(x * 7 + y) as u8]));
        let mut out = [0.0; 1024];
        sample_gray(&image, &whole(32.0), 32, &mut out);
        for (value, pixel) in out.iter().zip(image.as_raw()) {
            assert!((value - f32::from(*pixel)).abs() < 1e-3);
        }
    }

    #[test]
    fn shrinking_averages_the_area() {
        let image = GrayImage::from_fn(64, 64, |x, y| {
            Luma([if (x + y) % 2 == 0 { 200 } else { 100 }])
        });
        let mut out = [0.0; 1024];
        sample_gray(&image, &whole(64.0), 32, &mut out);
        assert!(out.iter().all(|value| (value - 150.0).abs() < 1e-3));
    }

    #[test]
    fn a_quarter_turn_turns_the_crop() {
        let image = GrayImage::from_fn(32, 32, |x, y| Luma([(x * 8) as u8 ^ (y as u8)]));
        let square = Roi {
            angle: std::f32::consts::FRAC_PI_2,
            ..whole(32.0)
        };
        let mut out = [0.0; 1024];
        sample_gray(&image, &square, 32, &mut out);
        // The square's x axis points down in the image, its y axis to the left.
        for (row, column) in [(0, 0), (3, 17), (31, 5)] {
            let expected = f32::from(image.get_pixel(31 - row, column).0[0]);
            assert!((out[row as usize * 32 + column as usize] - expected).abs() < 0.05);
        }
    }

    #[test]
    fn beyond_the_edge_gray_repeats_and_colour_is_black() {
        let far = Roi {
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
        let image = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([if (x % 4, y % 4) == (0, 0) { 255 } else { 0 }; 3])
        });
        let sampled = |square: &Roi, averaging| {
            let mut out = [0.0; 3 * 16 * 16];
            sample_rgb_letterboxed(&image, square, 16, averaging, &mut out);
            out
        };
        let full = sampled(&whole(64.0), Averaging::Full);
        let mean = 2.0 / 16.0 - 1.0;
        assert!(full.iter().all(|value| (value - mean).abs() < 1e-5));
        let sparse = sampled(&whole(64.0), Averaging::Sparse);
        assert!(sparse.iter().all(|value| (value + 1.0).abs() < 1e-5));

        // Not shrunk: sparse copies the pixels, full still takes three by three.
        let inner = Roi {
            centre: [28.0; 2],
            side: 16.0,
            angle: 0.0,
        };
        let at = |values: &[f32], x: usize, y: usize| values[3 * (16 * y + x)];
        let (full, sparse) = (
            sampled(&inner, Averaging::Full),
            sampled(&inner, Averaging::Sparse),
        );
        // Pixel (24, 24) of the image is (4, 4) of the square.
        assert_eq!((at(&sparse, 4, 4), at(&sparse, 5, 4)), (1.0, -1.0));
        let ninth = 2.0 / 9.0 - 1.0;
        for (x, y) in [(3, 3), (4, 4), (5, 5)] {
            assert!((at(&full, x, y) - ninth).abs() < 1e-5);
        }
        assert!((at(&full, 6, 6) + 1.0).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn the_mapping_inverts(
            x in -500.0_f32..2000.0, y in -500.0_f32..2000.0, side in 1.0_f32..800.0,
            angle in -3.2_f32..3.2, u in -1.0_f32..2.0, v in -1.0_f32..2.0,
        ) {
            let square = Roi { centre: [x, y], side, angle };
            let back = square.from_image(square.to_image([u, v]));
            // Single precision at coordinates of up to 3,000 pixels, over a side of at least one.
            let tolerance = 2e-3 / side + 1e-4;
            prop_assert!((back[0] - u).abs() < tolerance && (back[1] - v).abs() < tolerance);
        }

        #[test]
        fn values_stay_within_the_image_range(
            low in 0_u8..100, span in 0_u8..100, side in 4.0_f32..200.0,
            angle in -3.0_f32..3.0, x in -20.0_f32..60.0, y in -20.0_f32..60.0,
        ) {
            let image = GrayImage::from_fn(40, 30, |i, j| Luma([low + ((i * 31 + j * 17) % (u32::from(span) + 1)) as u8]));
            let mut out = [0.0; 1024];
            sample_gray(&image, &Roi { centre: [x, y], side, angle }, 32, &mut out);
            for value in out {
                prop_assert!(value >= f32::from(low) - 0.01 && value <= f32::from(low + span) + 0.01);
            }
        }
    }
}
