//! Pictures from a thread of their own, for sources that can only be read by waiting without end.
//!
//! The reading thread may hang for ever; whoever waits here does not. Only the newest picture is
//! kept, so that none is old when it is taken.

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender, TrySendError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A picture as it came, not decoded.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
    /// When it was captured, or else arrived.
    pub(super) captured: Instant,
    /// Its number, from 0.
    pub(super) sequence: u64,
}

/// The reading thread's end.
#[derive(Debug)]
pub(super) struct FrameReader {
    sender: Sender<Raw>,
    /// Takes back what was not fetched in time.
    old: Receiver<Raw>,
    counts: Arc<Counts>,
    sequence: u64,
}

/// The other end.
#[derive(Debug)]
pub(super) struct Feed {
    newest: Receiver<Raw>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    broken: AtomicU64,
}

/// What came of waiting.
#[derive(Debug)]
pub(super) enum Fed {
    Picture(Raw),
    Nothing,
    /// The reading thread has ended.
    Ended,
}

/// A new pair.
pub(super) fn feed() -> (FrameReader, Feed) {
    let (sender, newest) = channel::bounded(1);
    let counts = Arc::<Counts>::default();
    let feeder = FrameReader {
        sender,
        old: newest.clone(),
        counts: Arc::clone(&counts),
        sequence: 0,
    };
    (feeder, Feed { newest, counts })
}

impl FrameReader {
    /// Hands a picture over in the place of one that was not fetched.
    pub(super) fn put(&mut self, bytes: Vec<u8>, captured: Instant) {
        let mut raw = Raw {
            bytes,
            captured,
            sequence: self.sequence,
        };
        self.sequence += 1;
        while let Err(TrySendError::Full(again)) = self.sender.try_send(raw) {
            raw = again;
            if self.old.try_recv().is_ok() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Says how many pictures were broken so far.
    pub(super) fn set_broken(&self, broken: u64) {
        self.counts.broken.store(broken, Ordering::Relaxed);
    }

    /// Whether nobody will fetch any more. The feeder's own receiver keeps the channel open, so
    /// this is seen by the counts, which both ends share.
    pub(super) fn is_disconnected(&self) -> bool {
        Arc::strong_count(&self.counts) == 1
    }
}

impl Feed {
    /// Waits for the newest picture.
    pub(super) fn next(&self, wait: Duration) -> Fed {
        match self.newest.recv_timeout(wait) {
            Ok(raw) => Fed::Picture(raw),
            Err(RecvTimeoutError::Timeout) => Fed::Nothing,
            Err(RecvTimeoutError::Disconnected) => Fed::Ended,
        }
    }

    /// Pictures dropped by newer ones before they were fetched.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Pictures that came broken.
    pub(super) fn broken(&self) -> u64 {
        self.counts.broken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_is_kept_and_the_end_is_seen() {
        let (mut feeder, feed) = feed();
        assert!(matches!(feed.next(Duration::ZERO), Fed::Nothing));
        (0..5).for_each(|byte| feeder.put(vec![byte], Instant::now()));
        assert_eq!(feed.dropped(), 4);
        let Fed::Picture(raw) = feed.next(Duration::ZERO) else {
            unreachable!()
        };
        assert_eq!((raw.bytes, raw.sequence), (vec![4], 4));
        drop(feeder);
        assert!(matches!(feed.next(Duration::ZERO), Fed::Ended));
    }

    #[test]
    fn a_feeder_notices_that_nobody_listens() {
        let (feeder, feed) = feed();
        assert!(!feeder.is_disconnected());
        drop(feed);
        assert!(feeder.is_disconnected());
    }
}
