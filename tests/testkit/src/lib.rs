//! What the tests and measurement programs of several crates share: a synthetic face, drawn eye crops,
//! scripted events.

pub mod drawn_crops;
pub mod script;
pub mod synthetic_face;
