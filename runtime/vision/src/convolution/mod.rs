//! Convolutions computed here instead of by tract, which gathers each picture anew for a product of
//! matrices and goes over it once more for each operator around (`docs/inference-speed.md` has the
//! figures).
//!
//! [`fuse()`] replaces, in a graph that tract has read, each convolution of a common kind and the
//! operators around it by one operator; what it does not know stays with tract. The face locator, one
//! network that is known beforehand, is made of [`Convolution`] and [`Separable`] without a graph.

mod aligned;
mod depthwise;
mod fuse;
mod kernel;
mod op;
mod pool;
mod separable;

#[cfg(test)]
mod tests;

pub(crate) use aligned::Aligned;
pub(crate) use depthwise::Depthwise;
pub(crate) use fuse::fuse;
pub(crate) use kernel::{Both, Convolution, LANES, Layer, Residual, Shape};
pub(crate) use separable::Separable;
