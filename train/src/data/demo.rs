//! `--data demo`: procedural eyes whose labels are known, so that a training can be tried without hunting for data.
//!
//! Crops are drawn by [`parseye_demo`], nobody's picture, and the same for everybody. How they are augmented and
//! trained on is as with any other data.

use crate::crop::Crop;
use image::GrayImage;
use parseye_demo::{Exposure, EyePose, EyeView, Person};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Sample, Split},
    eye_state::{Eye, EyeState},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::{ops::RangeInclusive, path::Path};

/// What is given in the place of a folder; a folder of that name is `./demo`.
pub const NAME: &str = "demo";

/// People that are drawn: of every six four train, one is in val, one in test.
const PEOPLE: u64 = 72;

/// Crops of each person and state.
const PER_STATE: usize = 10;

/// Seed of everything: the data are the same on every machine.
const SEED: u64 = 20;

/// Openness of closed eyes, as a share of the person's own. Between the ranges of two states an eye could have either
/// label.
const CLOSED: RangeInclusive<f32> = 0.0..=0.14;
/// Openness of partially open eyes.
const PARTIALLY: RangeInclusive<f32> = 0.28..=0.55;
/// Openness of open eyes.
const OPEN: RangeInclusive<f32> = 0.75..=1.1;

/// Distance from the crop's middle, in its sides, at which nothing of an eye is left in it.
const BESIDE: RangeInclusive<f32> = 0.75..=1.0;

/// Tells whether `--data` asks for procedural eyes.
pub fn is_demo(folder: &Path) -> bool {
    folder == Path::new(NAME)
}

/// The crops of some splits, and a hash over all of them, as of a folder's.
pub(super) fn crops(splits: &[Split]) -> (Vec<Crop>, String) {
    let all: Vec<Crop> = (0..PEOPLE)
        .into_par_iter()
        .flat_map_iter(|person| {
            EyeState::ALL.into_iter().flat_map(move |state| {
                (0..PER_STATE).map(move |number| crop(person, state, number))
            })
        })
        .collect();
    let mut hash = Sha256::new();
    for crop in &all {
        hash.update(crop.sample.path.to_string_lossy().as_bytes());
        hash.update(crop.image.as_raw());
    }
    let wanted = |crop: &Crop| splits.contains(&crop.sample.split);
    (
        all.into_iter().filter(wanted).collect(),
        hex::encode(hash.finalize()),
    )
}

fn split_of(person: u64) -> Split {
    match person % 6 {
        4 => Split::Val,
        5 => Split::Test,
        _ => Split::Train,
    }
}

/// One crop; each has a generator of its own.
fn crop(person: u64, state: EyeState, number: usize) -> Crop {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream((person * STATES_AND_NUMBERS) + (state.index() * PER_STATE + number) as u64);
    let eye = if rng.random_bool(0.5) {
        Eye::Left
    } else {
        Eye::Right
    };
    let openness = match state {
        EyeState::Open => rng.random_range(OPEN),
        EyeState::PartiallyOpen => rng.random_range(PARTIALLY),
        EyeState::Closed => rng.random_range(CLOSED),
        // Beside the eye, which may do anything.
        EyeState::NotVisible => rng.random_range(0.0..=1.0),
    };
    let image = draw(
        person,
        eye,
        openness,
        state == EyeState::NotVisible,
        &mut rng,
    );
    Crop {
        sample: Sample {
            path: format!("{NAME}/{person}_{state}_{number}.png").into(),
            label: state,
            source: NAME.into(),
            subject: format!("{NAME}-{person}"),
            eye: Some(eye),
            split: split_of(person),
            label_kind: LabelKind::Geometric,
            openness: (state != EyeState::NotVisible).then_some(openness),
            gaze: None,
            note: String::new(),
        },
        image,
    }
}

/// Streams of a person's crops.
const STATES_AND_NUMBERS: u64 = 1 << 16;

/// Draws an eye, or what is beside it, in some light by some camera.
fn draw(person: u64, eye: Eye, openness: f32, beside: bool, rng: &mut impl Rng) -> GrayImage {
    let around = |rng: &mut _, most: f32| -> f32 { RngExt::random_range(rng, -most..=most) };
    let shift = if beside {
        let (far, along) = (rng.random_range(BESIDE), around(rng, 0.4));
        // Up to the forehead, down to the cheek, or outwards; inwards is the nose, and then the other eye.
        match rng.random_range(0..3) {
            0 => [along, far],
            1 => [along, -far],
            _ if eye == Eye::Left => [-far, along],
            _ => [far, along],
        }
    } else {
        [around(rng, 0.06), around(rng, 0.06)]
    };
    let view = EyeView {
        side: rng.random_range(0.75..=0.95),
        shift,
        roll: around(rng, 0.12),
        ..EyeView::new(eye, rng.random_range(24..=48))
    };
    let pose = EyePose {
        openness,
        gaze: [around(rng, 0.9), around(rng, 0.7)],
    };
    let exposure = Exposure {
        gain: rng.random_range(0.35..=1.35),
        slope: [around(rng, 0.5), around(rng, 0.3)],
        blur: rng.random_range(0.0..=1.0),
        noise: rng.random_range(0.0..=10.0),
        seed: rng.random(),
    };
    view.render_gray(&Person::from_seed(person), &pose, &exposure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_demo::state_of;
    use std::collections::BTreeMap;

    /// The labels agree with how the renderer itself calls an openness, people are in one split each, and the data are
    /// the same every time.
    #[test]
    fn labels_people_and_pixels_are_as_drawn() {
        let (all, hash) = crops(&Split::ALL);
        assert_eq!(all.len(), PEOPLE as usize * 4 * PER_STATE);
        let mut split_of = BTreeMap::new();
        for crop in &all {
            if let Some(openness) = crop.sample.openness {
                assert_eq!(state_of(openness), crop.sample.label);
            }
            let split = *split_of
                .entry(crop.sample.subject.clone())
                .or_insert(crop.sample.split);
            assert_eq!(split, crop.sample.split);
        }
        let (val, again) = crops(&[Split::Val]);
        assert_eq!(hash, again);
        assert_eq!(val.len(), PEOPLE as usize / 6 * 4 * PER_STATE);
        assert!(val.iter().all(|crop| crop.sample.split == Split::Val));
    }
}
