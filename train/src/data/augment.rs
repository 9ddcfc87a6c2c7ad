//! Random variations of a training crop, cut from its native resolution each time, such as a
//! real face detector and a real camera make them.

use super::cover;
use crate::{
    corruption::{obstruction, resolution::sample_from_afar, softness::gaussian},
    crop::Crop,
    normal::normal,
};
use parseye_vision::{
    classify::StandardisedCrop,
    locate::crop::{Roi, sample_gray},
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Ranges and chances of the variations; each is drawn for every crop on its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Largest shift as a share of the crop's side, either way. The face detector's eye centres are
    /// within 10 % of the eye distance in nine of ten faces.
    pub shift: f32,
    /// Largest change of size as a share, either way.
    pub scale: f32,
    /// Largest roll in degrees, either way.
    pub roll_degrees: f32,
    /// Chance of a mirror image: a left eye mirrored is a right eye.
    pub flip: f32,
    /// Chance of another exposure: a gain and a gamma with 8-bit rounding and clipping after them.
    /// (Plain gain and offset alone would vanish in the standardisation.)
    pub exposure: f32,
    /// Smallest gain of an exposure; the largest is 1.6.
    pub darkest_gain: f32,
    /// Chance of a Gaussian blur.
    pub blur: f32,
    /// Largest sigma of the blur in pixels of the 32-pixel crop.
    pub blur_sigma: f32,
    /// Chance of added Gaussian noise.
    pub noise: f32,
    /// Largest sigma of the noise as a share of the crop's contrast; 0.3 is an SNR of 10 dB.
    pub noise_sigma: f32,
    /// Chance that something hides the eye ([`super::cover`]), which then is not visible whatever the
    /// label says. Runs from before there was such a chance had none.
    #[serde(default)]
    pub cover: f32,
    /// Chance that a bar or a reflection lies over a part of the eye ([`obstruction`]).
    #[serde(default)]
    pub obstruct: f32,
    /// Chance that the crop has few pixels of its own, [`FEW_PIXELS`] a side, as of a face far away.
    #[serde(default)]
    pub far: f32,
}

/// An augmented crop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Augmented {
    /// As the network sees it.
    pub crop: StandardisedCrop,
    /// Whether the eye is hidden.
    pub covered: bool,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            shift: 0.15,
            scale: 0.20,
            roll_degrees: 10.0,
            flip: 0.5,
            exposure: 0.5,
            darkest_gain: 0.1,
            blur: 0.3,
            blur_sigma: 1.5,
            noise: 0.3,
            noise_sigma: 0.3,
            cover: 0.0,
            obstruct: 0.0,
            far: 0.0,
        }
    }
}

/// Least and most pixels a side of a face far away: those below which the monitor classifies no crop, and those that are
/// as good as more.
const FEW_PIXELS: (f32, f32) = (12.0, 40.0);

/// Largest gain and range of gamma of another exposure: what auto-exposure commonly leaves.
const BRIGHTEST_GAIN: f32 = 1.6;
const GAMMA: (f32, f32) = (0.7, 1.4);

impl Augmentation {
    /// A random variation of a crop, in rows and columns of `side` pixels.
    pub(crate) fn apply(&self, crop: &Crop, side: usize, rng: &mut impl Rng) -> Augmented {
        let whole = crop.whole();
        let around = |rng: &mut dyn FnMut() -> f32, most: f32| (2.0 * rng() - 1.0) * most;
        let mut uniform = || rng.random::<f32>();
        let shift = [
            around(&mut uniform, self.shift * whole.side),
            around(&mut uniform, self.shift * whole.side),
        ];
        let square = Roi {
            centre: [whole.centre[0] + shift[0], whole.centre[1] + shift[1]],
            side: whole.side * (1.0 + around(&mut uniform, self.scale)),
            angle: around(&mut uniform, self.roll_degrees).to_radians(),
        };
        let mut gray = vec![0.0; side * side];
        if self.far > 0.0 && rng.random::<f32>() < self.far {
            let (least, most) = FEW_PIXELS;
            let few = (least * (most / least).powf(rng.random())).round() as usize;
            sample_from_afar(&crop.image, &square, few, &mut gray);
        } else {
            sample_gray(&crop.image, &square, side, &mut gray);
        }
        if rng.random::<f32>() < self.flip {
            gray.chunks_exact_mut(side).for_each(<[f32]>::reverse);
        }
        // Drawn only where it is set, so that runs without it stay what they were.
        let covered = self.cover > 0.0 && rng.random::<f32>() < self.cover;
        if covered {
            cover::hide(&mut gray, rng);
        } else if self.obstruct > 0.0 && rng.random::<f32>() < self.obstruct {
            gray = obstruction::random(gray, rng);
        }
        if rng.random::<f32>() < self.blur {
            let sigma = self.blur_sigma * rng.random::<f32>();
            gray = gaussian(gray, sigma);
        }
        let gain = if rng.random::<f32>() < self.exposure {
            let (low, high) = (self.darkest_gain.ln(), BRIGHTEST_GAIN.ln());
            let gain = (low + (high - low) * rng.random::<f32>()).exp();
            let gamma = GAMMA.0 + (GAMMA.1 - GAMMA.0) * rng.random::<f32>();
            for level in &mut gray {
                *level = 255.0 * (*level / 255.0).max(0.0).powf(gamma) * gain;
            }
            true
        } else {
            false
        };
        if rng.random::<f32>() < self.noise {
            let sigma = self.noise_sigma * rng.random::<f32>() * standard_deviation(&gray);
            for level in &mut gray {
                *level += sigma * normal(rng);
            }
        }
        // A sensor delivers whole gray levels from 0 to 255. Crops that were left as they
        // are stay so: area averages are finer than a gray level at run time as well.
        for level in &mut gray {
            *level = if gain { level.round() } else { *level }.clamp(0.0, 255.0);
        }
        Augmented {
            crop: StandardisedCrop::new(&gray),
            covered,
        }
    }
}

fn standard_deviation(gray: &[f32]) -> f32 {
    let count = gray.len() as f32;
    let mean = gray.iter().sum::<f32>() / count;
    (gray.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use parseye_vision::{
        evaluate::manifest::{LabelKind, Sample, Split},
        eye_state::EyeState,
    };
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const SIDE: usize = 32;

    fn crop() -> Crop {
        Crop {
            sample: Sample {
                path: "x.png".into(),
                label: EyeState::Open,
                source: "s".into(),
                subject: "p".into(),
                eye: None,
                split: Split::Train,
                label_kind: LabelKind::Human,
                openness: None,
                gaze: None,
                note: String::new(),
            },
            image: image::GrayImage::from_fn(64, 64, |x, y| Luma([(x * 3 + y / 2) as u8])),
        }
    }

    const NONE: Augmentation = Augmentation {
        shift: 0.0,
        scale: 0.0,
        roll_degrees: 0.0,
        flip: 0.0,
        exposure: 0.0,
        darkest_gain: 1.0,
        blur: 0.0,
        blur_sigma: 0.0,
        noise: 0.0,
        noise_sigma: 0.0,
        cover: 0.0,
        obstruct: 0.0,
        far: 0.0,
    };

    #[test]
    fn without_variation_it_is_the_evaluated_crop() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let augmented = NONE.apply(&crop(), SIDE, &mut rng);
        assert_eq!(augmented.crop, crop().standardised(SIDE));
        assert!(!augmented.covered);
    }

    #[test]
    fn a_sure_flip_mirrors() {
        let flip = Augmentation { flip: 1.1, ..NONE };
        let flipped = flip.apply(&crop(), SIDE, &mut ChaCha8Rng::seed_from_u64(0));
        let plain = crop().standardised(SIDE);
        assert!((flipped.crop.values[0] - plain.values[SIDE - 1]).abs() < 1e-5);
    }

    #[test]
    fn a_sure_cover_says_that_it_hides_the_eye() {
        let cover = Augmentation { cover: 1.1, ..NONE };
        let hidden = cover.apply(&crop(), SIDE, &mut ChaCha8Rng::seed_from_u64(0));
        assert!(hidden.covered);
        assert_ne!(hidden.crop, crop().standardised(SIDE));
    }

    #[test]
    fn a_crop_from_afar_has_lost_its_finest_detail_and_nothing_else() {
        let stripes = |pixels: u32| Crop {
            image: image::GrayImage::from_fn(64, 64, |x, _| {
                Luma([if (x / pixels).is_multiple_of(2) {
                    40
                } else {
                    200
                }])
            }),
            ..crop()
        };
        let far = Augmentation { far: 1.1, ..NONE };
        // What a crop is divided by says how much contrast it had.
        let kept = |crop: &Crop| {
            let plain = crop.standardised(SIDE).contrast;
            let seen = far.apply(crop, SIDE, &mut ChaCha8Rng::seed_from_u64(1));
            seen.crop.contrast / plain
        };
        assert!(kept(&stripes(16)) > 0.8, "{}", kept(&stripes(16)));
        assert!(kept(&stripes(2)) < 0.5, "{}", kept(&stripes(2)));
    }

    #[test]
    fn seeds_repeat_and_differ() {
        let draw = |seed| {
            Augmentation::default().apply(&crop(), SIDE, &mut ChaCha8Rng::seed_from_u64(seed))
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }
}
