//! A smaller set of crops for attacks that take long: the same number of every state.

use crate::{crop::Crop, data::sampling::draw};
use parseye_vision::eye_state::EyeState;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// At most `count` crops drawn at random, as many of each state as of the others up to one; fewer
/// where a state has fewer, for filling up with another one would tip the balance. They come in the
/// order of `crops`; the same seed gives the same, and a smaller draw is part of a larger one.
pub(crate) fn balanced<'a>(crops: &[&'a Crop], count: usize, seed: u64) -> Vec<&'a Crop> {
    let mut chosen = Vec::new();
    for state in EyeState::ALL {
        // Places that are left over go to the first states.
        let share = (count + EyeState::ALL.len() - 1 - state.index()) / EyeState::ALL.len();
        let of_state: Vec<usize> = (0..crops.len())
            .filter(|index| crops[*index].sample.label == state)
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(state.index() as u64);
        chosen.extend(draw(of_state, share, &mut rng));
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|index| crops[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;

    fn crops(counts: [usize; 4]) -> Vec<Crop> {
        let mut crops = Vec::new();
        for (state, count) in EyeState::ALL.into_iter().zip(counts) {
            crops.extend((0..count).map(|number| Crop {
                sample: sample(state, &format!("p{number}")),
                image: image::GrayImage::new(2, 2),
            }));
        }
        crops
    }

    fn counts(chosen: &[&Crop]) -> [usize; 4] {
        EyeState::ALL.map(|state| chosen.iter().filter(|c| c.sample.label == state).count())
    }

    #[test]
    fn every_state_gets_its_share_and_a_thin_one_what_it_has() {
        let crops = crops([500, 7, 300, 100]);
        let crops: Vec<&Crop> = crops.iter().collect();
        assert_eq!(counts(&balanced(&crops, 42, 1)), [11, 7, 10, 10]);
        assert_eq!(counts(&balanced(&crops, 10_000, 1)), [500, 7, 300, 100]);
        assert_eq!(counts(&balanced(&crops, 1, 1)), [1, 0, 0, 0]);
    }

    #[test]
    fn seeds_repeat_differ_and_nest() {
        let crops = crops([200, 200, 200, 200]);
        let crops: Vec<&Crop> = crops.iter().collect();
        let draw = |count, seed| -> Vec<*const Crop> {
            let chosen = balanced(&crops, count, seed);
            chosen.into_iter().map(std::ptr::from_ref).collect()
        };
        assert_eq!(draw(80, 1), draw(80, 1));
        assert_ne!(draw(80, 1), draw(80, 2));
        let more = draw(160, 1);
        assert!(draw(80, 1).iter().all(|crop| more.contains(crop)));
    }
}
