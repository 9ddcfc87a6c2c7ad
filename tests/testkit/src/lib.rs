//! What the tests and measurement programs of several crates share: a synthetic face, drawn eye crops,
//! scripted events, where the repository and the recordings of people are, what the documents show.

// It serves tests, which may end by an error.
#![allow(clippy::expect_used, clippy::unwrap_used)]

pub mod documents;
pub mod drawn_crops;
pub mod help;
pub mod places;
#[cfg(feature = "script")]
pub mod script;
pub mod synthetic_face;
