//! Networks in ONNX files, made ready to run by tract.
//!
//! tract's reader of ONNX is given a register of [`Operator`]'s operators alone, each built by [`builders`].
//! Its full register (`tract_onnx::onnx()`) links every operator of the format for every type of number,
//! recurrent networks, Fourier transforms and sorting among them: a third of this program's size. Whether a
//! file can be relied on is checked before ([`super::onnx_file`], [`super::graph`]).
//!
//! [`Operator`]: super::operators::Operator

mod builders;

use super::operators;
use std::{collections::HashSet, sync::Arc};
use tract_hir::internal::*;
use tract_onnx::{
    Onnx,
    pb::{
        ModelProto, TensorShapeProto, TypeProto,
        tensor_proto::DataType,
        tensor_shape_proto::{Dimension, dimension},
        type_proto,
    },
    tract_core::internal::Framework,
};

/// A network that is ready to run, shared by the threads that run it.
pub(crate) type Plan = Arc<TypedRunnableModel>;

/// Reads a network and infers the shapes of all that it computes, for f32 inputs of these shapes in the
/// graph's order. What the file declares of shapes is not used.
///
/// # Errors
/// When the graph has operators that [`operators::read`] refuses, or does not fit together.
pub(crate) fn read(mut proto: ModelProto, inputs: &[&[usize]]) -> TractResult<TypedModel> {
    fix_declarations(&mut proto, inputs)?;
    let onnx = Onnx {
        op_register: builders::register(),
        ignore_value_info: true,
        ..Onnx::default()
    };
    let mut model = onnx.model_for_proto_model(&proto)?;
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

/// The innermost cause of a tract error, on one line.
pub(crate) fn root_cause(error: &TractError) -> String {
    error.root_cause().to_string().replace('\n', " ")
}

/// Puts the given shapes in place of those that the file declares, drops the metadata, and refuses what
/// tract's reader would panic at: constants of other types, and outputs that no node computes.
fn fix_declarations(proto: &mut ModelProto, inputs: &[&[usize]]) -> TractResult<()> {
    proto.metadata_props.clear();
    let graph = proto.graph.as_mut().context("the file holds no graph")?;
    let mut values = HashSet::new();
    for constant in &graph.initializer {
        let kind = constant.data_type;
        ensure!(
            kind == DataType::Float as i32 || kind == DataType::Int64 as i32,
            "constant `{}` is of ONNX type {kind}, neither f32 nor int64",
            constant.name
        );
        values.insert(constant.name.as_str());
    }
    let mut inputs = inputs.iter();
    for input in &mut graph.input {
        // Old files list constants among the inputs.
        if !values.contains(input.name.as_str()) {
            let shape = inputs
                .next()
                .with_context(|| format!("nothing is fed to the input `{}`", input.name))?;
            input.r#type = Some(f32_of_shape(shape));
        }
    }
    values.extend(graph.input.iter().map(|input| input.name.as_str()));
    for node in &graph.node {
        operators::read(node)?;
        values.extend(node.output.iter().map(String::as_str));
    }
    for output in &graph.output {
        ensure!(
            values.contains(output.name.as_str()),
            "the output `{}` is not computed",
            output.name
        );
    }
    Ok(())
}

fn f32_of_shape(shape: &[usize]) -> TypeProto {
    let dimension = |size: &usize| Dimension {
        value: i64::try_from(*size).ok().map(dimension::Value::DimValue),
        ..Dimension::default()
    };
    TypeProto {
        value: Some(type_proto::Value::TensorType(type_proto::Tensor {
            elem_type: DataType::Float as i32,
            shape: Some(TensorShapeProto {
                dim: shape.iter().map(dimension).collect(),
            }),
        })),
        ..TypeProto::default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
