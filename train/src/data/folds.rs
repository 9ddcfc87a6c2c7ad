//! K folds by person: every person outside of the test split is held out once.
//!
//! Test people are never in a [`CropSet`], so no fold can hold one. Which epoch is kept and what is
//! measured on the held-out people is left to the caller.

use super::{crops::CropSet, sampling::shuffle};
use crate::crop::Crop;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Why people cannot be divided into folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The fold's number is not below that of the folds.
    #[error("there is no fold {fold} of {folds}; give a fold from 0 to {}", folds.saturating_sub(1))]
    NoSuchFold {
        /// The fold to hold out.
        fold: usize,
        /// Number of folds.
        folds: usize,
    },
    /// One fold is no division.
    #[error("{0} folds leave nobody to train on or nobody to measure on; give 2 or more")]
    TooFew(usize),
    /// Some folds would be empty.
    #[error("{folds} folds of {people} people would leave folds empty; give at most {people}")]
    TooMany {
        /// Number of folds.
        folds: usize,
        /// Number of people.
        people: usize,
    },
}

/// Pools train and val and gives back the people of `fold` (from 0) as `val`, the rest as `train`.
/// The crops keep their order, the hash stays that of the whole data.
///
/// # Errors
/// When there are fewer than two folds, more folds than people, or no such fold.
pub fn fold(crops: CropSet, folds: usize, fold: usize, seed: u64) -> Result<CropSet, FoldError> {
    if fold >= folds {
        return Err(FoldError::NoSuchFold { fold, folds });
    }
    let fold_of = fold_of_each(&crops, folds, seed)?;
    let held_out = |crop: &Crop| fold_of.get(&crop.sample.subject) == Some(&fold);
    let (val, train) = crops.train.into_iter().chain(crops.val).partition(held_out);
    Ok(CropSet {
        train,
        val,
        sha256: crops.sha256,
    })
}

/// The fold, from 0, of each person in train and val.
///
/// People are taken source by source in an order drawn from the seed, each to the fold that has the
/// fewest crops of that source, then the fewest of all. So within a source no fold has more crops
/// than another by more than its largest person has, and no fold is empty. A person in several
/// sources counts to the one that has most of their crops.
///
/// # Errors
/// When there are fewer than two folds, or more folds than people.
pub(crate) fn fold_of_each(
    crops: &CropSet,
    folds: usize,
    seed: u64,
) -> Result<BTreeMap<String, usize>, FoldError> {
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for Crop { sample, .. } in crops.train.iter().chain(&crops.val) {
        let sources = counts.entry(&sample.subject).or_default();
        *sources.entry(&sample.source).or_default() += 1;
    }
    if folds < 2 {
        return Err(FoldError::TooFew(folds));
    }
    if folds > counts.len() {
        return Err(FoldError::TooMany {
            folds,
            people: counts.len(),
        });
    }
    let mut people_of: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for (person, sources) in &counts {
        let home = sources.iter().max_by_key(|(_, count)| **count);
        if let Some((source, _)) = home {
            let all = sources.values().sum();
            people_of.entry(source).or_default().push((person, all));
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut total = vec![0; folds];
    let mut fold_of = BTreeMap::new();
    for mut people in people_of.into_values() {
        shuffle(&mut people, &mut rng);
        let mut of_source = vec![0; folds];
        for (person, count) in people {
            let emptiest = (0..folds).min_by_key(|fold| (of_source[*fold], total[*fold]));
            let fold = emptiest.unwrap_or_default();
            of_source[fold] += count;
            total[fold] += count;
            fold_of.insert(person.to_owned(), fold);
        }
    }
    Ok(fold_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{
        evaluate::manifest::{LabelKind, Sample, Split},
        eye_state::EyeState,
    };
    use proptest::prelude::*;

    /// A data set of people given as (source, number of crops); every third is in val.
    fn people(given: &[(u8, usize)]) -> CropSet {
        let (mut train, mut val) = (Vec::new(), Vec::new());
        for (person, (source, count)) in given.iter().enumerate() {
            let split = if person % 3 == 2 {
                Split::Val
            } else {
                Split::Train
            };
            let crop = |number: usize| Crop {
                sample: Sample {
                    path: format!("{person}/{number}.png").into(),
                    label: EyeState::Open,
                    source: format!("s{source}"),
                    subject: format!("p{person}"),
                    eye: None,
                    split,
                    label_kind: LabelKind::Human,
                    openness: None,
                    gaze: None,
                    note: String::new(),
                },
                image: image::GrayImage::new(2, 2),
            };
            let to = if split == Split::Val {
                &mut val
            } else {
                &mut train
            };
            to.extend((0..*count).map(crop));
        }
        CropSet {
            train,
            val,
            sha256: "hash".into(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_person_is_held_out_exactly_once_and_sources_are_split_evenly(
            given in prop::collection::vec((0_u8..3, 1_usize..20), 4..30),
            folds in 2_usize..5,
            seed: u64,
        ) {
            let all = people(&given);
            let mut times = BTreeMap::new();
            let mut of_source = vec![BTreeMap::<String, usize>::new(); folds];
            for (number, of_source) in of_source.iter_mut().enumerate() {
                let part = fold(all.clone(), folds, number, seed).unwrap();
                prop_assert_eq!(part.train.len() + part.val.len(), all.train.len() + all.val.len());
                prop_assert!(!part.val.is_empty());
                prop_assert_eq!(&part.sha256, "hash");
                let held_out: std::collections::BTreeSet<_> = part.val.iter().map(|crop| crop.sample.subject.clone()).collect();
                prop_assert!(part.train.iter().all(|crop| !held_out.contains(&crop.sample.subject)));
                for person in held_out {
                    *times.entry(person).or_insert(0) += 1;
                }
                for crop in &part.val {
                    *of_source.entry(crop.sample.source.clone()).or_default() += 1;
                }
            }
            prop_assert_eq!(times.len(), given.len());
            prop_assert!(times.values().all(|count| *count == 1));
            for source in 0_u8..3 {
                let largest = given.iter().filter(|(of, _)| *of == source).map(|(_, count)| *count).max().unwrap_or(0);
                let counts: Vec<usize> = of_source.iter().map(|fold| fold.get(&format!("s{source}")).copied().unwrap_or(0)).collect();
                let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                prop_assert!(high - low <= largest, "{counts:?}");
            }
            prop_assert_eq!(fold_of_each(&all, folds, seed).unwrap(), fold_of_each(&all, folds, seed).unwrap());
        }
    }

    #[test]
    fn another_seed_gives_other_folds() {
        let all = people(&[(0, 5); 40]);
        let of = |seed| fold_of_each(&all, 4, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn impossible_folds_are_refused_with_what_is_possible() {
        let all = people(&[(0, 2), (1, 2), (1, 1)]);
        let refused = |folds, number| {
            let error = fold(all.clone(), folds, number, 0).unwrap_err();
            error.to_string()
        };
        assert!(refused(1, 0).contains("2 or more"));
        assert!(refused(4, 0).contains("at most 3"));
        assert!(refused(3, 3).contains("from 0 to 2"));
    }
}
