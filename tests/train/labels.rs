//! A wrong label's way: planted, doubted, graded blind, corrected, and trained without; and what a
//! network learns beside its labels.

use crate::support::training_runs;

use parseye_train::{
    data::crops::CropSet,
    export::finish::write_model,
    fit::{FitSettings, Fold, Teacher},
    network::onnx::OnnxClassifier,
};
use parseye_vision::eye_state::EyeState;
use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool};
use tch::Device;
use training_runs::{drawn, export_context, refuses, run, run_with, settings, train};

/// The crop whose label the test falsifies.
const PLANTED: &str = "p0_open_2.png";

fn succeeds(arguments: &[&str]) -> String {
    let output = train(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A model for each of two folds, trained on the others' people.
fn fold_models(crops: &CropSet, folder: &Path) -> [String; 2] {
    [0, 1].map(|index| {
        let fold = Fold {
            count: 2,
            index,
            seed: 0,
        };
        let settings = FitSettings {
            adversarial: None,
            fold: Some(fold),
            ..settings()
        };
        let crops =
            parseye_train::data::folds::fold(crops.clone(), fold.count, fold.index, fold.seed)
                .unwrap();
        let out = folder.join(format!("fold{index}"));
        std::fs::create_dir(&out).unwrap();
        let run = run(&settings, &crops, &out, false).unwrap();
        let path = folder.join(format!("fold{index}.onnx"));
        write_model(&run, &crops, &export_context(), &path).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

#[test]
fn a_planted_wrong_label_is_doubted_graded_and_corrected() {
    let (data, _) = drawn();
    let manifest = data.path().join("manifest.csv");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let falsified = text.replacen(
        &format!("{PLANTED},open,"),
        &format!("{PLANTED},closed,"),
        1,
    );
    assert_ne!(text, falsified);
    std::fs::write(&manifest, &falsified).unwrap();
    let crops = CropSet::read(&[data.path()]).unwrap();
    let work = tempfile::tempdir().unwrap();
    let [first, second] = fold_models(&crops, work.path());
    let at = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let data = data.path().to_str().unwrap();

    let list = at("suspects.csv");
    let ask = [
        "labels",
        "suspects",
        "--data",
        data,
        "--count",
        "3",
        "--controls",
        "5",
        "--out",
        &list,
    ];
    succeeds(&[&ask[..], &[&first, &second]].concat());
    let listed = std::fs::read_to_string(&list).unwrap();
    assert!(
        listed.lines().nth(1).unwrap().starts_with(PLANTED),
        "{listed}"
    );
    assert_eq!(listed.lines().count(), 1 + 3 + 5);
    // Models in another order were trained on the people that they are asked about.
    refuses(
        &[&ask[..9], &[&at("other.csv"), &second, &first]].concat(),
        &["not trained with --folds 2 --fold 0", "in their order"],
    );

    let sheets = at("sheets");
    succeeds(&[
        "labels", "sheets", "--data", data, "--list", &list, "--out", &sheets,
    ]);
    let key = format!("{sheets}/key.csv");
    let key_text = std::fs::read_to_string(&key).unwrap();
    assert!(Path::new(&sheets).join("sheet-001.png").is_file());
    assert!(!key_text.contains("closed,"), "no label beside the sheets");

    // Two graders who see what is drawn; the second finds one control hard.
    let mut graded = [
        String::from("number,grade\n"),
        String::from("number,grade\n"),
    ];
    for line in key_text.lines().skip(1) {
        let (number, path) = line.split_once(',').unwrap();
        let truth = EyeState::ALL
            .into_iter()
            .find(|state| path.contains(&format!("_{state}_")))
            .unwrap();
        let hard = listed.lines().last().unwrap().starts_with(path);
        graded[0] += &format!("{number},{truth}\n");
        graded[1] += &match hard {
            true => format!("{number},undecidable\n"),
            false => format!("{number},{truth}\n"),
        };
    }
    let graders = ["first.csv", "second.csv"].map(at);
    for (path, text) in graders.iter().zip(&graded) {
        std::fs::write(path, text).unwrap();
    }
    let fixes = at("fixes.csv");
    let compare = ["labels", "agree", "--data", data, "--key", &key];
    let said = succeeds(&[&compare[..], &["--out", &fixes, &graders[0], &graders[1]]].concat());
    assert!(said.contains("8 crops graded twice, alike in 7"), "{said}");
    let rows = std::fs::read_to_string(&fixes).unwrap();
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.contains(&format!("{PLANTED},closed,open,")), "{rows}");
    refuses(
        &[&compare[..], &["--out", &fixes, &graders[0], &graders[1]]].concat(),
        &["fixes.csv", "is there already"],
    );

    let out = at("corrected");
    let fit = [
        "--data",
        data,
        "--arch",
        "wrn-10-1",
        "--epochs",
        "1",
        "--epoch-crops",
        "64",
        "--batch-size",
        "32",
        "--threads",
        "1",
        "--out",
        &out,
    ];
    succeeds(&[&fit[..], &["--label-fixes", &fixes]].concat());
    let model =
        parseye_vision::classify::EyeStateModel::from_file(&Path::new(&out).join("wrn-10-1.onnx"));
    let card = model.unwrap().card().training.clone();
    assert!(
        card.command.contains("--label-fixes FIXES"),
        "{}",
        card.command
    );
    assert_eq!(card.files_sha256["FIXES"].len(), 64);
    // Without the corrections it is another run.
    refuses(
        &[&fit[..], &["--resume"]].concat(),
        &["label_fixes_sha256", "cannot resume"],
    );
    std::fs::write(&manifest, text).unwrap();
    refuses(
        &[&fit[..13], &[&at("other"), "--label-fixes", &fixes]].concat(),
        &["fixes.csv, line 2", "labelled open in the manifest"],
    );
}

#[test]
fn slips_on_the_command_line_are_explained() {
    let (data, _) = drawn();
    let data = data.path().to_str().unwrap();
    refuses(&["labels"], &["no command given", "train --help"]);
    refuses(
        &[
            "labels", "suspects", "--data", data, "--out", "x", "one.onnx",
        ],
        &["2"],
    );
    refuses(
        &[
            "labels",
            "sheets",
            "--data",
            data,
            "--list",
            "/nowhere.csv",
            "--out",
            "x",
        ],
        &["/nowhere.csv", "train labels suspects"],
    );
    let fit = ["--data", data, "--out", "x"];
    let with = |more: &[&'static str]| [&fit[..], more].concat();
    refuses(
        &with(&["--label-fixes", "/nowhere.csv"]),
        &["/nowhere.csv", "train labels agree"],
    );
    refuses(&with(&["--teacher-weight", "0.5"]), &["--teacher"]);
    refuses(
        &with(&["--teacher", "/nowhere.onnx"]),
        &["/nowhere.onnx", "cannot be read"],
    );
    refuses(&with(&["--corrupt", "1.5"]), &["below 1"]);
    refuses(&with(&["--neighbour-smoothing", "2"]), &["from 0"]);
}

/// Every label turned into the next one.
fn mislabelled(crops: &CropSet) -> CropSet {
    let mut wrong = crops.clone();
    let next: HashMap<_, _> = (0..)
        .zip(EyeState::ALL)
        .map(|(index, state)| (state, EyeState::ALL[(index + 1) % EyeState::ALL.len()]))
        .collect();
    for crop in &mut wrong.train {
        crop.sample.label = next[&crop.sample.label];
    }
    wrong
}

#[test]
fn a_student_follows_its_teacher_as_far_as_it_is_told() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = out.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let clean = FitSettings {
        adversarial: None,
        ..settings()
    };
    let taught = run(&clean, &crops, &folder("teacher"), false).unwrap();
    let path = out.path().join("teacher.onnx");
    write_model(&taught, &crops, &export_context(), &path).unwrap();
    let teacher = OnnxClassifier::read(&path, Device::Cpu).unwrap();
    let never = AtomicBool::new(false);
    let student = |weight: f64, name: &str| {
        let settings = FitSettings {
            teacher: Some(Teacher {
                sha256: teacher.sha256().into(),
                weight,
            }),
            ..clean.clone()
        };
        let wrong = mislabelled(&crops);
        let context = parseye_train::fit::FitContext {
            teacher: Some(&teacher),
            crops: &wrong,
            base: None,
            initial: None,
            device: Device::Cpu,
            folder: &folder(name),
            stop: &never,
        };
        let run = parseye_train::fit::fit(&settings, context, false, |_| Ok(())).unwrap();
        run.state.history.last().unwrap().val_macro_accuracy
    };
    // The labels are wrong throughout, the validation's are right.
    let (listening, deaf) = (student(1.0, "all"), student(0.05, "hardly"));
    // Chance is a quarter; the teacher, too, learnt for three short epochs only.
    assert!(listening > 0.8, "{listening}");
    assert!(deaf < 0.3, "{deaf}");
}

#[test]
fn natural_transformations_and_shared_targets_change_what_is_learnt_and_repeat() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let weights = |settings: &FitSettings, name: &str| {
        let path = out.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let report = |_: &_| Ok(());
        run_with(settings, &crops, None, &path, false, report, &never)
            .unwrap()
            .network
    };
    let plain = FitSettings {
        adversarial: None,
        ..training_runs::quick()
    };
    let corrupted = FitSettings {
        corruption: 0.5,
        ..plain.clone()
    };
    let shared = FitSettings {
        neighbour_smoothing: 0.2,
        ..plain.clone()
    };
    let same = |a: &HashMap<String, tch::Tensor>, b: &HashMap<String, tch::Tensor>| {
        a.iter().all(|(name, tensor)| tensor.equal(&b[name]))
    };
    let usual: HashMap<_, _> = weights(&plain, "plain").into_iter().collect();
    for (settings, name) in [(corrupted, "corrupted"), (shared, "shared")] {
        let first: HashMap<_, _> = weights(&settings, name).into_iter().collect();
        let again: HashMap<_, _> = weights(&settings, &format!("{name}-again"))
            .into_iter()
            .collect();
        assert!(same(&first, &again) && !same(&first, &usual), "{name}");
    }
}
