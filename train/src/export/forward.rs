//! The forward graph of a network: batch norms are folded into the convolution before them where
//! nobody else reads it, and stay a multiplication and an addition elsewhere.

use super::graph::{Graph, integer, integers};
use crate::network::{
    module::{BATCH_NORM_EPSILON, Network},
    spec::{Feed, Operation},
};

/// A batch norm in use: `scale * x + shift` for each channel.
struct ScaleShift {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// The ONNX graph of `network` in evaluation mode.
///
/// # Errors
/// Names a parameter that is missing or not finite.
pub fn forward_graph(network: &Network) -> Result<Graph, String> {
    let layers = &network.spec().layers;
    let mut graph = Graph::default();
    let mut outputs: Vec<String> = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let feed = |position: usize| match layer.feeds[position] {
            Feed::Image => "image".to_owned(),
            Feed::Layer(earlier) => outputs[earlier].clone(),
        };
        let x = feed(0);
        let last = index + 1 == layers.len();
        let name = if last { "logits" } else { layer.name.as_str() };
        let output = match layer.operation {
            Operation::Convolution {
                inputs,
                outputs: channels,
                kernel,
                stride,
            } => {
                let mut weight = values(network, &layer.name, "weight")?;
                let weight_name = format!("{}.weight", layer.name);
                let shape = [channels, inputs, kernel, kernel];
                let attributes = vec![
                    integers("kernel_shape", &[kernel; 2]),
                    integers("pads", &[kernel / 2; 4]),
                    integers("strides", &[stride; 2]),
                ];
                match folded_norm(network, index)? {
                    None => {
                        let weight = graph.constant(weight_name, &shape, &weight)?;
                        graph.node(name, "Conv", &[&x, &weight], attributes)
                    }
                    Some(norm) => {
                        let per_channel = (inputs * kernel * kernel) as usize;
                        for (kernel, scale) in weight.chunks_exact_mut(per_channel).zip(&norm.scale)
                        {
                            kernel.iter_mut().for_each(|value| *value *= scale);
                        }
                        let weight = graph.constant(weight_name, &shape, &weight)?;
                        let bias = format!("{}.bias", layer.name);
                        let bias = graph.constant(bias, &[channels], &norm.shift)?;
                        graph.node(name, "Conv", &[&x, &weight, &bias], attributes)
                    }
                }
            }
            Operation::BatchNorm { .. } if norm_is_folded(network, index) => x,
            Operation::BatchNorm { channels } => {
                let norm = scale_shift(network, &layer.name)?;
                let shape = [1, channels, 1, 1];
                let scale = graph.constant(format!("{name}.scale"), &shape, &norm.scale)?;
                let shift = graph.constant(format!("{name}.shift"), &shape, &norm.shift)?;
                let scaled = graph.node(format!("{name}.scaled"), "Mul", &[&x, &scale], vec![]);
                graph.node(name, "Add", &[&scaled, &shift], vec![])
            }
            Operation::Relu => graph.node(name, "Relu", &[&x], vec![]),
            Operation::Sum => graph.node(name, "Add", &[&x, &feed(1)], vec![]),
            Operation::GlobalAveragePool => {
                let map = graph.node(format!("{name}.map"), "GlobalAveragePool", &[&x], vec![]);
                graph.node(name, "Flatten", &[&map], vec![integer("axis", 1)])
            }
            Operation::Dense {
                inputs,
                outputs: features,
            } => {
                let weight = values(network, &layer.name, "weight")?;
                let weight = graph.constant(
                    format!("{}.weight", layer.name),
                    &[features, inputs],
                    &weight,
                )?;
                let bias = values(network, &layer.name, "bias")?;
                let bias = graph.constant(format!("{}.bias", layer.name), &[features], &bias)?;
                graph.node(
                    name,
                    "Gemm",
                    &[&x, &weight, &bias],
                    vec![integer("transB", 1)],
                )
            }
        };
        outputs.push(output);
    }
    Ok(graph)
}

fn values(network: &Network, layer: &str, part: &str) -> Result<Vec<f32>, String> {
    let name = format!("{layer}.{part}");
    network
        .values(&name)
        .ok_or_else(|| format!("parameter '{name}' is missing"))
}

/// Whether the batch norm at `index` goes into the convolution that it alone reads.
fn norm_is_folded(network: &Network, index: usize) -> bool {
    let spec = network.spec();
    match spec.layers[index].feeds[0] {
        Feed::Layer(before) => {
            matches!(spec.layers[before].operation, Operation::Convolution { .. })
                && spec.readers(before) == 1
        }
        Feed::Image => false,
    }
}

/// The batch norm that goes into the convolution at `index`, if any.
fn folded_norm(network: &Network, index: usize) -> Result<Option<ScaleShift>, String> {
    let layers = &network.spec().layers;
    let reader = layers.iter().enumerate().find(|(position, layer)| {
        matches!(layer.operation, Operation::BatchNorm { .. })
            && layer.feeds[0] == Feed::Layer(index)
            && norm_is_folded(network, *position)
    });
    reader
        .map(|(_, layer)| scale_shift(network, &layer.name))
        .transpose()
}

fn scale_shift(network: &Network, layer: &str) -> Result<ScaleShift, String> {
    let part = |part: &str| values(network, layer, part);
    let (weight, bias) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    // In f64: the fold must not add rounding of its own to the parity check.
    let scales = weight.iter().zip(&variance).map(|(weight, variance)| {
        f64::from(*weight) / (f64::from(*variance) + BATCH_NORM_EPSILON).sqrt()
    });
    let scales: Vec<f64> = scales.collect();
    let shifts = bias
        .iter()
        .zip(&mean)
        .zip(&scales)
        .map(|((bias, mean), scale)| (f64::from(*bias) - f64::from(*mean) * scale) as f32);
    Ok(ScaleShift {
        shift: shifts.collect(),
        scale: scales.iter().map(|scale| *scale as f32).collect(),
    })
}
