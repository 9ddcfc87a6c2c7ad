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
    convolution::{Aligned, Both, Convolution, Depthwise, LANES, Layer, MaxPool, Residual, Shape},
    onnx::{
        self,
        messages::{GraphProto, NodeProto},
    },
};
use std::{collections::HashMap, iter};
use tract_hir::internal::*;

/// Colours of the input.
const COLOURS: usize = 3;

/// The network with the memory for one run.
#[derive(Debug)]
pub(super) struct Network {
    first: Stage,
    blocks: Vec<Block>,
    /// In the order of [`GRIDS`].
    heads: [Head; GRIDS.len()],
}

/// A convolution and what it gives: a picture whose channels are filled up to whole vectors.
#[derive(Debug)]
struct Stage {
    convolution: Convolution,
    picture: Aligned,
    /// Channels that are not for filling up.
    channels: usize,
}

#[derive(Debug)]
struct Block {
    depthwise: Depthwise,
    filtered: Aligned,
    /// In blocks that halve the picture.
    pool: Option<(MaxPool, Aligned)>,
    stage: Stage,
}

/// Logits and values of one grid in one convolution: for each cell the values, then the logits, of its
/// candidates.
#[derive(Debug)]
struct Head {
    /// The block whose picture it reads, counted from 0.
    block: usize,
    per_cell: usize,
    stage: Stage,
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
        let first = convolutions.next().context("no convolution")?;
        let input = Shape {
            height: SIDE,
            width: SIDE,
            channels: COLOURS,
        };
        let first = first.stage(input, COLOURS, None, Depthwise::BORDER, true)?;
        let mut blocks = Vec::<Block>::new();
        let mut rest = Vec::new();
        while let Some(weights) = convolutions.next() {
            if weights.grouped {
                let pointwise = convolutions.next().context("a block without its end")?;
                let before = blocks.last().map_or(&first, |block| &block.stage);
                blocks.push(Block::new(before, &weights, &pointwise)?);
            } else {
                rest.push(weights);
            }
        }
        let head = |grid: Grid| {
            let mut there = blocks.iter().enumerate().rev();
            let (block, source) = there
                .find(|(_, block)| block.stage.shape().width == grid.cells)
                .with_context(|| format!("no picture of {} cells a side", grid.cells))?;
            Head::new(block, &source.stage, grid.per_cell, &rest)
        };
        let [fine, coarse] = GRIDS.map(head);
        Ok(Self {
            heads: [fine?, coarse?],
            first,
            blocks,
        })
    }

    /// One run on RGB triples from -1 to 1, row by row: the answers for each of [`GRIDS`].
    pub fn run(&mut self, input: &[f32]) -> [Answers; GRIDS.len()] {
        let first = &mut self.first;
        first.convolution.run(input, None, &mut first.picture);
        let mut before: &[f32] = &self.first.picture;
        for block in &mut self.blocks {
            block.run(before);
            before = &block.stage.picture;
        }
        let blocks = &self.blocks;
        self.heads
            .each_mut()
            .map(|head| head.run(&blocks[head.block].stage.picture))
    }
}

impl Stage {
    fn shape(&self) -> Shape {
        self.convolution.layer().output
    }
}

impl Block {
    fn new(before: &Stage, filter: &Weights, pointwise: &Weights) -> TractResult<Self> {
        let input = before.shape();
        let depthwise = filter.depthwise(input, before.channels)?;
        let output = depthwise.output();
        let pool = (output.width < input.width)
            .then(|| MaxPool::new(input, Depthwise::BORDER).context("a picture of odd sides"))
            .transpose()?;
        let residual = Residual {
            factor: 1.0,
            channels: input.channels,
        };
        let stage = pointwise.stage(
            output,
            before.channels,
            Some(residual),
            Depthwise::BORDER,
            true,
        )?;
        Ok(Self {
            filtered: Aligned::zeros(output.volume()),
            pool: pool.map(|pool| {
                let picture = Aligned::zeros(pool.output_volume());
                (pool, picture)
            }),
            depthwise,
            stage,
        })
    }

    fn run(&mut self, before: &[f32]) {
        self.depthwise.run(before, &mut self.filtered);
        let residual = match &mut self.pool {
            Some((pool, picture)) => {
                pool.run(before, picture);
                &*picture
            }
            None => before,
        };
        let Stage {
            convolution,
            picture,
            ..
        } = &mut self.stage;
        convolution.run(&self.filtered, Some(residual), picture);
    }
}

impl Head {
    /// `convolutions` are those of both grids.
    fn new(
        block: usize,
        source: &Stage,
        per_cell: usize,
        convolutions: &[Weights],
    ) -> TractResult<Self> {
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
        // The source has a border, which is the padding of nothing here: the window is one pixel.
        let shape = source.shape();
        let bordered = Shape {
            height: shape.height + 2 * Depthwise::BORDER,
            width: shape.width + 2 * Depthwise::BORDER,
            ..shape
        };
        Ok(Self {
            block,
            per_cell,
            stage: both.stage(bordered, source.channels, None, 0, false)?,
        })
    }

    fn run(&mut self, source: &[f32]) -> Answers {
        let Stage {
            convolution,
            picture,
            ..
        } = &mut self.stage;
        convolution.run(source, None, picture);
        let shape = convolution.layer().output;
        let (inner, border) = (shape.width - 2 * Depthwise::BORDER, Depthwise::BORDER);
        let mut answers = Answers::default();
        for row in picture
            .chunks_exact(shape.width * shape.channels)
            .skip(border)
            .take(inner)
        {
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
        let both = |sizes: &[usize]| match sizes {
            &[down, across, ..] => Ok(Both { down, across }),
            _ => bail!("a size of one side"),
        };
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

    /// A convolution of all channels, of pictures of `input`'s shape, of whose channels the first
    /// `inputs` are not for filling up.
    fn stage(
        &self,
        input: Shape,
        inputs: usize,
        residual: Option<Residual>,
        border: usize,
        rectified: bool,
    ) -> TractResult<Stage> {
        ensure!(
            self.inputs == inputs && !self.grouped,
            "{} channels instead of {inputs}",
            self.inputs
        );
        let outputs = self.outputs.next_multiple_of(LANES);
        let places = self.kernel.down * self.kernel.across;
        let mut weights: Vec<f32> = Vec::with_capacity(outputs * input.channels * places);
        for output in self.numbers.chunks_exact(self.inputs * places) {
            weights.extend(output);
            weights.extend(iter::repeat_n(0.0, (input.channels - inputs) * places));
        }
        weights.resize(outputs * input.channels * places, 0.0);
        let mut bias = self.bias.clone();
        bias.resize(outputs, 0.0);
        let layer = Layer {
            input,
            output: Shape {
                height: input.height / self.stride.down,
                width: input.width / self.stride.across,
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
        let convolution = Convolution::new(layer).context("a convolution of another kind")?;
        Ok(Stage {
            picture: Aligned::zeros(convolution.output_volume()),
            convolution,
            channels: self.outputs,
        })
    }

    /// A convolution of each channel of pictures of `input`'s shape.
    fn depthwise(&self, input: Shape, inputs: usize) -> TractResult<Depthwise> {
        let Both { down, across } = self.stride;
        ensure!(
            self.grouped && self.outputs == inputs && down == across,
            "{} channels instead of {inputs}",
            self.outputs
        );
        let mut weights = self.numbers.clone();
        weights.resize(weights.len() / inputs * input.channels, 0.0);
        Depthwise::new(input, down, self.padding.down, &weights)
            .context("a convolution of single channels of another kind")
    }
}
