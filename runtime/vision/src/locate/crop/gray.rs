//! Eye crops: area averages of bilinear samples of a gray image.

use super::{Roi, samples_per_side};
use crate::instructions::{Instructions, Loops};
use image::GrayImage;

/// Area-averages a square of a gray image into `side` x `side` values (row by row) in 8-bit gray
/// levels, 0 to 255. Beyond the image's edge the edge pixels repeat.
///
/// `out` must hold `side * side` values; surplus ones are left alone.
pub fn sample_gray(image: &GrayImage, square: &Roi, side: usize, out: &mut [f32]) {
    let samples = Samples::of(square, side);
    let bilinear = Bilinear::new(image);
    if samples.are_inside(&bilinear, side) {
        Instructions::fastest().run(Inside {
            samples,
            bilinear,
            side,
            out,
        });
    } else {
        sample_one_by_one(&samples, &bilinear, side, out);
    }
}

/// Samples any square, near an edge or not.
fn sample_one_by_one(samples: &Samples, bilinear: &Bilinear, side: usize, out: &mut [f32]) {
    let per_side = samples.per_side;
    for (row, values) in out.chunks_exact_mut(side).take(side).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let mut sum = 0.0;
            for a in 0..per_side {
                let j = (row * per_side + a) as f32;
                for b in 0..per_side {
                    let i = (column * per_side + b) as f32;
                    sum += bilinear.at(samples.at(i, j));
                }
            }
            *value = sum * samples.weight;
        }
    }
}

/// The sampling grid of a square.
struct Samples {
    /// Samples along each side of an output pixel.
    per_side: usize,
    /// One over the number of samples of an output pixel.
    weight: f32,
    /// The first sample, and the steps to the next one to the right and down, in the image's pixels,
    /// whose centres are whole numbers.
    first: [f32; 2],
    right: [f32; 2],
    down: [f32; 2],
}

impl Samples {
    fn of(square: &Roi, side: usize) -> Self {
        let scale = square.side / side as f32;
        let per_side = samples_per_side(scale);
        let (sin, cos) = square.angle.sin_cos();
        let step = scale / per_side as f32;
        let first = square.to_image([0.5 / (side * per_side) as f32; 2]);
        Self {
            per_side,
            weight: 1.0 / (per_side * per_side) as f32,
            first: first.map(|at| at - 0.5),
            right: [cos * step, sin * step],
            down: [-sin * step, cos * step],
        }
    }

    /// Whether no sample of an output of `side` x `side` pixels is near an edge.
    fn are_inside(&self, bilinear: &Bilinear, side: usize) -> bool {
        let last = (side * self.per_side - 1) as f32;
        [(0.0, 0.0), (last, 0.0), (0.0, last), (last, last)]
            .into_iter()
            .all(|(i, j)| bilinear.has_inside(self.at(i, j)))
    }

    #[inline(always)]
    fn at(&self, i: f32, j: f32) -> [f32; 2] {
        [0, 1].map(|axis| self.first[axis] + i * self.right[axis] + j * self.down[axis])
    }
}

/// Bilinear sampling of a gray image whose edge pixels repeat.
struct Bilinear<'a> {
    pixels: &'a [u8],
    stride: usize,
    right: i32,
    bottom: i32,
}

impl<'a> Bilinear<'a> {
    fn new(image: &'a GrayImage) -> Self {
        Self {
            pixels: image.as_raw(),
            stride: image.width() as usize,
            right: image.width() as i32 - 1,
            bottom: image.height() as i32 - 1,
        }
    }

    /// Whether the four pixels around a point, and around any that rounding puts beside it, exist.
    fn has_inside(&self, [x, y]: [f32; 2]) -> bool {
        (1.0..self.right as f32 - 1.0).contains(&x) && (1.0..self.bottom as f32 - 1.0).contains(&y)
    }

    #[inline]
    fn at(&self, [x, y]: [f32; 2]) -> f32 {
        // From a pixel beyond the edge on, all is the same. With both above -1 a cast rounds down: `floor`
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

/// A square of which no sample is near an edge. Positions and interpolation of a row of samples are computed
/// apart from loading the pixels, so that they are vectorised.
struct Inside<'a> {
    samples: Samples,
    bilinear: Bilinear<'a>,
    side: usize,
    out: &'a mut [f32],
}

impl Loops for Inside<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        let Self {
            samples,
            bilinear: Bilinear { pixels, stride, .. },
            side,
            out,
        } = self;
        let per_side = samples.per_side;
        // The upper left pixel of each sample of a row, how far the sample is to the right of it and below,
        // and the four pixels around.
        let mut starts = vec![0_i32; side];
        let (mut across, mut below) = (vec![0.0_f32; side], vec![0.0_f32; side]);
        let mut around = [(); 4].map(|()| vec![0_u8; side]);
        let [upper_left, upper_right, lower_left, lower_right] = &mut around;
        for (row, values) in out.chunks_exact_mut(side).take(side).enumerate() {
            values.fill(0.0);
            for sample in 0..per_side * per_side {
                let (a, b) = (sample / per_side, sample % per_side);
                let j = (row * per_side + a) as f32;
                let samples_of_row = starts.iter_mut().zip(&mut across).zip(&mut below);
                for (column, ((start, across), below)) in samples_of_row.enumerate() {
                    let i = (column as i32 * per_side as i32 + b as i32) as f32;
                    let [x, y] = samples.at(i, j);
                    // As in `Bilinear::at`.
                    let (left, top) = ((x + 1.0) as i32 - 1, (y + 1.0) as i32 - 1);
                    (*across, *below) = (x - left as f32, y - top as f32);
                    *start = top * stride as i32 + left;
                }
                for (column, start) in starts.iter().enumerate() {
                    let upper = *start as usize;
                    let pair = |start: usize| pixels.get(start..start + 2);
                    if let (Some(upper), Some(lower)) = (pair(upper), pair(upper + stride)) {
                        (upper_left[column], upper_right[column]) = (upper[0], upper[1]);
                        (lower_left[column], lower_right[column]) = (lower[0], lower[1]);
                    }
                }
                for (column, value) in values.iter_mut().enumerate() {
                    let (across, below) = (across[column], below[column]);
                    let row = |left: u8, right: u8| {
                        f32::from(left) * (1.0 - across) + f32::from(right) * across
                    };
                    let upper = row(upper_left[column], upper_right[column]);
                    let lower = row(lower_left[column], lower_right[column]);
                    *value += upper * (1.0 - below) + lower * below;
                }
            }
            for value in values {
                *value *= samples.weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn away_from_the_edges_sampling_is_the_same(
            seed in 0_u32..1000, x in 0.0_f32..70.0, y in 0.0_f32..60.0, side in 2.0_f32..60.0,
            angle in prop_oneof![Just(0.0_f32), -3.2_f32..3.2], whole in any::<bool>(),
        ) {
            let image = GrayImage::from_fn(70, 60, |i, j| {
                Luma([((i * 31 + j * 57) * (seed + 7) % 251) as u8])
            });
            let centre = if whole { [x.round(), y.round()] } else { [x, y] };
            let square = Roi { centre, side, angle };
            let samples = Samples::of(&square, 16);
            let bilinear = Bilinear::new(&image);
            let mut expected = [0.0; 256];
            sample_one_by_one(&samples, &bilinear, 16, &mut expected);
            let inside = samples.are_inside(&bilinear, 16);
            for instructions in Instructions::available().filter(|_| inside) {
                let mut out = [f32::NAN; 256];
                instructions.run(Inside {
                    samples: Samples::of(&square, 16),
                    bilinear: Bilinear::new(&image),
                    side: 16,
                    out: &mut out,
                });
                prop_assert_eq!(out, expected, "{:?}", instructions);
            }
            let mut out = [f32::NAN; 256];
            sample_gray(&image, &square, 16, &mut out);
            prop_assert_eq!(out, expected);
        }
    }
}
