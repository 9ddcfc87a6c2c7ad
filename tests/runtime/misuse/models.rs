//! Models and manifests that cannot be used.

use super::{
    folder, image,
    support::{
        model::{ModelForm, card, onnx},
        parseye, refused, root, succeeds,
    },
};
use parseye_vision::classify::{EyeStateModel, gradient::GradientModel};
use prost::Message;
use std::fs;
use tract_onnx::pb::{
    ModelProto, StringStringEntryProto, tensor_proto::DataType, tensor_shape_proto::dimension,
    type_proto,
};

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
        ("empty", Vec::new(), &["empty", "download"]),
        ("text", b"not a model".to_vec(), &["text file", "ONNX"]),
        (
            "no-card",
            onnx(&ModelForm {
                card: None,
                ..ModelForm::default()
            }),
            &["without a card", "train card --adopt"],
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

/// What people have at hand and give as a model: each is told in one line what it is and what to do, by its content,
/// whatever it is called.
#[test]
fn a_file_of_another_kind_is_named_and_says_what_to_do() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    let zip = |member: &str| [b"PK\x03\x04", &[0; 26][..], member.as_bytes()].concat();
    let of = |input: &[i64], outputs| {
        onnx(&ModelForm {
            input: input.to_vec(),
            outputs,
            card: None,
            ..ModelForm::default()
        })
    };
    let changed = |form: &ModelForm, change: &dyn Fn(&mut ModelProto)| {
        let mut model = ModelProto::decode(&onnx(form)[..]).unwrap();
        change(&mut model);
        model.encode_to_vec()
    };
    let typed = |kind: DataType| {
        changed(&ModelForm::default(), &|model| {
            model.graph.as_mut().unwrap().initializer[0].data_type = kind as i32;
        })
    };
    let open_batch = changed(
        &ModelForm {
            card: None,
            ..ModelForm::default()
        },
        &|model| {
            let input = &mut model.graph.as_mut().unwrap().input[0];
            let kind = input.r#type.as_mut().unwrap().value.as_mut().unwrap();
            let type_proto::Value::TensorType(tensor) = kind;
            tensor.shape.as_mut().unwrap().dim[0].value =
                Some(dimension::Value::DimParam("batch".into()));
        },
    );
    let quantised = changed(&ModelForm::default(), &|model| {
        model.graph.as_mut().unwrap().node[1].op_type = "QLinearMatMul".into();
    });
    let external = changed(&ModelForm::default(), &|model| {
        let weights = &mut model.graph.as_mut().unwrap().initializer[0];
        weights.raw_data.clear();
        weights.external_data = vec![StringStringEntryProto {
            key: "location".into(),
            value: "weights.bin".into(),
        }];
    });
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0f\nsize 800000\n";
    let page = "\n<!DOCTYPE html>\n<html><body>Sign in</body></html>";
    let cases: [(&str, Vec<u8>, &[&str]); 16] = [
        ("dynamic", open_batch, &["open batch size", "--adopt"]),
        (
            "rgb",
            of(&[1, 3, 64, 64], 4),
            &["RGB", "[1, 3, 64, 64]", "--adopt"],
        ),
        (
            "two",
            of(&[1, 1, 24, 24], 2),
            &["two classes", "gray", "--adopt"],
        ),
        (
            "fp16",
            typed(DataType::Float16),
            &["half precision (fp16", "f32"],
        ),
        ("f64", typed(DataType::Double), &["double precision", "f32"]),
        ("int8", typed(DataType::Int8), &["quantised", "int8", "f32"]),
        ("qlinear", quantised, &["quantised", "QLinearMatMul"]),
        ("external", external, &["other files", "onnx.save"]),
        (
            "pointer",
            pointer.into(),
            &["Git LFS pointer", "git lfs pull"],
        ),
        ("page", page.into(), &["web page", "download the file"]),
        (
            "weights.pt",
            zip("archive/data.pkl"),
            &["PyTorch", "torch.onnx.export"],
        ),
        (
            "old.pth",
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(),
            &["PyTorch"],
        ),
        (
            "lite",
            b"\x1c\0\0\0TFL3\0\0\0\0".to_vec(),
            &["TensorFlow Lite", "tf2onnx"],
        ),
        (
            "keras.h5",
            b"\x89HDF\r\n\x1a\n\0\0".to_vec(),
            &["HDF5", "Keras", "tf2onnx"],
        ),
        (
            "saved.pb",
            b"\x08\x01\x12\x80\x01abc".to_vec(),
            &["TensorFlow SavedModel"],
        ),
        (
            "packed",
            b"\x1f\x8b\x08\0\0".to_vec(),
            &["compressed", "unpack"],
        ),
    ];
    for (name, bytes, words) in cases {
        let file = if name.contains('.') {
            name.to_owned()
        } else {
            format!("{name}.onnx")
        };
        fs::write(folder.path().join(&file), bytes).unwrap();
        refused(
            parseye(folder.path()).args(["replay", "a.png", "--model", &file]),
            1,
            &[&[file.as_str()], words].concat(),
        );
    }
}

/// The card of an adopted model says what it is fed; one that nothing can be fed to is refused.
#[test]
fn a_card_of_an_adopted_model_is_checked() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change, &[&str]); 5] = [
        (
            "once",
            |card| card["labels"] = serde_json::json!(["open", "open"]),
            &["labels", "closed"],
        ),
        (
            "none",
            |card| card["labels"] = serde_json::json!(["open", "shut"]),
            &["labels", "shut"],
        ),
        (
            "scale",
            |card| card["input"]["pixels"]["scale"] = serde_json::json!([0.0]),
            &["scale"],
        ),
        (
            "mean",
            |card| card["input"]["pixels"]["mean"] = serde_json::json!([0.0, 0.0]),
            &["mean"],
        ),
        (
            "side",
            |card| card["input"]["shape"] = serde_json::json!([1, 1, 24, 25]),
            &["24, 25", "16 to 128"],
        ),
    ];
    for (name, change, words) in cases {
        let mut form = ModelForm::adopted(24);
        change(form.card.as_mut().unwrap());
        let file = format!("{name}.onnx");
        fs::write(folder.path().join(&file), onnx(&form)).unwrap();
        refused(
            parseye(folder.path()).args(["replay", "a.png", "--model", &file]),
            1,
            &[&[file.as_str()], words].concat(),
        );
    }
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
