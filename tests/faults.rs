//! The program when what it stands on gives way: it is killed, the disk is full, no file can be opened
//! any more, clocks jump, files are cut off as by a power cut, streams are garbage. What was recorded
//! stays whole, and what is wrong is said.

// Clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "faults/clocks.rs"]
mod clocks;
#[path = "faults/descriptors.rs"]
mod descriptors;
#[path = "faults/full_disk.rs"]
mod full_disk;
#[path = "faults/garbage.rs"]
mod garbage;
#[path = "faults/kills.rs"]
mod kills;
mod support;
#[path = "faults/truncation.rs"]
mod truncation;

use std::time::{Duration, Instant};

/// Longest wait for what must come; nothing is judged by it.
const SOON: Duration = Duration::from_secs(60);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < SOON, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Checks that nothing panicked and that every line on stderr is for people.
#[track_caller]
fn no_panic(words: &str) {
    assert!(
        !words.contains("panicked") && !words.contains("RUST_BACKTRACE"),
        "{words}"
    );
}
