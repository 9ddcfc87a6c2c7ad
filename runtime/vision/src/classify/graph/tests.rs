//! Graphs as `train` writes them, and graphs that must not reach the engine.

use super::*;
use crate::{
    classify::{input::USUAL_SIDE, onnx_file},
    eye_state::STATES,
};

const IMAGE: [usize; 4] = [1, 1, USUAL_SIDE, USUAL_SIDE];
const LOGITS: [usize; 2] = [1, STATES];

/// A model of the study's, with one output.
fn shipped() -> pb::ModelProto {
    onnx_file::decode(include_bytes!("../../../../../models/wrn-16-1.onnx")).unwrap()
}

const MODEL: Interface<'_> = Interface {
    inputs: &[("image", &IMAGE)],
    outputs: &[("logits", &LOGITS)],
};

fn admit_model(model: &pb::ModelProto) -> Result<(), GraphError> {
    admit(model, MODEL)
}

fn node(operator: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        name: output.into(),
        op_type: operator.into(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.into()],
        ..pb::NodeProto::default()
    }
}

fn integers(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: pb::attribute_proto::AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..pb::AttributeProto::default()
    }
}

fn constant(name: &str, dims: &[i64]) -> pb::TensorProto {
    let product = dims
        .iter()
        .try_fold(1_i64, |product, side| product.checked_mul(*side));
    let elements = product.unwrap_or(0).clamp(0, 1 << 20);
    pb::TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: vec![0.5; elements as usize],
        ..pb::TensorProto::default()
    }
}

/// A shipped model with nodes before its own, which nobody reads.
fn with(nodes: Vec<pb::NodeProto>, constants: Vec<pb::TensorProto>) -> Result<(), GraphError> {
    let mut model = shipped();
    let graph = model.graph.as_mut().unwrap();
    graph.node.splice(0..0, nodes);
    graph.initializer.extend(constants);
    admit_model(&model)
}

fn refused(nodes: Vec<pb::NodeProto>, constants: Vec<pb::TensorProto>, words: &[&str]) {
    let reason = with(nodes, constants).unwrap_err().to_string();
    for word in words {
        assert!(reason.contains(word), "'{reason}' lacks '{word}'");
    }
}

#[test]
fn what_train_writes_is_admitted() {
    admit_model(&shipped()).unwrap();
    let gradient = include_bytes!("../../../../../models/wrn-16-1.gradient.onnx");
    let gradient = onnx_file::decode(gradient).unwrap();
    let interface = Interface {
        inputs: &[("image", &IMAGE), ("target", &LOGITS)],
        outputs: &[("gradient", &IMAGE), ("logits", &LOGITS)],
    };
    admit(&gradient, interface).unwrap();
    // Without its image the second input would be fed in the place of the first.
    let without_image = Interface {
        inputs: &interface.inputs[1..],
        ..interface
    };
    let reason = admit(&gradient, without_image).unwrap_err().to_string();
    assert!(reason.contains("2 inputs"), "{reason}");
}

#[test]
fn operators_and_attributes_of_others_are_named() {
    refused(
        vec![node("Loop", &["image"], "x")],
        vec![],
        &["unsupported operator Loop", "`x`"],
    );
    let mut foreign = node("Relu", &["image"], "x");
    foreign.domain = "com.example".into();
    refused(vec![foreign], vec![], &["com.example"]);
    let mut pool = node("MaxPool", &["image"], "x");
    pool.attribute = vec![
        integers("kernel_shape", &[2, 2]),
        integers("dilations", &[9, 9]),
    ];
    refused(
        vec![pool.clone()],
        vec![],
        &["unsupported attribute `dilations`", "MaxPool", "`x`"],
    );
    pool.attribute = vec![integers("kernel_shape", &[2, 2]); 2];
    refused(vec![pool], vec![], &["`kernel_shape` is given twice"]);
    refused(
        vec![node("Relu", &["later"], "x")],
        vec![],
        &["not computed"],
    );
    refused(
        vec![node("Relu", &["image"], "image")],
        vec![],
        &["`image`"],
    );
    let mut old = shipped();
    old.opset_import[0].version = 9;
    assert_eq!(admit_model(&old), Err(GraphError::OperatorSet(9)));
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    // Two vectors of 8,192 elements make a matrix of 67 million, of which the file holds none.
    let lists = vec![constant("row", &[1, 8192]), constant("column", &[8192, 1])];
    refused(
        vec![node("Mul", &["row", "column"], "x")],
        lists,
        &["`x`", "at once"],
    );
    // A window's working copy: 31 times 31 pixels for each of 1,024, for 20 channels.
    let mut conv = node("Conv", &["wide", "weight"], "x");
    conv.attribute = vec![integers("pads", &[15; 4])];
    let weights = vec![
        constant("weight", &[1, 20, 31, 31]),
        constant("wide", &[1, 20, 32, 32]),
    ];
    refused(vec![conv.clone()], weights, &["at once"]);
    // Weights that many nodes share are laid out for each.
    let weights = vec![
        constant("weight", &[1 << 10, 1 << 10]),
        constant("list", &[1, 1 << 10]),
    ];
    let many = (0..200).map(|i| node("MatMul", &["list", "weight"], &format!("x{i}")));
    refused(many.collect(), weights, &["elements of memory in all"]);
    let mut spread = node("ConvTranspose", &["image", "weight"], "x");
    spread.attribute = vec![integers("strides", &[1 << 30; 2])];
    refused(
        vec![spread],
        vec![constant("weight", &[1, 1, 3, 3])],
        &["strides"],
    );
}

#[test]
fn what_would_take_minutes_is_refused() {
    let mut conv = node("Conv", &["image", "first"], "x0");
    conv.attribute = vec![integers("pads", &[7; 4])];
    let mut nodes = vec![conv];
    for index in 1..40 {
        let mut next = node(
            "Conv",
            &[&format!("x{}", index - 1), "weight"],
            &format!("x{index}"),
        );
        next.attribute = vec![integers("pads", &[7; 4])];
        nodes.push(next);
    }
    let weights = vec![
        constant("first", &[64, 1, 15, 15]),
        constant("weight", &[64, 64, 15, 15]),
    ];
    refused(nodes, weights, &["multiplications"]);
    let many = (0..MAX_NODES).map(|i| node("Relu", &["image"], &format!("x{i}")));
    refused(many.collect(), vec![], &["nodes"]);
}

#[test]
fn constants_hold_what_their_shape_says() {
    let short = pb::TensorProto {
        float_data: vec![0.0; 3],
        ..constant("c", &[2, 2])
    };
    let raw = pb::TensorProto {
        raw_data: vec![0; 15],
        float_data: vec![],
        ..constant("c", &[2, 2])
    };
    let text = pb::TensorProto {
        data_type: DataType::String as i32,
        ..constant("c", &[2, 2])
    };
    for (wrong, words) in [
        (short, "shape [2, 2]"),
        (raw, "shape [2, 2]"),
        (text, "neither"),
        (constant("c", &[-1, -4]), "below 1"),
        (constant("c", &[i64::MAX, i64::MAX]), "too large"),
        (constant("c", &[1; 9]), "9 dimensions"),
    ] {
        refused(vec![], vec![wrong], &["`c`", words]);
    }
}

#[test]
fn outputs_are_declared_computed_and_of_the_shape_that_is_read() {
    let mut model = shipped();
    model.graph.as_mut().unwrap().output[0].name = "nowhere".into();
    let reason = admit_model(&model).unwrap_err().to_string();
    assert!(
        reason.contains("`nowhere`") && reason.contains("`logits`"),
        "{reason}"
    );
    let mut model = shipped();
    let graph = model.graph.as_mut().unwrap();
    graph.node.last_mut().unwrap().output[0] = "other".into();
    let reason = admit_model(&model).unwrap_err().to_string();
    assert!(reason.contains("missing"), "{reason}");
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(node("Identity", &["image"], "logits"));
    let reason = admit_model(&model).unwrap_err().to_string();
    assert!(reason.contains("[1, 1, 32, 32]"), "{reason}");
}
