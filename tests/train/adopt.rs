//! Models of others are adopted: the same numbers as libtorch computes, mapped to the states that they know; and what
//! cannot be adopted says what it is.

use crate::support::{
    foreign::{Foreign, Side, float, int, ints, text},
    training_runs::{refuses, train},
};
use image::{GrayImage, Luma, RgbImage};
use parseye_test_needs::needs;
use parseye_testkit::{
    places::face_detector,
    synthetic_face::{self, Blink, HEIGHT, RATE, WIDTH},
};
use parseye_vision::{
    classify::{EyeStateModel, StandardisedCrop},
    eye_crop::eye_crop,
    eye_monitor::{EyeMonitor, VisionSettings},
    eye_state::{EyeState, is_left_out},
    frame::Frame,
    locate::crop::Roi,
    reading::EyeReading,
    selfcheck::{CheckFrame, Checker, Parts, SelfCheckSettings},
    temporal::{ClosureKind, Laterality},
};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tch::{Kind, Tensor};

struct Drawn(ChaCha8Rng);

impl Drawn {
    fn new() -> Self {
        Self(ChaCha8Rng::seed_from_u64(5))
    }

    /// Weights and the same as a tensor.
    fn weights(
        &mut self,
        foreign: &mut Foreign,
        shape: &[i64],
        low: f32,
        high: f32,
    ) -> (String, Tensor) {
        let count = shape.iter().product::<i64>() as usize;
        let values: Vec<f32> = (0..count).map(|_| self.0.random_range(low..high)).collect();
        let tensor = Tensor::from_slice(&values).reshape(shape);
        (foreign.weights(shape, &values), tensor)
    }
}

/// A gray picture of this side and its crop as a model reads it.
fn picture(side: u32, model: &EyeStateModel) -> (GrayImage, StandardisedCrop) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let image = GrayImage::from_fn(side, side, |x, y| {
        let wave = (x as f32 * 0.3).sin() * (y as f32 * 0.2).cos();
        Luma([(128.0 + 90.0 * wave + rng.random_range(-20.0..20.0)) as u8])
    });
    let square = Roi {
        centre: [side as f32 / 2.0; 2],
        side: side as f32,
        angle: 0.0,
    };
    let crop = eye_crop(&image, &square, model.side());
    (image, crop)
}

/// (gray / 255 - mean) / scale in every channel.
fn fed(image: &GrayImage, channels: i64, mean: f64, scale: f64) -> Tensor {
    let side = i64::from(image.width());
    let levels: Vec<f32> = image
        .iter()
        .map(|level| f32::from(*level) / 255.0)
        .collect();
    let gray = Tensor::from_slice(&levels).reshape([1, 1, side, side]);
    ((gray - mean) / scale).expand([1, channels, side, side], false)
}

fn assert_close(found: &[f32], expected: &Tensor) {
    let expected = Vec::<f32>::try_from(expected.flatten(0, -1)).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}

fn adopted(folder: &Path, bytes: &[u8], arguments: &[&str]) -> PathBuf {
    let path = folder.join("theirs.onnx");
    fs::write(&path, bytes).unwrap();
    let command = [&["card", "--adopt", path.to_str().unwrap()], arguments].concat();
    let output = train(&command);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("parseye replay"), "{text}");
    folder.join("theirs.adopted.onnx")
}

/// A small convolutional network as PyTorch exports it: an open batch size, batch norm, a depthwise convolution, a
/// clip with constants as nodes, dropout, and a flattening that asks for the batch's size.
fn gray_two_classes(drawn: &mut Drawn) -> (Vec<u8>, impl Fn(&Tensor) -> Tensor + use<>) {
    let mut net = Foreign::default();
    let (w1, t1) = drawn.weights(&mut net, &[4, 1, 3, 3], -0.5, 0.5);
    let (b1, s1) = drawn.weights(&mut net, &[4], -0.2, 0.2);
    let (scale, t_scale) = drawn.weights(&mut net, &[4], 0.5, 1.5);
    let (shift, t_shift) = drawn.weights(&mut net, &[4], -0.3, 0.3);
    let (mean, t_mean) = drawn.weights(&mut net, &[4], -0.3, 0.3);
    let (variance, t_variance) = drawn.weights(&mut net, &[4], 0.2, 1.0);
    let (w2, t2) = drawn.weights(&mut net, &[4, 1, 3, 3], -0.9, 0.9);
    let (w3, t3) = drawn.weights(&mut net, &[2, 144], -0.3, 0.3);
    let (b3, s3) = drawn.weights(&mut net, &[2], -0.2, 0.2);
    let window = |stride: i64, groups: i64| {
        vec![
            ints("dilations", &[1, 1]),
            int("group", groups),
            ints("kernel_shape", &[3, 3]),
            ints("pads", &[1; 4]),
            ints("strides", &[stride; 2]),
        ]
    };
    let x = net.node("Conv", &["x", &w1, &b1], window(1, 1));
    let epsilon = float("epsilon", 1e-3);
    let x = net.node(
        "BatchNormalization",
        &[&x, &scale, &shift, &mean, &variance],
        vec![epsilon],
    );
    let x = net.node("Relu", &[&x], Vec::new());
    let pool = vec![
        int("ceil_mode", 0),
        ints("dilations", &[1, 1]),
        ints("kernel_shape", &[2, 2]),
        ints("pads", &[0; 4]),
        ints("strides", &[2, 2]),
    ];
    let x = net.node("MaxPool", &[&x], pool);
    let x = net.node("Conv", &[&x, &w2], window(2, 4));
    let (low, high) = (net.constant_node(0.0), net.constant_node(0.4));
    let clipped = net.node("Clip", &[&x, &low, &high], Vec::new());
    let x = net.node("Dropout", &[&clipped], Vec::new());
    let shape = net.node("Shape", &[&x], Vec::new());
    let zero = net.integers_node(&[], &[0]);
    let batch = net.node("Gather", &[&shape, &zero], vec![int("axis", 0)]);
    let batch = net.node("Unsqueeze", &[&batch], vec![ints("axes", &[0])]);
    let rest = net.integers_node(&[1], &[-1]);
    let target = net.node("Concat", &[&batch, &rest], vec![int("axis", 0)]);
    let x = net.node("Reshape", &[&x, &target], Vec::new());
    let gemm = vec![float("alpha", 0.5), float("beta", 2.0), int("transB", 1)];
    let x = net.node("Gemm", &[&x, &w3, &b3], gemm);
    net.node("Softmax", &[&x], vec![int("axis", 1)]);
    let input = [Side::Open("N"), Side::Of(1), Side::Of(24), Side::Of(24)];
    let reference = move |x: &Tensor| {
        let x = x.conv2d(&t1, Some(&s1), [1, 1], [1, 1], [1, 1], 1);
        let term = |t: &Tensor| t.reshape([1, 4, 1, 1]);
        let x = (x - term(&t_mean)) / (term(&t_variance) + 1e-3).sqrt() * term(&t_scale)
            + term(&t_shift);
        let x = x.relu().max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        let x = x
            .conv2d(&t2, None::<&Tensor>, [2, 2], [1, 1], [1, 1], 4)
            .clamp(0.0, 0.4);
        let x = x.flatten(1, -1).matmul(&t3.tr()) * 0.5 + &s3 * 2.0;
        x.softmax(1, Kind::Float)
    };
    (net.bytes(&input, 2), reference)
}

#[test]
fn a_gray_network_of_two_classes_says_open_and_closed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, reference) = gray_two_classes(&mut Drawn::new());
    let arguments = [
        "--classes",
        "closed,open",
        "--mean",
        "0.4",
        "--scale",
        "0.25",
        "--name",
        "theirs",
    ];
    let path = adopted(folder.path(), &bytes, &arguments);
    let model = EyeStateModel::from_file(&path).unwrap();
    assert_eq!(model.card().name, "theirs");
    assert_eq!(model.card().labels, ["closed", "open"]);
    let (image, crop) = picture(24, &model);
    let probabilities = model.classifier().unwrap().probabilities(&crop).unwrap();
    let [open, partially, closed, hidden] = probabilities;
    assert_close(&[closed, open], &reference(&fed(&image, 1, 0.4, 0.25)));
    assert!(is_left_out(partially) && is_left_out(hidden));
    assert!(closed > 0.01 && open > 0.01, "{probabilities:?}");
    // It has a card now, and is used as it is.
    refuses(
        &[
            "card",
            "--adopt",
            path.to_str().unwrap(),
            "--classes",
            "closed,open",
        ],
        &["has a card already"],
    );
    // What needs libtorch says that it is none of ours.
    let (data, _) = crate::support::training_runs::drawn();
    let out = folder.path().join("out");
    let (data, out, path) = (
        data.path().to_str().unwrap(),
        out.to_str().unwrap(),
        path.to_str().unwrap(),
    );
    refuses(
        &["--data", data, "--out", out, "--teacher", path],
        &["adopted model"],
    );
}

/// As TensorFlow's converter writes it: channels last, padding left to the reader, means over rows and columns.
fn rgb_four_classes(drawn: &mut Drawn) -> (Vec<u8>, impl Fn(&Tensor) -> Tensor + use<>) {
    let mut net = Foreign::default();
    let (w1, t1) = drawn.weights(&mut net, &[6, 3, 3, 3], -0.5, 0.5);
    let (w2, t2) = drawn.weights(&mut net, &[6, 4], -2.0, 2.0);
    let (b2, s2) = drawn.weights(&mut net, &[4], -0.2, 0.2);
    let x = net.node("Transpose", &["x"], vec![ints("perm", &[0, 3, 1, 2])]);
    let same = vec![
        text("auto_pad", "SAME_UPPER"),
        ints("kernel_shape", &[3, 3]),
        ints("strides", &[2, 2]),
    ];
    let x = net.node("Conv", &[&x, &w1], same);
    let x = net.node("Relu", &[&x], Vec::new());
    let pool = vec![
        ints("kernel_shape", &[3, 3]),
        ints("strides", &[2, 2]),
        ints("pads", &[1; 4]),
    ];
    let x = net.node("MaxPool", &[&x], pool);
    let means = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    let x = net.node("AveragePool", &[&x], means);
    let x = net.node("LeakyRelu", &[&x], vec![float("alpha", 0.2)]);
    let x = net.node(
        "ReduceMean",
        &[&x],
        vec![ints("axes", &[2, 3]), int("keepdims", 0)],
    );
    let x = net.node("MatMul", &[&x, &w2], Vec::new());
    net.node("Add", &[&x, &b2], Vec::new());
    let input = [Side::Of(1), Side::Of(64), Side::Of(64), Side::Of(3)];
    let reference = move |x: &Tensor| {
        // With a stride of two and an even side, the one zero of SAME_UPPER is after the last.
        let x = x.constant_pad_nd([0, 1, 0, 1]);
        let x = x
            .conv2d(&t1, None::<&Tensor>, [2, 2], [0, 0], [1, 1], 1)
            .relu();
        let x = x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        let x = x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None::<i64>);
        let x = x
            .mean_dim([2_i64, 3].as_slice(), false, Kind::Float)
            .matmul(&t2)
            + &s2;
        x.softmax(1, Kind::Float)
    };
    (net.bytes(&input, 4), reference)
}

#[test]
fn an_rgb_network_of_four_classes_is_read_in_its_own_order() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, reference) = rgb_four_classes(&mut Drawn::new());
    let order = "closed,open,not_visible,partially_open";
    let arguments = [
        "--classes",
        order,
        "--mean",
        "0.5,0.5,0.5",
        "--scale",
        "0.5",
    ];
    let path = adopted(folder.path(), &bytes, &arguments);
    let model = EyeStateModel::from_file(&path).unwrap();
    let (image, crop) = picture(64, &model);
    let [open, partially, closed, hidden] =
        model.classifier().unwrap().probabilities(&crop).unwrap();
    assert_close(
        &[closed, open, hidden, partially],
        &reference(&fed(&image, 3, 0.5, 0.5)),
    );
}

/// A single output with a sigmoid, as binary classifiers have: the probability of the second state.
#[test]
fn a_sigmoid_is_the_probability_of_the_second_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut net = Foreign::default();
    let (weights, tensor) = Drawn::new().weights(&mut net, &[1024, 1], -0.1, 0.1);
    let x = net.node("Flatten", &["x"], Vec::new());
    let x = net.node("MatMul", &[&x, &weights], Vec::new());
    net.node("Sigmoid", &[&x], Vec::new());
    let bytes = net.bytes(&[Side::Of(1), Side::Of(1), Side::Of(32), Side::Of(32)], 1);
    let path = adopted(folder.path(), &bytes, &["--classes", "closed,open"]);
    let model = EyeStateModel::from_file(&path).unwrap();
    let (image, crop) = picture(32, &model);
    let [open, _, closed, _] = model.classifier().unwrap().probabilities(&crop).unwrap();
    let expected = fed(&image, 1, 0.0, 1.0)
        .flatten(1, -1)
        .matmul(&tensor)
        .sigmoid();
    assert_close(&[open], &expected);
    assert!((open + closed - 1.0).abs() < 1e-6);
}

#[test]
fn what_cannot_be_adopted_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.onnx");
    let refused = |bytes: &[u8], arguments: &[&str], words: &[&str]| {
        fs::write(&path, bytes).unwrap();
        refuses(
            &[&["card", "--adopt", path.to_str().unwrap()], arguments].concat(),
            words,
        );
    };
    let (good, _) = gray_two_classes(&mut Drawn::new());
    fs::write(&path, &good).unwrap();
    refuses(
        &["card", path.to_str().unwrap()],
        &["without a card", "`train card --adopt FILE`"],
    );
    refused(&good, &[], &["2 outputs", "--classes open,closed"]);
    refused(&good, &["--classes", "open"], &["2 outputs", "1 states"]);
    refused(&good, &["--classes", "open,open"], &["open and closed"]);
    refused(&good, &["--classes", "open,shut"], &["'shut'"]);
    refused(
        &good,
        &["--classes", "open,closed", "--scale", "0"],
        &["scale"],
    );
    refused(
        &good,
        &["--classes", "open,closed", "--mean", "1,2"],
        &["mean"],
    );
    refused(
        &good[..good.len() / 2],
        &["--classes", "open,closed"],
        &["not a whole ONNX model"],
    );
    refused(
        b"PK\x03\x04....archive/data.pkl",
        &["--classes", "open,closed"],
        &["PyTorch", "torch.onnx.export"],
    );
    let changed = |change: &dyn Fn(&mut tract_onnx::pb::ModelProto)| {
        let mut model = tract_onnx::pb::ModelProto::decode(&good[..]).unwrap();
        change(&mut model);
        model.encode_to_vec()
    };
    let half = changed(&|model| {
        let weights = &mut model.graph.as_mut().unwrap().initializer[0];
        weights.data_type = tract_onnx::pb::tensor_proto::DataType::Float16 as i32;
    });
    refused(
        &half,
        &["--classes", "open,closed"],
        &["half precision", "f32"],
    );
    let recurrent = changed(&|model| model.graph.as_mut().unwrap().node[2].op_type = "LSTM".into());
    refused(
        &recurrent,
        &["--classes", "open,closed"],
        &["unsupported operator LSTM"],
    );
    let old = changed(&|model| model.opset_import[0].version = 3);
    refused(&old, &["--classes", "open,closed"], &["operator set 3"]);
    let mut large = Foreign::default();
    large.node("Flatten", &["x"], Vec::new());
    let large = large.bytes(&[Side::Of(1), Side::Of(3), Side::Of(224), Side::Of(224)], 2);
    refused(
        &large,
        &["--classes", "open,closed"],
        &["[1, 3, 224, 224]", "16 to 128"],
    );
    // The network that reads nothing of the picture.
    let mut blind = Foreign::default();
    let weights = blind.weights(&[576, 2], &[0.0; 1152]);
    let x = blind.node("Flatten", &["x"], Vec::new());
    blind.node("MatMul", &[&x, &weights], Vec::new());
    let blind = blind.bytes(&[Side::Of(1), Side::Of(1), Side::Of(24), Side::Of(24)], 2);
    refused(&blind, &["--classes", "open,closed"], &["same answer"]);
}

const FRAMES: usize = 90;

fn settings() -> VisionSettings {
    let mut settings = VisionSettings::default();
    settings.detector.file = Some(face_detector());
    settings
}

fn frame(number: usize, blinks: &[Blink]) -> Frame {
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    let rgb = RgbImage::from_raw(width, height, synthetic_face::draw(number, blinks)).unwrap();
    let time = Duration::from_secs_f64(number as f64 / RATE as f64);
    Frame::from_rgb(number as u64, time, rgb)
}

/// A linear network that tells the drawn face's open eyes from its closed ones, learnt from frames in which the
/// built-in model finds the eyes.
fn learnt(side: usize, blinks: &[Blink]) -> Vec<u8> {
    let built_in = EyeStateModel::built_in().unwrap();
    let mut monitor = EyeMonitor::new(&settings(), &built_in).unwrap();
    let mut sums = [vec![0.0_f32; side * side], vec![0.0; side * side]];
    let mut counts = [0.0_f32; 2];
    for number in 0..FRAMES {
        let openness = synthetic_face::openness(number, blinks);
        let class = match openness {
            0.9.. => 0,
            ..0.1 => 1,
            _ => continue,
        };
        let frame = frame(number, blinks);
        let reading = monitor.process(&frame).unwrap().reading;
        for eye in [reading.eyes.left, reading.eyes.right] {
            if let EyeReading::Measured { square, .. } = eye {
                let crop = eye_crop(&frame.luma, &square, side);
                counts[class] += 1.0;
                for (sum, level) in sums[class].iter_mut().zip(crop.gray()) {
                    *sum += level / 255.0;
                }
            }
        }
    }
    let [open, closed] = [0, 1].map(|class| {
        sums[class]
            .iter()
            .map(|s| s / counts[class])
            .collect::<Vec<_>>()
    });
    let difference: Vec<f32> = open.iter().zip(&closed).map(|(o, c)| o - c).collect();
    let square: f32 = difference.iter().map(|d| d * d).sum();
    let middle: f32 = open
        .iter()
        .zip(&closed)
        .zip(&difference)
        .map(|((o, c), d)| (o + c) / 2.0 * d)
        .sum();
    let gain = 8.0 / square;
    let mut net = Foreign::default();
    let weights: Vec<f32> = difference
        .iter()
        .flat_map(|d| [d * gain, -d * gain])
        .collect();
    let weights = net.weights(&[(side * side) as i64, 2], &weights);
    let bias = net.weights(&[2], &[-middle * gain, middle * gain]);
    let x = net.node("Flatten", &["x"], Vec::new());
    net.node("Gemm", &[&x, &weights, &bias], Vec::new());
    let side = side as i64;
    net.bytes(
        &[Side::Open("N"), Side::Of(1), Side::Of(side), Side::Of(side)],
        2,
    )
}

#[needs(face_detector)]
#[test]
fn an_adopted_network_follows_the_blinks_of_a_face_and_checks_itself_without_a_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let blinks = [
        Blink {
            first: 30,
            last: 33,
        },
        Blink {
            first: 60,
            last: 62,
        },
    ];
    for side in [24, 48] {
        let path = adopted(
            folder.path(),
            &learnt(side, &blinks),
            &["--classes", "open,closed"],
        );
        let model = EyeStateModel::from_file(&path).unwrap();
        let mut monitor = EyeMonitor::new(&settings(), &model).unwrap();
        let mut checker =
            Checker::new(&model, None, &SelfCheckSettings::default(), Parts::ALL).unwrap();
        let (mut ended, mut checked) = (Vec::new(), None);
        for number in 0..FRAMES {
            let frame = frame(number, &blinks);
            let result = monitor.process(&frame).unwrap();
            ended.extend(result.update.ended);
            let luma = std::sync::Arc::new(frame.luma);
            checker.observe(&luma, frame.time);
            if number == 50 {
                checked = Some(checker.check(&CheckFrame::new(luma, &result.reading)).left);
            }
        }
        let both: Vec<_> = ended
            .iter()
            .filter(|closure| closure.eye == Laterality::Both)
            .collect();
        assert_eq!(both.len(), 2, "{both:?}");
        for (closure, blink) in both.iter().zip(&blinks) {
            assert_eq!(closure.kind, ClosureKind::Blink);
            assert!(
                closure.first_frame.abs_diff(blink.first as u64) <= 1,
                "{closure:?}"
            );
        }
        assert!(
            ended
                .iter()
                .all(|closure| closure.kind != ClosureKind::PartialBlink)
        );
        let checked = checked.unwrap();
        assert_eq!(checked.state, Some(EyeState::Open));
        assert!(
            checked.adversarial.is_err()
                && checked.headroom_db.is_ok()
                && checked.agreement.is_ok(),
            "{checked:?}"
        );
    }
}
