//! Small ONNX models, whole and broken ones, written message by message.

use prost::Message;
use serde_json::Value;
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// What a test model looks like; the default is accepted and calls light-bottomed crops closed.
#[derive(Clone, Debug)]
pub struct ModelForm {
    /// Shape of the input.
    pub input: Vec<i64>,
    /// Number of outputs.
    pub outputs: i64,
    /// Size of the weights.
    pub weight: f32,
    /// The card, or none.
    pub card: Option<Value>,
}

impl Default for ModelForm {
    fn default() -> Self {
        Self {
            input: vec![1, 1, 32, 32],
            outputs: 4,
            weight: 0.01,
            card: Some(card()),
        }
    }
}

impl ModelForm {
    /// A gray model of two classes as `train card --adopt` makes it usable.
    pub fn adopted(side: i64) -> Self {
        let mut card = card();
        card["labels"] = serde_json::json!(["open", "closed"]);
        card["input"]["shape"] = serde_json::json!([1, 1, side, side]);
        card["input"]["pixels"] =
            serde_json::json!({ "white": 1.0, "mean": [0.5], "scale": [0.25] });
        Self {
            input: vec![1, 1, side, side],
            outputs: 2,
            card: Some(card),
            ..Self::default()
        }
    }
}

/// A card that the program accepts.
pub fn card() -> Value {
    serde_json::json!({
        "format": 1, "name": "test", "architecture": "dense", "parameters": 4,
        "labels": ["open", "partially_open", "closed", "not_visible"],
        "input": {
            "name": "image", "shape": [1, 1, 32, 32], "preprocessing": "as usual",
            "contrast_floor": 1.0,
        },
        "temperature": 1.0,
        "training": {
            "command": "none", "seed": 0, "commit": "none", "data_sha256": "", "crops_by_source": {},
            "data_credit": "", "epochs": 0, "chosen_epoch": 0, "precision": "f32", "device": "cpu",
            "threads": 1,
        },
        "validation": {
            "n": 0, "accuracy": 0.0, "macro_accuracy": 0.0, "recall": {}, "ece": 0.0,
            "ece_uncalibrated": 0.0,
        },
        "robustness": [],
        "reference_confidence": { "counts": [] },
    })
}

/// The bytes of a model: flatten, one dense layer.
pub fn onnx(form: &ModelForm) -> Vec<u8> {
    let pixels: i64 = form.input.iter().skip(1).product();
    // Half of the rows count for the first output, the other half against it.
    let weights = (0..pixels).flat_map(|pixel| {
        let sign = if pixel < pixels / 2 { 1.0 } else { -1.0 };
        (0..form.outputs).map(move |output| {
            if output % 2 == 0 {
                sign * form.weight * (1 - output) as f32
            } else {
                0.0
            }
        })
    });
    let node = |kind: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: kind.into(),
        name: output.into(),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let graph = GraphProto {
        name: "test".into(),
        node: vec![
            node("Flatten", &["image"], "flat"),
            node("MatMul", &["flat", "weights"], "logits"),
        ],
        initializer: vec![TensorProto {
            name: "weights".into(),
            dims: vec![pixels, form.outputs],
            data_type: DataType::Float as i32,
            raw_data: weights.flat_map(f32::to_le_bytes).collect(),
            ..TensorProto::default()
        }],
        input: vec![value("image", &form.input)],
        output: vec![value("logits", &[1, form.outputs])],
        ..GraphProto::default()
    };
    let card = form.card.iter().map(|card| StringStringEntryProto {
        key: parseye_vision::classify::card::METADATA_KEY.into(),
        value: card.to_string(),
    });
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(graph),
        metadata_props: card.collect(),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |size: &i64| Dimension {
        value: Some(dimension::Value::DimValue(*size)),
        ..Dimension::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(dim).collect(),
        }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
