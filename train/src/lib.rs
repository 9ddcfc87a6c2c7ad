//! Trains, hardens and exports Parseye's eye-state models: the library of the program `train`, public for
//! its tests.
//!
//! # Layout
//! [`data`] loads and augments labelled crops; [`network`] describes networks as data and runs them
//! in tch; [`attack`] perturbs images and [`harden`] trains against that; [`fit`] is the training loop,
//! with [`schedule`], [`optimiser`], [`measure`], [`checkpoint`] and [`progress`]; [`export`]
//! writes ONNX and checks it with the runtime's own engine; [`labels`] has doubtful labels graded again;
//! [`robustness`] evaluates a finished model under attacks and corruptions ([`corruption`]); [`study`] runs
//! many trainings and evaluations. Labels, preprocessing, metrics and the model card are
//! [`parseye_vision`]'s.

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
