//! The face detector's input: a square of a colour image, black beyond the image's edge.

use super::{Roi, samples_per_side};
use crate::instructions::{Instructions, Loops};
use image::RgbImage;

/// How many pixels of the image are averaged to one of the detector's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Averaging {
    /// Four of those that it covers when shrinking, else the nearest. The detector is coarse: its eye
    /// centres are as good as with all of them, at a fraction of the time.
    Sparse,
    /// At most nine of those that it covers: for views of a whole frame, of which many are searched.
    Few,
    /// All that it covers, and at least three pixels either way: noise of 60 gray levels, which
    /// hides a face from the detector otherwise, is reduced to a third.
    Full,
}

/// Smallest width that [`Averaging::Full`] averages over, in pixels.
const AVERAGED_PIXELS: f32 = 3.0;

/// Most samples along a side with [`Averaging::Few`].
const FEW: usize = 3;

/// Averages a square of a colour image into `side` x `side` RGB triples scaled to -1 to 1, the
/// face detector's input. Outside the image all is black, as the detector was trained (letterbox).
///
/// `out` must hold `3 * side * side` values; surplus ones are left alone.
pub fn sample_rgb_letterboxed(
    image: &RgbImage,
    square: &Roi,
    side: usize,
    averaging: Averaging,
    out: &mut [f32],
) {
    let scale = square.side / side as f32;
    let (samples, width) = match averaging {
        // Nearest-neighbour sampling is as good as bilinear and four times as fast.
        Averaging::Sparse if scale > 1.5 => (2, scale),
        Averaging::Sparse => (1, scale),
        Averaging::Few => (samples_per_side(scale).min(FEW), scale),
        Averaging::Full => {
            let width = scale.max(AVERAGED_PIXELS);
            (samples_per_side(width), width)
        }
    };
    Instructions::fastest().run(Letterboxed {
        image,
        grid: SampleGrid::new(square, side, samples, width),
        out,
    });
}

/// The sampling grid of a square.
struct SampleGrid {
    side: usize,
    /// Samples along each side of an output pixel.
    samples: usize,
    /// The first sample, in the image's pixels from its outer corner.
    first: [f32; 2],
    /// Steps from output pixel to output pixel, to the right and down.
    right: [f32; 2],
    down: [f32; 2],
    /// Steps from sample to sample within an output pixel.
    across: [f32; 2],
    below: [f32; 2],
}

impl SampleGrid {
    /// `width` is that of the averaged area, in pixels of the image.
    fn new(square: &Roi, side: usize, samples: usize, width: f32) -> Self {
        let scale = square.side / side as f32;
        let (sin, cos) = square.angle.sin_cos();
        let [(right, down), (across, below)] = [scale, width / samples as f32]
            .map(|step| ([cos * step, sin * step], [-sin * step, cos * step]));
        let middle = square.to_image([0.5 / side as f32; 2]);
        let back = (samples - 1) as f32 / 2.0;
        Self {
            side,
            samples,
            first: [0, 1].map(|axis| middle[axis] - back * (across[axis] + below[axis])),
            right,
            down,
            across,
            below,
        }
    }
}

/// A square to be sampled. Positions of a row of samples are computed apart from loading the pixels, so
/// that they are vectorised.
struct Letterboxed<'a> {
    image: &'a RgbImage,
    grid: SampleGrid,
    out: &'a mut [f32],
}

impl Loops for Letterboxed<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let Self { image, grid, out } = self;
        let SampleGrid { side, samples, .. } = grid;
        let (width, height) = (image.width() as f32, image.height() as f32);
        let columns = image.width() as i32;
        let pixels = image.as_raw().as_chunks::<3>().0;
        let weight = 1.0 / (127.5 * (samples * samples) as f32);
        let mut positions = vec![OUTSIDE; side];
        let mut sums = vec![[0_u32; 3]; side];
        for (row, values) in out.chunks_exact_mut(3 * side).take(side).enumerate() {
            sums.fill([0; 3]);
            let j = row as f32;
            for sample in 0..samples * samples {
                let (a, b) = ((sample / samples) as f32, (sample % samples) as f32);
                for (column, position) in positions.iter_mut().enumerate() {
                    let i = column as i32 as f32;
                    let along = |axis: usize| {
                        let corner = grid.first[axis] + i * grid.right[axis] + j * grid.down[axis];
                        corner + b * grid.across[axis] + a * grid.below[axis]
                    };
                    let (x, y) = (along(0), along(1));
                    // Within the image a cast rounds down, without a call of `floor`.
                    let inside = x >= 0.0 && x < width && y >= 0.0 && y < height;
                    // Not checked for overflow, since it is not used outside.
                    let pixel = (y as i32).wrapping_mul(columns).wrapping_add(x as i32);
                    *position = if inside { pixel } else { OUTSIDE };
                }
                for (sum, position) in sums.iter_mut().zip(&positions) {
                    if let Some(pixel) = usize::try_from(*position)
                        .ok()
                        .and_then(|at| pixels.get(at))
                    {
                        for (total, byte) in sum.iter_mut().zip(pixel) {
                            *total += u32::from(*byte);
                        }
                    }
                }
            }
            for (value, total) in values.iter_mut().zip(sums.as_flattened()) {
                *value = *total as f32 * weight - 1.0;
            }
        }
    }
}

/// Stands for a sample beyond the image's edge, which is black.
const OUTSIDE: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    /// Side of the crops here.
    const SIDE: usize = 12;

    /// The mean of an output pixel's samples, one by one.
    fn by_definition(image: &RgbImage, grid: &SampleGrid, column: usize, row: usize) -> [f32; 3] {
        let samples = grid.samples;
        let mut sum = [0_u32; 3];
        for (a, b) in (0..samples * samples).map(|at| (at / samples, at % samples)) {
            let [x, y] = [0, 1].map(|axis| {
                let corner = grid.first[axis]
                    + column as f32 * grid.right[axis]
                    + row as f32 * grid.down[axis];
                corner + b as f32 * grid.across[axis] + a as f32 * grid.below[axis]
            });
            let within = |at: f32, size: u32| at >= 0.0 && at < size as f32;
            if within(x, image.width()) && within(y, image.height()) {
                let pixel = image.get_pixel(x as u32, y as u32).0;
                for (sum, byte) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(byte);
                }
            }
        }
        sum.map(|sum| sum as f32 * (1.0 / (127.5 * (samples * samples) as f32)) - 1.0)
    }

    proptest! {
        #[test]
        fn a_square_is_sampled_as_defined_on_all_instructions(
            seed in 0_u32..1000, x in -30.0_f32..80.0, y in -30.0_f32..70.0, side in 1.0_f32..90.0,
            angle in -3.2_f32..3.2, samples in 1_usize..4, far in prop_oneof![4 => Just(1.0_f32), 1 => Just(1e9)],
        ) {
            let image = RgbImage::from_fn(50, 40, |i, j| {
                let level = (i * 31 + j * 57) * (seed + 7);
                Rgb([level % 251, level % 241, level % 239].map(|level| level as u8))
            });
            let square = Roi { centre: [x * far, y], side, angle };
            let grid = || SampleGrid::new(&square, SIDE, samples, side / SIDE as f32);
            let expected: Vec<f32> = (0..SIDE * SIDE)
                .flat_map(|at| by_definition(&image, &grid(), at % SIDE, at / SIDE))
                .collect();
            for instructions in Instructions::available() {
                let mut out = vec![f32::NAN; 3 * SIDE * SIDE];
                instructions.run(Letterboxed { image: &image, grid: grid(), out: &mut out });
                prop_assert_eq!(&out, &expected, "{:?}", instructions);
            }
        }
    }
}
