//! Mistakes in the arguments and files of `train`: each gets one clear line and a failing exit.

use crate::support::training_runs;

use training_runs::{drawn, quick, refuses, run, train};

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
    refuses(
        &with(&["--fgsm-eps", "0.03..0.001"]),
        &["starts above its end"],
    );
    refuses(&with(&["--learning-rate", "0"]), &["above 0"]);
    refuses(
        &with(&["--arch", "parsval-16-1"]),
        &["did you mean 'parseval-16-1'"],
    );
    refuses(
        &with(&["--arch", "wrn-16-1", "--constraint", "both"]),
        &["--arch parseval-16-1"],
    );
    refuses(
        &with(&["--arch", "cnn-4", "--constraint", "convexity"]),
        &["no residual sums"],
    );
    refuses(&with(&["--rows", "0"]), &["all", "0.3"]);
    refuses(&with(&["--attack", "pgd-3"]), &["--fgsm-eps"]);
    refuses(
        &with(&["--fgsm-eps", "0.03", "--attack", "pdg-3"]),
        &["did you mean 'pgd-3'"],
    );
    refuses(
        &with(&[
            "--fgsm-eps",
            "0.03",
            "--loss",
            "trades",
            "--adversarial",
            "half",
        ]),
        &["every image"],
    );
    refuses(
        &with(&["--fgsm-eps", "0.003", "--augment", "fgsm"]),
        &["--base"],
    );
    refuses(
        &with(&["--fgsm-eps", "0.001..0.03", "--augment", "noise"]),
        &["not the range"],
    );
    refuses(
        &with(&[
            "--fgsm-eps",
            "0.003",
            "--augment",
            "noise",
            "--fraction",
            "2",
        ]),
        &["at most 1"],
    );
    refuses(
        &with(&[
            "--fgsm-eps",
            "0.003",
            "--augment",
            "fgsm",
            "--base",
            "/nowhere.onnx",
        ]),
        &["/nowhere.onnx", "cannot be read"],
    );
    refuses(&["--data", data], &["--out DIR is missing"]);
    refuses(&with(&["--old-data", "demo"]), &["--base"]);
    let default = parseye_testkit::places::repository().join("models/default.onnx");
    let base = ["--base", default.to_str().unwrap(), "--arch", "cnn-4"];
    refuses(
        &[&["--data", data, "--out", out], &base[..]].concat(),
        &["cnn-4", "wrn-16-1", "leave out --arch"],
    );
    refuses(&with(&["--folds", "3", "--fold", "3"]), &["the last is 2"]);
    refuses(&with(&["--folds", "3"]), &["--fold"]);
    refuses(&with(&["--dropout", "1"]), &["below 1"]);
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
fn a_bad_manifest_or_image_stops_before_training() {
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
    // The first row's person is in train, whose images would leak.
    std::fs::write(&manifest, good.replacen(",train,", ",test,", 1)).unwrap();
    refuses(&arguments, &["line 3", "'p0'", "one split"]);
    std::fs::write(&manifest, &good).unwrap();
    std::fs::write(data.path().join("p0_open_0.png"), b"no image").unwrap();
    refuses(&arguments, &["p0_open_0.png", "not a readable image"]);
    std::fs::remove_file(data.path().join("p0_open_0.png")).unwrap();
    refuses(&arguments, &["p0_open_0.png is missing"]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_a_begun_run_is_not_overwritten() {
    let (data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    run(&quick(), &crops, out.path(), false).unwrap();
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
    let image = image::GrayImage::new(8, 8);
    let save = |path: &str| {
        let path = from.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
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
        // Reading it checks that every image is there and nobody is in two splits.
        let manifest =
            parseye_vision::evaluate::manifest::Manifest::read(&out.path().join("manifest.csv"))
                .unwrap();
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
