//! A small data set of drawn eyes for the tests of `train`: nobody's picture, made from a seed.

use image::{GrayImage, Luma};
use parseye_vision::{
    evaluate::manifest::{LabelKind, Manifest, Sample, Split},
    eye_state::EyeState,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// People in the data set: two thirds train, the rest val and test.
const SUBJECTS: usize = 12;

/// Pictures of each person and state.
const PER_STATE: usize = 5;

/// Writes the pictures and manifest.csv to `folder`.
pub fn write(folder: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut samples = Vec::new();
    for subject in 0..SUBJECTS {
        let split = match subject % 6 {
            4 => Split::Val,
            5 => Split::Test,
            _ => Split::Train,
        };
        for state in EyeState::ALL {
            for number in 0..PER_STATE {
                let name = format!("p{subject}_{state}_{number}.png");
                draw(state, &mut rng).save(folder.join(&name)).unwrap();
                samples.push(Sample {
                    path: name.into(),
                    label: state,
                    source: if subject % 2 == 0 { "even" } else { "odd" }.into(),
                    subject: format!("p{subject}"),
                    eye: None,
                    split,
                    label_kind: LabelKind::Human,
                    openness: match state {
                        EyeState::Open => Some(1.0),
                        EyeState::PartiallyOpen => Some(0.5),
                        EyeState::Closed => Some(0.0),
                        EyeState::NotVisible => None,
                    },
                    gaze: None,
                    note: String::new(),
                });
            }
        }
    }
    Manifest::write(&folder.join("manifest.csv"), &samples).unwrap();
}

/// A lid opening of bright sclera with a dark iris on gray skin, or stripes where there is no eye.
fn draw(state: EyeState, rng: &mut ChaCha8Rng) -> GrayImage {
    const SIDE: u32 = 40;
    let half_gap = match state {
        EyeState::Open => 9.0,
        EyeState::PartiallyOpen => 4.0,
        EyeState::Closed => 0.0,
        EyeState::NotVisible => -1.0,
    };
    let (dx, dy) = (rng.random_range(-2.0..2.0), rng.random_range(-2.0..2.0));
    let skin = rng.random_range(120.0..170.0);
    GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let (x, y): (f64, f64) = (f64::from(x) - 20.0 - dx, f64::from(y) - 20.0 - dy);
        let lid = half_gap * (1.0 - (x / 17.0).powi(2));
        let level = if half_gap < 0.0 {
            skin + 50.0 * (x * 0.9 + y * 0.4).sin()
        } else if y.abs() < lid {
            if x.hypot(y) < 7.0 { 30.0 } else { 220.0 }
        } else if (y.abs() - lid.max(0.0)).abs() < 1.5 && x.abs() < 17.0 {
            50.0
        } else {
            skin
        };
        Luma([(level + rng.random_range(-6.0..6.0)).clamp(0.0, 255.0) as u8])
    })
}
