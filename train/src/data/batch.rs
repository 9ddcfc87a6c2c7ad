//! A batch as tensors: images, labels, and the range that keeps a perturbed image one that
//! 8 bits can hold.

use parseye_vision::{classify::StandardisedCrop, eye_state::EyeState};
use tch::{Device, Kind, Tensor};

/// Standardised images with their labels on one device.
#[derive(Debug)]
pub struct Batch {
    /// f32 `[N,1,S,S]`, standardised, with S rows and columns.
    pub images: Tensor,
    /// i64 `[N]`, positions in [`EyeState::ALL`].
    pub labels: Tensor,
    /// f32 `[N,1,1,1]`: the standardised value of gray 0.
    pub lowest: Tensor,
    /// f32 `[N,1,1,1]`: the standardised value of gray 255.
    pub highest: Tensor,
}

impl Batch {
    /// Copies crops of one size to a device.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub fn new(
        crops: &[(StandardisedCrop, EyeState)],
        device: Device,
    ) -> Result<Self, tch::TchError> {
        let count = crops.len() as i64;
        let mut values = Vec::new();
        let (mut low, mut high, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (crop, label) in crops {
            values.extend_from_slice(&crop.values);
            let range = crop.range();
            low.push(range.0);
            high.push(range.1);
            labels.push(label.index() as i64);
        }
        let side = crops.first().map_or(0, |(crop, _)| crop.side()) as i64;
        let per_crop = |values: &[f32], shape: [i64; 4]| {
            Tensor::f_from_slice(values)?
                .f_reshape(shape)?
                .f_to_device(device)
        };
        Ok(Self {
            images: per_crop(&values, [count, 1, side, side])?,
            labels: Tensor::f_from_slice(&labels)?.f_to_device(device)?,
            lowest: per_crop(&low, [count, 1, 1, 1])?,
            highest: per_crop(&high, [count, 1, 1, 1])?,
        })
    }

    /// Number of images.
    pub fn len(&self) -> i64 {
        self.labels.size().first().copied().unwrap_or(0)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of the batch; shares memory.
    pub(crate) fn part(&self, start: i64, count: i64) -> Self {
        let of = |tensor: &Tensor| tensor.narrow(0, start, count);
        Self {
            images: of(&self.images),
            labels: of(&self.labels),
            lowest: of(&self.lowest),
            highest: of(&self.highest),
        }
    }

    /// Clips images to the values that an 8-bit pixel of each can take.
    pub(crate) fn clip(&self, images: &Tensor) -> Tensor {
        images
            .maximum(&self.lowest)
            .minimum(&self.highest)
            .to_kind(Kind::Float)
    }
}
