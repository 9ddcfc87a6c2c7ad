//! A network in tch: the parameters of a [`NetworkSpec`] and its forward pass.
//!
//! Which arithmetic and memory layout to use is a choice of speed: [`Precision`].

use super::spec::{Feed, NetworkSpec, Operation};
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
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

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

/// How a network is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch norms use and update the batch's statistics.
    Train,
    /// Batch norms use the running statistics: the answer for one picture depends on it alone.
    Eval,
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
                    let shape = [outputs, inputs, kernel, kernel];
                    let weight = if tight_frame {
                        orthogonal(outputs, inputs * kernel * kernel)?.f_reshape(shape)?
                    } else {
                        let scale = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
                        Tensor::f_randn(shape, cpu)? * scale
                    };
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
                    let weight = if tight_frame {
                        orthogonal(outputs, inputs)?
                    } else {
                        let scale = (1.0 / inputs as f64).sqrt();
                        Tensor::f_randn([outputs, inputs], cpu)? * scale
                    };
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

    /// Where the network computes.
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
    pub fn load(&self, values: &BTreeMap<String, Tensor>) -> Result<(), String> {
        for (name, tensor) in &self.tensors {
            let value = values
                .get(name)
                .ok_or_else(|| format!("tensor '{name}' is missing"))?;
            if value.size() != tensor.size() {
                return Err(format!(
                    "tensor '{name}' has shape {:?} where the network has {:?}",
                    value.size(),
                    tensor.size()
                ));
            }
            tch::no_grad(|| tensor.shallow_clone().f_copy_(value))
                .map_err(|error| format!("tensor '{name}': {error}"))?;
        }
        Ok(())
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

    /// Logits `[N,4]` in f32 of pictures `[N,1,32,32]`.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Tensor {
        let images = match self.precision {
            Precision::F32 => images.shallow_clone(),
            Precision::Bf16 => images.to_kind(Kind::BFloat16),
        };
        let mut values: Vec<Tensor> = Vec::with_capacity(self.spec.layers.len());
        for layer in &self.spec.layers {
            let feed = |index: usize| match layer.feeds[index] {
                Feed::Image => &images,
                Feed::Layer(earlier) => &values[earlier],
            };
            let x = feed(0);
            let value = match layer.operation {
                Operation::Convolution {
                    kernel,
                    stride,
                    bias,
                    tight_frame,
                    ..
                } => {
                    let computed = |tensor: &Tensor| match self.precision {
                        Precision::F32 => tensor.shallow_clone(),
                        Precision::Bf16 => tensor.to_kind(Kind::BFloat16),
                    };
                    let weight = self.parameter(&layer.name, "weight");
                    let weight = if tight_frame {
                        computed(&(weight * layer.operation.gain()))
                    } else {
                        computed(weight)
                    };
                    let bias = bias.then(|| computed(self.parameter(&layer.name, "bias")));
                    let padding = [kernel / 2; 2];
                    let y = x.conv2d(&weight, bias.as_ref(), [stride; 2], padding, [1; 2], 1);
                    // One input channel has no layout of its own, so the stem's output has to be
                    // put in order; from there on the order is kept.
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
                // In place where nobody else reads the batch norm's output: its own gradient does
                // not need it, and memory traffic is what a small network's time goes to.
                Operation::Relu => match layer.feeds[0] {
                    Feed::Layer(earlier)
                        if self.spec.readers(earlier) == 1
                            && matches!(
                                self.spec.layers[earlier].operation,
                                Operation::BatchNorm { .. }
                            ) =>
                    {
                        x.shallow_clone().relu_()
                    }
                    _ => x.relu(),
                },
                Operation::Sum => x + feed(1),
                Operation::ConvexSum => {
                    let share = self
                        .parameter(&layer.name, "coefficients")
                        .to_kind(x.kind());
                    x * share.get(0) + feed(1) * share.get(1)
                }
                Operation::Dropout { rate } => x.dropout(rate, mode == Mode::Train),
                Operation::MaxPool { side } => {
                    x.max_pool2d([side; 2], [side; 2], [0; 2], [1; 2], false)
                }
                Operation::Flatten => x.flatten(1, -1).to_kind(Kind::Float),
                Operation::GlobalAveragePool => {
                    x.mean_dim([2_i64, 3].as_slice(), false, Kind::Float)
                }
                Operation::Dense { .. } => x.linear(
                    self.parameter(&layer.name, "weight"),
                    Some(self.parameter(&layer.name, "bias")),
                ),
            };
            values.push(value);
        }
        values.pop().unwrap_or(images)
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

/// A network under attack answers as in use, also while it is being trained.
impl Classifier for Network {
    fn name(&self) -> &str {
        &self.spec.architecture
    }

    fn device(&self) -> Device {
        Network::device(self)
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        self.forward(images, Mode::Eval)
    }
}
