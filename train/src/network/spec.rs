//! A network as data: a list of named layers, each fed by earlier ones.
//!
//! Everything that Parseye does with a network reads this one description: the tch module
//! ([`super::module`]) trains it, [`crate::export`] writes it as ONNX. A new architecture is one
//! file that returns a [`NetworkSpec`].

/// What one layer computes. Feature maps are `[N, channels, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Convolution without bias, zero padding of half the kernel.
    Convolution {
        /// Channels of the input.
        inputs: i64,
        /// Channels of the output.
        outputs: i64,
        /// Side of the square kernel, odd.
        kernel: i64,
        /// Step in both directions.
        stride: i64,
    },
    /// Batch normalisation over each channel.
    BatchNorm {
        /// Channels.
        channels: i64,
    },
    /// max(x, 0).
    Relu,
    /// Sum of two inputs of equal shape.
    Sum,
    /// Mean over height and width: `[N, channels]`.
    GlobalAveragePool,
    /// Fully connected layer with bias.
    Dense {
        /// Features of the input.
        inputs: i64,
        /// Features of the output.
        outputs: i64,
    },
}

/// Where a layer's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The picture.
    Image,
    /// The layer at this position of [`NetworkSpec::layers`], always an earlier one.
    Layer(usize),
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Unique name; parameters are called `NAME.weight` and the like.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// What it reads.
    pub feeds: Vec<Feed>,
}

/// A whole network from `image` `[N,1,32,32]` to the logits of its last layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Name as `--arch` takes it.
    pub architecture: String,
    /// Layers in the order of computation.
    pub layers: Vec<Layer>,
}

impl NetworkSpec {
    /// An empty network.
    pub fn new(architecture: &str) -> Self {
        Self {
            architecture: architecture.into(),
            layers: Vec::new(),
        }
    }

    /// Appends a layer and returns it as a feed for later ones.
    pub fn add(&mut self, name: impl Into<String>, operation: Operation, feeds: &[Feed]) -> Feed {
        self.layers.push(Layer {
            name: name.into(),
            operation,
            feeds: feeds.to_vec(),
        });
        Feed::Layer(self.layers.len() - 1)
    }

    /// Number of layers that read layer `index`.
    pub fn readers(&self, index: usize) -> usize {
        let feeds = self.layers.iter().flat_map(|layer| &layer.feeds);
        feeds.filter(|feed| **feed == Feed::Layer(index)).count()
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> u64 {
        let of_layer = |layer: &Layer| match layer.operation {
            Operation::Convolution {
                inputs,
                outputs,
                kernel,
                ..
            } => inputs * outputs * kernel * kernel,
            Operation::BatchNorm { channels } => 2 * channels,
            Operation::Dense { inputs, outputs } => (inputs + 1) * outputs,
            Operation::Relu | Operation::Sum | Operation::GlobalAveragePool => 0,
        };
        self.layers.iter().map(of_layer).sum::<i64>().unsigned_abs()
    }
}
