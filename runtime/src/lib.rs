//! Parseye watches a person's eyes through an ordinary camera, says for each eye whether it is
//! open, partially open, closed or not visible, and keeps measuring how far its own answer can be
//! trusted.
//!
//! # Layout
//! The modules stand in the order in which a frame passes them:
//! [`source`] delivers frames, [`locate`] finds the eyes, [`classify`] names their state,
//! [`temporal`] follows it over time, [`selfcheck`] says how far it can be trusted, [`report`]
//! tells; [`pipeline`] holds the threads that join them and [`config`] every setting. [`session`]
//! sums up logs and [`plot`] draws; [`evaluate`] scores answers against labels; [`reading`],
//! [`eye_state`] and [`snr`] hold the shared words, [`command_line`] what both programs say of
//! mistakes, [`installed`] where a package puts its files.

// What tests of the library and of the program share names the library as users do.
#[cfg(test)]
extern crate self as parseye;

mod bounded;
pub mod classify;
pub mod command_line;
pub mod config;
mod convolution;
pub mod evaluate;
pub mod eye_state;
pub mod installed;
mod instructions;
pub mod locate;
pub mod nearest;
mod onnx;
pub mod pipeline;
pub mod plot;
pub mod reading;
pub mod report;
mod seconds;
pub mod selfcheck;
pub mod session;
pub mod snr;
pub mod source;
pub mod temporal;
