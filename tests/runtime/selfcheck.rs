//! The self-check as a whole: on a linear model whose answers can be worked out, on broken models and
//! pictures, on the drawn clip, and against `train`'s figures on real crops where there are any.

use crate::support::{
    events, json,
    model::{ModelForm, onnx},
    of_kind, parseye, succeeds,
    synthetic_face::write_clip,
};
use image::{GrayImage, Luma};
use parseye_test_needs::needs;
use parseye_testkit::places::{recordings, repository};
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    evaluate::manifest::{Manifest, Split},
    eye_state::{Eye, EyeState, PerEye},
    locate::Roi,
    selfcheck::{
        CheckFrame, CheckReading, Checker, Missing, Parts, Progress, SelfCheckSettings, labelled,
    },
};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

fn frame(picture: GrayImage) -> CheckFrame {
    let square = |x: f32| {
        Ok(Roi {
            centre: [x, 48.0],
            side: 64.0,
            angle: 0.0,
        })
    };
    CheckFrame {
        luma: Arc::new(picture),
        time: Duration::ZERO,
        number: 7,
        squares: PerEye {
            left: square(112.0),
            right: square(48.0),
        },
    }
}

/// A checkerboard whose upper half is lighter by `tilt`: what the linear test model looks at.
fn board(tilt: f32) -> GrayImage {
    GrayImage::from_fn(160, 96, |x, y| {
        let check = if (x / 4 + y / 4) % 2 == 0 {
            20.0
        } else {
            -20.0
        };
        let half = if y < 48 { tilt } else { -tilt };
        Luma([(120.0_f32 + check + half).round() as u8])
    })
}

fn test_model(weight: f32) -> EyeStateModel {
    let form = ModelForm {
        weight,
        ..ModelForm::default()
    };
    EyeStateModel::from_bytes(&onnx(&form), "test model").unwrap()
}

fn check(
    model: &EyeStateModel,
    gradient: Option<&GradientModel>,
    frame: &CheckFrame,
) -> PerEye<CheckReading> {
    let settings = SelfCheckSettings {
        draws: 400,
        ..SelfCheckSettings::default()
    };
    let mut checker = Checker::new(model, gradient, &settings, Parts::ALL).unwrap();
    checker.check(frame)
}

/// Of a frame whose camera is unknown: noise is then drawn white.
fn check_unobserved(model: &EyeStateModel, frame: &CheckFrame) -> PerEye<CheckReading> {
    let settings = SelfCheckSettings {
        draws: 400,
        ..SelfCheckSettings::default()
    };
    let mut checker = Checker::new(model, None, &settings, Parts::ALL).unwrap();
    checker.begin(frame);
    loop {
        if let Progress::Done(readings) = checker.step() {
            return *readings;
        }
    }
}

#[test]
fn a_linear_models_noise_flip_snr_is_the_one_worked_out() {
    // Logits are +-0.01 x summed over the upper half less the lower one, for open and closed. White
    // noise of sigma s moves such a sum by 0.01 * 32 s, and standardising again does not change its
    // sign: one of ten flips where the sum is 1.2816 * 0.32 s.
    let tilted = board(1.0);
    // One row of crops in whole gray levels, lighter by 1: 64 pixels.
    let lit = GrayImage::from_fn(160, 96, |x, y| {
        let check = if (x / 4 + y / 4) % 2 == 0 { 20 } else { 0 };
        Luma([100 + check + u8::from(y / 4 == 4)])
    });
    for (picture, sum) in [
        (tilted, 0.01 * 1024.0 / 401.0_f64.sqrt()),
        (lit, 0.01 * 64.0 / 10.0),
    ] {
        let readings = check_unobserved(&test_model(0.01), &frame(picture));
        let expected = -20.0 * (sum / 0.32 / 1.2816).log10();
        for eye in Eye::ALL {
            let reading = readings.get(eye);
            assert_eq!(reading.state, Some(EyeState::Open));
            let found = reading.noise_flip_snr_db.unwrap();
            assert!((found - expected).abs() < 2.0, "{found} for {expected}");
            assert_eq!(reading.headroom_db, Err(Missing::NoNoiseEstimate));
        }
    }
}

#[test]
fn without_a_gradient_graph_the_rest_is_measured_and_the_reason_told() {
    let readings = check(&test_model(0.01), None, &frame(board(20.0)));
    for eye in Eye::ALL {
        let reading = readings.get(eye);
        assert_eq!(reading.adversarial, Err(Missing::NoGradientGraph));
        assert_eq!(reading.flip_probability, Err(Missing::NoGradientGraph));
        assert!(reading.camera.is_ok());
        assert_eq!(reading.agreement.unwrap().share(), Some(1.0));
    }
}

#[test]
fn black_flat_and_missing_eyes_have_reasons_and_no_numbers() {
    let model = EyeStateModel::built_in().unwrap();
    let gradient = GradientModel::built_in(&model).unwrap();
    let mut unseen = frame(board(3.0));
    unseen.squares.left = Err(Missing::NoFace);
    unseen.squares.right = Err(Missing::Profile);
    let cases = [
        (frame(GrayImage::new(160, 96)), [Missing::Black; 2]),
        (
            frame(GrayImage::from_pixel(160, 96, Luma([130]))),
            [Missing::ConstantCrop; 2],
        ),
        (unseen, [Missing::NoFace, Missing::Profile]),
    ];
    for (frame, reasons) in cases {
        let readings = check(&model, Some(&gradient), &frame);
        for (eye, reason) in Eye::ALL.into_iter().zip(reasons) {
            assert_eq!(*readings.get(eye), CheckReading::missing(reason));
        }
    }
}

#[test]
fn a_model_that_gives_nan_leaves_only_the_camera_measured() {
    let readings = check(&test_model(f32::NAN), None, &frame(board(20.0)));
    for eye in Eye::ALL {
        let reading = readings.get(eye);
        assert!(reading.camera.is_ok());
        assert_eq!(reading.state, None);
        assert_eq!(reading.noise_flip_snr_db, Err(Missing::ModelFailed));
        assert_eq!(reading.adversarial, Err(Missing::ModelFailed));
        assert_eq!(reading.headroom_db, Err(Missing::ModelFailed));
    }
}

#[test]
fn the_same_frame_gives_the_same_check_in_steps_or_at_once() {
    let model = EyeStateModel::built_in().unwrap();
    let gradient = GradientModel::built_in(&model).unwrap();
    let frame = frame(board(6.0));
    let settings = SelfCheckSettings::default();
    let checker = || Checker::new(&model, Some(&gradient), &settings, Parts::ALL).unwrap();
    let once = checker().check(&frame);
    let mut stepped = checker();
    assert_eq!(stepped.step(), Progress::Idle);
    stepped.observe(&frame.luma, frame.time);
    // A check that is begun anew forgets the one under way.
    stepped.begin(&frame);
    for _ in 0..5 {
        assert_eq!(stepped.step(), Progress::More);
    }
    stepped.begin(&frame);
    let readings = loop {
        match stepped.step() {
            Progress::Done(readings) => break readings,
            Progress::More => {}
            Progress::Idle => panic!("idle before it was done"),
        }
    };
    assert_eq!(once, *readings);
    assert_eq!(stepped.step(), Progress::Idle);
    assert!(matches!(
        once.left.adversarial,
        Ok(_) | Err(Missing::NeverFlips)
    ));
}

#[needs(face_detector)]
#[test]
fn a_drawn_clip_is_checked_the_same_way_twice() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_clip(&at("drawn.mp4"), 25, &[]);
    std::fs::write(at("mine.onnx"), onnx(&ModelForm::default())).unwrap();
    for out in ["one.json", "two.json"] {
        let run = succeeds(parseye(folder.path()).args([
            "check",
            "drawn.mp4",
            "--json",
            out,
            "--seed",
            "3",
            "--snr",
            "40,10",
        ]));
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        for words in ["camera SNR", "headroom", "adversarial margin", "by FGSM"] {
            assert!(text.contains(words), "{text}");
        }
    }
    let report = json(&at("one.json"));
    assert_eq!(report, json(&at("two.json")), "two runs differ");
    assert!(report["checked"].as_u64().unwrap() > 0);
    for eyes in ["left", "right", "both"] {
        for figure in [
            "camera_snr_db",
            "adversarial_margin_db",
            "noise_flip_snr_db",
            "headroom_db",
            "flip_probability",
        ] {
            let figure = &report[eyes][figure];
            for key in ["median", "p05", "p95", "n", "missing"] {
                assert!(figure.get(key).is_some(), "{figure}");
            }
            let measured = figure["n"].as_u64().unwrap() > 0;
            assert_eq!(measured, figure["median"].is_number());
        }
    }
    assert_eq!(report["table"][0]["snr_db"], 40.0);
    assert!(report["table"][0]["fgsm"]["share"].is_number());
    assert!(report["table"][1]["fgsm"].is_null());
    // Another model, without a gradient graph.
    succeeds(parseye(folder.path()).args([
        "check",
        "drawn.mp4",
        "--json",
        "mine.json",
        "--model",
        "mine.onnx",
    ]));
    let mine = json(&at("mine.json"));
    assert_eq!(mine["gradient_graph"], false);
    assert!(mine["both"]["adversarial_margin_db"]["median"].is_null());
    assert!(mine["both"]["adversarial_margin_db"]["missing"]["no_gradient_graph"].is_number());
    assert!(mine["both"]["camera_snr_db"]["median"].is_number());
}

#[needs(face_detector)]
#[test]
fn a_blank_recording_is_reported_without_a_number() {
    let folder = tempfile::tempdir().unwrap();
    GrayImage::new(128, 128)
        .save(folder.path().join("black.png"))
        .unwrap();
    succeeds(parseye(folder.path()).args(["check", "black.png", "--json", "out.json"]));
    let report = json(&folder.path().join("out.json"));
    assert_eq!(report["checked"], 1);
    assert_eq!(report["both"]["headroom_db"]["n"], 0);
    assert!(report["both"]["headroom_db"]["median"].is_null());
    assert_eq!(report["both"]["headroom_db"]["missing"]["no_face"], 2);
}

/// The model's card holds what `train` measured with libtorch on every second crop of the validation
/// split.
#[needs(crops)]
#[test]
fn fgsm_is_that_of_train() {
    let manifest = Manifest::read(&recordings().join("eyes/manifest.csv")).unwrap();
    // Trained on these labels as they are published.
    let file = repository().join("models/wrn-16-1-hardened.onnx");
    let model = EyeStateModel::from_file(&file).unwrap();
    let gradient = GradientModel::beside(&file, &model).unwrap().unwrap();
    let rows = &model.card().robustness;
    let snrs: Vec<f64> = rows.iter().map(|row| row.snr_db).collect();
    assert!(snrs.len() >= 5, "the card holds {snrs:?}");
    let attack = labelled::attack(&manifest, Split::Val, 2000, &model, &gradient, &snrs).unwrap();
    for row in rows {
        assert_eq!(attack.n, row.n);
        let here = attack
            .rows
            .iter()
            .find(|here| here.snr_db == Some(row.snr_db))
            .unwrap();
        assert!(
            (here.accuracy - row.accuracy).abs() < 0.005,
            "{} dB: {} here, {} by train",
            row.snr_db,
            here.accuracy,
            row.accuracy
        );
    }
}

/// Far more than a check takes on a busy machine, where a thread of the lowest priority may wait long.
const PATIENCE: Duration = Duration::from_secs(900);

/// Plays the drawn clip live until the log has what is wanted, and ends it politely.
fn live(
    folder: &Path,
    mode: &str,
    enough: impl Fn(&[serde_json::Value]) -> bool,
) -> Vec<serde_json::Value> {
    let log = folder.join(format!("{mode}.jsonl"));
    let mut program = parseye(folder)
        .args([
            "replay",
            "drawn.mp4",
            "--realtime",
            "--loop",
            "--no-terminal",
        ])
        .args(["--self-check", mode, "--log"])
        .arg(&log)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
        // Lines are written whole, but it may be looked at between two of them.
        if log.exists() && enough(&events(&log)) {
            break;
        }
    }
    let killed = Command::new("kill")
        .args(["-INT", &program.id().to_string()])
        .status();
    assert!(killed.expect("kill starts").success());
    let ended = program.wait().expect("it ends");
    assert_eq!(ended.code(), Some(130));
    events(&log)
}

/// The live check: figures come as events, and the readings after them carry their judgement.
#[needs(face_detector)]
#[test]
fn a_live_run_checks_itself_and_says_how_far_its_readings_can_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    write_clip(&folder.path().join("drawn.mp4"), 60, &[]);
    let judged = |event: &&serde_json::Value| !event["left"]["trust"].is_null();
    let checked = live(folder.path(), "100%", |events| {
        of_kind(events, "eyes").iter().any(judged)
    });
    let checks = of_kind(&checked, "check");
    let first = checks.first().expect("a check");
    for eye in ["left", "right"] {
        let eye = &first[eye];
        for figure in [
            "camera_snr_db",
            "adversarial_margin_db",
            "noise_flip_snr_db",
        ] {
            // A number, or the reason why there is none.
            assert!(
                eye[figure].is_number() != eye["missing"][figure].is_string(),
                "{figure}: {first}"
            );
        }
    }
    let at = |event: &serde_json::Value| event["time"].as_f64().unwrap();
    let eyes = of_kind(&checked, "eyes");
    let mut before = eyes.iter().filter(|event| at(event) < at(first));
    assert!(before.all(|event| event["left"].get("trust").is_none()));
    let trust = eyes.iter().find(|event| judged(event)).expect("trust")["left"]["trust"].as_str();
    assert!(
        ["ok", "low", "exhausted"].contains(&trust.unwrap()),
        "{trust:?}"
    );

    let unchecked = live(folder.path(), "off", |events| {
        of_kind(events, "eyes").len() > 60
    });
    assert!(of_kind(&unchecked, "check").is_empty());
    let eyes = of_kind(&unchecked, "eyes");
    assert!(
        eyes.iter()
            .all(|event| event["left"].get("trust").is_none())
    );
}
