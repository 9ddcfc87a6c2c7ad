//! The layers of BlazeFace short range: a convolution, sixteen blocks, and two pairs of outputs.
//!
//! The weights are those of the ONNX file, whose graph is read in the order of its convolutions; it is
//! one file that is known beforehand, so the blocks between them are not read but known: a 3 x 3
//! convolution of each channel, a 1 x 1 convolution of all, the block's input added, and a rectifier.
//! Where a block halves rows and columns, what is added is the largest of each four pixels; where it has
//! more channels than its input, the input counts as zero in those.
//!
//! Source: Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond neural face detection on mobile GPUs".

use super::{
    SIDE,
    candidates::{GRIDS, Grid, VALUES},
};
use crate::{
    convolution::{
        Aligned, Both, Convolution, Depthwise, LANES, Layer, Residual, Separable, Shape,
    },
    onnx,
    onnx::messages::{GraphProto, NodeProto},
};
use std::{collections::HashMap, iter};
use tract_hir::internal::*;

/// Colours of the input.
const COLOURS: usize = 3;

/// The network with the memory for one run.
#[derive(Debug)]
pub(super) struct Network {
    first: Convolution,
    /// What the layers give, with a border for the next one; the first convolution's first.
    pictures: Vec<Aligned>,
    blocks: Vec<Block>,
    /// In the order of [`GRIDS`].
    heads: [Head; GRIDS.len()],
}

/// A block and which of the network's pictures it reads and writes: a later one, or the same, where the
/// shape stays and nothing else reads it.
#[derive(Debug)]
struct Block {
    separable: Separable,
    from: usize,
    to: usize,
}

/// A picture while the layers are put together. Channels are filled up to whole vectors.
#[derive(Clone, Copy)]
struct Known {
    index: usize,
    shape: Shape,
    /// Channels that are not for filling up.
    channels: usize,
}

/// Logits and values of one grid in one convolution: for each cell the values, then the logits, of its
/// candidates.
#[derive(Debug)]
struct Head {
    convolution: Convolution,
    from: usize,
    picture: Aligned,
    per_cell: usize,
}

/// What the network gives for the candidates of one grid.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// One for each candidate.
    pub logits: Vec<f32>,
    /// [`VALUES`] for each candidate.
    pub values: Vec<f32>,
}

impl Network {
    /// Builds the layers from the file's graph.
    ///
    /// # Errors
    /// When the graph is not BlazeFace's.
    pub fn new(graph: &GraphProto) -> TractResult<Self> {
        let mut convolutions = Weights::in_order(graph)?.into_iter();
        let input = Known {
            index: 0,
            shape: Shape {
                height: SIDE,
                width: SIDE,
                channels: COLOURS,
            },
            channels: COLOURS,
        };
        let weights = convolutions.next().context("no convolution")?;
        let first = weights.convolution(input, None, Depthwise::BORDER, true)?;
        let mut pictures = vec![Aligned::zeros(first.output_volume())];
        let mut known = vec![Known {
            index: 0,
            shape: first.layer().output,
            channels: weights.outputs,
        }];
        let mut blocks = Vec::new();
        let mut rest = Vec::new();
        while let Some(weights) = convolutions.next() {
            if !weights.grouped {
                rest.push(weights);
                continue;
            }
            let pointwise = convolutions.next().context("a block without its end")?;
            let before = *known.last().context("no picture")?;
            let separable = separable(before, &weights, &pointwise)?;
            if !separable.keeps_shape() {
                pictures.push(Aligned::zeros(separable.output_volume()));
            }
            let after = Known {
                index: pictures.len() - 1,
                shape: separable.output(),
                channels: pointwise.outputs,
            };
            blocks.push(Block {
                separable,
                from: before.index,
                to: after.index,
            });
            known.push(after);
        }
        let head = |grid: Grid| {
            let mut there = known.iter().rev();
            let source = there
                .find(|known| known.shape.width == grid.cells)
                .with_context(|| format!("no picture of {} cells a side", grid.cells))?;
            Head::new(*source, grid.per_cell, &rest)
        };
        let [fine, coarse] = GRIDS.map(head);
        Ok(Self {
            heads: [fine?, coarse?],
            first,
            pictures,
            blocks,
        })
    }

    /// One run on RGB triples from -1 to 1, row by row: the answers for each of [`GRIDS`].
    pub fn run(&mut self, input: &[f32]) -> [Answers; GRIDS.len()] {
        let pictures = &mut self.pictures;
        self.first.run(input, None, &mut pictures[0]);
        for Block {
            separable,
            from,
            to,
        } in &self.blocks
        {
            match pictures.split_at_mut(*to) {
                (_, [picture, ..]) if from == to => separable.run_in_place(picture),
                (before, [picture, ..]) => separable.run(&before[*from], picture),
                // There is a picture for each block.
                (_, []) => {}
            }
        }
        let pictures = &self.pictures;
        self.heads
            .each_mut()
            .map(|head| head.run(&pictures[head.from]))
    }
}

fn separable(before: Known, filter: &Weights, pointwise: &Weights) -> TractResult<Separable> {
    let filter = filter.depthwise(before)?;
    let residual = Residual {
        factor: 1.0,
        channels: before.shape.channels,
    };
    let between = Known {
        shape: filter.output(),
        ..before
    };
    let mix = pointwise.convolution(between, Some(residual), Depthwise::BORDER, true)?;
    Separable::new(filter, mix).context("a block of another kind")
}

impl Head {
    /// `convolutions` are those of both grids.
    fn new(source: Known, per_cell: usize, convolutions: &[Weights]) -> TractResult<Self> {
        let of = |outputs: usize| {
            let mut these = convolutions.iter();
            these
                .find(|weights| weights.inputs == source.channels && weights.outputs == outputs)
                .with_context(|| format!("no convolution to {outputs} outputs"))
        };
        let (values, logits) = (of(per_cell * VALUES)?, of(per_cell)?);
        let joined = |one: &[f32], other: &[f32]| [one, other].concat();
        let both = Weights {
            outputs: values.outputs + logits.outputs,
            numbers: joined(&values.numbers, &logits.numbers),
            bias: joined(&values.bias, &logits.bias),
            ..values.clone()
        };
        // The border is gone over as well: it is cheaper than another copy of the picture.
        let bordered = Known {
            shape: Shape {
                height: source.shape.height + 2 * Depthwise::BORDER,
                width: source.shape.width + 2 * Depthwise::BORDER,
                ..source.shape
            },
            ..source
        };
        let convolution = both.convolution(bordered, None, 0, false)?;
        Ok(Self {
            picture: Aligned::zeros(convolution.output_volume()),
            convolution,
            from: source.index,
            per_cell,
        })
    }

    fn run(&mut self, source: &[f32]) -> Answers {
        self.convolution.run(source, None, &mut self.picture);
        let shape = self.convolution.layer().output;
        let (inner, border) = (shape.width - 2 * Depthwise::BORDER, Depthwise::BORDER);
        let mut answers = Answers::default();
        let rows = self.picture.chunks_exact(shape.width * shape.channels);
        for row in rows.skip(border).take(inner) {
            for cell in row.chunks_exact(shape.channels).skip(border).take(inner) {
                let (values, rest) = cell.split_at(self.per_cell * VALUES);
                answers.values.extend(values);
                answers.logits.extend(&rest[..self.per_cell]);
            }
        }
        answers
    }
}

/// A convolution as the file has it.
#[derive(Clone, Debug)]
struct Weights {
    outputs: usize,
    /// Of each group.
    inputs: usize,
    kernel: Both,
    stride: Both,
    /// Above and left.
    padding: Both,
    /// One group for each channel.
    grouped: bool,
    /// By output, input, row and column.
    numbers: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    /// All convolutions of a graph.
    fn in_order(graph: &GraphProto) -> TractResult<Vec<Self>> {
        let constants: TractResult<HashMap<&str, Tensor>> = graph
            .initializer
            .iter()
            .map(|constant| Ok((constant.name.as_str(), onnx::tensor(constant)?)))
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
        let both = |sizes: &[usize]| Both::of(sizes).context("sizes that are not two");
        let weights = constant(1).context("no weights")?;
        let &[outputs, inputs, down, across] = weights.shape() else {
            bail!("weights of {} sides", weights.rank());
        };
        let bias = match constant(2) {
            Some(bias) => bias.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
            None => vec![0.0; outputs],
        };
        Ok(Self {
            outputs,
            inputs,
            kernel: Both { down, across },
            stride: both(&onnx::sizes(node, "strides")?.unwrap_or_else(|| tvec!(1, 1)))?,
            padding: both(&onnx::pads(node)?[0])?,
            grouped: onnx::number(node, "group").is_some_and(|groups| groups > 1),
            numbers: weights.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
            bias,
        })
    }

    /// A convolution of all channels of such pictures.
    fn convolution(
        &self,
        input: Known,
        residual: Option<Residual>,
        border: usize,
        rectified: bool,
    ) -> TractResult<Convolution> {
        let (inputs, shape) = (input.channels, input.shape);
        ensure!(
            self.inputs == inputs && !self.grouped,
            "{} channels instead of {inputs}",
            self.inputs
        );
        let outputs = self.outputs.next_multiple_of(LANES);
        let places = self.kernel.down * self.kernel.across;
        let mut weights: Vec<f32> = Vec::with_capacity(outputs * shape.channels * places);
        for output in self.numbers.chunks_exact(inputs * places) {
            weights.extend(output);
            weights.extend(iter::repeat_n(0.0, (shape.channels - inputs) * places));
        }
        weights.resize(outputs * shape.channels * places, 0.0);
        let mut bias = self.bias.clone();
        bias.resize(outputs, 0.0);
        let layer = Layer {
            input: shape,
            output: Shape {
                height: shape.height / self.stride.down,
                width: shape.width / self.stride.across,
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
        Convolution::new(layer).context("a convolution of another kind")
    }

    /// A convolution of each channel of such pictures.
    fn depthwise(&self, input: Known) -> TractResult<Depthwise> {
        let inputs = input.channels;
        let Both { down, across } = self.stride;
        ensure!(
            self.grouped && self.outputs == inputs && down == across,
            "{} channels instead of {inputs}",
            self.outputs
        );
        let mut weights = self.numbers.clone();
        weights.resize(weights.len() / inputs * input.shape.channels, 0.0);
        Depthwise::new(input.shape, down, self.padding.down, &weights)
            .context("a convolution of single channels of another kind")
    }
}
