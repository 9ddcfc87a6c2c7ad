//! A linear model, whose margins are known exactly, and results of steps that are made up.

use super::*;
use crate::classify::{EyeStateModel, gradient::GradientModel, input::USUAL_SIDE as SIDE};
use proptest::prelude::*;

const PIXELS: usize = SIDE * SIDE;

/// The gradients of a linear model: logits `z_k = offset_k + weights_k . x` at x = 0.
fn linear(logits: [f32; STATES], weights: [f32; STATES]) -> CropGradients {
    // Each state has weights on pixels of its own quarter, all of one size.
    let weight = |k: usize, i: usize| if i % STATES == k { weights[k] } else { 0.0 };
    let p = softmax(&logits, 1.0);
    let gradients = (0..STATES)
        .map(|label| Gradient {
            values: (0..PIXELS)
                .map(|i| (0..STATES).map(|k| p[k] * weight(k, i)).sum::<f32>() - weight(label, i))
                .collect(),
            logits,
        })
        .collect();
    let origin = StandardisedCrop::new(&[90.0; PIXELS]);
    CropGradients::new(&origin, EyeState::most_likely(&logits), gradients).unwrap()
}

#[test]
fn a_linear_model_is_solved_exactly() {
    let gradients = linear([3.0, 1.0, -2.0, -8.0], [0.02, 0.01, 0.03, 0.01]);
    assert_eq!(gradients.state(), EyeState::Open);
    // 256 pixels each: ||grad m||_1 = 256 (0.02 + 0.01), ||.||_2^2 = 256 (0.02^2 + 0.01^2).
    let epsilon = 2.0 / (256.0 * 0.03);
    assert!((gradients.linear_epsilon() / epsilon - 1.0).abs() < 1e-5);
    let norm = (256.0 * (0.0004 + 0.0001_f64)).sqrt();
    let sigma = 1.0 / 2.0_f64.sqrt();
    let expected = Normal::standard().cdf(-2.0 / (sigma * norm));
    let said = gradients.flip_probability(&NoiseShape::white(SIDE), 0.0);
    assert!((said - expected).abs() < 1e-6, "{said} {expected}");
}

#[test]
fn a_certain_model_still_has_a_direction() {
    let doubtful = linear([3.0, 1.0, -2.0, -8.0], [0.02, 0.01, 0.03, 0.01]);
    let certain = linear([300.0, 298.0, 200.0, -8.0], [0.02, 0.01, 0.03, 0.01]);
    let saturated = linear([60.0, 1.0, -2.0, -8.0], [0.02, 0.01, 0.03, 0.01]);
    let own = &saturated.gradients[0].values;
    assert!(
        own.iter().all(|v| v.abs() < 1e-20),
        "the test is not about saturation"
    );
    let sign = |g: &CropGradients, i: usize| g.direction().unwrap().0[i];
    for i in [0, 1, 4, 5] {
        assert_eq!(sign(&doubtful, i), sign(&certain, i));
        assert_eq!(sign(&doubtful, i), sign(&saturated, i));
    }
}

#[test]
fn a_flat_model_has_none() {
    let flat = linear([3.0, 1.0, 0.0, 0.0], [0.0; 4]);
    assert_eq!(flat.direction(), Err(Missing::NoGradient));
    assert_eq!(flat.flip_probability(&NoiseShape::white(SIDE), 0.0), 0.0);
    assert_eq!(
        flat.linear_noise_flip_db(&NoiseShape::white(SIDE), 0.1),
        None
    );
}

#[test]
fn a_step_stays_within_eight_bits() {
    let crop = StandardisedCrop::new(&std::array::from_fn::<_, PIXELS, _>(|i| {
        (i / SIDE * 8) as f32
    }));
    let direction = Direction::of(&[1.0; PIXELS]).unwrap();
    let (low, high) = crop.range();
    let stepped = direction.step(&crop, 5.0);
    assert!(stepped.values.iter().all(|v| *v >= low && *v <= high));
    let small = direction.step(&crop, 0.01);
    assert!((small.values[0] - crop.values[0] - 0.01).abs() < 1e-5);
}

fn run(mut search: FlipSearch, flips: impl Fn(f64) -> bool) -> FlipSearch {
    while let Some(db) = search.next_trial() {
        search.record(flips(db));
        assert!(search.trials() < 200);
    }
    search
}

#[test]
fn an_island_above_and_a_hole_below_are_noticed() {
    // Flips below 30 dB but for 28 to 29.5, so the scan's even decibels meet the hole.
    let hole = run(FlipSearch::new(epsilon_of_db(30.0)), |db| {
        db <= 30.0 && !(27.5..29.5).contains(&db)
    });
    let margin = hole.result().unwrap().unwrap();
    assert!(!margin.monotone && (margin.db - 30.0).abs() <= RESOLUTION_DB);
    // Bisecting ends at 29.75, and half a decibel above lies an island.
    let island = run(FlipSearch::new(epsilon_of_db(30.0)), |db| {
        db <= 29.9 || (30.2..30.3).contains(&db)
    });
    let margin = island.result().unwrap().unwrap();
    assert!(
        !margin.monotone && (30.2..30.3).contains(&margin.db),
        "{margin:?}"
    );
}

#[test]
fn what_never_flips_has_no_margin() {
    let never = run(FlipSearch::new(0.1), |_| false);
    assert_eq!(never.result(), Some(Err(Missing::NeverFlips)));
    let infinite = run(FlipSearch::new(f64::INFINITY), |_| false);
    assert_eq!(infinite.result(), Some(Err(Missing::NeverFlips)));
    let always = run(FlipSearch::new(0.0), |_| true);
    assert_eq!(always.result().unwrap().unwrap().db, WEAKEST_DB);
}

#[test]
fn one_run_of_the_gradient_gives_the_direction_of_four() {
    let model = EyeStateModel::built_in().unwrap();
    let mut runner = GradientModel::built_in(&model).unwrap().runner().unwrap();
    let mut classifier = model.classifier().unwrap();
    let side = model.side();
    for frequency in 1..6_u8 {
        let level = |i: usize| {
            let (x, y) = ((i % side) as f32, (i / side) as f32);
            120.0 + 60.0 * (x * f32::from(frequency) / 9.0).sin() * (y / 5.0).cos()
        };
        let gray: Vec<f32> = (0..side * side).map(level).collect();
        let crop = StandardisedCrop::new(&gray);
        let state = EyeState::most_likely(&classifier.logits(&crop).unwrap());
        let gradients = EyeState::ALL.map(|label| runner.gradient(&crop, label).unwrap());
        let all = CropGradients::new(&crop, state, gradients.to_vec()).unwrap();
        let one = fgsm_direction(&mut runner, &crop, state).unwrap();
        assert_eq!(one, all.direction().ok(), "{frequency}");
    }
}

proptest! {
    #[test]
    fn the_margin_flips_and_a_quarter_decibel_above_does_not(threshold in 0.5_f64..100.0, guess in -10.0_f64..120.0) {
        let search = run(FlipSearch::new(epsilon_of_db(guess)), |db| db <= threshold);
        let margin = search.result().unwrap().unwrap();
        prop_assert!(margin.monotone);
        prop_assert!(margin.db <= threshold && margin.db > threshold - RESOLUTION_DB - 1e-9);
    }

    #[test]
    fn more_noise_flips_more(a in -5.0_f64..60.0, b in -5.0_f64..60.0) {
        let gradients = linear([3.0, 1.0, -2.0, -8.0], [0.02, 0.01, 0.03, 0.01]);
        let p = |db| gradients.flip_probability(&NoiseShape::white(SIDE), db);
        prop_assert!((a <= b) == (p(a) >= p(b)) || p(a) == p(b));
        prop_assert!((0.0..=0.5).contains(&p(a)));
    }

    #[test]
    fn the_linear_flip_level_inverts(probability in 0.01_f64..0.3) {
        let gradients = linear([1.0, 0.0, -2.0, -8.0], [0.1, 0.1, 0.1, 0.1]);
        let db = gradients.linear_noise_flip_db(&NoiseShape::white(SIDE), probability).unwrap();
        let back = gradients.flip_probability(&NoiseShape::white(SIDE), db);
        prop_assert!((back - probability).abs() < 1e-6);
    }
}
