//! Finds convolutions in a graph of tract, and the operators around them that can be computed with them.

use super::{
    kernel::{Convolution, Layer, PlaneShape, Residual, Size2d},
    op::FusedConvolution,
    pool::{FusedPool, Normalisation},
};
use std::sync::Arc;
use tract_hir::tract_core::{
    internal::*,
    ops::{
        binary::{BinMiniOp, TypedBinOp},
        cnn::{Conv, KernelFormat},
        math::{Add, Max, Mul},
        nn::{DataFormat, Reduce, Reducer},
    },
};

/// Replaces each convolution that [`Convolution`] computes, and the operators around that go with it,
/// by one operator. Predictions stay the same, but for rounding.
///
/// # Errors
/// When tract refuses a replacement, which no graph should bring about.
pub(crate) fn fuse(mut model: TypedModel) -> TractResult<TypedModel> {
    model.prop_consts()?;
    let nodes = model.eval_order()?;
    for node in nodes {
        if let Some(fusion) = Fusion::at(&model, node)? {
            fusion.replace(&mut model)?;
        } else {
            fuse_pool(&mut model, node)?;
        }
    }
    Ok(model)
}

/// A convolution with the neighbours that are computed with it.
struct Fusion {
    name: String,
    convolution: Convolution,
    /// The value that the fused operator reads, with the channels before rows and columns.
    input: OutletId,
    residual: Option<OutletId>,
    /// The value that it computes.
    output: OutletId,
}

impl Fusion {
    /// `None` where the node is no convolution or one that stays with tract.
    fn at(model: &TypedModel, node: usize) -> TractResult<Option<Self>> {
        let node = model.node(node);
        let (Some(conv), [input, weights, bias]) = (node.op_as::<Conv>(), &node.inputs[..]) else {
            return Ok(None);
        };
        let facts = (model.outlet_fact(*input)?, &node.outputs[0].fact);
        let (Some(from), Some(to)) = (shape_of(facts.0), shape_of(facts.1)) else {
            return Ok(None);
        };
        let spec = &conv.pool_spec;
        let plain = conv.group == 1
            && conv.q_params.is_none()
            && conv.kernel_fmt == KernelFormat::OIHW
            && spec.data_format == DataFormat::NCHW
            && spec.dilations().iter().all(|dilation| *dilation == 1);
        let (Some(weights), Some(bias), true) = (
            constant(model, *weights)?,
            constant(model, *bias)?.and_then(|bias| broadcast(&bias, to.channels)),
            plain,
        ) else {
            return Ok(None);
        };
        let padding = spec.computed_padding(&[from.height, from.width]);
        let before: TVec<usize> = padding.iter().map(|side| side.pad_before).collect();
        let (Some(kernel), Some(stride), Some(padding)) = (
            Size2d::of(&spec.kernel_shape),
            Size2d::of(&spec.strides()),
            Size2d::of(&before),
        ) else {
            return Ok(None);
        };
        let normalised = normalised(model, *input, from.channels)?;
        let (input, normalised) = match normalised {
            Some((source, terms)) => (source, Some(terms)),
            None => (*input, None),
        };
        let (after, residual) = residual(model, node.id.into(), &to)?;
        let (output, rectified) = match rectified(model, after)? {
            Some(output) => (output, true),
            None => (after, false),
        };
        let layer = Layer {
            input: from,
            output: to,
            kernel,
            stride,
            padding,
            weights,
            bias,
            normalised,
            residual: residual.map(|(_, factor)| Residual {
                factor,
                channels: to.channels,
            }),
            rectified,
            border: 0,
        };
        Ok(Convolution::new(layer).map(|convolution| Self {
            name: node.name.clone(),
            convolution,
            input,
            residual: residual.map(|(outlet, _)| outlet),
            output,
        }))
    }

    fn replace(self, model: &mut TypedModel) -> TractResult<()> {
        let mut patch = TypedModelPatch::new("fused convolution");
        let name = self.name;
        let mut inputs = tvec!();
        for (what, outlet) in [("input", Some(self.input)), ("residual", self.residual)] {
            if let Some(outlet) = outlet {
                let tap = patch.tap_model(model, outlet)?;
                let moved = AxisOp::Move(1, 3);
                inputs.push(patch.wire_node(format!("{name}.{what}_last"), moved, &[tap])?[0]);
            }
        }
        let op = FusedConvolution(Arc::new(self.convolution));
        let fused = patch.wire_node(format!("{name}.fused"), op, &inputs)?;
        let first = patch.wire_node(format!("{name}.first"), AxisOp::Move(3, 1), &fused)?;
        patch.shunt_outside(model, self.output, first[0])?;
        patch.apply(model)
    }
}

/// Replaces a sum over all pixels of what is normalised and rectified.
fn fuse_pool(model: &mut TypedModel, node: usize) -> TractResult<()> {
    let node = model.node(node);
    let (Some(reduce), &[input]) = (node.op_as::<Reduce>(), &node.inputs[..]) else {
        return Ok(());
    };
    let shape = shape_of(model.outlet_fact(input)?);
    let (Some(shape), Reducer::Sum, [2, 3]) = (shape, &reduce.reducer, &reduce.axes[..]) else {
        return Ok(());
    };
    let Some((source, (scales, shifts))) = normalised(model, input, shape.channels)? else {
        return Ok(());
    };
    let (name, output) = (node.name.clone(), OutletId::from(node.id));
    let mut patch = TypedModelPatch::new("fused pool");
    let source = patch.tap_model(model, source)?;
    let last = patch.wire_node(format!("{name}.input_last"), AxisOp::Move(1, 3), &[source])?;
    let op = FusedPool(Arc::new(Normalisation { scales, shifts }));
    let sums = patch.wire_node(format!("{name}.fused"), op, &last)?;
    patch.shunt_outside(model, output, sums[0])?;
    patch.apply(model)
}

/// The shape of a value of f32 and shape [1, channels, rows, columns].
fn shape_of(fact: &TypedFact) -> Option<PlaneShape> {
    match fact.shape.as_concrete()? {
        &[1, channels, height, width] if fact.datum_type == f32::datum_type() => Some(PlaneShape {
            height,
            width,
            channels,
        }),
        _ => None,
    }
}

fn constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Vec<f32>>> {
    match &model.outlet_fact(outlet)?.konst {
        Some(value) if value.datum_type() == f32::datum_type() => {
            Ok(Some(value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()))
        }
        _ => Ok(None),
    }
}

/// Broadcasts one value, or as many as there are channels, to the channels.
fn broadcast(values: &[f32], channels: usize) -> Option<Vec<f32>> {
    match values {
        [value] => Some(vec![*value; channels]),
        values if values.len() == channels => Some(values.to_vec()),
        _ => None,
    }
}

/// The two operands of an operator, the constant one second; `None` where the operator is another or
/// neither is constant.
fn with_constant<O: BinMiniOp>(
    model: &TypedModel,
    outlet: OutletId,
) -> TractResult<Option<(OutletId, Vec<f32>)>> {
    let node = model.node(outlet.node);
    let (true, &[left, right]) = (is::<O>(node), &node.inputs[..]) else {
        return Ok(None);
    };
    for (computed, other) in [(left, right), (right, left)] {
        if let Some(values) = constant(model, other)?
            && along_channels(model.outlet_fact(other)?)
        {
            return Ok(Some((computed, values)));
        }
    }
    Ok(None)
}

fn is<O: BinMiniOp>(node: &TypedNode) -> bool {
    node.op_as::<TypedBinOp>()
        .is_some_and(|op| op.0.is::<O>() && op.1.is_none())
}

/// Whether all dimensions of a constant but the channels are 1.
fn along_channels(fact: &TypedFact) -> bool {
    let sides = fact.shape.as_concrete();
    sides.is_some_and(|sides| matches!(sides, [] | [1, _, 1, 1]))
}

/// The rectified linear unit that reads `outlet` alone.
fn rectified(model: &TypedModel, outlet: OutletId) -> TractResult<Option<OutletId>> {
    let Some(next) = only_reader(model, outlet) else {
        return Ok(None);
    };
    let rectifier = with_constant::<Max>(model, next)?;
    Ok(rectifier
        .filter(|(from, bound)| *from == outlet && is_zero(bound))
        .map(|_| next))
}

fn is_zero(values: &[f32]) -> bool {
    values.iter().all(|value| *value == 0.0)
}

/// Where `outlet` is normalised and rectified: the value that is normalised, and scales and shifts.
#[allow(clippy::type_complexity)]
fn normalised(
    model: &TypedModel,
    outlet: OutletId,
    channels: usize,
) -> TractResult<Option<(OutletId, (Vec<f32>, Vec<f32>))>> {
    let Some((shifted, bound)) = with_constant::<Max>(model, outlet)? else {
        return Ok(None);
    };
    let Some((scaled, shifts)) = with_constant::<Add>(model, shifted)? else {
        return Ok(None);
    };
    let Some((source, scales)) = with_constant::<Mul>(model, scaled)? else {
        return Ok(None);
    };
    let has_channels = shape_of(model.outlet_fact(source)?).is_some_and(|s| s.channels == channels);
    let terms = broadcast(&scales, channels).zip(broadcast(&shifts, channels));
    Ok(terms
        .filter(|_| is_zero(&bound) && has_channels)
        .map(|terms| (source, terms)))
}

/// The sum that alone reads `outlet`, with the other term and its factor; `outlet` itself where there is no
/// such sum.
#[allow(clippy::type_complexity)]
fn residual(
    model: &TypedModel,
    outlet: OutletId,
    shape: &PlaneShape,
) -> TractResult<(OutletId, Option<(OutletId, f32)>)> {
    let nothing = Ok((outlet, None));
    let Some(sum) = only_reader(model, outlet) else {
        return nothing;
    };
    let node = model.node(sum.node);
    let (true, &[left, right]) = (is::<Add>(node), &node.inputs[..]) else {
        return nothing;
    };
    let other = if left == outlet { right } else { left };
    if shape_of(model.outlet_fact(other)?).as_ref() != Some(shape) {
        return nothing;
    }
    Ok((
        sum,
        Some(match with_constant::<Mul>(model, other)? {
            Some((source, factor)) if factor.len() == 1 => (source, factor[0]),
            _ => (other, 1.0),
        }),
    ))
}

/// The output of the one node that reads `outlet`; `None` where more do, or it is the graph's own.
fn only_reader(model: &TypedModel, outlet: OutletId) -> Option<OutletId> {
    match model.outlet_successors(outlet) {
        [reader] if !model.outputs.contains(&outlet) => Some(reader.node.into()),
        _ => None,
    }
}
