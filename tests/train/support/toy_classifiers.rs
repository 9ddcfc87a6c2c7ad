//! Classifiers small enough that the best attack on them is known, and images for them.

use parseye_train::{attack::Classifier, data::batch::Batch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

pub const PIXELS: usize = 1024;

pub fn random(seed: u64, shape: &[i64]) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product::<i64>();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_slice(&values).reshape(shape)
}

pub fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.contiguous().flatten(0, -1)).unwrap()
}

/// A network of one hidden layer.
pub struct Bent {
    pub hidden: Tensor,
    pub last: Tensor,
}

impl Bent {
    pub fn new(seed: u64) -> Self {
        Self {
            hidden: random(seed, &[PIXELS as i64, 24]) * 0.1,
            last: random(seed + 100, &[24, 4]),
        }
    }
}

impl Classifier for Bent {
    fn name(&self) -> &str {
        "bent"
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn side(&self) -> usize {
        32
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        images
            .flatten(1, -1)
            .matmul(&self.hidden)
            .tanh()
            .matmul(&self.last)
    }
}

/// How a linear classifier treats its gradient.
#[derive(Clone, Copy, PartialEq)]
pub enum Gradient {
    Honest,
    /// Logits in steps, whose gradient is zero.
    Stepped,
    /// Logits without a gradient; to ask for one is an error.
    None,
}

pub struct Linear {
    /// `[1024,4]`.
    pub weight: Tensor,
    pub bias: Tensor,
    pub gradient: Gradient,
}

impl Classifier for Linear {
    fn name(&self) -> &str {
        "linear"
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn side(&self) -> usize {
        32
    }

    fn logits(&self, images: &Tensor) -> Tensor {
        let logits = images.flatten(1, -1).matmul(&self.weight) + &self.bias;
        match self.gradient {
            Gradient::Honest => logits,
            Gradient::Stepped => (logits * 4.0).round() / 4.0,
            Gradient::None => {
                assert!(!images.requires_grad(), "it asked for a gradient");
                logits.detach()
            }
        }
    }
}

/// Images on which the classifier is right, but for every fifth, within a narrow range of grays.
pub fn labelled_images(target: &dyn Classifier, seed: u64) -> Batch {
    const RANGE: f64 = 0.95;
    let images = random(seed, &[20, 1, 32, 32]).clamp(-RANGE, RANGE);
    let mut labels: Vec<i64> = Vec::try_from(target.logits(&images).argmax(1, false)).unwrap();
    for label in labels.iter_mut().step_by(5) {
        *label = (*label + 1) % 4;
    }
    batch(images, &labels, RANGE)
}

pub fn batch(images: Tensor, labels: &[i64], range: f64) -> Batch {
    let of = |value: f64| {
        Tensor::full(
            [labels.len() as i64, 1, 1, 1],
            value,
            (Kind::Float, Device::Cpu),
        )
    };
    Batch {
        images,
        labels: Tensor::from_slice(labels),
        lowest: of(-range),
        highest: of(range),
    }
}

/// A linear classifier of four coarse patterns, which squares can find, and images of them.
pub fn patterns(gradient: Gradient) -> (Linear, Batch) {
    let pattern = |sign: fn(i64, i64) -> bool| {
        let values: Vec<f32> = (0..1024)
            .map(|i| if sign(i / 32, i % 32) { 1.0 } else { -1.0 })
            .collect();
        Tensor::from_slice(&values)
    };
    let patterns = Tensor::stack(
        &[
            pattern(|_, column| column < 16),
            pattern(|row, _| row < 16),
            pattern(|row, column| (row < 16) == (column < 16)),
            pattern(|row, _| row % 16 < 8),
        ],
        0,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let labels: Vec<i64> = (0..32).map(|i| i % 4).collect();
    let contrast: Vec<f32> = labels
        .iter()
        .map(|_| rng.random_range(0.02..0.04))
        .collect();
    let images = patterns.index_select(0, &Tensor::from_slice(&labels))
        * Tensor::from_slice(&contrast).unsqueeze(1)
        + random(7, &[32, PIXELS as i64]) * 0.1;
    let target = Linear {
        weight: patterns.transpose(0, 1) * (100.0 / 1024.0),
        bias: Tensor::zeros([4], (Kind::Float, Device::Cpu)),
        gradient,
    };
    (target, batch(images.reshape([32, 1, 32, 32]), &labels, 3.0))
}
