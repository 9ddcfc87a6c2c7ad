//! The forward graph of a network. What follows a convolution and is read by nobody else is folded
//! into its weights: a batch norm, a convex sum's coefficient, and the factor of a tight frame.
//! Other batch norms stay a multiplication and an addition; dropout does nothing in inference.

use super::graph::{Graph, GraphError, integer, integers};
use crate::network::{
    module::{BATCH_NORM_EPSILON, Network},
    spec::{Feed, Layer, NetworkSpec, Operation},
};

/// `scale * x + shift` for each channel, in f64: a fold must not add rounding of its own to the
/// parity check.
struct ScaleShift {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// Outputs of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphOutputs {
    /// All that the network has.
    All,
    /// The logits alone.
    Logits,
}

/// The ONNX graph of `network` in evaluation mode.
///
/// # Errors
/// Names a parameter that is missing or not finite.
pub(crate) fn forward_graph(network: &Network, wanted: GraphOutputs) -> Result<Graph, GraphError> {
    let spec = network.spec();
    let mut graph = Graph::default();
    let mut outputs: Vec<String> = Vec::with_capacity(spec.layers.len());
    for (index, layer) in spec.layers.iter().enumerate() {
        if spec.lids == Some(index) && wanted == GraphOutputs::Logits {
            // Nobody reads it.
            outputs.push(String::new());
            continue;
        }
        let feed = |position: usize| match layer.feeds[position] {
            Feed::Image => "image".to_owned(),
            Feed::Layer(earlier) => outputs[earlier].clone(),
        };
        let x = feed(0);
        let last = index + 1 == spec.layers.len();
        let name = if last { "logits" } else { layer.name.as_str() };
        let output = match layer.operation {
            Operation::Convolution { .. } => convolution(network, &mut graph, index, name, &x)?,
            Operation::BatchNorm { .. } if is_folded(spec, index, 0) => x,
            Operation::BatchNorm { channels } => {
                let norm = scale_shift(network, &layer.name)?;
                let shape = [1, channels, 1, 1];
                let scale = constant(&mut graph, name, "scale", &shape, &norm.scale)?;
                let shift = constant(&mut graph, name, "shift", &shape, &norm.shift)?;
                let scaled = graph.node(format!("{name}.scaled"), "Mul", &[&x, &scale], vec![]);
                graph.node(name, "Add", &[&scaled, &shift], vec![])
            }
            Operation::Relu => graph.node(name, "Relu", &[&x], vec![]),
            Operation::Sum => graph.node(name, "Add", &[&x, &feed(1)], vec![]),
            Operation::ConvexSum => {
                let mut terms = [x, feed(1)];
                for (position, term) in terms.iter_mut().enumerate() {
                    if !is_folded(spec, index, position) {
                        let share = [coefficient(network, layer, position)?];
                        let part = format!("coefficient{position}");
                        let share = constant(&mut graph, name, &part, &[1, 1, 1, 1], &share)?;
                        let scaled = format!("{name}.scaled{position}");
                        *term = graph.node(scaled, "Mul", &[term, &share], vec![]);
                    }
                }
                graph.node(name, "Add", &[&terms[0], &terms[1]], vec![])
            }
            Operation::Dropout { .. } => x,
            Operation::MaxPool { side } => {
                let square = ["kernel_shape", "strides"].map(|name| integers(name, &[side; 2]));
                graph.node(name, "MaxPool", &[&x], square.to_vec())
            }
            Operation::Flatten => graph.node(name, "Flatten", &[&x], vec![integer("axis", 1)]),
            Operation::GlobalAveragePool => {
                let map = graph.node(format!("{name}.map"), "GlobalAveragePool", &[&x], vec![]);
                graph.node(name, "Flatten", &[&map], vec![integer("axis", 1)])
            }
            Operation::Dense {
                inputs,
                outputs: features,
                ..
            } => {
                let weight = values(network, &layer.name, "weight")?;
                let weight = constant(
                    &mut graph,
                    &layer.name,
                    "weight",
                    &[features, inputs],
                    &weight,
                )?;
                let bias = values(network, &layer.name, "bias")?;
                let bias = constant(&mut graph, &layer.name, "bias", &[features], &bias)?;
                let transposed = vec![integer("transB", 1)];
                graph.node(name, "Gemm", &[&x, &weight, &bias], transposed)
            }
        };
        outputs.push(output);
    }
    Ok(graph)
}

/// Adds the convolution at `index` with all that is folded into it.
fn convolution(
    network: &Network,
    graph: &mut Graph,
    index: usize,
    name: &str,
    x: &str,
) -> Result<String, GraphError> {
    let layer = &network.spec().layers[index];
    let Operation::Convolution {
        inputs,
        outputs,
        kernel,
        stride,
        bias,
        ..
    } = layer.operation
    else {
        return Err(GraphError::NoConvolution(layer.name.clone()));
    };
    let gain = layer.operation.gain();
    let mut weight = values(network, &layer.name, "weight")?;
    let mut shift = if bias {
        Some(values(network, &layer.name, "bias")?)
    } else {
        None
    };
    let after = folded_after(network, index)?;
    let scale = |channel: usize| after.as_ref().map_or(1.0, |after| after.scale[channel]);
    let per_channel = (inputs * kernel * kernel) as usize;
    for (channel, kernel) in weight.chunks_exact_mut(per_channel).enumerate() {
        for value in kernel {
            *value *= gain * scale(channel);
        }
    }
    if let Some(shift) = &mut shift {
        for (channel, value) in shift.iter_mut().enumerate() {
            *value *= scale(channel);
        }
    }
    if let Some(after) = &after
        && after.shift.iter().any(|value| *value != 0.0)
    {
        let before = shift.unwrap_or_else(|| vec![0.0; after.shift.len()]);
        shift = Some(
            before
                .iter()
                .zip(&after.shift)
                .map(|(a, b)| a + b)
                .collect(),
        );
    }
    let shape = [outputs, inputs, kernel, kernel];
    let weight = constant(graph, &layer.name, "weight", &shape, &weight)?;
    let attributes = vec![
        integers("kernel_shape", &[kernel; 2]),
        integers("pads", &[kernel / 2; 4]),
        integers("strides", &[stride; 2]),
    ];
    Ok(match shift {
        None => graph.node(name, "Conv", &[x, &weight], attributes),
        Some(shift) => {
            let bias = constant(graph, &layer.name, "bias", &[outputs], &shift)?;
            graph.node(name, "Conv", &[x, &weight, &bias], attributes)
        }
    })
}

/// Scale and shift by the only reader of the convolution at `index`, where they can be folded.
fn folded_after(network: &Network, index: usize) -> Result<Option<ScaleShift>, GraphError> {
    let spec = network.spec();
    let Some(reader) = only_reader(spec, index) else {
        return Ok(None);
    };
    let layer = &spec.layers[reader];
    match layer.operation {
        Operation::BatchNorm { .. } => scale_shift(network, &layer.name).map(Some),
        Operation::ConvexSum => {
            let position = usize::from(source(spec, layer.feeds[0]) != Feed::Layer(index));
            let Operation::Convolution { outputs, .. } = spec.layers[index].operation else {
                return Ok(None);
            };
            let channels = outputs as usize;
            Ok(Some(ScaleShift {
                scale: vec![coefficient(network, layer, position)?; channels],
                shift: vec![0.0; channels],
            }))
        }
        _ => Ok(None),
    }
}

/// Whether the layer at `index` is folded into the convolution that feeds it at `position`.
fn is_folded(spec: &NetworkSpec, index: usize, position: usize) -> bool {
    match source(spec, spec.layers[index].feeds[position]) {
        Feed::Layer(before) => {
            matches!(spec.layers[before].operation, Operation::Convolution { .. })
                && only_reader(spec, before) == Some(index)
        }
        Feed::Image => false,
    }
}

/// Source of a feed's values, seen through dropout, which does nothing in inference.
fn source(spec: &NetworkSpec, feed: Feed) -> Feed {
    match feed {
        Feed::Layer(index) if matches!(spec.layers[index].operation, Operation::Dropout { .. }) => {
            source(spec, spec.layers[index].feeds[0])
        }
        feed => feed,
    }
}

/// The one layer that reads layer `index`, seen through dropout.
fn only_reader(spec: &NetworkSpec, index: usize) -> Option<usize> {
    if spec.readers(index) != 1 {
        return None;
    }
    let reader = spec
        .layers
        .iter()
        .position(|layer| layer.feeds.contains(&Feed::Layer(index)))?;
    match spec.layers[reader].operation {
        Operation::Dropout { .. } => only_reader(spec, reader),
        _ => Some(reader),
    }
}

/// Adds the constant `LAYER.PART`.
fn constant(
    graph: &mut Graph,
    layer: &str,
    part: &str,
    shape: &[i64],
    values: &[f64],
) -> Result<String, GraphError> {
    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    graph.constant(format!("{layer}.{part}"), shape, &values)
}

fn values(network: &Network, layer: &str, part: &str) -> Result<Vec<f64>, GraphError> {
    let name = format!("{layer}.{part}");
    let values = network
        .values(&name)
        .ok_or(GraphError::MissingParameter(name))?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// A convex sum's coefficient of its feed at `position`.
fn coefficient(network: &Network, sum: &Layer, position: usize) -> Result<f64, GraphError> {
    let both = values(network, &sum.name, "coefficients")?;
    let name = || format!("{}.coefficients[{position}]", sum.name);
    let coefficient = both.get(position).copied();
    coefficient.ok_or_else(|| GraphError::MissingParameter(name()))
}

/// Scale and shift of the batch norm of that name in inference.
fn scale_shift(network: &Network, layer: &str) -> Result<ScaleShift, GraphError> {
    let part = |part: &str| values(network, layer, part);
    let (weight, bias) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    let scales = weight
        .iter()
        .zip(&variance)
        .map(|(weight, variance)| weight / (variance + BATCH_NORM_EPSILON).sqrt());
    let scales: Vec<f64> = scales.collect();
    let shifts = bias
        .iter()
        .zip(&mean)
        .zip(&scales)
        .map(|((bias, mean), scale)| bias - mean * scale);
    Ok(ScaleShift {
        shift: shifts.collect(),
        scale: scales,
    })
}
