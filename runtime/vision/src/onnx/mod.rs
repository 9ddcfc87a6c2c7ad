//! Networks in ONNX files, made ready to run by tract's core.
//!
//! tract's own reader of ONNX (`tract-onnx`) has all of the format, and with it a second format and a
//! register of every operator that the engine knows, all of which is linked into a program that uses it:
//! recurrent networks, Fourier transforms, attention, sorting, each for every type of number. That is a
//! third of this program's size. The networks here are plain ones, so this reads what they have:
//! [`messages`] is the format, [`operators`] what the nodes stand for. Whether a file can be trusted is
//! `classify/onnx_file.rs`'s and `classify/graph.rs`'s to say, before it comes here.

pub(crate) mod messages;
mod operators;

pub(crate) use operators::{number, pads, sizes};

use messages::{GraphProto, ModelProto, TensorProto, tensor_proto::DataType};
use prost::Message;
use std::{collections::HashMap, sync::Arc};
use tract_hir::internal::*;

/// A network that is ready to run, shared by the threads that run it.
pub(crate) type Plan = Arc<TypedRunnableModel>;

/// The messages in a file.
///
/// # Errors
/// When it is not whole.
pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, prost::DecodeError> {
    ModelProto::decode(bytes)
}

/// A network with the shapes of all that it computes, for numbers (f32) of these shapes, one for each input
/// in the graph's order.
///
/// # Errors
/// When the graph is of other operators than [`operators`] has, or does not fit together.
pub(crate) fn read(proto: &ModelProto, shapes: &[&[usize]]) -> TractResult<TypedModel> {
    let graph = proto.graph.as_ref().context("a model without a graph")?;
    let mut model = model(graph, shapes)?;
    model.analyse(false)?;
    model.into_typed()
}

/// Makes a network ready to run.
///
/// # Errors
/// When tract finds no order in which to compute it.
pub(crate) fn ready(model: TypedModel) -> TractResult<Plan> {
    model.into_optimized()?.into_runnable()
}

/// What [`read`] gives made [`ready`].
///
/// # Errors
/// Those of both.
pub(crate) fn plan(proto: &ModelProto, shapes: &[&[usize]]) -> TractResult<Plan> {
    ready(read(proto, shapes)?)
}

fn model(graph: &GraphProto, shapes: &[&[usize]]) -> TractResult<InferenceModel> {
    let mut model = InferenceModel::default();
    let mut values: HashMap<&str, OutletId> = HashMap::new();
    let constants: HashMap<&str, &TensorProto> = graph
        .initializer
        .iter()
        .map(|constant| (constant.name.as_str(), constant))
        .collect();
    let mut shapes = shapes.iter();
    // Old files list constants among the inputs.
    for input in &graph.input {
        if !constants.contains_key(input.name.as_str()) {
            let shape = shapes
                .next()
                .with_context(|| format!("nothing is fed to the input `{}`", input.name))?;
            let source = model.add_source(&*input.name, f32::fact(*shape).into())?;
            values.insert(&input.name, source);
        }
    }
    for constant in &graph.initializer {
        let value = model.add_const(&*constant.name, tensor(constant)?)?;
        values.insert(&constant.name, value);
    }
    for node in &graph.node {
        let inputs: TractResult<TVec<OutletId>> = node
            .input
            .iter()
            .map(|name| {
                let value = values.get(name.as_str()).copied();
                value.with_context(|| format!("`{name}` is read before it is computed"))
            })
            .collect();
        let [output] = node.output.as_slice() else {
            bail!("`{}` has not one output", node.name);
        };
        let name = if node.name.is_empty() {
            output
        } else {
            &node.name
        };
        let op = operators::of(node)
            .with_context(|| format!("`{name}` ({}) cannot be built", node.op_type))?;
        let id = model.add_node(&**name, op, tvec!(InferenceFact::default()))?;
        for (index, input) in inputs?.into_iter().enumerate() {
            model.add_edge(input, InletId::new(id, index))?;
        }
        values.insert(output, OutletId::new(id, 0));
    }
    let outputs: TractResult<Vec<OutletId>> = graph
        .output
        .iter()
        .map(|output| {
            let value = values.get(output.name.as_str()).copied();
            value.with_context(|| format!("the output `{}` is not computed", output.name))
        })
        .collect();
    model.select_output_outlets(&outputs?)?;
    Ok(model)
}

/// A constant's numbers.
///
/// # Errors
/// When they are neither f32 nor i64, or not as many as its shape says.
pub(crate) fn tensor(proto: &TensorProto) -> TractResult<Tensor> {
    let shape: Result<TVec<usize>, _> = proto
        .dims
        .iter()
        .map(|side| usize::try_from(*side))
        .collect();
    let shape = shape?;
    if proto.data_type == DataType::Float as i32 {
        let numbers = numbers(&proto.raw_data, &proto.float_data, f32::from_le_bytes);
        Tensor::from_shape(&shape, &numbers)
    } else if proto.data_type == DataType::Int64 as i32 {
        let numbers = numbers(&proto.raw_data, &proto.int64_data, i64::from_le_bytes);
        Tensor::from_shape(&shape, &numbers)
    } else {
        bail!("the constant `{}` holds neither f32 nor i64", proto.name)
    }
}

/// The numbers of a constant, which has them as bytes or one by one.
fn numbers<T: Clone, const BYTES: usize>(
    raw: &[u8],
    listed: &[T],
    read: fn([u8; BYTES]) -> T,
) -> Vec<T> {
    match raw.is_empty() {
        true => listed.to_vec(),
        false => raw.as_chunks().0.iter().copied().map(read).collect(),
    }
}

#[cfg(test)]
mod tests;
