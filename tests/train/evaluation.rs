//! What a user of `train evaluate` relies on: every condition is evaluated once and in order, results
//! repeat and are kept, what the attacker knew is named, and wrong input is explained.

use crate::support::{evaluation_bench, training_runs};

use evaluation_bench::{Bench, Linear, drawn};
use parseye_train::{
    attack::{Access, budget::Norm},
    conditions::{Condition, EvaluationError, EvaluationPlan, evaluate},
    corruption::{Family, SEVERITIES},
    crop::Crop,
    data::{crops::CropSet, evaluation::EvaluationSet},
    export::finish::write_model,
};
use parseye_vision::{
    evaluate::manifest::{Manifest, Sample, Split},
    eye_state::EyeState,
};
use std::path::Path;
use strum::VariantArray;
use training_runs::{export_context, quick, refuses, train};

fn plan() -> EvaluationPlan {
    EvaluationPlan {
        attacks: vec!["fgsm".into()],
        snrs_db: vec![30.0, 10.0],
        noise_snrs_db: vec![0.0],
        norm: Norm::Linf,
        seed: 1,
        corruptions: false,
    }
}

#[test]
fn one_split_is_read_and_the_hash_is_that_of_training() {
    let (folder, set) = drawn();
    assert!(
        set.crops
            .iter()
            .all(|crop| crop.sample.split == Split::Test)
    );
    assert_eq!(set.crops.len(), 2 * 4 * 5);
    let training = CropSet::read(&[folder.path()]).unwrap();
    assert_eq!(set.sha256, training.sha256);
}

#[test]
fn several_folders_are_one_data_set_in_which_a_person_has_one_split() {
    let (first, set) = drawn();
    let second = tempfile::tempdir().unwrap();
    let original = Manifest::read(&first.path().join("manifest.csv")).unwrap();
    let write = |change: &dyn Fn(&mut Sample)| {
        let mut samples = original.samples.clone();
        for sample in &mut samples {
            let image = first.path().join(&sample.path);
            change(sample);
            std::fs::copy(image, second.path().join(&sample.path)).unwrap();
        }
        Manifest::write(&second.path().join("manifest.csv"), &samples).unwrap();
    };
    let rename = |sample: &mut Sample| {
        sample.path = format!("second_{}", sample.path.display()).into();
    };
    let folders = [first.path(), second.path()];
    write(&|sample| {
        rename(sample);
        sample.subject += " of the second";
    });
    let both = EvaluationSet::read(&folders, Split::Test).unwrap();
    assert_eq!(both.crops.len(), 2 * set.crops.len());
    assert_ne!(both.sha256, set.sha256);
    assert_eq!(CropSet::read(&folders).unwrap().sha256, both.sha256);
    let with_drawn = CropSet::read(&[first.path(), Path::new("demo")]).unwrap();
    let alone = CropSet::read(&[first.path()]).unwrap();
    assert!(with_drawn.train.len() > alone.train.len());

    write(&|sample| {
        rename(sample);
        sample.split = Split::Train;
    });
    let error = CropSet::read(&folders).unwrap_err().to_string();
    let folder = second.path().display().to_string();
    assert!(
        error.starts_with(&folder) && error.contains("'p4' is in split train here and in val"),
        "{error}"
    );
    write(&|_| {});
    let error = CropSet::read(&folders).unwrap_err().to_string();
    assert!(
        error.contains("p0_open_0.png is the name of an image"),
        "{error}"
    );
}

#[test]
fn conditions_come_in_order_and_a_bigger_budget_hurts() {
    let (_folder, set) = drawn();
    let crops: Vec<&Crop> = set.crops.iter().collect();
    let (target, other) = (
        Linear::of(&set.crops, 1.0),
        Linear::of(&set.crops[..20], 1.0),
    );
    let mut announced = Vec::new();
    let predictions = evaluate(&target, &crops, &plan(), Some(&other), &mut |condition| {
        announced.push(condition.clone());
    })
    .unwrap();
    let conditions: Vec<Condition> = predictions
        .iter()
        .map(|one| one.condition.clone())
        .collect();
    assert_eq!(conditions, announced);
    let of = |access, snr_db| Condition {
        attack: "fgsm".into(),
        access: Some(access),
        norm: Some(Norm::Linf),
        snr_db: Some(snr_db),
    };
    let expected = [
        Condition::clean(),
        of(Access::WhiteBox, 30.0),
        of(Access::Transfer, 30.0),
        of(Access::WhiteBox, 10.0),
        of(Access::Transfer, 10.0),
    ];
    assert_eq!(conditions, expected);
    let right = |index: usize| {
        let all = crops.iter().zip(&predictions[index].logits);
        all.filter(|(crop, logits)| EyeState::most_likely(logits) == crop.sample.label)
            .count()
    };
    assert!(right(0) > 30, "{}", right(0));
    assert!(right(3) < right(1) && right(1) <= right(0));
    assert!(
        right(3) <= right(4),
        "white-box is never weaker than transfer"
    );
    let again = evaluate(&target, &crops, &plan(), Some(&other), &mut |_| {}).unwrap();
    assert_eq!(predictions, again);
}

#[test]
fn natural_transformations_do_not_depend_on_the_other_crops() {
    let (_folder, set) = drawn();
    let target = Linear::of(&set.crops, 1.0);
    let plan = EvaluationPlan {
        attacks: Vec::new(),
        corruptions: true,
        ..plan()
    };
    let all: Vec<&Crop> = set.crops.iter().collect();
    let whole = evaluate(&target, &all, &plan, None, &mut |_| {}).unwrap();
    assert_eq!(whole.len(), 1 + Family::VARIANTS.len() * SEVERITIES);
    let last = evaluate(&target, &all[all.len() - 1..], &plan, None, &mut |_| {}).unwrap();
    for (whole, last) in whole.iter().zip(&last) {
        let (a, b) = (whole.logits.last().unwrap(), &last.logits[0]);
        // Matrix products of other shapes sum in another order.
        assert!(
            a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4),
            "{}",
            whole.condition
        );
    }
}

#[test]
fn nothing_to_judge_and_broken_models_are_refused() {
    let (_folder, set) = drawn();
    let crops: Vec<&Crop> = set.crops.iter().collect();
    let broken = Linear::of(&set.crops, f64::NAN);
    let error = evaluate(&broken, &crops, &plan(), None, &mut |_| {}).unwrap_err();
    assert!(
        error.to_string().contains("not finite under clean"),
        "{error}"
    );
    let error = evaluate(&broken, &[], &plan(), None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, EvaluationError::NoCrops));
    let plan = EvaluationPlan {
        attacks: vec!["fgms".into()],
        ..plan()
    };
    let error = evaluate(&broken, &crops, &plan, None, &mut |_| {}).unwrap_err();
    assert!(
        error.to_string().contains("did you mean 'fgsm'?"),
        "{error}"
    );
}

#[test]
fn figures_are_kept_and_gone_on_with() {
    let bench = Bench::new();
    let transfer = bench.path("two");
    let options = [
        "--attack",
        "fgsm",
        "--snr",
        "30,10",
        "--corruptions",
        "--transfer-from",
        &transfer,
    ];
    bench.run(&["one"], &options).unwrap();
    let first = bench.report();
    let one = &first.models[0];
    assert_eq!((one.name.as_str(), one.temperature), ("one", 0.5));
    assert_eq!(one.transfer_from.as_deref(), Some("two"));
    assert_eq!(one.results.len(), 5 + Family::VARIANTS.len() * SEVERITIES);
    let clean = &one.results[0].metrics;
    assert_eq!((clean.n, clean.subjects), (40, 2));
    assert!(clean.ece_uncalibrated != clean.ece);
    assert_eq!(one.by_source["odd"].n, 40);
    assert!((one.roc.micro.auc - clean.auc_micro.value).abs() < 1e-9);
    let macro_average = one.roc.macro_average.as_ref().unwrap();
    assert!((macro_average.auc - clean.auc_macro.value).abs() < 1e-9);
    let corruption = one.corruption.as_ref().unwrap();
    let blurred: Vec<f64> = one
        .results
        .iter()
        .filter(|row| row.condition.attack.starts_with("corruption/blur/"))
        .map(|row| row.metrics.macro_accuracy.value)
        .collect();
    let mean = blurred.iter().sum::<f64>() / 5.0;
    assert!((corruption.by_family["blur"].macro_accuracy.value - mean).abs() < 1e-12);

    // A second model joins the first, whose metrics stay what they were.
    bench.run(&["one", "two"], &options).unwrap();
    let both = bench.report();
    assert_eq!(both.models.len(), 2);
    assert_eq!(both.models[0], first.models[0]);

    // Other arguments do not mix with what is there.
    let error = bench
        .run(&["one"], &["--snr", "30,10"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("out.json") && error.contains(" was "),
        "{error}"
    );
    assert_eq!(bench.report(), both);
}

#[test]
fn what_the_attacker_knew_has_a_column_of_its_own() {
    let bench = Bench::new();
    let transfer = bench.path("two");
    let options = [
        "--attack",
        "fgsm",
        "--snr",
        "10",
        "--transfer-from",
        &transfer,
    ];
    bench.run(&["one"], &options).unwrap();
    let table = parseye_train::robustness::table::of_model(&bench.report().models[0]);
    let header = table
        .lines()
        .find(|line| line.starts_with("attack "))
        .unwrap();
    let row = table
        .lines()
        .find(|line| line.starts_with("fgsm "))
        .unwrap();
    let cell = |name: &str| {
        let start = header.find(name).unwrap();
        let cell = row.get(start..).unwrap_or("");
        cell.split_whitespace().next().unwrap_or("").to_owned()
    };
    assert!(cell("white-box").parse::<f64>().is_ok(), "{table}");
    assert!(cell("transfer").parse::<f64>().is_ok(), "{table}");
    assert_eq!(
        (cell("black-box"), cell("random")),
        ("-".into(), "-".into()),
        "{table}"
    );
    assert!(header.ends_with("(transfer from two)"), "{table}");
}

#[test]
fn a_class_balanced_part_is_judged_where_it_is_asked_for() {
    let bench = Bench::new();
    bench.run(&["one"], &["--crops", "12"]).unwrap();
    let clean = &bench.report().models[0].results[0].metrics;
    assert!(
        clean
            .confusion
            .0
            .iter()
            .all(|row| row.iter().sum::<u64>() == 3)
    );
}

#[test]
fn wrong_input_is_explained_in_one_line() {
    let bench = Bench::new();
    for (models, options, words) in [
        (["one", "one"], ["--snr", "50,4O"], "'4O' is not a number"),
        (["one", "one"], ["--attack", "fgms"], "did you mean 'fgsm'?"),
        (["one", "one"], ["--attack", "fgsm,fgsm"], "twice"),
        (["one", "one"], ["--split", "train"], "val or test"),
        (["one", "gone"], ["--snr", "30"], "gone: cannot be read"),
        (
            ["one", "two"],
            ["--snr", "45"],
            "two: the card's labels are",
        ),
    ] {
        let error = format!("{:#}", bench.run(&models, &options).unwrap_err());
        assert!(error.contains(words), "{error}");
        assert!(!Path::new(&bench.path("out.json")).exists(), "{words}");
    }
    std::fs::write(bench.path("out.json"), "{\"format\": 1").unwrap();
    let error = bench.run(&["one"], &[]).unwrap_err().to_string();
    assert!(error.contains("cannot be read as an evaluation"), "{error}");
}

#[test]
fn grades_plots_and_failures_are_made_where_they_are_asked_for() {
    let bench = Bench::new();
    let of = |state: EyeState| {
        let mut crops = bench.set.crops.iter().map(|crop| &crop.sample);
        let sample = crops.find(|sample| sample.label == state).unwrap();
        sample.path.to_str().unwrap().to_owned()
    };
    let (open, closed) = (of(EyeState::Open), of(EyeState::Closed));
    let hidden = of(EyeState::NotVisible);
    let grades = format!(
        "path,split,manifest_label,rater1,rater2,graded\n\
         {open},test,open,open,open,open\n\
         {closed},test,closed,open,open,open\n\
         {hidden},test,not_visible,undecidable,undecidable,undecidable\n"
    );
    std::fs::write(bench.path("graded.csv"), &grades).unwrap();
    let (graded, plots, failures) = (
        bench.path("graded.csv"),
        bench.path("plots"),
        bench.path("failures"),
    );
    let asked = [
        "--graded",
        &graded,
        "--plots",
        &plots,
        "--failures",
        &failures,
    ];
    bench.run(&["one", "two"], &asked).unwrap();
    let report = bench.report();
    for model in &report.models {
        let graded = model.graded.as_ref().unwrap();
        assert_eq!((graded.hard.n, graded.hard_labelled_so), (2, 1));
        assert_eq!(graded.corrected.n as usize, bench.set.crops.len() - 1);
        assert_eq!(graded.undecidable.as_ref().unwrap().n, 1);
        let binned: u64 = model.reliability.iter().map(|bin| bin.n).sum();
        assert_eq!(binned as usize, bench.set.crops.len());
        let list = Path::new(&failures).join(&model.name).join("failures.csv");
        let wrong = model.results[0].metrics.accuracy.value;
        let wrong = ((1.0 - wrong) * bench.set.crops.len() as f64).round() as usize;
        let listed = std::fs::read_to_string(list).unwrap().lines().count();
        assert_eq!(listed.saturating_sub(1), wrong.min(80));
    }
    let plot = std::fs::read_to_string(Path::new(&plots).join("reliability.svg")).unwrap();
    for name in ["one (ECE", "two (ECE"] {
        assert!(plot.contains(name), "{plot}");
    }
    assert!(!Path::new(&plots).join("attacked.svg").exists());

    // Metrics with grades are others than those without, and grades of other data none at all.
    let error = bench.run(&["one"], &[]).unwrap_err().to_string();
    assert!(error.contains("graded_sha256"), "{error}");
    let other = grades.replace("test,open,open", "test,closed,open");
    std::fs::write(bench.path("graded.csv"), other).unwrap();
    let error = bench.run(&["one"], &asked).unwrap_err().to_string();
    assert!(
        error.contains("was graded as a crop labelled closed"),
        "{error}"
    );
}

#[test]
fn the_program_attacks_a_model_file_and_keeps_the_figures() {
    let data = tempfile::tempdir().unwrap();
    training_runs::drawn_crops::write(data.path());
    let crops = CropSet::read(&[data.path()]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let run = training_runs::run(&quick(), &crops, out.path(), false).unwrap();
    let model = out.path().join("drawn.onnx");
    write_model(&run, &crops, &export_context(), &model).unwrap();
    let (model, data) = (model.to_str().unwrap(), data.path().to_str().unwrap());
    let json = out.path().join("metrics.json");
    let json = json.to_str().unwrap();
    let given = ["evaluate", model, "--data", data, "--json", json];
    let with = |more: &[&'static str]| [&given[..], more].concat();
    let output = train(&with(&[
        "--attack",
        "fgsm,pgd-3,uniform",
        "--snr",
        "40,20",
        "--noise-snr",
        "0",
        "--threads",
        "1",
    ]));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "white-box",
        "transfer",
        "pgd-3",
        "uniform",
        "calibration error",
    ] {
        assert!(table.contains(words), "'{table}' lacks '{words}'");
    }
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    // Clean, two attacks at two budgets, noise at three.
    let conditions = kept["models"][0]["results"].as_array().unwrap();
    assert_eq!(conditions.len(), 1 + 4 + 3, "{kept}");

    refuses(&with(&["--attack", "fsgm"]), &["did you mean 'fgsm'"]);
    refuses(&with(&["--attack", "pgd-0"]), &["pgd-0"]);
    refuses(
        &with(&["--attack", "fgsm", "--snr", "50,4O"]),
        &["'4O' is not a number"],
    );
    refuses(&with(&["--attack", "fgsm"]), &["metrics.json", "--json"]);
    refuses(
        &["evaluate", "/nowhere.onnx", "--data", data, "--json", json],
        &["/nowhere.onnx", "cannot be read"],
    );
    let half = out.path().join("half.onnx");
    let bytes = std::fs::read(model).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    refuses(
        &[
            "evaluate",
            half.to_str().unwrap(),
            "--data",
            data,
            "--json",
            json,
        ],
        &["half.onnx", "not a whole ONNX model"],
    );
}
