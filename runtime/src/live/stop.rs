//! The wish to stop, set by a signal and read between frames, so that logs and videos are closed
//! properly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A wish to stop that all threads share. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// No wish yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop because of a signal; its number is kept. Zero would be no wish.
    pub fn request(&self, signal: usize) {
        self.0.store(signal, Ordering::Relaxed);
    }

    /// The number of the signal that asked to stop, where one did.
    pub fn requested(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }

    /// The number that a signal handler stores its signal in.
    pub fn signal(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_sees_the_wish() {
        let stop = Stop::new();
        let other = stop.clone();
        assert_eq!(other.requested(), None);
        stop.request(15);
        assert_eq!(other.requested(), Some(15));
    }
}
