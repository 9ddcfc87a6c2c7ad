//! Evaluation of predictions: labelled crops and confirmed blinks, and the metrics over them.
//!
//! Nothing here is part of a live run.

pub mod crops;
mod heading;
pub mod manifest;
pub mod metrics;
pub mod score;
pub mod truth;
