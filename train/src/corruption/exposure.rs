//! Light and tone: changes that standardisation would undo, were there no clipping and rounding to 8 bits.

use super::{Gray, SEVERITIES, each, eight_bit, geometric::either_sign};
use rand::Rng;

/// Full scale of 8 bits.
const FULL: f32 = 255.0;

/// Light added as a share of full scale: ImageNet-C's `brightness`. Light is not taken away: a dark
/// infrared crop would be black at once, and no state would be right. Darkness is in [`CONTRASTS`]
/// and [`GAMMAS`].
pub(crate) const OFFSETS: [f32; SEVERITIES] = [0.1, 0.2, 0.3, 0.4, 0.5];

/// Share of the contrast that is left: ImageNet-C's `contrast`. An eye of 40 gray levels keeps two
/// at the last: fog, or a room nearly dark.
pub(crate) const CONTRASTS: [f32; SEVERITIES] = [0.4, 0.3, 0.2, 0.1, 0.05];

/// Exponents of the tone curve, or their reciprocals. The fourth is a display's gamma applied once
/// too often or not at all; training varies the exponent from 0.7 to 1.4.
pub(crate) const GAMMAS: [f32; SEVERITIES] = [1.2, 1.5, 1.8, 2.2, 3.0];

pub(super) fn brightness(gray: Gray, level: usize) -> Gray {
    let offset = FULL * OFFSETS[level];
    eight_bit(each(gray, |value| value + offset))
}

pub(super) fn contrast(gray: Gray, level: usize) -> Gray {
    let mean = gray.iter().sum::<f32>() / gray.len() as f32;
    eight_bit(each(gray, |value| mean + CONTRASTS[level] * (value - mean)))
}

pub(super) fn gamma(gray: Gray, level: usize, rng: &mut impl Rng) -> Gray {
    let exponent = GAMMAS[level].powf(either_sign(rng));
    eight_bit(each(gray, |value| {
        FULL * (value / FULL).clamp(0.0, 1.0).powf(exponent)
    }))
}
