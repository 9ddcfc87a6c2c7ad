//! What light and a camera make of a drawn image: brightness, blur, noise. What is drawn is left to other modules.

use crate::colour::hash;
use image::RgbImage;
use imageproc::filter::gaussian_blur_f32;
use std::sync::OnceLock;

/// Light and camera of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Factor of all levels, above 0; 1 is a well lit room.
    pub gain: f32,
    /// How much brighter the right and the lower edge are than the left and the upper one, each as a share of
    /// the middle, -1 to 1.
    pub slope: [f32; 2],
    /// Standard deviation of the lens' blur in pixels; 0 is sharp.
    pub blur: f32,
    /// Standard deviation in 8-bit levels of the noise at mid gray, independent in each pixel and colour. Half
    /// of its variance grows with the level, as a sensor's does.
    pub noise: f32,
    /// Seed of the noise; give each frame its own.
    pub seed: u32,
}

impl Default for Exposure {
    /// As drawn: sharp, without noise.
    fn default() -> Self {
        Self {
            gain: 1.0,
            slope: [0.0, 0.0],
            blur: 0.0,
            noise: 0.0,
            seed: 0,
        }
    }
}

/// Draws of noise that are kept, of standard deviation 1; a power of two.
const DRAWS: usize = 1 << 16;

impl Exposure {
    /// Exposes an image.
    pub fn apply(&self, image: &mut RgbImage) {
        if self.blur > 0.0 {
            *image = gaussian_blur_f32(image, self.blur);
        }
        if self.slope != [0.0, 0.0] {
            self.light(image);
        }
        let unchanged = self.gain == 1.0 && self.noise <= 0.0;
        if !unchanged {
            self.expose(image);
        }
    }

    /// Lights an image unevenly.
    fn light(&self, image: &mut RgbImage) {
        let (width, height) = (image.width() as f32, image.height() as f32);
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            let right = (x as f32 + 0.5) / width - 0.5;
            let down = (y as f32 + 0.5) / height - 0.5;
            let factor = 1.0 + self.slope[0] * right + self.slope[1] * down;
            pixel.0 = pixel.0.map(|level| (f32::from(level) * factor + 0.5) as u8);
        }
    }

    /// Scales all levels and adds noise.
    fn expose(&self, image: &mut RgbImage) {
        let levels: [f32; 256] = std::array::from_fn(|level| level as f32 * self.gain);
        let deviations = levels.map(|level| self.noise * (0.5 + level / 256.0).sqrt());
        let stride = 3 * image.width() as usize;
        let draws = draws();
        for (row, values) in image.chunks_exact_mut(stride.max(1)).enumerate() {
            // Each row has its own place among the draws, so that neighbours share nothing.
            let mut from = hash(row as u32, self.seed, 0x51A7) as usize % DRAWS;
            let mut rest = values;
            while !rest.is_empty() {
                let run = rest.len().min(DRAWS - from);
                let (these, others) = rest.split_at_mut(run);
                for (value, draw) in these.iter_mut().zip(&draws[from..]) {
                    let level = usize::from(*value);
                    // `as` saturates.
                    *value = (levels[level] + deviations[level] * draw + 0.5) as u8;
                }
                (rest, from) = (others, 0);
            }
        }
    }
}

/// Returns draws of a distribution that is normal up to three standard deviations: sums of four uniform ones.
fn draws() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let uniform = |at: u32, part| hash(at, part, 0x2545) as f32 / u32::MAX as f32 - 0.5;
        (0..DRAWS as u32)
            .map(|at| (0..4).map(|part| uniform(at, part)).sum::<f32>() * 3.0_f32.sqrt())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn gray(level: u8) -> RgbImage {
        RgbImage::from_pixel(300, 200, Rgb([level; 3]))
    }

    fn mean_and_deviation(image: &RgbImage) -> (f32, f32) {
        let n = image.len() as f32;
        let mean = image.iter().map(|v| f32::from(*v)).sum::<f32>() / n;
        let variance = image.iter().map(|v| (f32::from(*v) - mean).powi(2));
        (mean, (variance.sum::<f32>() / n).sqrt())
    }

    #[test]
    fn noise_has_its_deviation_and_is_another_in_each_frame() {
        let noisy = |seed| {
            let mut image = gray(128);
            let exposure = Exposure {
                noise: 9.0,
                seed,
                ..Exposure::default()
            };
            exposure.apply(&mut image);
            image
        };
        let (mean, deviation) = mean_and_deviation(&noisy(1));
        assert!((mean - 128.0).abs() < 0.2, "{mean}");
        assert!((deviation - 9.0).abs() < 0.2, "{deviation}");
        assert_eq!(noisy(1), noisy(1));
        let (one, two) = (noisy(1), noisy(2));
        let n = one.len() as f32;
        let product = |(a, b): (&u8, &u8)| (f32::from(*a) - 128.0) * (f32::from(*b) - 128.0);
        let correlation = one.iter().zip(two.iter()).map(product).sum::<f32>() / (81.0 * n);
        assert!(correlation.abs() < 0.02, "{correlation}");
    }

    #[test]
    fn less_light_is_darker_and_has_less_noise_but_a_lower_snr() {
        let exposed = |gain| {
            let mut image = gray(200);
            let exposure = Exposure {
                gain,
                noise: 4.0,
                ..Exposure::default()
            };
            exposure.apply(&mut image);
            mean_and_deviation(&image)
        };
        let (bright, dim) = (exposed(1.0), exposed(0.25));
        assert!((dim.0 - 50.0).abs() < 0.3);
        assert!(dim.1 < bright.1 && dim.0 / dim.1 < bright.0 / bright.1);
    }

    #[test]
    fn what_is_not_exposed_stays_as_it_is() {
        let mut image = gray(77);
        Exposure::default().apply(&mut image);
        assert_eq!(image, gray(77));
    }
}
