//! What the tests and measurement programs of several crates share: a synthetic face, drawn eye crops,
//! scripted events, a network camera, where the repository and the recordings of people are, what the documents show.

// It serves tests, which may end by an error.
#![allow(clippy::expect_used, clippy::unwrap_used)]

pub mod documents;
pub mod drawn_crops;
pub mod help;
pub mod mjpeg_server;
pub mod places;
pub mod rtsp_server;
#[cfg(feature = "script")]
pub mod script;
pub mod synthetic_face;
