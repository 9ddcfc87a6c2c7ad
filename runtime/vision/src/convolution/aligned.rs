//! Memory whose vectors lie whole in the processor's cache lines.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of a vector of AVX-512.
const LINE: usize = 64;

/// Numbers more than are asked for, among which there is a first one at a line's beginning.
const SURPLUS: usize = LINE / size_of::<f32>() - 1;

/// Numbers that begin at a cache line. A vector across two lines is read in twice the time, which is a
/// quarter of a depthwise convolution's.
#[derive(Debug)]
pub(crate) struct Aligned {
    numbers: Vec<f32>,
    start: usize,
}

impl Aligned {
    /// So many zeros.
    pub fn zeros(count: usize) -> Self {
        let numbers = vec![0.0_f32; count + SURPLUS];
        // What cannot be aligned, which no platform says, begins where it begins.
        let start = numbers.as_ptr().align_offset(LINE).min(SURPLUS);
        Self { numbers, start }
    }
}

impl From<&[f32]> for Aligned {
    fn from(values: &[f32]) -> Self {
        let mut aligned = Self::zeros(values.len());
        aligned.copy_from_slice(values);
        aligned
    }
}

/// Elsewhere in memory another start is aligned.
impl Clone for Aligned {
    fn clone(&self) -> Self {
        (&**self).into()
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.start..][..self.numbers.len() - SURPLUS]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        let count = self.numbers.len() - SURPLUS;
        &mut self.numbers[self.start..][..count]
    }
}
