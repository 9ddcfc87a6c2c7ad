//! Networks by the register of a few operators, beside the same by tract's reader with its whole register.

use super::*;
use crate::classify::{EyeStateModel, onnx_file::decode};
use std::path::Path;

/// Values that no two networks agree on by accident.
fn input(shape: &[usize], seed: u32) -> TValue {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|index| ((index as f32 + seed as f32) * 0.7).sin() + (index as f32 * 0.013).cos())
        .collect();
    Tensor::from_shape(shape, &values).unwrap().into_tvalue()
}

/// The bits of all that a network predicts.
fn predictions(plan: &Plan, shapes: &[&[usize]]) -> Vec<Vec<u32>> {
    let mut state = plan.spawn().unwrap();
    let inputs = shapes
        .iter()
        .zip(1..)
        .map(|(shape, seed)| input(shape, seed));
    let outputs = state.run(inputs.collect()).unwrap();
    outputs
        .iter()
        .map(|output| {
            let values = output.to_plain_array_view::<f32>().unwrap();
            values.iter().map(|value| value.to_bits()).collect()
        })
        .collect()
}

/// A network by tract's own reader with all operators of ONNX.
pub(crate) fn by_whole_reader(bytes: &[u8], shapes: &[&[usize]]) -> Plan {
    let onnx = tract_onnx::onnx();
    let mut proto = onnx.proto_model_for_read(&mut &*bytes).unwrap();
    // Where no value is given, it fills with zeros of f64 rather than f32.
    for node in proto.graph.iter_mut().flat_map(|graph| &mut graph.node) {
        if node.op_type == "ConstantOfShape" && node.attribute.is_empty() {
            node.attribute.push(tract_onnx::pb::AttributeProto {
                name: "value".into(),
                r#type: tract_onnx::pb::attribute_proto::AttributeType::Tensor as i32,
                t: Some(tract_onnx::pb::TensorProto {
                    dims: vec![1],
                    data_type: DataType::Float as i32,
                    float_data: vec![0.0],
                    ..Default::default()
                }),
                ..Default::default()
            });
        }
    }
    let mut model = onnx.model_for_proto_model(&proto).unwrap();
    for (index, shape) in shapes.iter().enumerate() {
        model = model
            .with_input_fact(index, f32::fact(*shape).into())
            .unwrap();
    }
    model.into_optimized().unwrap().into_runnable().unwrap()
}

fn by_own_register(proto: ModelProto, shapes: &[&[usize]]) -> TractResult<Plan> {
    read(proto, shapes).and_then(ready)
}

#[test]
fn every_bit_is_as_by_the_whole_reader() {
    let states: &[usize] = &[1, 4];
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    for name in [
        "default",
        "tiny",
        "parseval-16-1",
        "parseval-16-1-hardened",
        "wrn-16-1",
        "wrn-16-1-hardened",
    ] {
        let side = EyeStateModel::from_file(&models.join(format!("{name}.onnx")))
            .unwrap()
            .side();
        let crop: &[usize] = &[1, 1, side, side];
        for (ending, shapes) in [
            ("onnx", &[crop][..]),
            ("gradient.onnx", &[crop, states][..]),
        ] {
            let file = models.join(format!("{name}.{ending}"));
            let bytes = std::fs::read(&file).unwrap();
            let plan = by_own_register(decode(&bytes).unwrap(), shapes).unwrap();
            let ours = predictions(&plan, shapes);
            assert!(
                ours == predictions(&by_whole_reader(&bytes, shapes), shapes),
                "{name}.{ending} predicts otherwise"
            );
            assert!(ours.iter().flatten().any(|bits| *bits != 0), "{name}");
        }
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let bytes = include_bytes!("../../../../../models/wrn-16-1.onnx");
    let crop: &[&[usize]] = &[&[1, 1, 32, 32]];
    let refused = |change: fn(&mut tract_onnx::pb::GraphProto), words: &str| {
        let mut proto = decode(bytes).unwrap();
        change(proto.graph.as_mut().unwrap());
        let error = format!("{:#}", by_own_register(proto, crop).unwrap_err());
        assert!(error.contains(words), "{error}");
    };
    refused(
        |graph| graph.node[0].op_type = "LSTM".into(),
        "unsupported operator LSTM",
    );
    refused(
        |graph| graph.node[1].input[0] = "nothing".into(),
        "\"nothing\"",
    );
    refused(
        |graph| graph.output[0].name = "nothing".into(),
        "`nothing` is not computed",
    );
    refused(
        |graph| graph.initializer[0].data_type = 8,
        "neither f32 nor int64",
    );
    refused(|graph| graph.initializer[0].raw_data.truncate(8), "");
    assert!(by_own_register(decode(bytes).unwrap(), &[]).is_err());
}
