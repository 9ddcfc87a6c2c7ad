//! f32 values as the little-endian bytes that ONNX and safetensors files hold.

use safetensors::{Dtype, View};
use std::borrow::Cow;

/// The bytes of values.
pub(crate) fn to_bytes<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    let bytes = values.into_iter().flat_map(|value| value.to_le_bytes());
    bytes.collect()
}

/// The values in bytes; bytes that make up no whole value at the end are left out.
pub fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(size_of::<f32>())
        .map(|bytes| f32::from_le_bytes(std::array::from_fn(|i| bytes[i])))
        .collect()
}

/// An f32 array that safetensors can write.
pub(crate) struct FloatArray {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row, as [`to_bytes`] returns them.
    pub data: Vec<u8>,
}

impl View for FloatArray {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}
