//! What a model says of the lids beside the eye's state: how far they are apart, and whether the eye looks down.
//!
//! The outputs are those of a network's `lids` layer; training them is left to `train`, what they mean over time to
//! [`crate::temporal`].

use serde::{Deserialize, Serialize};

/// Number of outputs.
pub const OUTPUTS: usize = 3;

/// Least and most that an openness can be off on average: a model that is sure of more than the least has learnt its
/// labels by heart, and the most is that of a guess.
pub const SPREADS: [f32; 2] = [0.02, 0.5];

/// Lids of one eye in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lids {
    /// How far they are apart, from 0, shut, to 1, as far as the person's usually are.
    pub openness: f32,
    /// By how much the openness is off on average, by the model's own word ([`SPREADS`]): the scale of a Laplace
    /// distribution around it.
    pub openness_error: f32,
    /// Probability that the eye looks down with its lids apart, 0 to 1.
    pub looking_down: f32,
}

impl Lids {
    /// Probability that the lids are apart by less than a share of what is usual, 0 to 1: that of the Laplace
    /// distribution around the openness, with its error as the scale.
    pub fn probability_below(&self, openness: f64) -> f64 {
        let away = (openness - f64::from(self.openness)) / f64::from(self.openness_error);
        if away < 0.0 {
            0.5 * away.exp()
        } else {
            1.0 - 0.5 * (-away).exp()
        }
    }

    /// Reads a network's outputs: logit of the openness, of the place of its error between [`SPREADS`], and of
    /// looking down. `None` where one is not finite.
    pub fn of_outputs(outputs: [f32; OUTPUTS]) -> Option<Self> {
        if !outputs.iter().all(|output| output.is_finite()) {
            return None;
        }
        let [openness, spread, looking_down] = outputs.map(sigmoid);
        let [least, most] = SPREADS;
        Some(Self {
            openness,
            openness_error: least + (most - least) * spread,
            looking_down,
        })
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outputs_of_zero_are_a_guess_half_way() {
        let lids = Lids::of_outputs([0.0; OUTPUTS]).unwrap();
        assert_eq!((lids.openness, lids.looking_down), (0.5, 0.5));
        assert!((lids.openness_error - 0.26).abs() < 1e-6);
        assert_eq!(Lids::of_outputs([0.0, f32::NAN, 0.0]), None);
    }

    #[test]
    fn the_nearer_and_surer_the_openness_is_the_more_is_said_of_it() {
        let of = |openness, openness_error| {
            let lids = Lids {
                openness,
                openness_error,
                looking_down: 0.0,
            };
            lids.probability_below(0.2)
        };
        assert!((of(0.2, 0.1) - 0.5).abs() < 1e-6);
        // One error away: half of e^-1 is left.
        assert!((of(0.3, 0.1) - 0.5 * (-1.0_f64).exp()).abs() < 1e-6);
        assert!((of(0.1, 0.1) + of(0.3, 0.1) - 1.0).abs() < 1e-6);
        assert!(of(0.05, 0.02) > 0.99 && of(0.05, 0.5) < 0.7);
    }

    proptest! {
        #[test]
        fn every_output_gives_lids_within_their_ranges(
            outputs in prop::array::uniform3(-1e30_f32..1e30),
        ) {
            let lids = Lids::of_outputs(outputs).unwrap();
            prop_assert!((0.0..=1.0).contains(&lids.openness));
            prop_assert!((SPREADS[0]..=SPREADS[1]).contains(&lids.openness_error));
            prop_assert!((0.0..=1.0).contains(&lids.looking_down));
        }
    }
}
