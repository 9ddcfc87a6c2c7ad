//! Degradations of a clip's frames, as bad light, cheap cameras and narrow links cause them.

use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};
use parseye_vision::{frame::Frame, selfcheck::noise::Normal};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// What is done to every frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Degradation {
    /// Nothing.
    None,
    /// Gaussian noise of this standard deviation in gray levels on every colour of every pixel.
    Noise(f32),
    /// Shot noise: a gray level stands for so many electrons, whose number varies as its square root.
    Shot(f32),
    /// Less light, then Gaussian noise of 4 gray levels.
    Light(f32),
    /// A Gaussian blur (three box filters) of this sigma in pixels.
    Blur(f32),
    /// JPEG of this quality.
    Jpeg(u8),
    /// So many lines, the frame's proportions kept.
    Lines(u32),
    /// Every other frame.
    HalfRate,
}

/// Noise of a dark frame in gray levels.
const DARK_NOISE: f32 = 4.0;

impl Degradation {
    /// The degraded frame; none where it is dropped.
    pub fn apply(self, frame: Frame) -> anyhow::Result<Option<Frame>> {
        let rgb = match self {
            Self::None => return Ok(Some(frame)),
            Self::HalfRate => return Ok(frame.sequence.is_multiple_of(2).then_some(frame)),
            Self::Noise(sigma) => noisy(&frame, |level| (level, sigma)),
            Self::Light(share) => noisy(&frame, |level| (share * level, DARK_NOISE)),
            Self::Shot(electrons) => noisy(&frame, |level| (level, (level / electrons).sqrt())),
            Self::Blur(sigma) => imageops::fast_blur(&frame.rgb, sigma),
            Self::Lines(lines) => {
                let (width, height) = frame.rgb.dimensions();
                let width = (width * lines).div_ceil(height);
                imageops::resize(&frame.rgb, width, lines, imageops::FilterType::Triangle)
            }
            Self::Jpeg(quality) => {
                let mut bytes = Vec::new();
                JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&frame.rgb)?;
                image::load_from_memory(&bytes)?.to_rgb8()
            }
        };
        Ok(Some(Frame::from_rgb(frame.sequence, frame.time, rgb)))
    }
}

/// Draws every level anew from a normal distribution, whose mean and standard deviation depend on the old one;
/// the frame's number seeds the draws.
fn noisy(frame: &Frame, of_level: impl Fn(f32) -> (f32, f32)) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(frame.sequence);
    let mut rgb = frame.rgb.clone();
    for level in rgb.iter_mut() {
        let (mean, sigma) = of_level(f32::from(*level));
        let drawn = mean + sigma * Normal.draw(&mut rng) as f32;
        *level = drawn.round().clamp(0.0, 255.0) as u8;
    }
    rgb
}

/// Every degradation in five steps, from where people begin to notice it.
pub fn steps() -> Vec<Degradation> {
    let mut steps = vec![Degradation::None];
    steps.extend([15.0, 30.0, 60.0, 90.0, 120.0].map(Degradation::Noise));
    steps.extend([1.0, 0.3, 0.1, 0.05, 0.03].map(Degradation::Shot));
    steps.extend([0.15, 0.1, 0.07, 0.05, 0.03].map(Degradation::Light));
    steps.extend([4.0, 6.0, 8.0, 10.0, 12.0].map(Degradation::Blur));
    steps.extend([10, 8, 6, 5, 3].map(Degradation::Jpeg));
    steps.extend([240, 180, 120, 90, 60].map(Degradation::Lines));
    steps.push(Degradation::HalfRate);
    steps
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("as they are"),
            Self::Noise(sigma) => write!(f, "noise of {sigma} gray levels"),
            Self::Shot(electrons) => write!(f, "{electrons} electrons a gray level"),
            Self::Light(share) => write!(f, "light x {share}, noise {DARK_NOISE}"),
            Self::Blur(sigma) => write!(f, "blur of {sigma} pixels"),
            Self::Jpeg(quality) => write!(f, "JPEG of quality {quality}"),
            Self::Lines(lines) => write!(f, "{lines} lines"),
            Self::HalfRate => f.write_str("half the frames"),
        }
    }
}
