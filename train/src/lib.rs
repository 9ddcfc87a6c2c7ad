//! Trains, hardens and exports Parseye's eye-state models: the library of the program `train`, public for
//! its tests.
//!
//! # Layout
//! [`data`] loads and augments labelled crops ([`crop`]); [`network`] describes networks as data and runs
//! them in tch; [`attack`] perturbs images and [`harden`] trains against that; [`fit`] is the training loop
//! with its checkpoints, beside it [`schedule`], [`optimiser`], [`measure`] and [`progress`]; [`export`]
//! writes ONNX and checks it with the runtime's own engine, [`adopt`] makes ONNX of others usable; [`run`] is a whole training from
//! [`fit_arguments`] to the model file; [`conditions`] runs a finished model under attacks and corruptions
//! ([`corruption`]), [`labels`] has doubtful labels graded again, and [`robustness`] evaluates, each metric an
//! [`estimate`] that a [`chart`] can draw; [`study`] runs many trainings and evaluations; [`cli`] is above
//! them all. A module names only those below it. Labels, preprocessing, metrics and the model card are
//! [`parseye_vision`]'s.

pub mod adopt;
pub mod attack;
pub mod card_command;
pub mod chart;
pub mod cli;
pub mod conditions;
pub mod corruption;
pub mod crop;
pub mod data;
pub mod device;
pub mod estimate;
pub mod export;
pub mod files;
pub mod fit;
pub mod fit_arguments;
mod float_bytes;
pub mod harden;
mod kept;
pub mod labels;
mod logits;
pub mod measure;
pub mod network;
mod normal;
pub mod optimiser;
pub mod progress;
pub mod robustness;
pub mod run;
pub mod schedule;
pub mod study;
