//! An ONNX graph under construction: constants, nodes and the model around them.

use parseye::classify::{card::METADATA_KEY, input::SIDE};
use parseye::eye_state::STATES;
use prost::Message;
use tract_onnx::pb;

/// ONNX operator set and file format: 17 and 8 are read by every engine since 2022.
const OPERATOR_SET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Name of the batch dimension.
const BATCH: &str = "N";

/// Nodes and constants of a graph from `image` to `logits`.
#[derive(Debug, Default)]
pub struct Graph {
    proto: pb::GraphProto,
}

/// A named attribute of integers.
pub fn integers(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: pb::attribute_proto::AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

/// A named attribute of one integer.
pub fn integer(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: pb::attribute_proto::AttributeType::Int as i32,
        i: value,
        ..Default::default()
    }
}

impl Graph {
    /// Adds a constant and returns its name.
    ///
    /// # Errors
    /// When a value is not finite or their number is not that of the shape.
    pub fn constant(
        &mut self,
        name: String,
        shape: &[i64],
        values: &[f32],
    ) -> Result<String, String> {
        if shape.iter().product::<i64>() != values.len() as i64 {
            return Err(format!(
                "'{name}' has {} values for shape {shape:?}",
                values.len()
            ));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(format!("'{name}' holds values that are not finite"));
        }
        self.proto.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: shape.to_vec(),
            data_type: pb::tensor_proto::DataType::Float as i32,
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Default::default()
        });
        Ok(name)
    }

    /// Adds a node with one output, which bears the node's name.
    pub fn node(
        &mut self,
        name: impl Into<String>,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<pb::AttributeProto>,
    ) -> String {
        let name = name.into();
        self.proto.node.push(pb::NodeProto {
            name: name.clone(),
            op_type: operator.into(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes,
            ..Default::default()
        });
        name
    }

    /// The bytes of a model file around this graph, with the card in its metadata.
    pub fn into_model(mut self, card: String) -> Vec<u8> {
        let side = SIDE as i64;
        self.proto.name = "eye_state".into();
        self.proto.input = vec![tensor_info("image", &[1, side, side])];
        self.proto.output = vec![tensor_info("logits", &[STATES as i64])];
        pb::ModelProto {
            ir_version: IR_VERSION,
            producer_name: "parseye train".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            opset_import: vec![pb::OperatorSetIdProto {
                domain: String::new(),
                version: OPERATOR_SET,
            }],
            graph: Some(self.proto),
            metadata_props: vec![pb::StringStringEntryProto {
                key: METADATA_KEY.into(),
                value: card,
            }],
            ..Default::default()
        }
        .encode_to_vec()
    }
}

fn tensor_info(name: &str, after_batch: &[i64]) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension {
        value: Some(value),
        ..Default::default()
    };
    let mut dim = vec![dimension(Value::DimParam(BATCH.into()))];
    dim.extend(
        after_batch
            .iter()
            .map(|size| dimension(Value::DimValue(*size))),
    );
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(pb::type_proto::Tensor {
                elem_type: pb::tensor_proto::DataType::Float as i32,
                shape: Some(pb::TensorShapeProto { dim }),
            })),
            ..Default::default()
        }),
        ..Default::default()
    }
}
