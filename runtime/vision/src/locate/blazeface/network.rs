//! The layers of BlazeFace short range: a convolution, sixteen separable blocks, and two output heads.
//!
//! The weights are those of the ONNX file ([`super::weights`]), read in the order of its convolutions. The
//! file is known by its hash, so what lies between its convolutions is not read but built in:
//!
//! ```text
//! image 128x128x3 -> conv 5x5 /2, ReLU -> 16 blocks -> fine grid 16x16, coarse grid 8x8
//!
//! block:  x --> depthwise conv 3x3 (/1 or /2) --> conv 1x1 --> + --> ReLU
//!         |                                                    |
//!         +--> 2x2 max pooling where the block halves ---------+
//! ```
//!
//! Where a block has more channels than its input, the input counts as zero in those. Each head is two 1x1
//! convolutions of the last feature map of its grid's size, for logits and coordinates; they are computed
//! as one.
//!
//! Source: Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond neural face detection on mobile GPUs".

use super::{
    SIDE,
    candidates::{COORDS, GRIDS, Grid},
    weights::{ConvWeights, FeatureMap},
};
use crate::convolution::{Aligned, Convolution, Depthwise, PlaneShape, Residual, Separable};
use tract_hir::internal::*;
use tract_onnx::pb::GraphProto;

/// Channels of the input: red, green, blue.
const COLOURS: usize = 3;

/// The network with the memory for one run.
#[derive(Debug)]
pub(super) struct Network {
    stem: Convolution,
    /// Feature maps with a border for the next layer's window; the stem's output first.
    buffers: Vec<Aligned>,
    blocks: Vec<SeparableBlock>,
    /// In the order of [`GRIDS`].
    heads: [Head; GRIDS.len()],
}

/// A separable block, and the indices of the buffers that it reads and writes: the same one where the shape
/// stays and nothing else reads it.
#[derive(Debug)]
struct SeparableBlock {
    separable: Separable,
    input: usize,
    output: usize,
}

/// The output head of one grid as one convolution: for each cell the coordinates, then the logits, of its
/// candidates.
#[derive(Debug)]
struct Head {
    convolution: Convolution,
    /// Index of the buffer that it reads.
    input: usize,
    output: Aligned,
    per_cell: usize,
}

/// What the network predicts for the candidates of one grid.
#[derive(Clone, Debug, Default)]
pub(super) struct Predictions {
    /// One for each candidate.
    pub logits: Vec<f32>,
    /// [`COORDS`] for each candidate.
    pub coordinates: Vec<f32>,
}

impl Network {
    /// Builds the layers from the file's graph.
    ///
    /// # Errors
    /// When the graph is not BlazeFace's.
    pub fn new(graph: &GraphProto) -> TractResult<Self> {
        let mut convolutions = ConvWeights::in_order(graph)?.into_iter();
        let image = FeatureMap {
            buffer: 0,
            shape: PlaneShape {
                height: SIDE,
                width: SIDE,
                channels: COLOURS,
            },
            channels: COLOURS,
        };
        let weights = convolutions.next().context("no convolution")?;
        let stem = weights.convolution(image, None, Depthwise::BORDER, true)?;
        let mut buffers = vec![Aligned::zeros(stem.output_volume())];
        let mut maps = vec![FeatureMap {
            buffer: 0,
            shape: stem.layer().output,
            channels: weights.outputs,
        }];
        let mut blocks = Vec::new();
        let mut head_weights = Vec::new();
        while let Some(weights) = convolutions.next() {
            if !weights.depthwise {
                head_weights.push(weights);
                continue;
            }
            let pointwise = convolutions
                .next()
                .context("a depthwise convolution without its pointwise one")?;
            let input = *maps.last().context("no feature map")?;
            let separable = separable(input, &weights, &pointwise)?;
            if !separable.keeps_shape() {
                buffers.push(Aligned::zeros(separable.output_volume()));
            }
            let output = FeatureMap {
                buffer: buffers.len() - 1,
                shape: separable.output(),
                channels: pointwise.outputs,
            };
            blocks.push(SeparableBlock {
                separable,
                input: input.buffer,
                output: output.buffer,
            });
            maps.push(output);
        }
        let head = |grid: Grid| {
            let mut latest = maps.iter().rev();
            let input = latest
                .find(|map| map.shape.width == grid.cells)
                .with_context(|| format!("no feature map of {} cells a side", grid.cells))?;
            Head::new(*input, grid.per_cell, &head_weights)
        };
        let [fine, coarse] = GRIDS.map(head);
        Ok(Self {
            heads: [fine?, coarse?],
            stem,
            buffers,
            blocks,
        })
    }

    /// Runs the network on RGB triples from -1 to 1, row by row: predictions for each of [`GRIDS`].
    pub fn run(&mut self, image: &[f32]) -> [Predictions; GRIDS.len()] {
        let buffers = &mut self.buffers;
        self.stem.run(image, None, &mut buffers[0]);
        for SeparableBlock {
            separable,
            input,
            output,
        } in &self.blocks
        {
            match buffers.split_at_mut(*output) {
                (_, [map, ..]) if input == output => separable.run_in_place(map),
                (before, [map, ..]) => separable.run(&before[*input], map),
                // There is a buffer for each block.
                (_, []) => {}
            }
        }
        let buffers = &self.buffers;
        self.heads
            .each_mut()
            .map(|head| head.run(&buffers[head.input]))
    }
}

fn separable(
    input: FeatureMap,
    depthwise: &ConvWeights,
    pointwise: &ConvWeights,
) -> TractResult<Separable> {
    let depthwise = depthwise.depthwise(input)?;
    let residual = Residual {
        factor: 1.0,
        channels: input.shape.channels,
    };
    let between = FeatureMap {
        shape: depthwise.output(),
        ..input
    };
    let pointwise = pointwise.convolution(between, Some(residual), Depthwise::BORDER, true)?;
    Separable::new(depthwise, pointwise).context("an unsupported separable block")
}

impl Head {
    /// `weights` are those of the convolutions of both grids.
    fn new(input: FeatureMap, per_cell: usize, weights: &[ConvWeights]) -> TractResult<Self> {
        let of = |outputs: usize| {
            let mut candidates = weights.iter();
            candidates
                .find(|weights| weights.inputs == input.channels && weights.outputs == outputs)
                .with_context(|| format!("no convolution to {outputs} outputs"))
        };
        let joined = of(per_cell * COORDS)?.join(of(per_cell)?);
        // The border is convolved as well: that is cheaper than another copy of the feature map.
        let bordered = FeatureMap {
            shape: PlaneShape {
                height: input.shape.height + 2 * Depthwise::BORDER,
                width: input.shape.width + 2 * Depthwise::BORDER,
                ..input.shape
            },
            ..input
        };
        let convolution = joined.convolution(bordered, None, 0, false)?;
        Ok(Self {
            output: Aligned::zeros(convolution.output_volume()),
            convolution,
            input: input.buffer,
            per_cell,
        })
    }

    fn run(&mut self, input: &[f32]) -> Predictions {
        self.convolution.run(input, None, &mut self.output);
        let shape = self.convolution.layer().output;
        let (inner, border) = (shape.width - 2 * Depthwise::BORDER, Depthwise::BORDER);
        let mut predictions = Predictions::default();
        let rows = self.output.chunks_exact(shape.width * shape.channels);
        for row in rows.skip(border).take(inner) {
            for cell in row.chunks_exact(shape.channels).skip(border).take(inner) {
                let (coordinates, rest) = cell.split_at(self.per_cell * COORDS);
                predictions.coordinates.extend(coordinates);
                predictions.logits.extend(&rest[..self.per_cell]);
            }
        }
        predictions
    }
}
