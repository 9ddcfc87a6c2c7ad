//! Graphs with fused operators beside the same in tract alone.

use super::{ROUNDING, farthest, random};
use crate::{
    classify::{EyeStateModel, StandardisedCrop, engine, onnx_file},
    convolution::{fuse, op::FusedConvolution, pool::FusedPool},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tract_hir::{
    prelude::*,
    tract_core::{
        internal::*,
        ops::{
            cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec},
            math,
            nn::DataFormat,
        },
    },
};

/// Something like an eye, by `seed` more or less open, bright and noisy.
fn drawn_crop(seed: u64, side: usize) -> StandardisedCrop {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let centre = (
        chance.random_range(10.0..22.0),
        chance.random_range(10.0..22.0),
    );
    let (open, noise) = (
        chance.random_range(0.5..9.0),
        chance.random_range(0.0..40.0_f32),
    );
    let pixel = 32.0 / side as f32;
    let level = |at: usize| {
        let (x, y) = (
            (at % side) as f32 * pixel - centre.0,
            (at / side) as f32 * pixel - centre.1,
        );
        let white = (x / 13.0).powi(2) + (y / open).powi(2) < 1.0;
        let iris = white && x * x + y * y < 30.0;
        let level = if iris {
            40.0
        } else if white {
            210.0
        } else {
            150.0 + 2.0 * y
        };
        (level + noise * chance.random_range(-1.0..1.0_f32)).clamp(0.0, 255.0)
    };
    let gray: Vec<f32> = (0..side * side).map(level).collect();
    StandardisedCrop::new(&gray)
}

/// A model file, the side of its crops and the number of its outputs.
fn read(model: &[u8]) -> (TypedModel, usize, usize) {
    let loaded = EyeStateModel::from_bytes(model, "shipped").unwrap();
    let side = loaded.side();
    let outputs = 1 + usize::from(loaded.card().lids.is_some());
    let proto = onnx_file::decode(model).unwrap();
    let typed = engine::read(proto, &[&[1, 1, side, side]]).unwrap();
    (typed, side, outputs)
}

fn count<O: Op>(model: &TypedModel) -> usize {
    let nodes = model.eval_order().unwrap().into_iter();
    nodes.filter(|node| model.node(*node).op_is::<O>()).count()
}

#[test]
fn models_predict_fused_as_they_do_in_tract_alone() {
    let models: [(&[u8], usize); 4] = [
        (include_bytes!("../../../../../models/default.onnx"), 15),
        (include_bytes!("../../../../../models/tiny.onnx"), 15),
        (
            include_bytes!("../../../../../models/parseval-16-1.onnx"),
            15,
        ),
        (
            include_bytes!("../../../../../models/wrn-16-1-hardened.onnx"),
            15,
        ),
    ];
    for (at, (file, convolutions)) in models.into_iter().enumerate() {
        let (model, side, outputs) = read(file);
        let fused = fuse(model.clone()).unwrap().into_optimized().unwrap();
        assert_eq!(
            count::<FusedConvolution>(&fused),
            convolutions,
            "model {at}"
        );
        assert_eq!(count::<FusedPool>(&fused), 1, "model {at}");
        // The image comes in with its one channel first, and is put right once; from then on the
        // channels are last throughout. A product of matrices is left for each output.
        assert!(count::<AxisOp>(&fused) <= 1, "model {at}");
        let products = count::<tract_hir::tract_core::ops::matmul::optimized::OptMatMul>(&fused);
        assert_eq!(products, outputs, "model {at}");
        let fused = fused.into_runnable().unwrap();
        let alone = model.into_optimized().unwrap().into_runnable().unwrap();
        for seed in 0..24 {
            let drawn = drawn_crop(seed, side);
            let crop = Tensor::from_shape(&[1, 1, side, side], &drawn.values).unwrap();
            let logits = [&fused, &alone].map(|plan| {
                let outputs = plan.run(tvec!(crop.clone().into_tvalue())).unwrap();
                let mut all = Vec::new();
                for output in &outputs {
                    all.extend(output.to_plain_array_view::<f32>().unwrap().iter().copied());
                }
                all
            });
            let farthest = farthest(&logits[0], &logits[1]);
            assert!(farthest < ROUNDING, "model {at}, crop {seed}: {logits:?}");
        }
    }
}

/// Operators before a convolution, of the image, or after one, of the image and what is convolved.
type Before = fn(&mut TypedModel, OutletId) -> OutletId;
type After = fn(&mut TypedModel, OutletId, OutletId) -> TVec<OutletId>;

/// A graph of one convolution of images of as many columns as channels, and what is around it.
fn small_graph(channels: usize, before: Before, after: After) -> TypedModel {
    let mut chance = ChaCha8Rng::seed_from_u64(3);
    let mut model = TypedModel::default();
    let image = f32::fact([1, channels, 6, channels]);
    let image = model.add_source("image", image).unwrap();
    let input = before(&mut model, image);
    let mut constant = |name: &str, shape: &[usize]| {
        let values = random(shape.iter().product(), &mut chance);
        model
            .add_const(name, Tensor::from_shape(shape, &values).unwrap())
            .unwrap()
    };
    let weights = constant("weights", &[channels, channels, 3, 3]);
    let bias = constant("bias", &[channels]);
    let conv = Conv {
        pool_spec: PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec!(3, 3),
            padding: PaddingSpec::Explicit(tvec!(1, 1), tvec!(1, 1)),
            dilations: None,
            strides: None,
            input_channels: channels,
            output_channels: channels,
        },
        kernel_fmt: KernelFormat::OIHW,
        group: 1,
        q_params: None,
    };
    let convolved = model
        .wire_node("conv", conv, &[input, weights, bias])
        .unwrap()[0];
    let outputs = after(&mut model, image, convolved);
    model.select_output_outlets(&outputs).unwrap();
    model
}

fn uniform(model: &mut TypedModel, name: &str, value: f32) -> OutletId {
    let value = Tensor::from_shape(&[1, 1, 1, 1], &[value]).unwrap();
    model.add_const(name, value).unwrap()
}

fn rectified(model: &mut TypedModel, from: OutletId, least: f32) -> OutletId {
    let least = uniform(model, "least", least);
    model
        .wire_node("rectified", math::max(), &[from, least])
        .unwrap()[0]
}

fn sum(model: &mut TypedModel, terms: [OutletId; 2]) -> OutletId {
    model.wire_node("sum", math::add(), &terms).unwrap()[0]
}

/// The image times factors of the given shape, shifted, and bounded below.
fn normalised(model: &mut TypedModel, image: OutletId, factors: &[usize], least: f32) -> OutletId {
    let mut chance = ChaCha8Rng::seed_from_u64(5);
    let values = random(factors.iter().product(), &mut chance);
    let factors = Tensor::from_shape(factors, &values).unwrap();
    let factors = model.add_const("factors", factors).unwrap();
    let scaled = model.wire_node("scaled", math::mul(), &[image, factors]);
    let shift = uniform(model, "shift", 0.5);
    let shifted = model.wire_node("shifted", math::add(), &[scaled.unwrap()[0], shift]);
    rectified(model, shifted.unwrap()[0], least)
}

#[test]
fn only_what_goes_with_a_convolution_is_fused_with_it() {
    let nothing: Before = |_, image| image;
    let alone: After = |_, _, conv| tvec!(conv);
    // What is around the convolution, and how many operators of two inputs are left.
    let graphs: [(&str, Before, After, usize); 11] = [
        (
            "rectified",
            nothing,
            |m, _, conv| tvec!(rectified(m, conv, 0.0)),
            0,
        ),
        (
            "bounded elsewhere",
            nothing,
            |m, _, conv| tvec!(rectified(m, conv, 0.25)),
            1,
        ),
        (
            "read twice",
            nothing,
            |m, _, conv| tvec!(rectified(m, conv, 0.0), conv),
            1,
        ),
        (
            "residual",
            nothing,
            |m, image, conv| tvec!(sum(m, [image, conv])),
            0,
        ),
        (
            "doubled",
            nothing,
            |m, _, conv| tvec!(sum(m, [conv, conv])),
            1,
        ),
        (
            "shifted",
            nothing,
            |m, _, conv| {
                let shift = uniform(m, "shift", 0.5);
                tvec!(sum(m, [conv, shift]))
            },
            1,
        ),
        (
            "sum read twice",
            nothing,
            |m, image, conv| {
                let sum = sum(m, [conv, image]);
                tvec!(rectified(m, sum, 0.0), sum)
            },
            1,
        ),
        (
            "residual rectified",
            nothing,
            |m, image, conv| {
                let sum = sum(m, [conv, image]);
                tvec!(rectified(m, sum, 0.0))
            },
            0,
        ),
        (
            "normalised",
            |m, image| normalised(m, image, &[1, 16, 1, 1], 0.0),
            alone,
            0,
        ),
        (
            "normalised by column",
            |m, image| normalised(m, image, &[1, 1, 1, 16], 0.0),
            alone,
            3,
        ),
        (
            "normalised and bounded elsewhere",
            |m, image| normalised(m, image, &[1, 16, 1, 1], 0.25),
            alone,
            3,
        ),
    ];
    for (what, before, after, left) in graphs {
        let model = small_graph(16, before, after);
        let fused = fuse(model.clone()).unwrap();
        let fused = fused.into_decluttered().unwrap();
        assert_eq!(count::<FusedConvolution>(&fused), 1, "{what}");
        let operators = count::<tract_hir::tract_core::ops::binary::TypedBinOp>(&fused);
        assert_eq!(operators, left, "{what}");
        same_predictions(what, model, fused);
    }
}

#[test]
fn convolutions_of_another_kind_stay_with_tract() {
    let model = small_graph(
        15,
        |_, image| image,
        |model, _, conv| tvec!(rectified(model, conv, 0.0)),
    );
    let fused = fuse(model.clone()).unwrap();
    assert_eq!(
        (count::<FusedConvolution>(&fused), count::<Conv>(&fused)),
        (0, 1)
    );
    same_predictions("15 channels", model, fused);
}

fn same_predictions(what: &str, alone: TypedModel, fused: TypedModel) {
    let shape = alone
        .outlet_fact(alone.inputs[0])
        .unwrap()
        .shape
        .as_concrete()
        .unwrap()
        .to_vec();
    let values = random(shape.iter().product(), &mut ChaCha8Rng::seed_from_u64(4));
    let image = Tensor::from_shape(&shape, &values).unwrap();
    let [alone, fused] = [alone, fused].map(|model| {
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        plan.run(tvec!(image.clone().into_tvalue())).unwrap()
    });
    for (alone, fused) in alone.iter().zip(&fused) {
        let [alone, fused] = [alone, fused].map(|tensor| {
            let view = tensor.to_plain_array_view::<f32>().unwrap();
            view.iter().copied().collect::<Vec<f32>>()
        });
        assert!(farthest(&alone, &fused) < ROUNDING, "{what}");
    }
}
