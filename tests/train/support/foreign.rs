//! ONNX models as other programs export them, written node by node.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// A graph under construction; the input is `x`.
#[derive(Default)]
pub struct Foreign {
    pub nodes: Vec<NodeProto>,
    pub constants: Vec<TensorProto>,
    last: String,
}

/// A size, or a dimension that is left open.
pub enum Side {
    Of(i64),
    Open(&'static str),
}

impl Foreign {
    /// Adds a node and returns the name of its output.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = format!("{operator}_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            op_type: operator.into(),
            name: name.clone(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes,
            ..NodeProto::default()
        });
        self.last.clone_from(&name);
        name
    }

    /// Adds weights.
    pub fn weights(&mut self, shape: &[i64], values: &[f32]) -> String {
        let name = format!("w{}", self.constants.len());
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: shape.to_vec(),
            data_type: DataType::Float as i32,
            raw_data: values.iter().copied().flat_map(f32::to_le_bytes).collect(),
            ..TensorProto::default()
        });
        name
    }

    /// Adds a `Constant` node of f32, as exporters write them.
    pub fn constant_node(&mut self, value: f32) -> String {
        let tensor = TensorProto {
            data_type: DataType::Float as i32,
            raw_data: value.to_le_bytes().to_vec(),
            ..TensorProto::default()
        };
        self.node("Constant", &[], vec![tensor_attribute(tensor)])
    }

    /// Adds a `Constant` node of int64.
    pub fn integers_node(&mut self, shape: &[i64], values: &[i64]) -> String {
        let tensor = TensorProto {
            dims: shape.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        };
        self.node("Constant", &[], vec![tensor_attribute(tensor)])
    }

    /// The model; its output is the last node's.
    pub fn model(self, input: &[Side], outputs: i64) -> ModelProto {
        let graph = GraphProto {
            name: "foreign".into(),
            input: vec![declared("x", input)],
            output: vec![declared(
                &self.last,
                &[Side::Open("batch"), Side::Of(outputs)],
            )],
            node: self.nodes,
            initializer: self.constants,
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: 7,
            producer_name: "another program".into(),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: 12,
            }],
            graph: Some(graph),
            ..ModelProto::default()
        }
    }

    pub fn bytes(self, input: &[Side], outputs: i64) -> Vec<u8> {
        self.model(input, outputs).encode_to_vec()
    }
}

fn tensor_attribute(tensor: TensorProto) -> AttributeProto {
    AttributeProto {
        name: "value".into(),
        r#type: AttributeType::Tensor as i32,
        t: Some(tensor),
        ..AttributeProto::default()
    }
}

fn declared(name: &str, sides: &[Side]) -> ValueInfoProto {
    let dim = |side: &Side| Dimension {
        value: Some(match side {
            Side::Of(size) => dimension::Value::DimValue(*size),
            Side::Open(name) => dimension::Value::DimParam((*name).into()),
        }),
        ..Dimension::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto {
            dim: sides.iter().map(dim).collect(),
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

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Float as i32,
        f: value,
        ..AttributeProto::default()
    }
}

pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::String as i32,
        s: value.as_bytes().to_vec(),
        ..AttributeProto::default()
    }
}
