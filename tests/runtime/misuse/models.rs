//! Models and manifests that cannot be used.

use super::{
    folder, image,
    support::{
        model::{ModelForm, card, onnx},
        parseye, refused, root, succeeds,
    },
};
use parseye_vision::classify::{EyeStateModel, gradient::GradientModel};
use std::fs;

#[test]
fn every_unusable_model_says_why() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    let manifest = "path,label,source,subject,eye,split,label_kind,openness,note\na.png,open,s,p,,test,human,,\n";
    fs::write(folder.path().join("m.csv"), manifest).unwrap();
    let whole = onnx(&ModelForm::default());
    let with_card = |change: fn(&mut serde_json::Value)| {
        let mut card = card();
        change(&mut card);
        onnx(&ModelForm {
            card: Some(card),
            ..ModelForm::default()
        })
    };
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        (
            "truncated",
            whole[..whole.len() / 2].to_vec(),
            &["whole ONNX model"],
        ),
        ("empty", Vec::new(), &["card"]),
        ("text", b"not a model".to_vec(), &["ONNX"]),
        (
            "no-card",
            onnx(&ModelForm {
                card: None,
                ..ModelForm::default()
            }),
            &["without a card"],
        ),
        (
            "other-shape",
            onnx(&ModelForm {
                input: vec![1, 3, 64, 64],
                ..ModelForm::default()
            }),
            &["input", "[1, 3, 64, 64]", "32"],
        ),
        (
            "other-outputs",
            onnx(&ModelForm {
                outputs: 2,
                ..ModelForm::default()
            }),
            &["output", "[1, 2]"],
        ),
        (
            "other-labels",
            with_card(|card| card["labels"] = serde_json::json!(["closed", "open"])),
            &["labels", "not_visible"],
        ),
        (
            "later-card",
            with_card(|card| card["format"] = 99.into()),
            &["layout 99"],
        ),
    ];
    for (name, bytes, words) in cases {
        let file = format!("{name}.onnx");
        fs::write(folder.path().join(&file), bytes).unwrap();
        let arguments = [
            "evaluate",
            "--manifest",
            "m.csv",
            "--split",
            "test",
            "--model",
            &file,
        ];
        refused(
            parseye(folder.path()).args(arguments),
            1,
            &[&[file.as_str()], words].concat(),
        );
    }
    let arguments = [
        "evaluate",
        "--manifest",
        "m.csv",
        "--split",
        "test",
        "--model",
    ];
    refused(
        parseye(folder.path()).args(arguments).arg("none.onnx"),
        1,
        &["none.onnx", "cannot be read"],
    );
    // The same checks stand before a replay; and the model that all were made from is accepted.
    refused(
        parseye(folder.path()).args(["replay", "a.png", "--model", "no-card.onnx"]),
        1,
        &["without a card"],
    );
    fs::write(folder.path().join("whole.onnx"), whole).unwrap();
    succeeds(parseye(folder.path()).args(arguments).arg("whole.onnx"));
}

#[test]
fn every_unusable_manifest_says_where() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    image(&at("a.png"));
    image(&at("b.png"));
    fs::write(at("broken.png"), "no picture").unwrap();
    let cases: [(&str, &[&str]); 5] = [
        (
            "a.png,opne,s,p,,test,human,,\n",
            &["line 2", "'opne'", "did you mean 'open'"],
        ),
        (
            "a.png,open,s,p,,test,human,,\nc.png,open,s,p,,test,human,,\n",
            &["line 3", "c.png is missing"],
        ),
        (
            "a.png,open,s,p,,train,human,,\nb.png,open,s,p,,test,human,,\n",
            &["line 3", "'p'", "train"],
        ),
        (
            "a.png,open,s,p,,train,human,,\n",
            &["no sample of split test"],
        ),
        (
            "broken.png,open,s,p,,test,human,,\n",
            &["broken.png", "not a readable image"],
        ),
    ];
    for (rows, words) in cases {
        let header = "path,label,source,subject,eye,split,label_kind,openness,note\n";
        fs::write(at("m.csv"), format!("{header}{rows}")).unwrap();
        let mut command = parseye(folder.path());
        refused(
            command.args(["evaluate", "--manifest", "m.csv", "--split", "test"]),
            1,
            words,
        );
    }
    let mut command = parseye(folder.path());
    refused(
        command.args(["evaluate", "--manifest", "none.csv", "--split", "test"]),
        1,
        &["none.csv", "cannot be read"],
    );
}

/// `train` leaves a gradient graph beside each model: it is no model of its own, and given as one it
/// says what it is not.
#[test]
fn a_gradient_graph_is_not_taken_for_a_model() {
    let folder = folder();
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    let shipped = root().join("models");
    for name in ["default.onnx", "default.gradient.onnx"] {
        fs::copy(shipped.join(name), models.join(name)).unwrap();
    }
    let output = parseye(folder.path()).arg("models").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("models/default.onnx"), "{text}");
    assert!(
        !text.contains("gradient") && !text.contains("cannot be used"),
        "{text}"
    );
    let model = models.join("default.onnx");
    let model = EyeStateModel::from_file(&model).unwrap();
    let gradient = models.join("default.gradient.onnx");
    assert!(GradientModel::from_file(&gradient, &model).is_ok());
    let error = EyeStateModel::from_file(&gradient).unwrap_err().to_string();
    assert!(error.contains("2 inputs"), "{error}");
}

/// Bytes of the largest model that ships.
const LARGEST: u64 = 4_000_000;

/// Whatever lies in models/ can be used as it is: it has a card that says what made it, a gradient, and
/// a row in docs/MODELS.md; and the list tells all of it to programs.
#[test]
fn every_shipped_model_is_whole_and_documented() {
    let root = root();
    let documented = fs::read_to_string(root.join("docs/MODELS.md")).unwrap();
    let mut command = parseye(&root);
    let output = command.args(["models", "--json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = listed.as_array().unwrap();
    let mut names: Vec<_> = listed
        .iter()
        .skip(1)
        .map(|model| model["card"]["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "default",
            "parseval-16-1",
            "parseval-16-1-hardened",
            "tiny",
            "wrn-16-1",
            "wrn-16-1-hardened"
        ]
    );
    assert_eq!(
        listed[0]["sha256"], listed[1]["sha256"],
        "the default is built in"
    );
    for model in &listed[1..] {
        let path = root.join(model["place"].as_str().unwrap());
        let name = model["card"]["name"].as_str().unwrap();
        assert_eq!(path.file_stem().unwrap().to_str(), Some(name));
        assert!(model["bytes"].as_u64().unwrap() < LARGEST, "{name}");
        assert!(documented.contains(&format!("| `{name}`")), "{name}");
        let training = &model["card"]["training"];
        let commit = training["commit"].as_str().unwrap();
        assert!(
            !commit.is_empty() && !commit.ends_with("-dirty"),
            "{name}: {commit}"
        );
        assert!(
            training["command"]
                .as_str()
                .unwrap()
                .starts_with("train --data DATA")
        );
        assert!(!model["card"]["reference_quantiles"].is_null(), "{name}");
        let model = EyeStateModel::from_file(&path).unwrap();
        assert!(
            GradientModel::beside(&path, &model).unwrap().is_some(),
            "{name}"
        );
    }
}
