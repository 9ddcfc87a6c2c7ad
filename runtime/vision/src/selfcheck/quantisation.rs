//! Quantisation noise: the effect of rounding to whole gray levels on the noise of a pixel, and its
//! inverse.
//!
//! See Widrow and Kollar, "Quantization Noise" (2008), for the uniform error of variance 1/12 and the
//! characteristic-function view behind the series used here.

/// Variance that rounding adds, in squared gray levels: that of a uniform error one level wide.
pub const QUANTISATION_VARIANCE: f64 = 1.0 / 12.0;

/// Terms of the series below; the next one is smaller than 1e-4 even without noise.
const TERMS: i32 = 60;

/// Returns half the variance of the difference of two frames of one scene when noise of variance `variance`
/// was rounded to whole gray levels.
///
/// With gray levels spread evenly between whole ones, the rounded values of two draws that differ by
/// d differ by the whole number below or above d, on average with the square d^2 + f(1 - f), f being
/// the fraction of d. Its Fourier series gives, over normal noise of variance v,
///
/// ```text
/// seen(v) = v + 1/12 - sum_{k >= 1} exp(-4 pi^2 k^2 v) / (2 pi^2 k^2)
/// ```
///
/// which is 0 without noise, and a twelfth more than the noise when that exceeds half a level.
fn seen_variance(variance: f64) -> f64 {
    use std::f64::consts::PI;
    let mut series = 0.0;
    for k in 1..=TERMS {
        let k2 = f64::from(k * k);
        let term = (-4.0 * PI * PI * k2 * variance).exp() / (2.0 * PI * PI * k2);
        series += term;
        if term < 1e-12 {
            break;
        }
    }
    (variance + QUANTISATION_VARIANCE - series).max(0.0)
}

/// Returns the variance of the noise before rounding: the inverse of [`seen_variance`], by bisection.
pub(super) fn unrounded_variance(seen: f64) -> f64 {
    // The series without its tail is slightly above 0 where there is no noise.
    if seen <= seen_variance(0.0) {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, seen);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if seen_variance(middle) < seen {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selfcheck::noise::Normal;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_formula_is_what_rounding_does() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for sigma in [0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 4.0] {
            let (mut sum, n) = (0.0, 100_000);
            for _ in 0..n {
                let level = rng.random::<f64>() * 10.0;
                let [a, b] = [(); 2].map(|()| (level + sigma * Normal.draw(&mut rng)).round());
                sum += (a - b) * (a - b) / 2.0;
            }
            let (measured, said) = (sum / f64::from(n), seen_variance(sigma * sigma));
            assert!(
                (measured / said - 1.0).abs() < 0.05,
                "{sigma}: {measured} {said}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_inverse_finds_the_noise(sigma in 0.05_f64..60.0) {
            let variance = sigma * sigma;
            let found = unrounded_variance(seen_variance(variance));
            prop_assert!((found / variance - 1.0).abs() < 0.01, "{} for {}", found, variance);
        }

        #[test]
        fn more_noise_is_seen_as_more(a in 0.0_f64..5.0, more in 1e-3_f64..5.0) {
            prop_assert!(seen_variance(a + more) > seen_variance(a));
        }
    }
}
