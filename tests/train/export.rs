//! What `train` exports is what it trained: predictions and gradients, through the runtime's engine and
//! read back into tch, for every kind of network; anything else is refused.

use crate::support::training_runs;

use parseye_train::{
    attack::{Classifier, gradient::of_cross_entropy},
    crop::Crop,
    data::batch::Batch,
    export::{
        ExportError, finish::write_model, gradient_bytes, gradient_path, model_bytes, parity,
    },
    network::{
        self,
        module::{Network, Precision},
        onnx::OnnxClassifier,
    },
};
use parseye_vision::classify::{EyeStateModel, StandardisedCrop, gradient::GradientModel};
use tch::{Device, Kind, Tensor};
use training_runs::{drawn, exclusive_generator, export_context, quick, run};

/// A network of random weights, its batch norms away from identity, or a fold that is wrong would
/// go unseen; convex sums away from one half for the same reason.
fn fresh(architecture: &str, precision: Precision) -> Network {
    let spec = network::by_name(architecture).unwrap();
    let _alone = exclusive_generator();
    let network = Network::new(&spec, precision, Device::Cpu, 1).unwrap();
    tch::no_grad(|| {
        for (name, tensor) in network.tensors() {
            if name.ends_with("coefficients") {
                tensor
                    .shallow_clone()
                    .copy_(&Tensor::from_slice(&[0.3_f32, 0.7]));
            } else if tensor.dim() == 1 {
                let noise = Tensor::rand(tensor.size(), (Kind::Float, Device::Cpu)) * 0.4;
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
    let run = run(&quick(), &crops, out.path(), false).unwrap();
    let path = out.path().join("m.onnx");
    let card = write_model(&run, &crops, &export_context(), &path).unwrap();
    EyeStateModel::from_bytes(&model_bytes(network, &card).unwrap(), "test").unwrap()
}

#[test]
fn export_is_refused_when_preprocessing_or_a_weight_differs() {
    let (_data, crops) = drawn();
    let probes: Vec<&Crop> = crops.val.iter().collect();
    let network = fresh("wrn-16-1", Precision::F32);
    let model = model_of(&network);
    let difference =
        parity::check(&network, &model, &probes, |crop| crop.standardised(32)).unwrap();
    assert!(difference < parity::TOLERANCE);

    let refused =
        |result: Result<f32, ExportError>| matches!(result, Err(ExportError::Parity { .. }));
    // Preprocessing without the standard deviation, and mirrored.
    assert!(refused(parity::check(&network, &model, &probes, |crop| {
        let mut crop = crop.standardised(32);
        crop.values.iter_mut().for_each(|value| *value *= 1.01);
        crop
    })));
    assert!(refused(parity::check(&network, &model, &probes, |crop| {
        let mut crop: StandardisedCrop = crop.standardised(32);
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
        |crop: &Crop| crop.standardised(32)
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
        .map(|crop| (crop.standardised(32), crop.sample.label))
        .collect();
    let single = parity::logits(&fresh("wrn-16-1", Precision::F32), &inputs).unwrap();
    let half = parity::logits(&fresh("wrn-16-1", Precision::Bf16), &inputs).unwrap();
    // Eight bits of mantissa round by 2^-9 at most; thirty-odd roundings on the way through sixteen
    // layers add up like a random walk to about 1.2 % of what is rounded. Processors with and without
    // bf16 instructions round in different places, so single predictions stray further; their root mean
    // square does not. Wrong arithmetic differs by as much as the predictions themselves.
    let rms = |values: &mut dyn Iterator<Item = f32>| {
        let (sum, count) =
            values.fold((0.0, 0.0_f32), |(sum, count), v| (sum + v * v, count + 1.0));
        (sum / count).sqrt()
    };
    let pairs = || single.iter().flatten().zip(half.iter().flatten());
    let difference = rms(&mut pairs().map(|(a, b)| a - b));
    let size = rms(&mut pairs().map(|(a, _)| *a));
    assert!(difference > 0.0, "both were computed in single precision");
    assert!(difference < 0.1 * size, "{difference} of {size}");
}

/// One of each kind, with and without dropout between a convolution and its batch norm.
const KINDS: [&str; 4] = ["wrn-16-1", "wrn-10-2", "parseval-16-1", "cnn-4"];

#[test]
fn answers_and_gradients_of_every_kind_of_network_survive_the_export() {
    let (_data, crops) = drawn();
    let probes: Vec<&Crop> = crops.val.iter().collect();
    let card = model_of(&fresh("wrn-16-1", Precision::F32)).card().clone();
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let network = fresh(kind, Precision::F32);
        let bytes = model_bytes(&network, &card).unwrap();
        let model = EyeStateModel::from_bytes(&bytes, kind).unwrap();
        parity::check(&network, &model, &probes, |crop| crop.standardised(32)).unwrap();

        let gradient = gradient_bytes(&network, &card, &model.file().sha256).unwrap();
        let runnable = GradientModel::from_bytes(&gradient, kind, &model).unwrap();
        let agreement = parity::check_gradient(&network, &runnable, &probes).unwrap();
        println!(
            "{kind}: {:.4} % of the gradient's signs agree with autograd",
            100.0 * agreement
        );

        // Read back into tch: the same predictions and gradients as the network it came from.
        let path = folder.path().join(format!("{kind}.onnx"));
        std::fs::write(&path, &bytes).unwrap();
        let back = OnnxClassifier::read(&path, Device::Cpu).unwrap();
        let inputs: Vec<_> = probes
            .iter()
            .map(|c| (c.standardised(32), c.sample.label))
            .collect();
        let batch = Batch::new(&inputs, Device::Cpu).unwrap();
        let far = |a: Tensor, b: Tensor| (a - b).abs().max().double_value(&[]);
        assert!(
            far(back.logits(&batch.images), network.logits(&batch.images)) < 1e-4,
            "{kind}"
        );
        let slope = |c: &dyn Classifier| of_cross_entropy(c, &batch.images, &batch.labels).unwrap();
        let (ours, theirs) = (slope(&back), slope(&network));
        // Folding rounds weights, so a unit that is nearly zero, or the larger of two nearly equal pixels
        // of a pooling square, may be another one in the file. Then the gradient of that crop differs in
        // that unit's field and by that unit's share; on the usual crop nothing but rounding differs. A
        // wrong operator, stride or weight changes every crop's by more than its tenth.
        let norms = |x: Tensor| -> Vec<f64> {
            let norms = x
                .flatten(1, -1)
                .square()
                .sum_dim_intlist(1, false, Kind::Float)
                .sqrt();
            Vec::try_from(norms.to_kind(Kind::Double)).unwrap()
        };
        let mut apart: Vec<f64> = norms(&ours - &theirs)
            .into_iter()
            .zip(norms(theirs))
            .map(|(difference, size)| difference / size)
            .collect();
        apart.sort_by(f64::total_cmp);
        let (median, most) = (apart[apart.len() / 2], apart[apart.len() - 1]);
        println!("{kind}: gradients read back differ by {median:.1e} (median), {most:.1e} (most)");
        assert!(median < 1e-3 && most < 0.1, "{kind}: {apart:?}");
    }
}

#[test]
fn gradients_agree_where_an_image_is_flat_and_pooled_pixels_are_equal() {
    let (_data, crops) = drawn();
    // A glare: within it every square of a pooling layer holds equal pixels.
    let glaring: Vec<Crop> = crops
        .val
        .iter()
        .map(|crop| {
            let mut crop = crop.clone();
            for (x, _, pixel) in crop.image.enumerate_pixels_mut() {
                if x > 12 {
                    pixel.0 = [255];
                }
            }
            crop
        })
        .collect();
    let probes: Vec<&Crop> = glaring.iter().collect();
    let network = fresh("cnn-4", Precision::F32);
    let model = model_of(&network);
    let bytes = gradient_bytes(&network, model.card(), &model.file().sha256).unwrap();
    let gradient = GradientModel::from_bytes(&bytes, "test", &model).unwrap();
    parity::check_gradient(&network, &gradient, &probes).unwrap();
}

#[test]
fn a_gradient_of_other_weights_or_another_model_is_refused() {
    let (_data, crops) = drawn();
    let probes: Vec<&Crop> = crops.val.iter().collect();
    let network = fresh("wrn-16-1", Precision::F32);
    let model = model_of(&network);
    let other = fresh("cnn-4", Precision::F32);
    let bytes = gradient_bytes(&other, model.card(), &model.file().sha256).unwrap();
    let wrong = GradientModel::from_bytes(&bytes, "test", &model).unwrap();
    let error = parity::check_gradient(&network, &wrong, &probes).unwrap_err();
    assert!(matches!(error, ExportError::Gradient { .. }), "{error}");
    let bytes = gradient_bytes(&network, model.card(), "another").unwrap();
    let error = GradientModel::from_bytes(&bytes, "test", &model).unwrap_err();
    assert!(error.to_string().contains("another model"), "{error}");
    let plain = model_bytes(&network, model.card()).unwrap();
    let error = GradientModel::from_bytes(&plain, "test", &model).unwrap_err();
    assert!(error.to_string().contains("not a gradient"), "{error}");
}

#[test]
fn a_finished_run_leaves_a_model_and_its_gradient() {
    let (_data, crops) = drawn();
    let out = tempfile::tempdir().unwrap();
    let run = run(&quick(), &crops, out.path(), false).unwrap();
    let path = out.path().join("drawn.onnx");
    write_model(&run, &crops, &export_context(), &path).unwrap();
    let model = EyeStateModel::from_file(&path).unwrap();
    assert_eq!(gradient_path(&path), out.path().join("drawn.gradient.onnx"));
    let gradient = GradientModel::from_file(&gradient_path(&path), &model).unwrap();
    let crop = &crops.val[0];
    let prediction = gradient
        .runner()
        .unwrap()
        .gradient(&crop.standardised(32), crop.sample.label);
    let own = model
        .classifier()
        .unwrap()
        .logits(&crop.standardised(32))
        .unwrap();
    for (a, b) in prediction.unwrap().logits.iter().zip(own) {
        assert!((a - b).abs() < 1e-4);
    }
}
