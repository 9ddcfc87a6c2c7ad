//! The convolutions of BlazeFace's file, brought into the layouts of [`crate::convolution`].

use crate::convolution::{Convolution, Depthwise, LANES, Layer, PlaneShape, Residual, Size2d};
use std::{collections::HashMap, iter};
use tract_hir::internal::*;
use tract_onnx::{
    Onnx,
    pb::{GraphProto, NodeProto},
    tensor::load_tensor,
};

/// A feature map while the layers are put together. Channels are filled up with zeros to whole vectors.
#[derive(Clone, Copy)]
pub(super) struct FeatureMap {
    /// Index of the buffer that holds it.
    pub buffer: usize,
    /// Its shape with the channels that fill up.
    pub shape: PlaneShape,
    /// Channels of the network.
    pub channels: usize,
}

/// A convolution as the file has it.
#[derive(Clone, Debug)]
pub(super) struct ConvWeights {
    /// Output channels.
    pub outputs: usize,
    /// Input channels of each group.
    pub inputs: usize,
    /// One group for each channel.
    pub depthwise: bool,
    kernel: Size2d,
    stride: Size2d,
    /// Above and left.
    padding: Size2d,
    /// By output, input, row and column.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl ConvWeights {
    /// Reads all convolutions of a graph, in its order.
    ///
    /// # Errors
    /// When one has no constant weights, or is none of two dimensions.
    pub fn in_order(graph: &GraphProto) -> TractResult<Vec<Self>> {
        let onnx = Onnx::default();
        let constants: TractResult<HashMap<&str, Tensor>> = graph
            .initializer
            .iter()
            .map(|constant| {
                let tensor = load_tensor(&*onnx.provider, constant, None)?;
                Ok((constant.name.as_str(), tensor))
            })
            .collect();
        let constants = constants?;
        let convolutions = graph.node.iter().filter(|node| node.op_type == "Conv");
        convolutions
            .map(|node| {
                Self::of(node, &constants)
                    .with_context(|| format!("the convolution `{}`", node.name))
            })
            .collect()
    }

    fn of(node: &NodeProto, constants: &HashMap<&str, Tensor>) -> TractResult<Self> {
        let constant = |at: usize| {
            let name = node.input.get(at).map(String::as_str);
            name.and_then(|name| constants.get(name))
        };
        let size = |attribute: &str, default: usize| {
            let values = node.get_attr_opt_tvec::<usize>(attribute)?;
            let values = values.unwrap_or_else(|| tvec!(default; 2));
            let first = values.get(..2).and_then(Size2d::of);
            first.with_context(|| format!("attribute `{attribute}` of fewer than two dimensions"))
        };
        let weights = constant(1).context("no weights")?;
        let &[outputs, inputs, height, width] = weights.shape() else {
            bail!("weights of {} dimensions", weights.rank());
        };
        let bias = match constant(2) {
            Some(bias) => bias.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
            None => vec![0.0; outputs],
        };
        Ok(Self {
            outputs,
            inputs,
            kernel: Size2d { height, width },
            stride: size("strides", 1)?,
            // Those above and left come first, then those below and right.
            padding: size("pads", 0)?,
            depthwise: node
                .get_attr_opt::<usize>("group")?
                .is_some_and(|groups| groups > 1),
            weights: weights.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
            bias,
        })
    }

    /// One convolution that gives the outputs of two of the same inputs, those of `self` first.
    pub fn join(&self, other: &Self) -> Self {
        Self {
            outputs: self.outputs + other.outputs,
            weights: [&*self.weights, &*other.weights].concat(),
            bias: [&*self.bias, &*other.bias].concat(),
            ..self.clone()
        }
    }

    /// A convolution of all channels of a feature map.
    ///
    /// # Errors
    /// When the channels do not fit, or [`Convolution`] does not support it.
    pub fn convolution(
        &self,
        input: FeatureMap,
        residual: Option<Residual>,
        border: usize,
        rectified: bool,
    ) -> TractResult<Convolution> {
        let (inputs, shape) = (input.channels, input.shape);
        ensure!(
            self.inputs == inputs && !self.depthwise,
            "{} channels instead of {inputs}",
            self.inputs
        );
        let outputs = self.outputs.next_multiple_of(LANES);
        let taps = self.kernel.height * self.kernel.width;
        let mut weights: Vec<f32> = Vec::with_capacity(outputs * shape.channels * taps);
        for output in self.weights.chunks_exact(inputs * taps) {
            weights.extend(output);
            weights.extend(iter::repeat_n(0.0, (shape.channels - inputs) * taps));
        }
        weights.resize(outputs * shape.channels * taps, 0.0);
        let mut bias = self.bias.clone();
        bias.resize(outputs, 0.0);
        let layer = Layer {
            input: shape,
            output: PlaneShape {
                height: shape.height / self.stride.height,
                width: shape.width / self.stride.width,
                channels: outputs,
            },
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            weights,
            bias,
            normalised: None,
            residual,
            rectified,
            border,
        };
        Convolution::new(layer).context("an unsupported convolution")
    }

    /// A convolution of each channel of a feature map.
    ///
    /// # Errors
    /// When the channels do not fit, or [`Depthwise`] does not support it.
    pub fn depthwise(&self, input: FeatureMap) -> TractResult<Depthwise> {
        let inputs = input.channels;
        let Size2d { height, width } = self.stride;
        ensure!(
            self.depthwise && self.outputs == inputs && height == width,
            "{} channels instead of {inputs}",
            self.outputs
        );
        let mut weights = self.weights.clone();
        weights.resize(weights.len() / inputs * input.shape.channels, 0.0);
        Depthwise::new(input.shape, height, self.padding.height, &weights)
            .context("an unsupported depthwise convolution")
    }
}
