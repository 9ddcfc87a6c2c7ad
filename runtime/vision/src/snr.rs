//! Signal-to-noise ratios in decibels, the unit in which Parseye speaks of every perturbation.
//!
//! A standardised crop has root mean square 1, so a step of `epsilon` on every pixel has an SNR of
//! `-20 log10(epsilon)` whatever the picture: the study's epsilon 0.03 is 30.5 dB.

/// Perturbation SNR: `20 log10(||signal||2 / ||perturbation||2)`.
///
/// Infinite for a perturbation of all zeros.
pub fn perturbation_snr_db(signal: &[f32], perturbation: &[f32]) -> f64 {
    let energy = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    10.0 * (energy(signal) / energy(perturbation)).log10()
}

/// SNR of a perturbation that moves every pixel of a standardised crop by `epsilon`.
pub fn db_of_epsilon(epsilon: f64) -> f64 {
    -20.0 * epsilon.log10()
}

/// The step on every pixel of a standardised crop that has the given SNR.
pub fn epsilon_of_db(snr_db: f64) -> f64 {
    10_f64.powf(-snr_db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_studys_largest_step_is_thirty_decibels() {
        assert!((db_of_epsilon(0.03) - 30.4576).abs() < 1e-3);
        assert!((epsilon_of_db(20.0) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn no_perturbation_has_infinite_snr() {
        assert_eq!(
            perturbation_snr_db(&[1.0, -1.0], &[0.0, 0.0]),
            f64::INFINITY
        );
    }

    proptest! {
        #[test]
        fn a_uniform_step_on_a_unit_signal_has_the_snr_of_its_epsilon(epsilon in 1e-4_f64..1.0, seed in 0_u32..1000) {
            let sign = |i: u32| if (i.wrapping_mul(2_654_435_761) ^ seed).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            let signal: Vec<f32> = (0..1024).map(sign).collect();
            let step: Vec<f32> = (0..1024).map(|i| sign(i + 7) * epsilon as f32).collect();
            prop_assert!((perturbation_snr_db(&signal, &step) - db_of_epsilon(epsilon)).abs() < 1e-3);
        }

        #[test]
        fn decibels_and_epsilon_invert(db in -10.0_f64..80.0) {
            prop_assert!((db_of_epsilon(epsilon_of_db(db)) - db).abs() < 1e-9);
        }
    }
}
