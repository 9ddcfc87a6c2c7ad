//! A channel for frames from a thread of its own, for sources whose reads may block without end.
//!
//! The reading thread may hang for ever; the receiving one waits for a bounded time. Only the newest
//! frame is kept, so that none is old when it is received: a channel of capacity one, whose occupant
//! the reading thread replaces.

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender, TrySendError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A frame as it was read, not decoded.
#[derive(Debug)]
pub(super) struct EncodedFrame {
    pub(super) bytes: Vec<u8>,
    /// When it was captured; where that is unknown, when it arrived.
    pub(super) captured: Instant,
    /// Its number, counted from 0.
    pub(super) sequence: u64,
}

/// The reading thread's end: sends frames.
#[derive(Debug)]
pub(super) struct FrameReader {
    sender: Sender<EncodedFrame>,
    /// Takes back the frame that was not received in time.
    unread: Receiver<EncodedFrame>,
    counts: Arc<Counts>,
    sequence: u64,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct FrameReceiver {
    newest: Receiver<EncodedFrame>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    corrupt: AtomicU64,
}

/// The outcome of waiting for a frame.
#[derive(Debug)]
pub(super) enum Received {
    Frame(EncodedFrame),
    Nothing,
    /// The reading thread has ended.
    Ended,
}

/// Creates a channel.
pub(super) fn frame_channel() -> (FrameReader, FrameReceiver) {
    let (sender, newest) = channel::bounded(1);
    let counts = Arc::<Counts>::default();
    let reader = FrameReader {
        sender,
        unread: newest.clone(),
        counts: Arc::clone(&counts),
        sequence: 0,
    };
    (reader, FrameReceiver { newest, counts })
}

impl FrameReader {
    /// Sends a frame, which replaces one that was not received yet.
    pub(super) fn send(&mut self, bytes: Vec<u8>, captured: Instant) {
        let mut frame = EncodedFrame {
            bytes,
            captured,
            sequence: self.sequence,
        };
        self.sequence += 1;
        while let Err(TrySendError::Full(refused)) = self.sender.try_send(frame) {
            frame = refused;
            if self.unread.try_recv().is_ok() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sets the number of frames that were corrupt so far.
    pub(super) fn set_corrupt(&self, corrupt: u64) {
        self.counts.corrupt.store(corrupt, Ordering::Relaxed);
    }

    /// Returns whether the receiver was dropped. `unread` keeps the channel open, so the counts, which
    /// both ends share, show it.
    pub(super) fn is_disconnected(&self) -> bool {
        Arc::strong_count(&self.counts) == 1
    }
}

impl FrameReceiver {
    /// Waits for the newest frame, at most `wait`.
    pub(super) fn receive(&self, wait: Duration) -> Received {
        match self.newest.recv_timeout(wait) {
            Ok(frame) => Received::Frame(frame),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::Ended,
        }
    }

    /// Returns the number of frames that newer ones replaced before they were received.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of frames that were corrupt.
    pub(super) fn corrupt(&self) -> u64 {
        self.counts.corrupt.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_is_kept_and_the_end_is_seen() {
        let (mut reader, receiver) = frame_channel();
        assert!(matches!(
            receiver.receive(Duration::ZERO),
            Received::Nothing
        ));
        (0..5).for_each(|byte| reader.send(vec![byte], Instant::now()));
        assert_eq!(receiver.dropped(), 4);
        let Received::Frame(frame) = receiver.receive(Duration::ZERO) else {
            unreachable!()
        };
        assert_eq!((frame.bytes, frame.sequence), (vec![4], 4));
        drop(reader);
        assert!(matches!(receiver.receive(Duration::ZERO), Received::Ended));
    }

    #[test]
    fn a_reader_sees_that_its_receiver_is_gone() {
        let (reader, receiver) = frame_channel();
        assert!(!reader.is_disconnected());
        drop(receiver);
        assert!(reader.is_disconnected());
    }
}
