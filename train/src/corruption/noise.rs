//! Noise of the sensor. The constants are those of CIFAR-10-C, whose images are 32x32 as well;
//! unlike an attack's, this noise has the same size in gray levels whatever the contrast.

use super::{Gray, SEVERITIES, each, eight_bit};
use crate::normal::normal;
use rand::Rng;
use rand_distr::{Distribution, Poisson};

/// Full scale of 8 bits.
const FULL: f32 = 255.0;

/// Standard deviation as a share of full scale: CIFAR-10-C's `gaussian_noise`.
pub(crate) const SIGMAS: [f32; SEVERITIES] = [0.04, 0.06, 0.08, 0.09, 0.10];

/// Photons that a pixel of full scale catches: CIFAR-10-C's `shot_noise`.
pub(crate) const PHOTONS: [f32; SEVERITIES] = [500.0, 250.0, 100.0, 75.0, 50.0];

pub(super) fn gaussian(gray: Gray, level: usize, rng: &mut impl Rng) -> Gray {
    let sigma = FULL * SIGMAS[level];
    eight_bit(each(gray, |value| value + sigma * normal(rng)))
}

pub(super) fn shot(gray: Gray, level: usize, rng: &mut impl Rng) -> Gray {
    let photons = PHOTONS[level];
    eight_bit(each(gray, |value| {
        // A pixel that expects no photon catches none; the distribution needs more than zero.
        let expected = photons * value / FULL;
        Poisson::new(expected).map_or(0.0, |caught| caught.sample(rng) * FULL / photons)
    }))
}
