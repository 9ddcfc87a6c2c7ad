//! What the card of an adopted model says of its input: the image's layout, and how gray levels become numbers.
//!
//! Making the tensor is left to `input_format`, writing such a card to `train`.

use super::input::SIDES;
use serde::{Deserialize, Serialize};

/// A scaling of pixels that gives no numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the card's `input.pixels.{0}` does not have one finite number, or one for each channel (above 0 for `white` and `scale`)"
)]
pub struct PixelFault(&'static str);

/// How gray levels become the input of an adopted model: (gray / 255 * `white` - `mean`) / `scale`, by channel.
/// Every channel is fed the same luma.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelScaling {
    /// Value of white before the mean is taken off: 1 or 255, as a rule.
    pub white: f32,
    /// What is taken off; one number, or one for each channel.
    pub mean: Vec<f32>,
    /// What is divided by; one number, or one for each channel.
    pub scale: Vec<f32>,
}

impl PixelScaling {
    pub(super) fn check(&self, channels: usize) -> Result<(), PixelFault> {
        let one_each = |values: &[f32]| {
            (values.len() == 1 || values.len() == channels) && values.iter().all(|v| v.is_finite())
        };
        if !(self.white.is_finite() && self.white > 0.0) {
            return Err(PixelFault("white"));
        }
        if !one_each(&self.mean) {
            return Err(PixelFault("mean"));
        }
        if !(one_each(&self.scale) && self.scale.iter().all(|scale| *scale > 0.0)) {
            return Err(PixelFault("scale"));
        }
        Ok(())
    }
}

/// Place of the channels in an input of four dimensions, and its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLayout {
    /// 1 or 3.
    pub channels: usize,
    /// Rows and columns, one of [`SIDES`].
    pub side: usize,
    /// Whether the channels come last, [1, S, S, C], rather than first, [1, C, S, S].
    pub channels_last: bool,
}

impl ImageLayout {
    /// Reads a shape; `None` where it is no square image that a model may be adopted with.
    pub fn of(shape: [usize; 4]) -> Option<Self> {
        let layout = |channels: usize, rows: usize, columns: usize, channels_last| {
            let fits = matches!(channels, 1 | 3) && rows == columns && SIDES.contains(&rows);
            fits.then_some(Self {
                channels,
                side: rows,
                channels_last,
            })
        };
        match shape {
            [1, a, b, c] => layout(a, b, c, false).or_else(|| layout(c, a, b, true)),
            _ => None,
        }
    }
}
