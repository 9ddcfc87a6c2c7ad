//! `train` and its library as their users meet them. `cargo test -p parseye-train --test train study::` runs
//! one module.

// Clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod adopt;
mod attacks;
mod documents;
mod evaluation;
mod export;
mod labels;
mod misuse;
mod printed;
mod study;
mod support;
mod training;
