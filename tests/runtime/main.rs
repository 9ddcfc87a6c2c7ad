//! The program and its library as their users meet them. `cargo test -p parseye --test runtime replay::` runs
//! one module.
//!
//! The modules share one process and its threads: what changes a process (limits, signals, the environment)
//! is done to the programs that a test starts, never to the test itself.

// Clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[cfg(unix)]
mod browser;
#[cfg(unix)]
mod dashboards;
#[cfg(unix)]
mod demonstration;
mod documents;
mod examples;
#[cfg(target_os = "linux")]
mod faults;
mod inputs;
#[cfg(unix)]
mod live;
mod manual;
mod misuse;
#[cfg(feature = "mqtt")]
mod mqtt;
mod other_processors;
mod printed;
mod replay;
mod selfcheck;
#[cfg(target_os = "linux")]
mod service;
#[cfg(unix)]
mod streams;
mod support;
