//! The programs of examples/ run, those that need no camera, on what a user would give them.

use crate::support::{
    root,
    synthetic_face::{Blink, write_clip},
};
use parseye_test_needs::needs;
use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The program of an example. `make test` has built it; else it is built now.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.ancestors().nth(2).expect("a target folder");
    let path = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--example", name])
            .current_dir(root())
            .status();
        assert!(built.expect("cargo runs").success());
    }
    path
}

/// What an example prints.
fn output(name: &str, arguments: &[&OsStr]) -> String {
    let output = Command::new(example(name))
        .args(arguments)
        // The face detector is found from here.
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("the example runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[needs(face_detector)]
#[test]
fn quickstart_prints_the_blink_of_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(
        &clip,
        60,
        &[Blink {
            first: 20,
            last: 23,
        }],
    );
    let text = output("quickstart", &[clip.as_os_str()]);
    assert!(text.contains("Blink of Both"), "{text}");
    assert!(text.contains("60 frames, a face in "), "{text}");
}

#[needs(face_detector)]
#[test]
fn noise_margin_measures_the_camera_and_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    write_clip(&clip, 40, &[]);
    let text = output("noise_margin", &[clip.as_os_str()]);
    for name in ["camera SNR", "noise flip SNR", "headroom", "adversarial"] {
        let line = text.lines().find(|line| line.starts_with(name));
        assert!(line.is_some_and(|line| line.contains("Some(")), "{text}");
    }
}

#[test]
fn own_model_classifies_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let eye = folder.path().join("eye.png");
    image::GrayImage::from_pixel(48, 40, image::Luma([120]))
        .save(&eye)
        .unwrap();
    let model = root().join("models/tiny.onnx");
    let text = output("own_model", &[model.as_os_str(), eye.as_os_str()]);
    assert!(text.contains("parameters"), "{text}");
    assert!(text.contains("eye.png: not_visible ["), "{text}");
}
