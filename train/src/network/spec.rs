//! A network as data: a list of named layers, each fed by earlier ones.
//!
//! Everything that Parseye does with a network starts from this one description: the tch module
//! ([`super::module`]) trains it, [`crate::export`] writes its predictions and their gradient as ONNX.
//! A new architecture is one file that returns a [`NetworkSpec`].

/// Operation of one layer. Feature maps are `[N, channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// Convolution, zero padding of half the kernel.
    Convolution {
        /// Channels of the input.
        inputs: i64,
        /// Channels of the output.
        outputs: i64,
        /// Side of the square kernel, odd.
        kernel: i64,
        /// Step in both directions.
        stride: i64,
        /// Whether a trained constant is added to each channel.
        bias: bool,
        /// Whether its weight is kept near a tight frame. The output is then divided by the
        /// kernel's side: unfolding repeats each pixel `kernel^2` times, so only with the factor
        /// `1/sqrt(kernel^2)` does a tight frame give a norm of at most 1 (Cisse et al. 2017,
        /// section 4).
        tight_frame: bool,
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
    /// Sum of two inputs of equal shape with trained coefficients that are not negative and sum to
    /// 1, so that its norm is at most that of its inputs (Cisse et al. 2017, section 4).
    ConvexSum,
    /// Zeroes each value with this chance in training and scales the rest up; the identity in inference.
    Dropout {
        /// Chance, 0 to below 1.
        rate: f64,
    },
    /// Largest value of each square of `side` by `side`, squares side by side.
    MaxPool {
        /// Side in pixels; divides height and width.
        side: i64,
    },
    /// All values of an image in a row: `[N, channels * height * width]`.
    Flatten,
    /// Mean over height and width: `[N, channels]`.
    GlobalAveragePool,
    /// Fully connected layer with bias.
    Dense {
        /// Features of the input.
        inputs: i64,
        /// Features of the output.
        outputs: i64,
        /// Whether its weight is kept near a tight frame.
        tight_frame: bool,
    },
}

impl Operation {
    /// Factor on a convolution's output: see [`Operation::Convolution`].
    pub fn gain(self) -> f64 {
        match self {
            Self::Convolution {
                kernel,
                tight_frame: true,
                ..
            } => 1.0 / kernel as f64,
            _ => 1.0,
        }
    }
}

/// Source of a layer's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The image.
    Image,
    /// The layer at this position of [`NetworkSpec::layers`], always an earlier one.
    Layer(usize),
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Unique name; parameters are called `NAME.weight` and the like.
    pub name: String,
    /// Its operation.
    pub operation: Operation,
    /// Sources of its inputs.
    pub feeds: Vec<Feed>,
}

/// A whole network from `image` `[N,1,S,S]` to the logits of its last layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkSpec {
    /// Name as `--arch` takes it.
    pub architecture: String,
    /// Rows and columns S of the image.
    pub side: usize,
    /// Layers in the order of computation.
    pub layers: Vec<Layer>,
    /// The layer whose output says how far the lids are apart ([`parseye_vision::lids`]), where there is one.
    pub lids: Option<usize>,
}

impl NetworkSpec {
    /// An empty network that reads images of `side` rows and columns.
    pub fn new(architecture: &str, side: usize) -> Self {
        Self {
            architecture: architecture.into(),
            side,
            layers: Vec::new(),
            lids: None,
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
    pub(crate) fn readers(&self, index: usize) -> usize {
        let feeds = self.layers.iter().flat_map(|layer| &layer.feeds);
        feeds.filter(|feed| **feed == Feed::Layer(index)).count()
    }

    /// Multiplications with an addition for one image, those of convolutions and the dense layer:
    /// nearly all of a network's arithmetic.
    pub(crate) fn multiply_adds(&self) -> u64 {
        // Side in pixels of what each layer gives.
        let mut sides: Vec<i64> = Vec::with_capacity(self.layers.len());
        let mut total = 0;
        for layer in &self.layers {
            let before = match layer.feeds.first() {
                Some(Feed::Layer(index)) => sides[*index],
                Some(Feed::Image) | None => self.side as i64,
            };
            let (after, cost) = match layer.operation {
                Operation::Convolution {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                    ..
                } => {
                    let after = (before + stride - 1) / stride;
                    (after, after * after * kernel * kernel * inputs * outputs)
                }
                Operation::MaxPool { side } => (before / side, 0),
                Operation::Dense {
                    inputs, outputs, ..
                } => (1, inputs * outputs),
                Operation::GlobalAveragePool => (1, 0),
                Operation::BatchNorm { .. }
                | Operation::Relu
                | Operation::Sum
                | Operation::ConvexSum
                | Operation::Dropout { .. }
                | Operation::Flatten => (before, 0),
            };
            sides.push(after);
            total += cost;
        }
        total.unsigned_abs()
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> u64 {
        let of_layer = |layer: &Layer| match layer.operation {
            Operation::Convolution {
                inputs,
                outputs,
                kernel,
                bias,
                ..
            } => (inputs * kernel * kernel + i64::from(bias)) * outputs,
            Operation::BatchNorm { channels } => 2 * channels,
            Operation::Dense {
                inputs, outputs, ..
            } => (inputs + 1) * outputs,
            Operation::ConvexSum => 2,
            Operation::Relu
            | Operation::Sum
            | Operation::Dropout { .. }
            | Operation::MaxPool { .. }
            | Operation::Flatten
            | Operation::GlobalAveragePool => 0,
        };
        self.layers.iter().map(of_layer).sum::<i64>().unsigned_abs()
    }
}
