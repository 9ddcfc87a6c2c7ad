//! The program when what it stands on gives way: it is killed, the disk is full, no file can be opened
//! any more, clocks jump, files are cut off as by a power cut, streams are garbage. What was recorded
//! stays whole, and what is wrong is said.

mod clocks;
mod descriptors;
mod full_disk;
mod garbage;
mod kills;
use crate::support;
mod truncation;

use std::time::{Duration, Instant};

/// Longest wait for what must come; no result depends on it.
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
