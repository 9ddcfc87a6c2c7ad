//! What a user of `train` relies on: it learns, it repeats, it resumes, it refuses to write a model
//! that the runtime would read differently, and it explains what is wrong with its input.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/drawn_crops.rs"]
mod drawn_crops;

use parseye::classify::{EyeStateModel, StandardisedCrop};
use parseye_train::{
    checkpoint::Checkpoint,
    data::{
        augment::Augmentation,
        crops::{Crop, CropSet},
    },
    export::{
        ExportError,
        finish::{Circumstances, write_model},
        model_bytes, parity,
    },
    fit::{FitError, FitSettings, fit},
    harden::epsilon::EpsilonRange,
    network::{
        self,
        module::{Network, Precision},
    },
    schedule::Schedule,
};
use std::{
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
};
use tch::{Device, Tensor};

fn drawn() -> (tempfile::TempDir, CropSet) {
    let folder = tempfile::tempdir().unwrap();
    drawn_crops::write(folder.path());
    let crops = CropSet::read(folder.path()).unwrap();
    (folder, crops)
}

fn settings() -> FitSettings {
    FitSettings {
        architecture: "wrn-10-1".into(),
        fgsm_epsilon: Some(EpsilonRange {
            low: 0.001,
            high: 0.03,
        }),
        epochs: 3,
        epoch_crops: 512,
        batch_size: 32,
        learning_rate: 0.05,
        schedule: Schedule::Cosine,
        momentum: 0.9,
        weight_decay: 5e-4,
        augmentation: Augmentation::default(),
        precision: Precision::F32,
        seed: 3,
        threads: 1,
    }
}

fn run(
    settings: &FitSettings,
    crops: &CropSet,
    out: &Path,
    resume: bool,
) -> Result<Checkpoint, FitError> {
    tch::set_num_threads(1);
    fit(
        settings,
        crops,
        Device::Cpu,
        out,
        resume,
        &AtomicBool::new(false),
        |_| Ok(()),
    )
}

fn circumstances() -> Circumstances {
    Circumstances {
        name: "drawn".into(),
        device: Device::Cpu,
    }
}

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
    let stopped = fit(
        &settings(),
        &crops,
        Device::Cpu,
        &resumed,
        false,
        &stop,
        |_| {
            stop.store(true, Ordering::Relaxed);
            Ok(())
        },
    );
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
    let card = write_model(&run_a, &crops, &circumstances(), &path).unwrap();
    let model = EyeStateModel::from_file(&path).unwrap();
    assert_eq!(model.card().training, card.training);
    assert_eq!(
        card.reference_confidence.counts.iter().sum::<u64>(),
        crops.val.len() as u64
    );
    assert_eq!(card.training.data_sha256, crops.sha256);
    assert_eq!(card.robustness.len(), 5);
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

fn fresh(precision: Precision) -> Network {
    let spec = network::by_name("wrn-16-1").unwrap();
    let network = Network::new(&spec, precision, Device::Cpu, 1).unwrap();
    // Batch norms away from identity, or a fold that is wrong would go unseen.
    tch::no_grad(|| {
        for (name, tensor) in network.tensors() {
            if tensor.dim() == 1 {
                let noise = Tensor::rand(tensor.size(), (tch::Kind::Float, Device::Cpu)) * 0.4;
                let shift = if name.ends_with("running_var") {
                    0.5
                } else {
                    -0.2
                };
                let mut tensor = tensor.shallow_clone();
                tensor += noise + shift;
            }
        }
    });
    network
}

fn model_of(network: &Network) -> EyeStateModel {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let quick = FitSettings {
        epochs: 1,
        epoch_crops: 64,
        ..settings()
    };
    let run = run(&quick, &crops, out.path(), false).unwrap();
    let path = out.path().join("m.onnx");
    let card = write_model(&run, &crops, &circumstances(), &path).unwrap();
    EyeStateModel::from_bytes(&model_bytes(network, &card).unwrap(), "test").unwrap()
}

#[test]
fn export_is_refused_when_preprocessing_or_a_weight_differs() {
    let (_data, crops) = drawn();
    let probes: Vec<&Crop> = crops.val.iter().collect();
    let network = fresh(Precision::F32);
    let model = model_of(&network);
    let difference = parity::check(&network, &model, &probes, Crop::standardised).unwrap();
    assert!(difference < parity::TOLERANCE);

    let refused =
        |result: Result<f32, ExportError>| matches!(result, Err(ExportError::Parity { .. }));
    // Preprocessing without the standard deviation, and mirrored.
    assert!(refused(parity::check(&network, &model, &probes, |crop| {
        let mut crop = crop.standardised();
        crop.values.iter_mut().for_each(|value| *value *= 1.01);
        crop
    })));
    assert!(refused(parity::check(&network, &model, &probes, |crop| {
        let mut crop: StandardisedCrop = crop.standardised();
        crop.values.reverse();
        crop
    })));
    // One weight of the stem nudged after the export.
    tch::no_grad(|| {
        let mut weight = network.tensors()["stem.weight"].get(0).get(0).get(1).get(1);
        weight += 0.05;
    });
    assert!(refused(parity::check(
        &network,
        &model,
        &probes,
        Crop::standardised
    )));
    // A weight that is not a number is not exported at all.
    tch::no_grad(|| {
        let mut weight = network.tensors()["stem.weight"].get(0).get(0).get(1).get(1);
        weight += f64::NAN;
    });
    let error = model_bytes(&network, model.card()).unwrap_err().to_string();
    assert!(
        error.contains("stem.weight") && error.contains("not finite"),
        "{error}"
    );
}

#[test]
fn half_precision_agrees_with_single() {
    let (_data, crops) = drawn();
    let inputs: Vec<_> = crops
        .val
        .iter()
        .map(|crop| (crop.standardised(), crop.sample.label))
        .collect();
    let single = parity::logits(&fresh(Precision::F32), &inputs).unwrap();
    let half = parity::logits(&fresh(Precision::Bf16), &inputs).unwrap();
    let spread = single
        .iter()
        .flatten()
        .fold(0.0_f32, |most, v| most.max(v.abs()));
    for (a, b) in single.iter().flatten().zip(half.iter().flatten()) {
        // Eight bits of mantissa through sixteen layers.
        assert!((a - b).abs() < 0.05 * spread, "{a} {b}");
    }
}

fn train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs `train` with one mistake: it must fail with one line that holds all the words.
fn refuses(arguments: &[&str], words: &[&str]) {
    let output = train(arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    for word in words {
        assert!(
            text.contains(word),
            "{arguments:?}: '{text}' lacks '{word}'"
        );
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn every_misuse_is_explained() {
    let (data, _) = drawn();
    let data = data.path().to_str().unwrap();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("run");
    let out = out.to_str().unwrap();
    let base = ["--data", data, "--out", out];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    refuses(&[], &["--data"]);
    refuses(
        &with(&["--arch", "wrn-17-1"]),
        &["impossible depth 17", "16"],
    );
    refuses(&with(&["--arch", "wnr-16-1"]), &["did you mean 'wrn-16-1'"]);
    refuses(&with(&["--fgsm-eps", "-0.1"]), &["-0.1", "0.001..0.03"]);
    refuses(&with(&["--fgsm-eps", "0.03..0.001"]), &["backwards"]);
    refuses(&with(&["--learning-rate", "0"]), &["above 0"]);
    refuses(&with(&["--epochs", "0"]), &["epochs"]);
    refuses(&with(&["--device", "gpu"]), &["unknown device 'gpu'"]);
    refuses(&with(&["--device", "cuda:7"]), &["cuda:7", "--device cpu"]);
    refuses(&with(&["--sede", "1"]), &["--seed"]);
    refuses(&with(&["--resume"]), &["no checkpoint", "--resume"]);
    refuses(
        &["--data", "/nowhere", "--out", out],
        &["/nowhere/manifest.csv", "train import"],
    );
    refuses(&["--data", data, "--out", "/proc/x"], &["/proc/x", "--out"]);
    // A rate that overflows: the loss is no number, and the message says what to do.
    refuses(
        &with(&[
            "--arch",
            "wrn-10-1",
            "--device",
            "cpu",
            "--learning-rate",
            "1e30",
            "--epoch-crops",
            "96",
            "--batch-size",
            "32",
        ]),
        &["not a number in epoch 1", "--learning-rate"],
    );
}

#[test]
fn a_bad_manifest_or_picture_stops_before_training() {
    let (data, _) = drawn();
    let manifest = data.path().join("manifest.csv");
    let good = std::fs::read_to_string(&manifest).unwrap();
    let out = tempfile::tempdir().unwrap();
    let arguments = [
        "--data",
        data.path().to_str().unwrap(),
        "--out",
        out.path().to_str().unwrap(),
    ];
    std::fs::write(&manifest, good.replacen(",open,", ",opne,", 1)).unwrap();
    refuses(&arguments, &["manifest.csv, line 2", "did you mean 'open'"]);
    // The first row's person is in train, whose pictures would leak.
    std::fs::write(&manifest, good.replacen(",train,", ",test,", 1)).unwrap();
    refuses(&arguments, &["line 3", "'p0'", "one split"]);
    std::fs::write(&manifest, &good).unwrap();
    std::fs::write(data.path().join("p0_open_0.png"), b"no picture").unwrap();
    refuses(&arguments, &["p0_open_0.png", "not a readable picture"]);
    std::fs::remove_file(data.path().join("p0_open_0.png")).unwrap();
    refuses(&arguments, &["p0_open_0.png is missing"]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_a_begun_run_is_not_overwritten() {
    let (data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    run(
        &FitSettings {
            epochs: 1,
            epoch_crops: 64,
            ..settings()
        },
        &crops,
        out.path(),
        false,
    )
    .unwrap();
    let arguments = [
        "--data",
        data.path().to_str().unwrap(),
        "--out",
        out.path().to_str().unwrap(),
    ];
    refuses(&arguments, &["holds a run already", "--resume"]);
    let path = out.path().join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refuses(
        &[&arguments[..], &["--resume"]].concat(),
        &["checkpoint.safetensors", "damaged"],
    );
}

#[test]
fn published_layouts_become_manifests_split_by_person() {
    let from = tempfile::tempdir().unwrap();
    let picture = image::GrayImage::new(8, 8);
    let save = |path: &str| {
        let path = from.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    };
    for subject in 0..20 {
        for number in 0..3 {
            save(&format!(
                "mrl/s{subject:04}/s{subject:04}_{number:05}_0_0_{}_0_1_01.png",
                number % 2
            ));
        }
        save(&format!("cew/openLeftEyes/Some_Name{subject}_0001_L.png"));
        save(&format!(
            "cew/closedRightEyes/Some_Name{subject}_0002_R.png"
        ));
        save(&format!("own/p{subject}/partially_open/1.png"));
    }
    for (layout, folder, count) in [
        ("mrl", "mrl", 60),
        ("cew", "cew", 40),
        ("folders", "own", 20),
    ] {
        let out = tempfile::tempdir().unwrap();
        let source = from.path().join(folder);
        let output = train(&[
            "import",
            layout,
            "--from",
            source.to_str().unwrap(),
            "--out",
            out.path().to_str().unwrap(),
        ]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Reading it checks that every picture is there and nobody is in two splits.
        let manifest =
            parseye::evaluate::manifest::Manifest::read(&out.path().join("manifest.csv")).unwrap();
        assert_eq!(manifest.samples.len(), count, "{layout}");
    }
    let mrl = from.path().join("mrl");
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    refuses(
        &[
            "import",
            "cew",
            "--from",
            mrl.to_str().unwrap(),
            "--out",
            out,
        ],
        &["CEW", "openLeftEyes"],
    );
    save("mrl/s1_bad.png");
    refuses(
        &[
            "import",
            "mrl",
            "--from",
            mrl.to_str().unwrap(),
            "--out",
            out,
        ],
        &["s1_bad.png", "eight parts"],
    );
}
