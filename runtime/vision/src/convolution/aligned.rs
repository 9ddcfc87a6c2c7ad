//! Buffers of f32 whose vectors each lie in one cache line of the processor.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of a vector of AVX-512.
const LINE: usize = 64;

/// Floats more than are asked for, so that one of the first begins a cache line.
const SURPLUS: usize = LINE / size_of::<f32>() - 1;

/// A buffer of f32 aligned to 64 bytes. A vector across two cache lines is read in twice the time, which is
/// a quarter of a depthwise convolution's.
#[derive(Debug)]
pub(crate) struct Aligned {
    floats: Vec<f32>,
    start: usize,
}

impl Aligned {
    /// Creates a zeroed buffer of `count` f32 aligned to 64 bytes.
    pub fn zeros(count: usize) -> Self {
        let floats = vec![0.0_f32; count + SURPLUS];
        // `align_offset` may say that it cannot align, which it does on no platform: then the buffer
        // begins where the memory does.
        let start = floats.as_ptr().align_offset(LINE).min(SURPLUS);
        Self { floats, start }
    }
}

impl From<&[f32]> for Aligned {
    fn from(values: &[f32]) -> Self {
        let mut aligned = Self::zeros(values.len());
        aligned.copy_from_slice(values);
        aligned
    }
}

/// A copy lies elsewhere in memory, where another start is aligned.
impl Clone for Aligned {
    fn clone(&self) -> Self {
        (&**self).into()
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.floats[self.start..][..self.floats.len() - SURPLUS]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        let count = self.floats.len() - SURPLUS;
        &mut self.floats[self.start..][..count]
    }
}
