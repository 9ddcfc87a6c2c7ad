//! What a user of the attacks relies on, evaluated without their own helpers: budgets and 8 bits are
//! kept, seeds repeat, the known optimum of a linear classifier is reached, and classifiers that
//! hide their gradient are found out.

use crate::support::toy_classifiers;

use parseye_train::{
    attack::{
        Access, Attack, Classifier,
        budget::{Budget, Norm},
        by_name,
        loss::{dlr, margin, targeted_dlr},
        sanity::{self, SanityError},
        transfer::Transfer,
    },
    data::batch::Batch,
};
use tch::{Device, Kind, Tensor};
use toy_classifiers::{
    Bent, Gradient, Linear, PIXELS, batch, labelled_images, patterns, random, values,
};

/// Cross-entropy and whether it errs, from the definition, in f64.
fn evaluated(target: &dyn Classifier, images: &Tensor, labels: &Tensor) -> Vec<(f64, bool)> {
    let logits = values(&target.logits(images));
    let labels: Vec<i64> = Vec::try_from(labels).unwrap();
    logits
        .chunks(4)
        .zip(labels)
        .map(|(logits, label)| {
            let own = f64::from(logits[label as usize]);
            let sum: f64 = logits.iter().map(|z| (f64::from(*z) - own).exp()).sum();
            let errs = logits.iter().any(|z| f64::from(*z) > own);
            (sum.ln(), errs)
        })
        .collect()
}

fn mean_loss(evaluated: &[(f64, bool)]) -> f64 {
    evaluated.iter().map(|(loss, _)| loss).sum::<f64>() / evaluated.len() as f64
}

const ALL: [&str; 10] = [
    "uniform",
    "gaussian",
    "fgsm",
    "fgsm-rs",
    "pgd-5",
    "pgd-4x3",
    "apgd-ce-20",
    "apgd-t-15",
    "square-150",
    "worst-60",
];

fn budgets() -> [Budget; 2] {
    [Budget::linf(0.03), Budget::l2(0.03)]
}

#[test]
fn every_attack_keeps_its_budget_and_eight_bits_and_repeats_by_seed() {
    let target = Bent::new(1);
    let batch = labelled_images(&target, 2);
    let clean = evaluated(&target, &batch.images, &batch.labels);
    for name in ALL {
        let attack = by_name(name).unwrap();
        for budget in budgets() {
            let perturb = |seed: u64| attack.perturb(&target, &batch, budget, seed).unwrap();
            let attacked = perturb(1);
            assert!(!attacked.requires_grad());
            let (before, after) = (values(&batch.images), values(&attacked));
            assert!(after.iter().all(|value| value.abs() <= 0.95), "{name}");
            for (before, after) in before.chunks(PIXELS).zip(after.chunks(PIXELS)) {
                let steps: Vec<f64> = before
                    .iter()
                    .zip(after)
                    .map(|(a, b)| f64::from(b - a))
                    .collect();
                let size = match budget.norm {
                    Norm::Linf => steps.iter().fold(0.0, |most: f64, s| most.max(s.abs())),
                    Norm::L2 => (steps.iter().map(|s| s * s).sum::<f64>() / 1024.0).sqrt(),
                };
                assert!(size <= 0.03 * (1.0 + 1e-5), "{name} {budget:?}: {size}");
            }
            assert!(attacked.equal(&perturb(1)), "{name} {budget:?}");
            // Of several starts the first is the image itself, and may win whatever the seed.
            if !["fgsm", "pgd-4x3"].contains(&name) {
                assert!(!attacked.equal(&perturb(2)), "{name} {budget:?}");
            }
            let evaluated = evaluated(&target, &attacked, &batch.labels);
            if attack.access() != Access::Random {
                assert!(
                    mean_loss(&evaluated) > mean_loss(&clean),
                    "{name} {budget:?}"
                );
                let errors = |of: &[(f64, bool)]| of.iter().filter(|(_, errs)| *errs).count();
                assert!(errors(&evaluated) > errors(&clean), "{name} {budget:?}");
            }
            // Attacks that keep the best point never help, not for a single image.
            if ["pgd", "apg", "wor"].contains(&&name[..3]) {
                for ((loss_before, erred), (loss, errs)) in clean.iter().zip(&evaluated) {
                    assert!(*errs || !erred, "{name} {budget:?}");
                    assert!(
                        *loss >= loss_before - 1e-5 || (*errs && !erred),
                        "{name} {budget:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn noise_of_an_l2_budget_has_the_snr_asked_for() {
    let target = Bent::new(1);
    let images = random(3, &[8, 1, 32, 32]);
    let batch = batch(images, &[0; 8], 10.0);
    for name in ["uniform", "gaussian"] {
        let noise = |budget: Budget| {
            let attack = by_name(name).unwrap();
            values(&(attack.perturb(&target, &batch, budget, 5).unwrap() - &batch.images))
        };
        for noise in noise(Budget::l2(0.1)).chunks(PIXELS) {
            let square: f32 = noise.iter().map(|value| value * value).sum();
            assert!(((square / 1024.0).sqrt() - 0.1).abs() < 1e-5, "{name}");
        }
        // U(-e, e) has a variance of e^2 / 3. A standard normal cut at 2 has one of
        // 0.9545 - 4 * 0.05399 within the cut and 4 * 0.0455 at it: 0.9205.
        let noise = noise(Budget::linf(0.1));
        let variance = noise.iter().map(|value| value * value).sum::<f32>() / noise.len() as f32;
        let expected = if name == "uniform" {
            0.01 / 3.0
        } else {
            0.9205 * 0.01 / 4.0
        };
        assert!(
            (variance / expected - 1.0).abs() < 0.05,
            "{name}: {variance}"
        );
    }
}

#[test]
fn the_optimum_of_a_linear_classifier_is_reached() {
    // Classes 2 and 3 never matter: the prediction is the sign of a . x.
    let a = random(4, &[PIXELS as i64, 1]);
    let zero = a.zeros_like();
    let target = Linear {
        weight: Tensor::cat(&[&a, &(-&a), &zero, &zero], 1) / 2.0,
        bias: Tensor::from_slice(&[0.0_f32, 0.0, -30.0, -30.0]),
        gradient: Gradient::Honest,
    };
    let norm_1 = a.abs().sum(Kind::Double).double_value(&[]);
    let norm_2 = (&a * &a).sum(Kind::Double).double_value(&[]).sqrt();
    for budget in budgets() {
        // What a . x can lose: epsilon times the dual norm.
        let gain = match budget.norm {
            Norm::Linf => budget.epsilon * norm_1,
            Norm::L2 => budget.epsilon * 32.0 * norm_2,
        };
        // Five images that the best attack just breaks, five that no attack can break.
        let margins: Vec<f32> = (0..10)
            .map(|i| (gain * if i < 5 { 0.99 } else { 1.01 }) as f32)
            .collect();
        let noise = random(5, &[10, PIXELS as i64]);
        let missing = Tensor::from_slice(&margins).unsqueeze(1) - noise.matmul(&a);
        let images =
            (noise + missing * a.transpose(0, 1) / (norm_2 * norm_2)).reshape([10, 1, 32, 32]);
        let batch = batch(images, &[0; 10], 10.0);
        for name in [
            "fgsm",
            "pgd-20",
            "pgd-20x2",
            "apgd-ce-40",
            "apgd-t-40",
            "worst-50",
        ] {
            let attack = by_name(name).unwrap();
            let attacked = attack.perturb(&target, &batch, budget, 1).unwrap();
            let left = values(&margin(&target.logits(&attacked), &batch.labels));
            // From a start across the gradient at the edge of the L2 ball, a path of 2.5 epsilon
            // along it turns the perturbation by all but 2 atan(exp(-2.5)): tanh(2.5) is reached.
            let (reached, close) = if name == "pgd-20" && budget.norm == Norm::L2 {
                (2.5_f64.tanh(), 0.01)
            } else {
                (1.0, 0.001)
            };
            for (i, left) in left.iter().enumerate() {
                let (left, before) = (f64::from(*left), f64::from(margins[i]));
                let says = format!("{name} {budget:?}: {i} from {before} to {left}");
                assert_eq!(left < 0.0, before < reached * gain, "{says}");
                if i >= 5 {
                    let share = (before - left) / gain;
                    assert!((share - reached).abs() < close, "{says}: {share}");
                }
            }
        }
    }
}

#[test]
fn apgd_shortens_its_steps_until_it_stands_on_the_optimum() {
    /// Surest away from a point within the budget, the optimum, and right even there.
    struct Bowl(Tensor);
    impl Classifier for Bowl {
        fn name(&self) -> &str {
            "bowl"
        }
        fn device(&self) -> Device {
            Device::Cpu
        }
        fn side(&self) -> usize {
            32
        }
        fn logits(&self, images: &Tensor) -> Tensor {
            let away = (images - &self.0).square().flatten(1, -1);
            let right = away.mean_dim([1_i64].as_slice(), true, Kind::Float) * 1e3 + 1.0;
            let wrong = right.zeros_like();
            Tensor::cat(&[&right, &wrong, &(&wrong - 1.0), &(&wrong - 2.0)], 1)
        }
    }
    let images = random(12, &[4, 1, 32, 32]);
    let target = Bowl(&images + random(13, &[4, 1, 32, 32]) * 0.02);
    let batch = batch(images, &[0; 4], 10.0);
    for budget in [Budget::linf(0.05), Budget::l2(0.05)] {
        let away = |name: &str| {
            let attack = by_name(name).unwrap();
            let found = attack.perturb(&target, &batch, budget, 1).unwrap();
            let away = (found - &target.0).square().mean(Kind::Double);
            away.double_value(&[]).sqrt() / budget.epsilon
        };
        for name in ["apgd-ce", "apgd-t"] {
            assert!(away(name) < 0.02, "{name} {budget:?}: {}", away(name));
        }
    }
}

#[test]
fn dlr_by_hand() {
    let logits = Tensor::from_slice(&[5.0_f32, 3.0, 1.0, -1.0, 1.0, 4.0, 2.0, 0.0]).reshape([2, 4]);
    let labels = Tensor::from_slice(&[0_i64, 0]);
    // -(5 - 3) / (5 - 1); wrong: -(1 - 4) / (4 - 1).
    assert_eq!(values(&dlr(&logits, &labels)), [-0.5, 1.0]);
    // -(5 - 1) / (5 - (1 - 1) / 2); -(1 - 0) / (4 - (1 + 0) / 2).
    let targets = Tensor::from_slice(&[2_i64, 3]);
    let found = values(&targeted_dlr(&logits, &labels, &targets));
    assert!((found[0] + 0.8).abs() < 1e-6 && (found[1] + 1.0 / 3.5).abs() < 1e-6);
    // Neither shift nor scale change them.
    let other = values(&targeted_dlr(&(&logits * 50.0 + 7.0), &labels, &targets));
    assert!(found.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_eq!(values(&margin(&logits, &labels)), [2.0, -3.0]);
}

#[test]
fn square_needs_no_gradient() {
    let (target, batch) = patterns(Gradient::None);
    let attack = by_name("square-400").unwrap();
    assert_eq!(attack.access(), Access::BlackBox);
    for budget in [Budget::linf(0.05), Budget::l2(0.05)] {
        let attacked = attack.perturb(&target, &batch, budget, 1).unwrap();
        let left = values(&margin(&target.logits(&attacked), &batch.labels));
        let broken = left.iter().filter(|margin| **margin < 0.0).count();
        assert!(broken >= 24, "{budget:?}: {broken} of 32");
        // Its margin never grows, and noise of the same size does far less.
        let noise = by_name("uniform").unwrap();
        let noisy = noise.perturb(&target, &batch, budget, 1).unwrap();
        let noisy = values(&margin(&target.logits(&noisy), &batch.labels));
        assert!(noisy.iter().filter(|margin| **margin < 0.0).count() < 4);
    }
}

#[test]
fn the_worst_is_no_weaker_than_any_and_leaves_what_errs_alone() {
    let target = Bent::new(8);
    let batch = labelled_images(&target, 9);
    let budget = Budget::linf(0.012);
    let errs = |name: &str| -> Vec<bool> {
        let attack = by_name(name).unwrap();
        let attacked = attack.perturb(&target, &batch, budget, 3).unwrap();
        let evaluated = evaluated(&target, &attacked, &batch.labels);
        evaluated.iter().map(|(_, errs)| *errs).collect()
    };
    let worst = errs("worst-100");
    for name in ["fgsm", "pgd-20x5", "apgd-ce", "apgd-t", "square-100"] {
        let other = errs(name);
        assert!(
            worst
                .iter()
                .zip(other)
                .all(|(worst, other)| *worst || !other),
            "{name}"
        );
    }
    let attacked = by_name("worst-100").unwrap();
    let attacked = attacked.perturb(&target, &batch, budget, 3).unwrap();
    for i in (0..20).step_by(5) {
        assert!(attacked.get(i).equal(&batch.images.get(i)));
    }
}

#[test]
fn transfer_asks_the_other_classifier_alone() {
    struct Untouchable;
    impl Classifier for Untouchable {
        fn name(&self) -> &str {
            "untouchable"
        }
        fn device(&self) -> Device {
            Device::Cpu
        }
        fn side(&self) -> usize {
            32
        }
        fn logits(&self, _images: &Tensor) -> Tensor {
            panic!("the attacked classifier was asked")
        }
    }
    let other = Bent::new(10);
    let batch = labelled_images(&other, 11);
    let attack = || by_name("pgd-5").unwrap();
    let transfer = Transfer {
        from: &other,
        attack: attack(),
    };
    let made = transfer
        .perturb(&Untouchable, &batch, Budget::linf(0.02), 1)
        .unwrap();
    let direct = attack()
        .perturb(&other, &batch, Budget::linf(0.02), 1)
        .unwrap();
    assert!(made.equal(&direct));
    assert_eq!(
        (transfer.name(), transfer.access()),
        ("pgd-5", Access::Transfer)
    );
}

#[test]
fn an_honest_classifier_passes_and_one_that_hides_its_gradient_does_not() {
    let (honest, batch) = patterns(Gradient::Honest);
    sanity::check(&honest, &batch, Some(&honest), 1).unwrap();

    let (masked, _) = patterns(Gradient::Stepped);
    assert!(matches!(
        sanity::check(&masked, &batch, None, 1),
        Err(SanityError::GradientsMasked { .. })
    ));
    // Steps so wide that no start drawn at random leaves them.
    let flat = Linear {
        weight: &masked.weight * 1e-3,
        ..patterns(Gradient::Stepped).0
    };
    assert!(matches!(
        sanity::unbounded_breaks_all(&flat, &batch, 1),
        Err(SanityError::UnboundedFails { .. })
    ));
    let error = sanity::white_box_is_no_weaker(&masked, &batch, &honest, 1).unwrap_err();
    assert!(matches!(error, SanityError::TransferBeatsWhiteBox { .. }));
    assert_eq!(error.to_string().lines().count(), 1);

    let mut wrong = batch;
    wrong.labels = (&wrong.labels + 1).remainder(4);
    assert!(matches!(
        sanity::check(&honest, &wrong, None, 1),
        Err(SanityError::NothingCorrect { n: 32, .. })
    ));
}

#[test]
fn an_attack_that_a_bigger_budget_hinders_is_found_out() {
    /// Gives up when it may do much.
    struct Lazy;
    impl Attack for Lazy {
        fn name(&self) -> &str {
            "lazy"
        }
        fn perturb(
            &self,
            target: &dyn Classifier,
            batch: &Batch,
            budget: Budget,
            seed: u64,
        ) -> Result<Tensor, tch::TchError> {
            let budget = if budget.epsilon > 0.09 {
                Budget::linf(0.0)
            } else {
                budget
            };
            by_name("fgsm")
                .unwrap()
                .perturb(target, batch, budget, seed)
        }
    }
    let (target, batch) = patterns(Gradient::Honest);
    let found = sanity::a_bigger_budget_never_helps(&target, &batch, &Lazy, 1);
    assert!(matches!(found, Err(SanityError::BiggerBudgetHelps { .. })));
}
