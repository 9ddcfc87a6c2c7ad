//! One frame of a video or camera: colours, luma, its true time; and the one luma convention of training,
//! replay and live frames.
//!
//! Where frames come from is left to `parseye-capture`.

use crate::instructions::{Instructions, Loops};
use image::{GrayImage, RgbImage};
use std::time::Duration;

/// Largest width and height of an image that is accepted, in pixels: beyond it a file is damaged or hostile.
pub const MAX_SIDE: u32 = 8192;

/// Most pixels of an image that are accepted: a little more than those of 8K video (7680x4320), 128 MiB with
/// their luma. A file of a hundred bytes can claim any number.
pub const MAX_PIXELS: u64 = 1 << 25;

/// Greatest number of frames a second that a source is accepted with.
pub const MAX_FRAME_RATE: u32 = 1000;

/// Tells whether an image of this size is refused, by [`MAX_SIDE`] or [`MAX_PIXELS`].
pub fn is_too_large(width: u32, height: u32) -> bool {
    width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS
}

/// A frame with its number and time in the source.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number in the source, from 0. A recording numbers decoded frames; a camera's driver may
    /// skip numbers where it lost frames.
    pub sequence: u64,
    /// Presentation time since the first frame (recordings), or capture time since the source was
    /// opened on the monotonic clock (cameras).
    pub time: Duration,
    /// Colours, 8 bit, for the face detector.
    pub rgb: RgbImage,
    /// Luma by [`luma_of`], 8 bit, for the eye crops.
    pub luma: GrayImage,
}

impl Frame {
    /// Creates a frame from its colours; luma is derived.
    pub fn from_rgb(sequence: u64, time: Duration, rgb: RgbImage) -> Self {
        let luma = luma_of(&rgb);
        Self {
            sequence,
            time,
            rgb,
            luma,
        }
    }
}

/// Computes full-range luma by the ITU-R BT.601 weights, the convention of training, replay and live
/// frames alike (and of JPEG's Y channel): `(77 R + 150 G + 29 B + 128) / 256`.
pub fn luma_of(rgb: &RgbImage) -> GrayImage {
    let mut luma = GrayImage::new(rgb.width(), rgb.height());
    Instructions::fastest().run(Luma {
        colours: rgb.as_raw(),
        grays: &mut luma,
    });
    luma
}

/// Luma of colours. With AVX2 it takes a quarter of the time of x86-64's baseline instructions.
struct Luma<'a> {
    colours: &'a [u8],
    grays: &'a mut [u8],
}

impl Loops for Luma<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        for (gray, colour) in self.grays.iter_mut().zip(self.colours.chunks_exact(3)) {
            let sum =
                77 * u32::from(colour[0]) + 150 * u32::from(colour[1]) + 29 * u32::from(colour[2]);
            *gray = ((sum + 128) >> 8) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn luma_is_the_same_on_all_instructions() {
        // Not as many pixels as vectors hold.
        let colours: Vec<u8> = (0..3 * 1001_u32).map(|at| (at * at % 251) as u8).collect();
        let expected: Vec<u8> = colours
            .chunks_exact(3)
            .map(|colour| {
                let [red, green, blue] = [0, 1, 2].map(|at| u32::from(colour[at]));
                ((77 * red + 150 * green + 29 * blue + 128) / 256) as u8
            })
            .collect();
        for instructions in Instructions::available() {
            let mut grays = vec![0; expected.len()];
            instructions.run(Luma {
                colours: &colours,
                grays: &mut grays,
            });
            assert_eq!(grays, expected, "{instructions:?}");
        }
    }

    #[test]
    fn luma_keeps_grays_and_spans_the_full_range() {
        for gray in 0..=255 {
            let image = RgbImage::from_pixel(2, 1, Rgb([gray; 3]));
            assert_eq!(luma_of(&image).as_raw(), &[gray; 2]);
        }
        let green = RgbImage::from_pixel(1, 1, Rgb([0, 255, 0]));
        assert_eq!(luma_of(&green).as_raw(), &[149]);
    }
}
