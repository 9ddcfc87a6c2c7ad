//! What a user of `train` relies on: it learns, it repeats, it resumes, and every way of hardening
//! does what it promises.

use crate::support::training_runs;

use parseye_testkit::places::repository;
use parseye_train::{
    attack::Classifier,
    crop::Crop,
    export::{finish::write_model, parity, references},
    fit::{
        FitError, FitSettings, KeptEpoch,
        checkpoint::{Checkpoint, RunState},
    },
    harden::{
        added::{AddedExamples, AddedKind},
        adversarial::{Adversarial, AttackedShare},
        constraint::Retraction,
        epsilon::EpsilonRange,
        loss::{Loss, TrainingAttack},
    },
    network::{
        self,
        constraint::Constraint,
        initial::Initial,
        module::{Network, Precision},
        onnx::OnnxClassifier,
    },
};
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    eye_state::EyeState,
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};
use tch::Device;
use training_runs::{adversarial, drawn, export_context, quick, run, run_with, settings};

fn same_tensors(a: &Checkpoint, b: &Checkpoint) -> bool {
    let pairs = [
        (&a.network, &b.network),
        (&a.velocity, &b.velocity),
        (&a.best, &b.best),
    ];
    pairs
        .iter()
        .all(|(a, b)| a.len() == b.len() && a.iter().all(|(name, tensor)| tensor.equal(&b[name])))
}

#[test]
fn it_learns_repeats_resumes_and_writes_a_model_that_the_runtime_reads_alike() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let (first, again, resumed) = ("first", "again", "resumed").map_paths(out.path());

    let run_a = run(&settings(), &crops, &first, false).unwrap();
    let last = run_a.state.history.last().unwrap();
    assert!(
        last.val_macro_accuracy > 0.9,
        "drawn eyes are easy, yet: {last:?}"
    );

    // The same seed, data and threads give the same bits.
    let run_b = run(&settings(), &crops, &again, false).unwrap();
    assert!(same_tensors(&run_a, &run_b));
    let other_seed = FitSettings {
        seed: 4,
        epochs: 1,
        ..settings()
    };
    let run_c = run(&other_seed, &crops, &out.path().join("other"), false).unwrap();
    assert!(!same_tensors(&run_a, &run_c));

    // Stopped within the second epoch and resumed: the same bits again.
    let stop = AtomicBool::new(false);
    let interrupt = |_: &RunState| {
        stop.store(true, Ordering::Relaxed);
        Ok(())
    };
    let stopped = run_with(&settings(), &crops, None, &resumed, false, interrupt, &stop);
    assert!(matches!(stopped, Err(FitError::Stopped)));
    let run_d = run(&settings(), &crops, &resumed, true).unwrap();
    assert!(same_tensors(&run_a, &run_d));

    // Other arguments are another run.
    let other = FitSettings {
        learning_rate: 0.2,
        ..settings()
    };
    let error = run(&other, &crops, &resumed, true).unwrap_err().to_string();
    assert!(
        error.contains("learning_rate was 0.05") && error.contains("0.2 now"),
        "{error}"
    );

    let path = out.path().join("drawn.onnx");
    let card = write_model(&run_a, &crops, &export_context(), &path).unwrap();
    let model = EyeStateModel::from_file(&path).unwrap();
    assert_eq!(model.card().training, card.training);
    assert_eq!(
        card.reference_confidence.counts.iter().sum::<u64>(),
        crops.val.len() as u64
    );
    assert_eq!(card.training.data_sha256, crops.sha256);
    assert_eq!(card.robustness.len(), 5);
    let quantiles = card.reference_quantiles.clone().unwrap();
    assert_eq!(quantiles.n, crops.val.len());

    // The references of a model are measured anew: nothing else changes, and its gradient is still its own.
    let some: Vec<_> = crops.val[..4]
        .iter()
        .map(|crop| crop.standardised(32))
        .collect();
    let rewritten = references::rewrite(&path, &some).unwrap();
    assert_eq!(rewritten.reference_quantiles.as_ref().unwrap().n, 4);
    let other = EyeStateModel::from_file(&path).unwrap();
    assert_eq!(other.card(), &rewritten);
    assert!(GradientModel::beside(&path, &other).unwrap().is_some());
    let logits = |model: &EyeStateModel| model.classifier().unwrap().logits(&some[0]).unwrap();
    assert_eq!(logits(&other), logits(&model));
    let all: Vec<_> = crops.val.iter().map(|crop| crop.standardised(32)).collect();
    assert_eq!(references::rewrite(&path, &all).unwrap(), card);
}

/// Three folders below one.
trait MapPaths {
    fn map_paths(
        self,
        below: &Path,
    ) -> (std::path::PathBuf, std::path::PathBuf, std::path::PathBuf);
}

impl MapPaths for (&str, &str, &str) {
    fn map_paths(
        self,
        below: &Path,
    ) -> (std::path::PathBuf, std::path::PathBuf, std::path::PathBuf) {
        let make = |name: &str| {
            let path = below.join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        std::fs::create_dir_all(below.join("other")).unwrap();
        (make(self.0), make(self.1), make(self.2))
    }
}

#[test]
fn a_parseval_network_stays_near_tight_frames_and_its_sums_stay_convex() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = out.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let parseval = FitSettings {
        architecture: "parseval-10-1".into(),
        constraint: Constraint::Both,
        // The usual 0.001 needs thousands of steps; here are 48.
        retraction: Retraction {
            beta: 0.01,
            ..Retraction::default()
        },
        ..settings()
    };
    let run_a = run(&parseval, &crops, &folder("parseval"), false).unwrap();
    let plain = run(&settings(), &crops, &folder("wrn"), false).unwrap();
    let deviation = |run: &Checkpoint| run.state.history.last().unwrap().mean_frame_deviation;
    assert!(
        deviation(&run_a) < 0.2 * deviation(&plain),
        "{} {}",
        deviation(&run_a),
        deviation(&plain)
    );
    assert_eq!(run_a.state.frame_deviations.len(), parseval.epochs);
    let mut sums = 0;
    for (name, tensor) in &run_a.network {
        if name.ends_with("coefficients") {
            let values = Vec::<f32>::try_from(tensor).unwrap();
            assert!(values.iter().all(|v| *v >= 0.0), "{values:?}");
            assert!(
                (values.iter().sum::<f32>() - 1.0).abs() < 1e-6,
                "{values:?}"
            );
            sums += usize::from(values != [0.5, 0.5]);
        }
    }
    assert!(sums > 0, "no coefficient was trained");
    let last = run_a.state.history.last().unwrap();
    assert!(last.val_macro_accuracy > 0.8, "{last:?}");

    // Each constraint alone: sums stay plain, or weights go where they like.
    let alone = |constraint| FitSettings {
        constraint,
        epochs: 1,
        ..parseval.clone()
    };
    let orthogonal = run(
        &alone(Constraint::Orthogonality),
        &crops,
        &folder("o"),
        false,
    )
    .unwrap();
    assert!(
        !orthogonal
            .network
            .keys()
            .any(|name| name.ends_with("coefficients"))
    );
    let convex = run(&alone(Constraint::Convexity), &crops, &folder("c"), false).unwrap();
    assert!(
        convex
            .network
            .keys()
            .any(|name| name.ends_with("coefficients"))
    );
    assert!(deviation(&convex) > 5.0 * deviation(&orthogonal));
}

#[test]
fn every_way_of_hardening_learns_repeats_and_resumes() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let with = |change: &dyn Fn(&mut Adversarial)| {
        let mut adversarial = adversarial();
        change(&mut adversarial);
        FitSettings {
            adversarial: Some(adversarial),
            epochs: 2,
            epoch_crops: 256,
            ..settings()
        }
    };
    let plain = |change: &dyn Fn(&mut FitSettings)| {
        let mut settings = FitSettings {
            adversarial: None,
            epochs: 2,
            epoch_crops: 256,
            ..settings()
        };
        change(&mut settings);
        settings
    };
    let ways = [
        ("n-fgsm", with(&|a| a.attack = TrainingAttack::NFgsm)),
        (
            "pgd",
            with(&|a| (a.attack, a.share) = (TrainingAttack::Pgd(2), AttackedShare::All)),
        ),
        (
            "trades",
            with(&|a| {
                (a.loss, a.share, a.attack) =
                    (Loss::Trades, AttackedShare::All, TrainingAttack::Pgd(2))
            }),
        ),
        ("awp", with(&|a| a.weight_perturbation = 0.005)),
        ("smooth", plain(&|s| s.label_smoothing = 0.1)),
        ("ema", plain(&|s| s.weight_average = 0.9)),
        ("dropout", plain(&|s| s.dropout = 0.2)),
        (
            "cnn",
            plain(&|s| (s.architecture, s.learning_rate) = ("cnn-4".into(), 0.02)),
        ),
    ];
    for (name, settings) in ways {
        let whole = out.path().join(name);
        let halves = out.path().join(format!("{name}-resumed"));
        for folder in [&whole, &halves] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let stop = AtomicBool::new(false);
        let at_once = run(&settings, &crops, &whole, false).unwrap();
        let row = at_once.state.history.last().unwrap();
        assert!(
            row.loss.is_finite() && row.val_accuracy > 0.4,
            "{name}: {row:?}"
        );
        let interrupt = |_: &RunState| {
            stop.store(true, Ordering::Relaxed);
            Ok(())
        };
        let stopped = run_with(&settings, &crops, None, &halves, false, interrupt, &stop);
        assert!(matches!(stopped, Err(FitError::Stopped)), "{name}");
        let resumed = run(&settings, &crops, &halves, true).unwrap();
        assert!(
            same_tensors(&at_once, &resumed),
            "{name} differs after resuming"
        );
    }
}

#[test]
fn added_examples_come_from_the_base_model() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = out.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let base = run(&quick(), &crops, &folder("base"), false).unwrap();
    let path = out.path().join("base.onnx");
    write_model(&base, &crops, &export_context(), &path).unwrap();
    let base = OnnxClassifier::read(&path, Device::Cpu).unwrap();
    let with = |kind| FitSettings {
        adversarial: None,
        added: Some(AddedExamples {
            kind,
            epsilon: 0.05,
            fraction: 1.0,
            base_sha256: Some(base.sha256().into()),
        }),
        ..quick()
    };
    let never = AtomicBool::new(false);
    let train = |settings: &FitSettings, name: &str| {
        let base = Some(&base as _);
        run_with(
            settings,
            &crops,
            base,
            &folder(name),
            false,
            |_| Ok(()),
            &never,
        )
        .unwrap()
    };
    let fgsm = train(&with(AddedKind::Fgsm), "fgsm");
    let noise = train(&with(AddedKind::Noise), "noise");
    let neither = train(
        &FitSettings {
            adversarial: None,
            ..quick()
        },
        "neither",
    );
    assert!(!same_tensors(&fgsm, &noise) && !same_tensors(&noise, &neither));
    let command = with(AddedKind::Fgsm).command();
    assert!(
        command.contains("--augment fgsm --fgsm-eps 0.05 --fraction 1 --base BASE"),
        "{command}"
    );
}

#[test]
fn the_last_epoch_is_kept_on_request() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let settings = FitSettings {
        keep: KeptEpoch::Last,
        epochs: 3,
        ..quick()
    };
    let run = run(&settings, &crops, out.path(), false).unwrap();
    assert_eq!(run.state.best_epoch, 3);
    assert!(
        run.best
            .iter()
            .all(|(name, tensor)| tensor.equal(&run.network[name]))
    );
}

#[test]
fn a_training_that_overfits_to_its_own_attack_is_stopped_by_name() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    // FGSM on every image with a budget far too large for it, the known recipe.
    let settings = FitSettings {
        adversarial: Some(Adversarial {
            epsilon: EpsilonRange {
                low: 0.5,
                high: 0.5,
            },
            share: AttackedShare::All,
            ..adversarial()
        }),
        epochs: 12,
        learning_rate: 0.1,
        ..settings()
    };
    let error = run(&settings, &crops, out.path(), false).unwrap_err();
    assert!(
        matches!(error, FitError::CatastrophicOverfitting { .. }),
        "{error}"
    );
    // What was learnt up to there is kept.
    assert!(Checkpoint::load(out.path()).unwrap().state.history.len() <= 12);
}

/// The whole way from nothing: drawn eyes, FGSM in half of each batch, a model that the runtime reads; and then the
/// same model adapted to other data without forgetting these.
#[test]
fn drawn_eyes_are_enough_to_harden_a_model_and_a_finished_one_is_adapted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let quick = [
        "--epochs",
        "1",
        "--epoch-crops",
        "2048",
        "--batch-size",
        "32",
        "--threads",
        "2",
        "--precision",
        "f32",
    ];
    let (first, second) = (at("first"), at("second"));
    let demo = [
        "--data",
        "demo",
        "--arch",
        "wrn-10-1",
        "--fgsm-eps",
        "0.03",
        "--out",
        &first,
    ];
    let output = training_runs::train(&[&demo[..], &quick].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let path = folder.path().join("first/wrn-10-1.onnx");
    let model = EyeStateModel::from_file(&path).unwrap();
    assert!(GradientModel::beside(&path, &model).unwrap().is_some());
    let card = model.card();
    assert!(
        card.training.data_credit.contains("drawn"),
        "{}",
        card.training.data_credit
    );
    assert!(
        card.validation.macro_accuracy > 0.4,
        "{:?}",
        card.validation
    );

    // Its training goes on with other data, from the file alone.
    let (data, _) = drawn();
    let data = data.path().to_str().unwrap();
    let base = path.to_str().unwrap();
    let adapt = [
        "--data",
        data,
        "--base",
        base,
        "--old-data",
        "demo",
        "--out",
        &second,
        "--name",
        "own",
    ];
    let output = training_runs::train(&[&adapt[..], &quick].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    for what in [
        "new data, ",
        "old data (demo), 480 validation crops",
        " before, ",
    ] {
        assert!(text.contains(what), "'{what}' is not in {text}");
    }
    let adapted = EyeStateModel::from_file(&folder.path().join("second/own.onnx")).unwrap();
    let training = &adapted.card().training;
    assert_eq!(adapted.card().architecture, "wrn-10-1");
    assert_eq!(training.files_sha256["BASE"], model.file().sha256);
    assert!(
        training.command.contains("--base BASE --old-data OLD"),
        "{}",
        training.command
    );
}

/// A network that begins with a file's weights is that file, batch norms folded and not, and stays it where nothing is
/// learnt.
#[test]
fn a_base_is_gone_on_with_exactly() {
    let (_data, crops) = drawn();
    for architecture in ["wrn-10-1", "cnn-4"] {
        let out = tempfile::tempdir().unwrap();
        let settings = FitSettings {
            architecture: architecture.into(),
            ..quick()
        };
        let trained = run(&settings, &crops, out.path(), false).unwrap();
        let path = out.path().join("base.onnx");
        write_model(&trained, &crops, &export_context(), &path).unwrap();
        let initial = Initial::read(&path).unwrap();
        assert_eq!(initial.architecture, architecture);
        let spec = network::by_name(architecture).unwrap();
        let network = Network::new(&spec, Precision::F32, Device::Cpu, 1).unwrap();
        network.load(&initial.tensors).unwrap();
        let probes: Vec<&Crop> = crops.val.iter().collect();
        let model = EyeStateModel::from_file(&path).unwrap();
        parity::check(&network, &model, &probes, |crop| crop.standardised(32)).unwrap();
    }
    let parseval = repository().join("models/parseval-16-1.onnx");
    let error = Initial::read(&parseval).unwrap_err().to_string();
    assert!(error.contains("constraints"), "{error}");
}

/// A network that reads larger crops and says how far the lids are apart: learnt, written, read by the runtime, attacked
/// and gone on with.
#[test]
fn lids_of_larger_crops_are_learnt_written_and_gone_on_with() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let settings = FitSettings {
        architecture: "wrn-10-1-in64".into(),
        openness_weight: 1.0,
        ..settings()
    };
    let trained = run(&settings, &crops, out.path(), false).unwrap();
    let path = out.path().join("lids.onnx");
    let card = write_model(&trained, &crops, &export_context(), &path).unwrap();
    assert_eq!(card.input.shape, [1, 1, 64, 64]);
    assert!(
        card.training.command.contains("--openness 1 "),
        "{}",
        card.training.command
    );
    let lids = card.lids.unwrap();
    assert!(lids.openness_n > 20, "{lids:?}");
    // Half of the range would be a guess.
    assert!(lids.openness_error < 0.2, "{lids:?}");

    let model = EyeStateModel::from_file(&path).unwrap();
    let mut classifier = model.classifier().unwrap();
    let mut mean_openness = |state| {
        let of_state = crops.val.iter().filter(|crop| crop.sample.label == state);
        let lids = of_state.map(|crop| {
            let crop = crop.standardised(model.side());
            classifier.predict(&crop).unwrap().lids.unwrap().openness
        });
        let all: Vec<f32> = lids.collect();
        all.iter().sum::<f32>() / all.len() as f32
    };
    let [open, partial, closed] =
        [EyeState::Open, EyeState::PartiallyOpen, EyeState::Closed].map(&mut mean_openness);
    assert!(
        open > partial && partial > closed,
        "{open} {partial} {closed}"
    );
    // A crop of another size is an error, not a wrong answer.
    assert!(classifier.predict(&crops.val[0].standardised(32)).is_err());

    let gradient = GradientModel::beside(&path, &model).unwrap().unwrap();
    let crop = crops.val[0].standardised(64);
    let found = gradient
        .runner()
        .unwrap()
        .gradient(&crop, EyeState::Open)
        .unwrap();
    assert_eq!(found.values.len(), 64 * 64);
    assert_eq!(OnnxClassifier::read(&path, Device::Cpu).unwrap().side(), 64);

    let initial = Initial::read(&path).unwrap();
    assert!(initial.has_lids && initial.tensors.contains_key("lids.weight"));

    // A model that reads crops of another size cannot teach it.
    let base = OnnxClassifier::read(&path, Device::Cpu).unwrap();
    let other = FitSettings {
        added: Some(AddedExamples {
            kind: AddedKind::Fgsm,
            epsilon: 0.003,
            fraction: 0.5,
            base_sha256: Some("hash".into()),
        }),
        adversarial: None,
        ..quick()
    };
    let stop = AtomicBool::new(false);
    let folder = out.path().join("other");
    let refused = run_with(
        &other,
        &crops,
        Some(&base),
        &folder,
        false,
        |_| Ok(()),
        &stop,
    );
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("64x64") && error.contains("32x32"),
        "{error}"
    );
}
