use super::*;
use parseye_test_needs::needs;
use parseye_testkit::places::repository;
use tract_onnx::prelude::Framework;

/// Numbers that no two networks agree on by accident.
fn input(shape: &[usize], seed: u32) -> TValue {
    let numbers: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|index| ((index as f32 + seed as f32) * 0.7).sin() + (index as f32 * 0.013).cos())
        .collect();
    Tensor::from_shape(shape, &numbers).unwrap().into_tvalue()
}

/// The bits of all that a network answers.
fn answers(plan: &Plan, shapes: &[&[usize]]) -> Vec<Vec<u32>> {
    let mut state = plan.spawn().unwrap();
    let inputs = shapes
        .iter()
        .zip(1..)
        .map(|(shape, seed)| input(shape, seed));
    let outputs = state.run(inputs.collect()).unwrap();
    outputs
        .iter()
        .map(|output| {
            let numbers = output.to_plain_array_view::<f32>().unwrap();
            numbers.iter().map(|number| number.to_bits()).collect()
        })
        .collect()
}

/// The same network by the engine's own reader of ONNX.
fn whole_reader(bytes: &[u8], shapes: &[&[usize]]) -> Plan {
    let onnx = tract_onnx::onnx();
    let mut proto = onnx.proto_model_for_read(&mut &*bytes).unwrap();
    // It takes a missing value for a zero of f64.
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

#[needs(face_detector)]
#[test]
fn every_bit_is_as_by_the_whole_reader() {
    let crop: &[usize] = &[1, 1, 32, 32];
    let states: &[usize] = &[1, 4];
    let picture: &[usize] = &[1, 128, 128, 3];
    let models = repository().join("models");
    for (path, shapes) in [
        ("default.onnx", &[crop][..]),
        ("default.gradient.onnx", &[crop, states]),
        ("tiny.onnx", &[crop]),
        ("tiny.gradient.onnx", &[crop, states]),
        ("parseval-16-1.onnx", &[crop]),
        ("parseval-16-1.gradient.onnx", &[crop, states]),
        ("locator/face_detection_front_128x128.onnx", &[picture]),
    ] {
        let bytes = std::fs::read(models.join(path)).unwrap();
        let ours = answers(&plan(&decode(&bytes).unwrap(), shapes).unwrap(), shapes);
        assert!(
            ours == answers(&whole_reader(&bytes, shapes), shapes),
            "{path} answers otherwise"
        );
        assert!(ours.iter().flatten().any(|bits| *bits != 0), "{path}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let bytes = include_bytes!("../../../../models/default.onnx");
    let crop: &[&[usize]] = &[&[1, 1, 32, 32]];
    let refused = |change: fn(&mut GraphProto), words: &str| {
        let mut proto = decode(bytes).unwrap();
        change(proto.graph.as_mut().unwrap());
        let error = format!("{:#}", plan(&proto, crop).unwrap_err());
        assert!(error.contains(words), "{error}");
    };
    refused(
        |graph| graph.node[0].op_type = "LSTM".into(),
        "no network here",
    );
    refused(
        |graph| graph.node[1].input[0] = "nothing".into(),
        "`nothing` is read",
    );
    refused(
        |graph| graph.output[0].name = "nothing".into(),
        "`nothing` is not computed",
    );
    refused(
        |graph| graph.initializer[0].data_type = 8,
        "neither f32 nor i64",
    );
    refused(|graph| graph.initializer[0].raw_data.truncate(8), "");
    assert!(plan(&decode(bytes).unwrap(), &[]).is_err());
}
