//! Draws epochs in which every label has the same weight, and within it every source the same, or more where it has
//! more people.
//!
//! The sources differ in sensor and framing, and one of them holds most closed eyes: drawn as they
//! come, closed eyes of the other sensors would be missed.

use crate::crop::Crop;
use parseye_vision::eye_state::EyeState;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};

/// Times that an epoch shows a crop at most while another source has crops of its label: more would
/// have it learnt by heart. The thinnest stratum of the published labels, 144 closed eyes in visible
/// light, comes to this with the default 20,000 crops.
const MOST_ROUNDS: usize = 12;

/// Resolution of the weights of sources.
const WEIGHT_OF_ONE: f64 = 1000.0;

/// Crops of one label and source.
#[derive(Clone, Debug)]
struct Stratum {
    /// Positions of the crops.
    crops: Vec<usize>,
    /// Weight among the sources of the label, at least 1.
    weight: u64,
}

/// Positions of the training crops by label and source.
#[derive(Clone, Debug)]
pub(crate) struct BalancedSampler {
    /// For each label that occurs: its sources.
    strata: Vec<Vec<Stratum>>,
}

impl BalancedSampler {
    /// Groups crops by label and source. A source's share of a label grows with the number of people who show the
    /// label in it to the power of `people_weight`: at 0 all sources have the same.
    pub fn new(crops: &[Crop], people_weight: f64) -> Self {
        let mut by_label: BTreeMap<EyeState, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
        for (index, crop) in crops.iter().enumerate() {
            let sources = by_label.entry(crop.sample.label).or_default();
            sources
                .entry(crop.sample.source.as_str())
                .or_default()
                .push(index);
        }
        let stratum = |positions: Vec<usize>| {
            let people = positions.iter().map(|at| &crops[*at].sample.subject);
            let people = people.collect::<BTreeSet<_>>().len();
            let weight = match people_weight {
                0.0 => 1,
                power => (WEIGHT_OF_ONE * (people as f64).powf(power)).round() as u64,
            };
            Stratum {
                crops: positions,
                weight,
            }
        };
        let strata = by_label
            .into_values()
            .map(|sources| sources.into_values().map(stratum).collect());
        Self {
            strata: strata.collect(),
        }
    }

    /// Draws `count` positions, each label equally often up to one draw, in random order.
    ///
    /// Within a stratum crops come in shuffled rounds, so none is drawn twice before all were.
    pub(crate) fn draw(&self, count: usize, rng: &mut impl Rng) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(count);
        for (label, sources) in self.strata.iter().enumerate() {
            let share = quota(count, self.strata.len(), label);
            for (source, mut left) in sources.iter().zip(quotas(share, sources)) {
                while left > 0 {
                    let mut round = source.crops.clone();
                    shuffle(&mut round, rng);
                    round.truncate(left);
                    left -= round.len();
                    drawn.extend(round);
                }
            }
        }
        shuffle(&mut drawn, rng);
        drawn
    }
}

/// Draws from each source of a label, of `count` in all: by their weights, except where that would show a source's
/// crops more than [`MOST_ROUNDS`] times and another source has crops to spare.
fn quotas(count: usize, sources: &[Stratum]) -> Vec<usize> {
    let most = |source: usize| sources[source].crops.len() * MOST_ROUNDS;
    let all: Vec<usize> = (0..sources.len()).collect();
    let (mut open, mut left) = (all.clone(), count);
    let mut quotas = vec![0; sources.len()];
    loop {
        let shares = shares(left, open.iter().map(|source| sources[*source].weight));
        let share = |place: usize| shares[place];
        let (thin, others): (Vec<usize>, Vec<usize>) =
            (0..open.len()).partition(|place| most(open[*place]) < share(*place));
        if thin.is_empty() {
            for (place, source) in open.iter().enumerate() {
                quotas[*source] = share(place);
            }
            return quotas;
        }
        if others.is_empty() {
            // Nobody has crops to spare.
            return self::shares(count, sources.iter().map(|source| source.weight));
        }
        for place in &thin {
            quotas[open[*place]] = most(open[*place]);
            left -= most(open[*place]);
        }
        open = others.into_iter().map(|place| open[place]).collect();
    }
}

/// Whole shares of `count` in proportion to weights.
fn shares(count: usize, weights: impl Iterator<Item = u64> + Clone) -> Vec<usize> {
    let total: u64 = weights.clone().sum();
    // A share of `count`, so it is no larger.
    let up_to = |weight: u64| (count as u64 * weight / total.max(1)) as usize;
    let mut sum = 0;
    weights
        .map(|weight| {
            let before = up_to(sum);
            sum += weight;
            up_to(sum) - before
        })
        .collect()
}

/// The `index`-th of `parts` nearly equal whole shares of `count`.
fn quota(count: usize, parts: usize, index: usize) -> usize {
    count * (index + 1) / parts - count * index / parts
}

/// Fisher-Yates shuffle.
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

/// Draws `count` of the items, all of them where there are fewer, in random order: the first steps
/// of a Fisher-Yates shuffle, so that a smaller draw of a seed is part of a larger one.
pub(crate) fn draw<T>(mut items: Vec<T>, count: usize, rng: &mut impl Rng) -> Vec<T> {
    let total = items.len();
    for place in 0..count.min(total) {
        items.swap(place, rng.random_range(place..total));
    }
    items.truncate(count);
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::evaluate::manifest::{LabelKind, Sample, Split};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn crops(counts: &[(EyeState, &str, usize)]) -> Vec<Crop> {
        let crop = |label, source: &str| Crop {
            sample: Sample {
                path: "x.png".into(),
                label,
                source: source.into(),
                subject: "p".into(),
                eye: None,
                split: Split::Train,
                label_kind: LabelKind::Human,
                openness: None,
                gaze: None,
                note: String::new(),
            },
            image: image::GrayImage::new(2, 2),
        };
        counts
            .iter()
            .flat_map(|(label, source, n)| (0..*n).map(|_| crop(*label, source)))
            .collect()
    }

    #[test]
    fn labels_and_sources_weigh_the_same_however_many_crops_they_have() {
        let crops = crops(&[
            (EyeState::Open, "a", 1000),
            (EyeState::Open, "b", 10),
            (EyeState::Closed, "a", 7),
        ]);
        let drawn = BalancedSampler::new(&crops, 0.0).draw(400, &mut ChaCha8Rng::seed_from_u64(1));
        let count = |label, source: &str| {
            let of =
                |i: &&usize| crops[**i].sample.label == label && crops[**i].sample.source == source;
            drawn.iter().filter(of).count()
        };
        assert_eq!(count(EyeState::Open, "a"), 100);
        assert_eq!(count(EyeState::Open, "b"), 100);
        assert_eq!(count(EyeState::Closed, "a"), 200);
    }

    #[test]
    fn a_source_of_more_people_has_a_larger_share() {
        let mut crops = crops(&[(EyeState::Open, "few", 400), (EyeState::Open, "many", 400)]);
        for (number, crop) in crops.iter_mut().enumerate() {
            let people = if crop.sample.source == "few" { 4 } else { 64 };
            crop.sample.subject = format!("{}{}", crop.sample.source, number % people);
        }
        for (weight, expected) in [(0.0, 100), (0.5, 40), (1.0, 11)] {
            let drawn = BalancedSampler::new(&crops, weight);
            let drawn = drawn.draw(200, &mut ChaCha8Rng::seed_from_u64(1));
            let few = drawn.iter().filter(|i| crops[**i].sample.source == "few");
            assert_eq!(few.count(), expected, "{weight}");
        }
    }

    #[test]
    fn a_source_of_hardly_a_crop_yields_to_the_others() {
        let crops = crops(&[
            (EyeState::Closed, "a", 1000),
            (EyeState::Closed, "b", 2),
            (EyeState::Closed, "c", 40),
            (EyeState::Open, "b", 1),
        ]);
        let drawn = BalancedSampler::new(&crops, 0.0).draw(1200, &mut ChaCha8Rng::seed_from_u64(1));
        let times = |index: usize| drawn.iter().filter(|i| **i == index).count();
        // 600 closed eyes: two of "b" 12 times each, half of the rest of each other source.
        assert_eq!((times(1000), times(1001)), (12, 12));
        assert_eq!((1002..1042).map(times).sum::<usize>(), 288);
        assert_eq!((0..1000).map(times).sum::<usize>(), 288);
        // Open eyes have one source, which cannot yield.
        assert_eq!(times(1042), 600);
    }

    #[test]
    fn no_crop_comes_again_before_its_round_is_over_and_seeds_repeat() {
        let crops = crops(&[(EyeState::Open, "a", 50)]);
        let sampler = BalancedSampler::new(&crops, 0.0);
        let mut drawn = sampler.draw(50, &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(drawn, sampler.draw(50, &mut ChaCha8Rng::seed_from_u64(3)));
        assert_ne!(drawn, sampler.draw(50, &mut ChaCha8Rng::seed_from_u64(4)));
        drawn.sort_unstable();
        assert_eq!(drawn, (0..50).collect::<Vec<_>>());
    }
}
