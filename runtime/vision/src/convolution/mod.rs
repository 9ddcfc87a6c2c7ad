//! Convolutions that replace tract's, which gathers each image anew for a matrix product and passes over it
//! once more for each operator around (`docs/inference-speed.md` has the measurements).
//!
//! [`fuse()`] replaces, in a graph that tract has read, each convolution of a common kind and the operators
//! around it by one operator; other convolutions stay with tract. The face detector, one network that is
//! known beforehand, is built of [`Convolution`] and [`Separable`] without a graph. Reading models is left
//! to [`crate::classify`] and [`crate::locate`].

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
pub(crate) use kernel::{Convolution, LANES, Layer, PlaneShape, Residual, Size2d};
pub(crate) use separable::Separable;
