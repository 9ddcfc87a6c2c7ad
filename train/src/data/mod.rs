//! Labelled eye crops: loading, drawing balanced epochs, augmenting, batching, importing.
//!
//! The manifest itself is [`parseye_vision::evaluate::manifest`], shared with the runtime.

pub mod augment;
pub mod batch;
pub mod cover;
pub mod credit;
pub mod crops;
pub mod demo;
pub mod evaluation;
pub mod folds;
pub mod import;
pub(crate) mod lids;
pub mod sampling;
pub mod split;
