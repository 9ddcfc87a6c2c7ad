//! `parseye-vision` on real input.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod locate;
mod watch;
