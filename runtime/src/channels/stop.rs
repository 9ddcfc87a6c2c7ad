//! The request to stop, set by a signal and read between frames, so that logs and videos are closed
//! properly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A request to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Creates one that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests to stop because of a signal, whose number must not be 0.
    pub fn request(&self, signal: usize) {
        self.0.store(signal, Ordering::Relaxed);
    }

    /// Returns the number of the signal that requested to stop, if one did.
    pub fn requested(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }

    /// Returns the number that a signal handler stores its signal in.
    pub fn signal(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_sees_the_request() {
        let stop = Stop::new();
        let other = stop.clone();
        assert_eq!(other.requested(), None);
        stop.request(15);
        assert_eq!(other.requested(), Some(15));
    }
}
