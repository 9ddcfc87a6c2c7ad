//! Numbers other than f32 in a graph, and what a graph without a card is: said in the words of whoever exported it.
//!
//! Which graphs are run is decided by [`super::graph`]; here is only said why one is not.

use tract_onnx::pb::{
    self, tensor_proto::DataType, tensor_shape_proto::dimension::Value as Dimension, type_proto,
};

/// Most names and dimensions that a description lists.
const LISTED: usize = 8;

/// A graph that computes with other numbers than f32.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrecisionFault {
    /// Weights of 16 bits.
    #[error("is a model in half precision (fp16 or bf16, `{0}`), where f32 is needed")]
    Half(String),
    /// Weights of 64 bits.
    #[error("is a model in double precision (f64, `{0}`), where f32 is needed")]
    Double(String),
    /// Weights of 8 bits or less.
    #[error("is a quantised model (int8 or less, `{0}`), where f32 is needed")]
    Quantised(String),
}

/// Checks that a graph's weights and inputs are f32, as far as their types say something plain.
///
/// # Errors
/// With the first constant, operator or input that is not.
pub fn check_precision(graph: &pb::GraphProto) -> Result<(), PrecisionFault> {
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let constants = graph
        .initializer
        .iter()
        .chain(attributes.filter_map(|a| a.t.as_ref()));
    for node in &graph.node {
        let quantised = [
            "QuantizeLinear",
            "DequantizeLinear",
            "DynamicQuantizeLinear",
        ];
        let kind = node.op_type.as_str();
        let integer = kind.starts_with("QLinear") || kind.ends_with("Integer") || kind == "QGemm";
        if integer || quantised.contains(&kind) {
            return Err(PrecisionFault::Quantised(shortened(kind)));
        }
    }
    for constant in constants {
        check_type(constant.data_type, &constant.name)?;
    }
    for input in &graph.input {
        if let Some(tensor) = tensor_type(input) {
            check_type(tensor.elem_type, &input.name)?;
        }
    }
    Ok(())
}

fn check_type(kind: i32, name: &str) -> Result<(), PrecisionFault> {
    // Types that are newer than the reader's list: 17 to 20 are 8-bit floats, 21 and 22 integers of 4 bits.
    const SMALL: std::ops::RangeInclusive<i32> = 17..=23;
    let name = shortened(name);
    if kind == DataType::Float16 as i32 || kind == DataType::Bfloat16 as i32 {
        Err(PrecisionFault::Half(name))
    } else if kind == DataType::Double as i32 {
        Err(PrecisionFault::Double(name))
    } else if kind == DataType::Int8 as i32
        || kind == DataType::Uint8 as i32
        || SMALL.contains(&kind)
    {
        Err(PrecisionFault::Quantised(name))
    } else {
        Ok(())
    }
}

/// Describes the inputs and outputs of a graph in one line: names, shapes, colours, classes, an open batch size.
pub fn describe(graph: &pb::GraphProto) -> String {
    let is_constant = |name: &str| graph.initializer.iter().any(|c| c.name == name);
    let inputs = graph.input.iter().filter(|input| !is_constant(&input.name));
    let inputs: Vec<String> = inputs.take(LISTED).map(input).collect();
    let outputs: Vec<String> = graph.output.iter().take(LISTED).map(output).collect();
    let list = |values: Vec<String>| match values.is_empty() {
        true => "none".to_owned(),
        false => values.join(", "),
    };
    format!("input {}; output {}", list(inputs), list(outputs))
}

fn input(value: &pb::ValueInfoProto) -> String {
    let dimensions = dimensions(value);
    let is = |index: usize, side: &str| dimensions.get(index).is_some_and(|found| found == side);
    let colours = match dimensions.len() {
        4 if is(1, "3") || is(3, "3") => " (RGB)",
        4 if is(1, "1") || is(3, "1") => " (gray)",
        _ => "",
    };
    let open = dimensions
        .first()
        .is_some_and(|batch| batch.parse::<i64>().is_err());
    let open = if open { " with an open batch size" } else { "" };
    format!(
        "`{}` [{}]{colours}{open}",
        shortened(&value.name),
        dimensions.join(", ")
    )
}

fn output(value: &pb::ValueInfoProto) -> String {
    let dimensions = dimensions(value);
    let classes = match dimensions.as_slice() {
        [_, classes] if classes == "2" => " (two classes)",
        _ => "",
    };
    format!(
        "`{}` [{}]{classes}",
        shortened(&value.name),
        dimensions.join(", ")
    )
}

/// The declared dimensions of a value, `?` where one is not said.
fn dimensions(value: &pb::ValueInfoProto) -> Vec<String> {
    let shape = tensor_type(value).and_then(|tensor| tensor.shape.as_ref());
    let dimensions = shape
        .into_iter()
        .flat_map(|shape| shape.dim.iter().take(LISTED));
    let text = |dimension: &pb::tensor_shape_proto::Dimension| match &dimension.value {
        Some(Dimension::DimValue(size)) if *size > 0 => size.to_string(),
        Some(Dimension::DimParam(name)) if !name.is_empty() => shortened(name),
        _ => "?".into(),
    };
    dimensions.map(text).collect()
}

fn tensor_type(value: &pb::ValueInfoProto) -> Option<&type_proto::Tensor> {
    let kind = value.r#type.as_ref()?.value.as_ref()?;
    let type_proto::Value::TensorType(tensor) = kind;
    Some(tensor)
}

/// The beginning of a name that a file of others gives.
fn shortened(name: &str) -> String {
    const CHARACTERS: usize = 60;
    let printable = name.chars().filter(|c| !c.is_control());
    printable.take(CHARACTERS).collect()
}
