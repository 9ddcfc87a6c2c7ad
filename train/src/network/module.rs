//! A network in tch: the parameters of a [`NetworkSpec`] and its forward pass.
//!
//! Which arithmetic and memory layout to use is a choice of speed: [`Precision`].

use super::{
    TensorError,
    spec::{Feed, Layer, NetworkSpec, Operation},
};
use crate::attack::Classifier;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tch::{Device, Kind, Tensor};

/// Weight of the newest batch in a batch norm's running statistics, PyTorch's default.
const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// Added to a batch norm's variance, PyTorch's default.
pub(crate) const BATCH_NORM_EPSILON: f64 = 1e-5;

/// Arithmetic of the convolutions. Parameters, their updates, batch statistics and the loss are
/// always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bit.
    F32,
    /// 16-bit brain floats: faster where the processor multiplies them itself (AVX-512 BF16, AMX,
    /// CUDA), slower elsewhere.
    Bf16,
}

/// Mode of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Batch norms use and update the batch's statistics.
    Train,
    /// Training in which batch norms use the running statistics and leave them as they are: what a finished network
    /// has learnt of its data is kept.
    Frozen,
    /// Batch norms use the running statistics: the prediction for one image depends on it alone.
    Eval,
}

/// What a network says of images.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// f32 `[N,4]`.
    pub logits: Tensor,
    /// f32 `[N,3]`, see [`parseye_vision::lids`]; where the network has them.
    pub lids: Option<Tensor>,
}

/// Parameters and running statistics of one network.
#[derive(Debug)]
pub struct Network {
    spec: NetworkSpec,
    precision: Precision,
    /// By name; trained parameters require gradients, running statistics do not.
    tensors: BTreeMap<String, Tensor>,
}

/// Copies a `[N,C,H,W]` tensor to channels-last memory order, in which oneDNN's and cuDNN's
/// convolutions are fastest.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// The kernels that a convolution begins with: He et al. 2015, or orthogonal ones.
fn initial_kernels(shape: [i64; 4], tight_frame: bool) -> Result<Tensor, tch::TchError> {
    let [outputs, inputs, kernel, _] = shape;
    if tight_frame {
        return orthogonal(outputs, inputs * kernel * kernel)?.f_reshape(shape);
    }
    let scale = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
    Ok(Tensor::f_randn(shape, (Kind::Float, Device::Cpu))? * scale)
}

/// The weights that a dense layer begins with.
fn initial_rows(outputs: i64, inputs: i64, tight_frame: bool) -> Result<Tensor, tch::TchError> {
    if tight_frame {
        return orthogonal(outputs, inputs);
    }
    let scale = (1.0 / inputs as f64).sqrt();
    Ok(Tensor::f_randn([outputs, inputs], (Kind::Float, Device::Cpu))? * scale)
}

/// A random matrix whose smaller Gram matrix is the identity (Saxe et al. 2014).
fn orthogonal(rows: i64, columns: i64) -> Result<Tensor, tch::TchError> {
    let (tall, short) = (rows.max(columns), rows.min(columns));
    let normal = Tensor::f_randn([tall, short], (Kind::Float, Device::Cpu))?;
    let (q, r) = Tensor::f_linalg_qr(&normal, "reduced")?;
    // The signs make the distribution even over all orthogonal matrices (Mezzadri 2007).
    let q = q.f_mul(&r.f_diagonal(0, 0, 1)?.f_sign()?)?;
    if rows >= columns {
        Ok(q)
    } else {
        q.f_tr()?.f_contiguous()
    }
}

impl Network {
    /// A freshly initialised network: He normal convolutions by fan-out (as the WRN authors'),
    /// batch norms at identity, a dense layer of scale 1/sqrt(inputs); orthogonal weights where
    /// they are kept near tight frames, and halves in convex sums.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn new(
        spec: &NetworkSpec,
        precision: Precision,
        device: Device,
        seed: u64,
    ) -> Result<Self, tch::TchError> {
        // Another thread must not draw from libtorch's one generator between the seed and the last weight.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        // The seed is the 64 bits reinterpreted: libtorch takes it as signed.
        tch::manual_seed(seed as i64);
        let mut tensors = BTreeMap::new();
        let cpu = (Kind::Float, Device::Cpu);
        let mut add = |name: String, value: Tensor, trained: bool| -> Result<(), tch::TchError> {
            let value = value.f_to_device(device)?.set_requires_grad(trained);
            tensors.insert(name, value);
            Ok(())
        };
        for layer in &spec.layers {
            let name = |part: &str| format!("{}.{part}", layer.name);
            match layer.operation {
                Operation::Convolution {
                    inputs,
                    outputs,
                    kernel,
                    bias,
                    tight_frame,
                    ..
                } => {
                    let weight = initial_kernels([outputs, inputs, kernel, kernel], tight_frame)?;
                    add(name("weight"), channels_last(&weight), true)?;
                    if bias {
                        add(name("bias"), Tensor::f_zeros([outputs], cpu)?, true)?;
                    }
                }
                Operation::BatchNorm { channels } => {
                    add(name("weight"), Tensor::f_ones([channels], cpu)?, true)?;
                    add(name("bias"), Tensor::f_zeros([channels], cpu)?, true)?;
                    add(
                        name("running_mean"),
                        Tensor::f_zeros([channels], cpu)?,
                        false,
                    )?;
                    add(name("running_var"), Tensor::f_ones([channels], cpu)?, false)?;
                }
                Operation::Dense {
                    inputs,
                    outputs,
                    tight_frame,
                } => {
                    let weight = initial_rows(outputs, inputs, tight_frame)?;
                    add(name("weight"), weight, true)?;
                    add(name("bias"), Tensor::f_zeros([outputs], cpu)?, true)?;
                }
                Operation::ConvexSum => {
                    let halves = Tensor::f_full([2], 0.5, cpu)?;
                    add(name("coefficients"), halves, true)?;
                }
                Operation::Relu
                | Operation::Sum
                | Operation::Dropout { .. }
                | Operation::MaxPool { .. }
                | Operation::Flatten
                | Operation::GlobalAveragePool => {}
            }
        }
        Ok(Self {
            spec: spec.clone(),
            precision,
            tensors,
        })
    }

    /// The description that this network follows.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Device of the network's tensors.
    pub fn device(&self) -> Device {
        self.tensors
            .values()
            .next()
            .map_or(Device::Cpu, Tensor::device)
    }

    /// Parameters and running statistics by name, in the order of their names.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Trained parameters by name, in the order of their names.
    pub fn parameters(&self) -> Vec<(&str, &Tensor)> {
        let trained = self
            .tensors
            .iter()
            .filter(|(_, tensor)| tensor.requires_grad());
        trained
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect()
    }

    /// Overwrites parameters and running statistics.
    ///
    /// # Errors
    /// Names a tensor that is missing or of another shape.
    pub fn load(&self, values: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        tch::no_grad(|| {
            for (name, tensor) in &self.tensors {
                overwrite(name, tensor, values.get(name))?;
            }
            Ok(())
        })
    }

    /// Values of one tensor, row by row in its logical order.
    pub fn values(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.tensors.get(name)?;
        let flat = tensor
            .detach()
            .to_device(Device::Cpu)
            .contiguous()
            .flatten(0, -1);
        Vec::try_from(flat).ok()
    }

    /// Logits `[N,4]` in f32 of images `[N,1,S,S]`.
    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Tensor {
        self.outputs(images, mode).logits
    }

    /// All outputs in f32 of images `[N,1,S,S]`.
    pub(crate) fn outputs(&self, images: &Tensor, mode: Mode) -> Outputs {
        let images = self.in_precision(images);
        let mut values: Vec<Tensor> = Vec::with_capacity(self.spec.layers.len());
        for layer in &self.spec.layers {
            let inputs: Vec<&Tensor> = layer
                .feeds
                .iter()
                .map(|feed| match feed {
                    Feed::Image => &images,
                    Feed::Layer(earlier) => &values[*earlier],
                })
                .collect();
            let value = self.layer_output(layer, &inputs, mode);
            values.push(value);
        }
        let lids = self.spec.lids.and_then(|index| values.get(index));
        let lids = lids.map(Tensor::shallow_clone);
        Outputs {
            logits: values.pop().unwrap_or(images),
            lids,
        }
    }

    /// Output of one layer for the outputs of the layers that feed it, in the order of its feeds.
    fn layer_output(&self, layer: &Layer, inputs: &[&Tensor], mode: Mode) -> Tensor {
        let x = inputs[0];
        match layer.operation {
            Operation::Convolution {
                kernel,
                stride,
                bias,
                tight_frame,
                ..
            } => {
                let weight = self.parameter(&layer.name, "weight");
                let weight = if tight_frame {
                    self.in_precision(&(weight * layer.operation.gain()))
                } else {
                    self.in_precision(weight)
                };
                let bias = bias.then(|| self.in_precision(self.parameter(&layer.name, "bias")));
                let padding = [kernel / 2; 2];
                let y = x.conv2d(&weight, bias.as_ref(), [stride; 2], padding, [1; 2], 1);
                // One input channel has no layout of its own, so the stem's output has to be put in
                // order; from there on the order is kept.
                if layer.feeds[0] == Feed::Image {
                    channels_last(&y)
                } else {
                    y
                }
            }
            Operation::BatchNorm { .. } => x.batch_norm(
                Some(self.parameter(&layer.name, "weight")),
                Some(self.parameter(&layer.name, "bias")),
                Some(self.parameter(&layer.name, "running_mean")),
                Some(self.parameter(&layer.name, "running_var")),
                mode == Mode::Train,
                BATCH_NORM_MOMENTUM,
                BATCH_NORM_EPSILON,
                true,
            ),
            Operation::Relu if self.is_only_reader_of_a_batch_norm(layer) => {
                x.shallow_clone().relu_()
            }
            Operation::Relu => x.relu(),
            Operation::Sum => x + inputs[1],
            Operation::ConvexSum => {
                let coefficients = self.parameter(&layer.name, "coefficients");
                let coefficients = coefficients.to_kind(x.kind());
                x * coefficients.get(0) + inputs[1] * coefficients.get(1)
            }
            Operation::Dropout { rate } => x.dropout(rate, mode != Mode::Eval),
            Operation::MaxPool { side } => {
                x.max_pool2d([side; 2], [side; 2], [0; 2], [1; 2], false)
            }
            Operation::Flatten => x.flatten(1, -1).to_kind(Kind::Float),
            Operation::GlobalAveragePool => x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float),
            Operation::Dense { .. } => x.linear(
                self.parameter(&layer.name, "weight"),
                Some(self.parameter(&layer.name, "bias")),
            ),
        }
    }

    /// The tensor in the arithmetic of the convolutions.
    fn in_precision(&self, tensor: &Tensor) -> Tensor {
        match self.precision {
            Precision::F32 => tensor.shallow_clone(),
            Precision::Bf16 => tensor.to_kind(Kind::BFloat16),
        }
    }

    /// Whether a rectifier may overwrite its input: nobody else reads the batch norm's output, and the
    /// batch norm's own gradient does not need it. Memory traffic is what a small network's time goes to.
    fn is_only_reader_of_a_batch_norm(&self, rectifier: &Layer) -> bool {
        match rectifier.feeds[0] {
            Feed::Layer(earlier) => {
                let before = &self.spec.layers[earlier].operation;
                matches!(before, Operation::BatchNorm { .. }) && self.spec.readers(earlier) == 1
            }
            Feed::Image => false,
        }
    }

    /// A tensor of a layer, where the layer has one of that name.
    pub fn tensor(&self, layer: &str, part: &str) -> Option<&Tensor> {
        self.tensors.get(&format!("{layer}.{part}"))
    }

    /// A tensor that [`Network::new`] made for the layer's operation.
    fn parameter(&self, layer: &str, part: &str) -> &Tensor {
        &self.tensors[&format!("{layer}.{part}")]
    }
}

/// Copies a saved tensor into `tensor`, whose name is `name`.
///
/// # Errors
/// When there is none, or it has another shape.
pub(crate) fn overwrite(
    name: &str,
    tensor: &Tensor,
    saved: Option<&Tensor>,
) -> Result<(), TensorError> {
    let saved = saved.ok_or_else(|| TensorError::Missing { name: name.into() })?;
    if saved.size() != tensor.size() {
        return Err(TensorError::Shape {
            name: name.into(),
            saved: saved.size(),
            expected: tensor.size(),
        });
    }
    match tensor.shallow_clone().f_copy_(saved) {
        Ok(()) => Ok(()),
        Err(error) => Err(TensorError::Copy {
            name: name.into(),
            reason: error.to_string(),
        }),
    }
}

/// A network under attack computes as in inference, also while it is being trained.
impl Classifier for Network {
    fn name(&self) -> &str {
        &self.spec.architecture
    }

    fn device(&self) -> Device {
        Network::device(self)
    }

    fn side(&self) -> usize {
        self.spec.side
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        self.forward(images, Mode::Eval)
    }
}
