//! The constants of a graph: f32 tensors, and lists of integers that shapes are computed from.

use super::LowerError;
use std::collections::HashMap;
use tract_onnx::pb::{self, tensor_proto::DataType};

/// Most elements of a constant that a kernel or list grows to: what the runtime accepts of one value.
pub(super) const MOST_ELEMENTS: usize = 1 << 24;

/// f32 in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Floats {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// What is known of values before the network runs.
#[derive(Debug, Default)]
pub(super) struct Constants {
    pub floats: HashMap<String, Floats>,
    /// int64 of one dimension or none.
    pub integers: HashMap<String, Vec<i64>>,
}

impl Constants {
    /// Takes a tensor of the file.
    pub(super) fn add(&mut self, name: &str, tensor: &pb::TensorProto) -> Result<(), LowerError> {
        let wrong = || LowerError::Constant(name.to_owned());
        let sides = tensor.dims.iter().map(|side| usize::try_from(*side));
        let shape: Vec<usize> = sides.collect::<Result<_, _>>().map_err(|_| wrong())?;
        let count = shape
            .iter()
            .try_fold(1_usize, |count, side| count.checked_mul(*side));
        let count = count
            .filter(|count| *count <= MOST_ELEMENTS)
            .ok_or_else(wrong)?;
        let kind = DataType::try_from(tensor.data_type).map_err(|_| wrong())?;
        match kind {
            DataType::Float => {
                let values = match tensor.raw_data.is_empty() {
                    true => tensor.float_data.clone(),
                    false => tensor
                        .raw_data
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| f32::from_le_bytes(*b))
                        .collect(),
                };
                if values.len() != count {
                    return Err(wrong());
                }
                self.floats
                    .insert(name.to_owned(), Floats { shape, values });
            }
            DataType::Int64 | DataType::Int32 => {
                let raw = &tensor.raw_data;
                let values: Vec<i64> = match (kind, raw.is_empty()) {
                    (DataType::Int64, true) => tensor.int64_data.clone(),
                    (DataType::Int64, false) => raw
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| i64::from_le_bytes(*b))
                        .collect(),
                    (_, true) => tensor.int32_data.iter().map(|v| (*v).into()).collect(),
                    (_, false) => raw
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| i32::from_le_bytes(*b).into())
                        .collect(),
                };
                if values.len() != count {
                    return Err(wrong());
                }
                self.integers.insert(name.to_owned(), values);
            }
            // Of no use to the operators that are known; one that reads it is refused by its name.
            _ => {}
        }
        Ok(())
    }

    /// Takes the value of a `Constant` node.
    pub(super) fn add_node(
        &mut self,
        node: &pb::NodeProto,
        output: &str,
    ) -> Result<(), LowerError> {
        let wrong = || LowerError::Constant(node.name.clone());
        let attribute = node.attribute.first().ok_or_else(wrong)?;
        let floats = |shape: Vec<usize>, values: Vec<f32>| Floats { shape, values };
        match attribute.name.as_str() {
            "value" => self.add(output, attribute.t.as_ref().ok_or_else(wrong)?)?,
            "value_float" => {
                let one = floats(Vec::new(), vec![attribute.f]);
                self.floats.insert(output.to_owned(), one);
            }
            "value_floats" => {
                let all = attribute.floats.clone();
                self.floats
                    .insert(output.to_owned(), floats(vec![all.len()], all));
            }
            "value_int" => {
                self.integers.insert(output.to_owned(), vec![attribute.i]);
            }
            "value_ints" => {
                self.integers
                    .insert(output.to_owned(), attribute.ints.clone());
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// A tensor as the runtime reads it.
pub(super) fn tensor(name: &str, floats: &Floats) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: floats.shape.iter().map(|side| *side as i64).collect(),
        data_type: DataType::Float as i32,
        raw_data: floats
            .values
            .iter()
            .copied()
            .flat_map(f32::to_le_bytes)
            .collect(),
        ..pb::TensorProto::default()
    }
}

/// A list of integers as the runtime reads it.
pub(super) fn list(name: &str, values: &[i64]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        raw_data: values.iter().copied().flat_map(i64::to_le_bytes).collect(),
        ..pb::TensorProto::default()
    }
}
