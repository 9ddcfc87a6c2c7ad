//! What `parseye check` says to mistakes.

use super::{USAGE, folder, image};
use crate::support::{
    model::{ModelForm, onnx},
    parseye, refused, root,
};
use parseye_test_needs::needs;
use std::fs;

#[test]
fn values_without_meaning_are_refused() {
    let folder = folder();
    image(&folder.path().join("a.png"));
    let run = |arguments: &[&str], status: i32, words: &[&str]| {
        refused(
            parseye(folder.path()).arg("check").args(arguments),
            status,
            words,
        );
    };
    run(&[], USAGE, &["SOURCE"]);
    run(&["a.png", "--manifest", "m.csv"], USAGE, &["--manifest"]);
    run(&["a.png", "--split", "test"], USAGE, &["--split"]);
    run(
        &["--manifest", "m.csv", "--every", "1"],
        USAGE,
        &["--every"],
    );
    run(&["a.png", "--sed", "1"], USAGE, &["'--sed'", "'--seed'"]);
    run(
        &["--manifest", "m.csv", "--at-most", "0"],
        USAGE,
        &["--at-most"],
    );
    run(
        &["--manifest", "m.csv", "--split", "tset"],
        1,
        &["'tset'", "'test'"],
    );
    run(
        &["a.png", "--snr", "50,4O"],
        1,
        &["--snr", "'4O'", "50,40,30"],
    );
    run(&["a.png", "--snr", "50,50"], 1, &["--snr", "twice"]);
    run(&["a.png", "--snr", "nan"], 1, &["--snr", "nan"]);
    run(&["a.png", "--snr", ""], 1, &["--snr", "''"]);
    run(&["a.png", "--every=-1"], 1, &["--every", "-1"]);
    run(&["a.png", "--every", "NaN"], 1, &["--every", "NaN"]);
    run(&["a.png", "--json", "nowhere/x"], 1, &["nowhere/x"]);
    run(&["a.png", "--json", "./a.png"], 1, &["would overwrite"]);
    fs::write(
        folder.path().join("parseye.toml"),
        "[selfcheck]\ndraws = 3\n",
    )
    .unwrap();
    run(
        &["a.png"],
        1,
        &["parseye.toml", "selfcheck.draws is 3", "10"],
    );
}

#[needs(face_detector)]
#[test]
fn a_missing_source_is_one_line() {
    let folder = folder();
    refused(
        parseye(folder.path()).args(["check", "none.mp4"]),
        1,
        &["none.mp4"],
    );
}

#[test]
fn another_models_gradient_is_refused_and_a_missing_one_named_where_it_is_needed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    image(&at("a.png"));
    let header = "path,label,source,subject,eye,split,label_kind,openness,note\n";
    fs::write(
        at("m.csv"),
        format!("{header}a.png,open,s,p,,test,human,,\n"),
    )
    .unwrap();
    fs::write(at("mine.onnx"), onnx(&ModelForm::default())).unwrap();
    let arguments = ["check", "--manifest", "m.csv", "--model", "mine.onnx"];
    refused(
        parseye(folder.path()).args(arguments),
        1,
        &["no gradient graph", "NAME.gradient.onnx"],
    );
    let shipped = root().join("models/default.gradient.onnx");
    fs::copy(shipped, at("mine.gradient.onnx")).unwrap();
    refused(
        parseye(folder.path()).args(arguments),
        1,
        &["mine.gradient.onnx", "another model"],
    );
    fs::write(at("mine.gradient.onnx"), "no graph").unwrap();
    refused(
        parseye(folder.path()).args(arguments),
        1,
        &["mine.gradient.onnx", "ONNX"],
    );
}
