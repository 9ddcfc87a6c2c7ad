//! Seeing: finds the eyes in a frame, classifies their state, follows it over time and measures how far
//! the prediction can be trusted.
//!
//! # Layout
//! A frame passes the modules in this order: [`frame`] holds it, [`locate`] finds face and eyes,
//! [`eye_crop`] cuts an eye out, [`classify`] predicts its state, [`temporal`] turns states into blinks, closures and PERCLOS;
//! [`eye_monitor`] is that way in one struct. [`selfcheck`] measures how far a prediction can be trusted,
//! [`evaluate`] scores predictions against labels. [`reading`], [`eye_state`], [`lids`] and [`snr`] hold the words
//! that all share. Cameras, files, logs and dashboards are left to other crates.

pub mod bounded;
pub mod classify;
mod convolution;
pub mod evaluate;
pub mod eye_crop;
pub mod eye_monitor;
pub mod eye_state;
pub mod frame;
pub mod installed;
pub mod instructions;
pub mod lids;
pub mod locate;
pub mod names;
pub mod nearest;
pub mod reading;
pub mod seconds;
pub mod selfcheck;
pub mod settings;
pub mod snr;
pub mod statistics;
pub mod temporal;
pub mod timed_window;
