//! Convolutions computed here instead of by tract, which gathers each picture anew for a product of
//! matrices and goes over it once more for each operator around (`docs/inference-speed.md` has the
//! figures).
//!
//! [`fuse()`] replaces, in a graph that tract has read, each convolution of a common kind and the
//! operators around it by one operator. What it does not know stays with tract.

mod fuse;
mod kernel;
mod op;
mod pool;

#[cfg(test)]
mod tests;

pub(super) use fuse::fuse;
