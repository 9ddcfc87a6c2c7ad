//! Trains, hardens and exports Parseye's eye-state models.
//!
//! # Layout
//! [`data`] loads and varies labelled crops; [`network`] describes networks as data and runs them
//! in tch; [`attack`] disturbs pictures and [`harden`] trains against that; [`fit`] is the loop,
//! with [`schedule`], [`optimiser`], [`measure`], [`checkpoint`] and [`progress`]; [`export`]
//! writes ONNX through the runtime's own engine; [`labels`] has doubtful labels graded anew; [`robustness`] measures a finished model under attacks
//! and natural transformations ([`corruption`]). Labels, preprocessing, metrics and the model card
//! are the runtime's: see [`parseye`].

pub mod attack;
pub mod chart;
pub mod checkpoint;
pub mod cli;
pub mod corruption;
pub mod data;
pub mod device;
pub mod export;
pub mod fit;
mod float_bytes;
pub mod harden;
pub mod labels;
pub mod measure;
pub mod network;
pub mod optimiser;
pub mod progress;
pub mod robustness;
pub mod run;
pub mod schedule;
pub mod study;
