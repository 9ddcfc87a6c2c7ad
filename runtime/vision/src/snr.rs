//! Signal-to-noise ratios in decibels, the unit of every perturbation, and lists of them as users write
//! them.
//!
//! ```text
//! SNR = 20 log10(||signal||_2 / ||perturbation||_2)
//! ```
//!
//! A standardised crop has root mean square 1, so a step of `epsilon` on every pixel has an SNR of
//! `-20 log10(epsilon)` whatever the image: the study's epsilon 0.03 is 30.5 dB.

use std::ops::RangeInclusive;

/// The SNRs in dB of the original study, from the weakest perturbation to the strongest.
pub const STUDY_SNRS_DB: [f64; 4] = [50.0, 45.0, 40.0, 33.0];

/// Ratios in dB that are accepted: at -20 dB a perturbation is ten times the image, at 120 dB it is below the
/// rounding of f32.
pub const MEANINGFUL_DB: RangeInclusive<f64> = -20.0..=120.0;

/// A list of SNRs that cannot be used; the caller adds an example of one that can.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SnrListError {
    /// An entry is no number.
    #[error("'{0}' is not a number")]
    NotANumber(String),
    /// An entry is outside [`MEANINGFUL_DB`].
    #[error("{entry} dB is outside {} to {} dB", MEANINGFUL_DB.start(), MEANINGFUL_DB.end())]
    OutOfRange {
        /// The entry.
        entry: String,
    },
    /// Two entries are equal.
    #[error("{0} is given twice")]
    Twice(String),
}

/// Parses decibels separated by commas, such as `50,45,40,33`, in the given order.
///
/// # Errors
/// Names the entry that is no number, outside [`MEANINGFUL_DB`], or given twice.
pub fn parse_list(text: &str) -> Result<Vec<f64>, SnrListError> {
    let mut list = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let snr_db: f64 = entry
            .parse()
            .map_err(|_| SnrListError::NotANumber(entry.into()))?;
        if !MEANINGFUL_DB.contains(&snr_db) {
            return Err(SnrListError::OutOfRange {
                entry: entry.into(),
            });
        }
        if list.contains(&snr_db) {
            return Err(SnrListError::Twice(entry.into()));
        }
        list.push(snr_db);
    }
    Ok(list)
}

/// Returns the perturbation SNR in dB.
///
/// Infinite for a perturbation of all zeros.
pub fn perturbation_snr_db(signal: &[f32], perturbation: &[f32]) -> f64 {
    let energy = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    10.0 * (energy(signal) / energy(perturbation)).log10()
}

/// Returns the SNR in dB of a perturbation that moves every pixel of a standardised crop by `epsilon`.
pub fn db_of_epsilon(epsilon: f64) -> f64 {
    -20.0 * epsilon.log10()
}

/// Returns the step on every pixel of a standardised crop that has the given SNR.
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
    fn lists_are_read_and_slips_named() {
        assert_eq!(parse_list("50, 40,-20"), Ok(vec![50.0, 40.0, -20.0]));
        for (slip, words) in [
            ("50,4O", "'4O' is not a number"),
            ("", "'' is not a number"),
            ("130", "130 dB is outside -20 to 120 dB"),
            ("nan", "nan dB is outside"),
            ("50,30,50", "50 is given twice"),
        ] {
            let error = parse_list(slip).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
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
