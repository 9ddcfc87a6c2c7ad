//! An ONNX graph under construction: constants, nodes and the model around them.

use crate::{float_bytes, network::spec::NetworkSpec};
use parseye_vision::{
    classify::{card::METADATA_KEY, gradient::GRADIENT_OF_KEY},
    eye_state::STATES,
    lids,
};
use prost::Message;
use tract_onnx::pb;

/// ONNX operator set and file format: 17 and 8 are read by every engine since 2022.
const OPERATOR_SET: i64 = 17;
const IR_VERSION: i64 = 8;

/// Name of the batch dimension.
const BATCH: &str = "N";

/// Why a network has no ONNX graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// A parameter does not exist.
    #[error("parameter '{0}' is missing")]
    MissingParameter(String),
    /// A layer is folded as a convolution and is none.
    #[error("layer '{0}' is no convolution")]
    NoConvolution(String),
    /// A constant's values do not make up its shape.
    #[error("'{name}' has {values} values for shape {shape:?}")]
    Shape {
        /// Name of the constant.
        name: String,
        /// Number of its values.
        values: usize,
        /// Its shape.
        shape: Vec<i64>,
    },
    /// A constant holds NaN or infinity.
    #[error("'{0}' holds values that are not finite")]
    NotFinite(String),
    /// A node reads a value that no earlier node computes.
    #[error("node '{node}' reads '{value}', which no node before it computes")]
    UnknownValue {
        /// Name of the node.
        node: String,
        /// Name of the value.
        value: String,
    },
    /// A node that the runtime would refuse.
    #[error(transparent)]
    Node(#[from] parseye_vision::classify::operators::NodeError),
    /// A node lacks an attribute.
    #[error("node '{node}' has no attribute '{attribute}'")]
    MissingAttribute {
        /// Name of the node.
        node: String,
        /// Name of the attribute.
        attribute: &'static str,
    },
    /// No gradient is known for an operator.
    #[error("operator {0} has no gradient rule")]
    NoGradientRule(String),
    /// The gradient would be zero everywhere.
    #[error("the logits do not depend on the image")]
    Independent,
}

/// Nodes and constants of a graph.
#[derive(Debug, Default)]
pub struct Graph {
    proto: pb::GraphProto,
}

/// A named attribute of integers.
pub(crate) fn integers(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: pb::attribute_proto::AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

/// A named attribute of one integer.
pub(crate) fn integer(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: pb::attribute_proto::AttributeType::Int as i32,
        i: value,
        ..Default::default()
    }
}

impl Graph {
    /// Adds a constant of whole numbers, such as a shape, and returns its name.
    pub(crate) fn integers(&mut self, name: String, values: &[i64]) -> String {
        self.proto.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: pb::tensor_proto::DataType::Int64 as i32,
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Default::default()
        });
        name
    }

    /// Adds a constant and returns its name.
    ///
    /// # Errors
    /// When a value is not finite or their number is not that of the shape.
    pub(crate) fn constant(
        &mut self,
        name: String,
        shape: &[i64],
        values: &[f32],
    ) -> Result<String, GraphError> {
        if shape.iter().product::<i64>() != values.len() as i64 {
            return Err(GraphError::Shape {
                name,
                values: values.len(),
                shape: shape.to_vec(),
            });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(GraphError::NotFinite(name));
        }
        self.proto.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: shape.to_vec(),
            data_type: pb::tensor_proto::DataType::Float as i32,
            raw_data: float_bytes::to_bytes(values),
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

    /// Nodes so far, in the order of computation.
    pub(crate) fn nodes(&self) -> &[pb::NodeProto] {
        &self.proto.node
    }

    /// Shape of a constant.
    pub(crate) fn constant_shape(&self, name: &str) -> Option<&[i64]> {
        let constant = self.proto.initializer.iter().find(|c| c.name == name)?;
        Some(&constant.dims)
    }

    /// The bytes of a model file around this graph of a network from `image` to `logits`, with the card in its
    /// metadata.
    pub(crate) fn into_model(self, spec: &NetworkSpec, card: String) -> Vec<u8> {
        let side = spec.side as i64;
        let mut outputs = vec![tensor_info("logits", &[STATES as i64])];
        if spec.lids.is_some() {
            outputs.push(tensor_info("lids", &[lids::OUTPUTS as i64]));
        }
        self.into_file(
            "eye_state",
            vec![tensor_info("image", &[1, side, side])],
            outputs,
            vec![(METADATA_KEY, card)],
        )
    }

    /// The bytes of a model file around this graph from `image` and `target` to `gradient` and
    /// `logits`; `model_sha256` is the hash of the file whose gradient it gives.
    pub(crate) fn into_gradient_model(
        self,
        side: usize,
        card: String,
        model_sha256: String,
    ) -> Vec<u8> {
        let (side, states) = (side as i64, STATES as i64);
        let image = |name| tensor_info(name, &[1, side, side]);
        self.into_file(
            "eye_state_gradient",
            vec![image("image"), tensor_info("target", &[states])],
            vec![image("gradient"), tensor_info("logits", &[states])],
            vec![(METADATA_KEY, card), (GRADIENT_OF_KEY, model_sha256)],
        )
    }

    fn into_file(
        mut self,
        name: &str,
        inputs: Vec<pb::ValueInfoProto>,
        outputs: Vec<pb::ValueInfoProto>,
        metadata: Vec<(&str, String)>,
    ) -> Vec<u8> {
        self.proto.name = name.into();
        self.proto.input = inputs;
        self.proto.output = outputs;
        file_bytes(self.proto, metadata)
    }
}

/// A graph as the bytes of an ONNX file, with its metadata.
pub(crate) fn file_bytes(graph: pb::GraphProto, metadata: Vec<(&str, String)>) -> Vec<u8> {
    let entry = |(key, value): (&str, String)| pb::StringStringEntryProto {
        key: key.into(),
        value,
    };
    pb::ModelProto {
        ir_version: IR_VERSION,
        producer_name: "parseye train".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        opset_import: vec![pb::OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        graph: Some(graph),
        metadata_props: metadata.into_iter().map(entry).collect(),
        ..Default::default()
    }
    .encode_to_vec()
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
