//! A channel for frames from a thread of its own, for sources whose reads may block without end.
//!
//! The reading thread may hang for ever; the receiving one waits for a bounded time. Only the newest
//! frame is kept, so that none is old when it is received: a channel of capacity one, whose occupant
//! the reading thread replaces.
//!
//! Frames that carry no time are dated by their arrival. After a hiccup a network or a program hands out at
//! once what it held back, whose frames are older than their arrival says: of those only the last is
//! received, which is about as new as it seems (`rhythm`).

mod rhythm;

use crate::{DamagedFrames, Notice};
use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender, TrySendError};
use rhythm::{Late, Rhythm};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Longest time that frames which were held back may keep coming before one of them is taken.
const LONGEST_BURST: Duration = Duration::from_secs(1);

/// As many late frames at once are reported; one or two are a delay as any.
const REPORTED: u64 = 3;

/// A frame as it was read: encoded, or pixels.
#[derive(Debug)]
pub(super) struct CapturedFrame<T> {
    pub(super) content: T,
    /// When it was captured; where that is unknown, when it arrived.
    pub(super) captured: Instant,
    /// Its number, counted from 0.
    pub(super) sequence: u64,
    /// What it is if it was held back.
    late: Option<Late>,
}

/// The reading thread's end: sends frames.
#[derive(Debug)]
pub(super) struct FrameReader<T> {
    sender: Sender<CapturedFrame<T>>,
    /// Takes back the frame that was not received in time.
    unread: Receiver<CapturedFrame<T>>,
    counts: Arc<Counts>,
    sequence: u64,
    /// `None` where frames have times of their own.
    rhythm: Option<Rhythm>,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct FrameReceiver<T> {
    newest: Receiver<CapturedFrame<T>>,
    counts: Arc<Counts>,
    notices: Vec<Notice>,
}

#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    corrupt: AtomicU64,
    /// Numbers of corrupt frames that were not reported yet.
    damaged: Mutex<DamagedFrames>,
}

/// The outcome of waiting for a frame.
#[derive(Debug)]
pub(super) enum Received<T> {
    Frame(CapturedFrame<T>),
    Nothing,
    /// The reading thread has ended.
    Ended,
}

/// Creates a channel.
pub(super) fn frame_channel<T>() -> (FrameReader<T>, FrameReceiver<T>) {
    let (sender, newest) = channel::bounded(1);
    let counts = Arc::<Counts>::default();
    let reader = FrameReader {
        sender,
        unread: newest.clone(),
        counts: Arc::clone(&counts),
        sequence: 0,
        rhythm: Some(Rhythm::default()),
    };
    let receiver = FrameReceiver {
        newest,
        counts,
        notices: Vec::new(),
    };
    (reader, receiver)
}

impl<T> FrameReader<T> {
    /// Takes frames to have times of their own, from the next one on.
    pub(super) fn trust_times(&mut self) {
        self.rhythm = None;
    }

    /// Sends a frame, which replaces one that was not received yet.
    pub(super) fn send(&mut self, content: T, captured: Instant) {
        let sequence = self.sequence;
        let rhythm = self.rhythm.as_mut();
        let late = rhythm.and_then(|rhythm| rhythm.arrival(captured, sequence));
        let mut frame = CapturedFrame {
            content,
            captured,
            sequence,
            late,
        };
        self.sequence += 1;
        while let Err(TrySendError::Full(refused)) = self.sender.try_send(frame) {
            frame = refused;
            if self.unread.try_recv().is_ok() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Counts frames that were corrupt, and gives each its number.
    pub(super) fn count_corrupt(&mut self, frames: u64) {
        self.counts.corrupt.fetch_add(frames, Ordering::Relaxed);
        let mut damaged = locked(&self.counts.damaged);
        (self.sequence..self.sequence + frames).for_each(|frame| damaged.add(frame));
        self.sequence += frames;
    }

    /// Returns the number of the next frame.
    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns whether the receiver was dropped. `unread` keeps the channel open, so the counts, which
    /// both ends share, show it.
    pub(super) fn is_disconnected(&self) -> bool {
        Arc::strong_count(&self.counts) == 1
    }
}

impl<T> FrameReceiver<T> {
    /// Waits for the newest frame, at most `wait`, and where frames were held back, for the last of them.
    pub(super) fn receive(&mut self, wait: Duration) -> Received<T> {
        match self.newest.recv_timeout(wait) {
            Ok(frame) => Received::Frame(self.last_of_burst(frame)),
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::Ended,
        }
    }

    fn last_of_burst(&mut self, mut frame: CapturedFrame<T>) -> CapturedFrame<T> {
        let begin = Instant::now();
        let mut burst = None;
        while let Some(late) = frame.late {
            burst = Some(late);
            if begin.elapsed() > LONGEST_BURST {
                break;
            }
            let Ok(newer) = self.newest.recv_timeout(late.settles_in) else {
                break;
            };
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            frame = newer;
        }
        let Some(late) = burst else {
            return frame;
        };
        // The one that is taken may be the first in time again.
        let held_back = frame.sequence + u64::from(frame.late.is_some()) - late.first;
        if held_back >= REPORTED {
            let seconds = late.silence.as_secs_f64();
            self.notices.push(Notice::Gap {
                length: late.silence,
                message: format!(
                    "no frame for {seconds:.1} s, then {held_back} that were held back; only the newest is used"
                ),
            });
        }
        frame
    }

    /// Returns the number of frames that newer ones replaced before they were received.
    pub(super) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of frames that were corrupt.
    pub(super) fn corrupt(&self) -> u64 {
        self.counts.corrupt.load(Ordering::Relaxed)
    }

    /// Takes what is to be reported: bursts, and the numbers of corrupt frames.
    pub(super) fn notices(&mut self, now: Duration) -> Vec<Notice> {
        let damaged = std::mem::take(&mut *locked(&self.counts.damaged));
        let damaged = damaged.first().iter().map(|frame| Notice::Damaged {
            frame: *frame,
            time: now,
        });
        self.notices.extend(damaged);
        std::mem::take(&mut self.notices)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_is_kept_and_the_end_is_seen() {
        let (mut reader, mut receiver) = frame_channel();
        assert!(matches!(
            receiver.receive(Duration::ZERO),
            Received::Nothing
        ));
        (0..5).for_each(|byte| reader.send(vec![byte], Instant::now()));
        assert_eq!(receiver.dropped(), 4);
        let Received::Frame(frame) = receiver.receive(Duration::ZERO) else {
            unreachable!()
        };
        assert_eq!((frame.content, frame.sequence), (vec![4_u8], 4));
        drop(reader);
        assert!(matches!(receiver.receive(Duration::ZERO), Received::Ended));
    }

    #[test]
    fn a_reader_sees_that_its_receiver_is_gone() {
        let (reader, receiver) = frame_channel::<Vec<u8>>();
        assert!(!reader.is_disconnected());
        drop(receiver);
        assert!(reader.is_disconnected());
    }

    #[test]
    fn of_frames_that_were_held_back_only_the_last_is_received_and_the_gap_is_told() {
        const PERIOD: Duration = Duration::from_millis(33);
        let (mut reader, mut receiver) = frame_channel();
        let mut arrives = Instant::now();
        for number in 0..30 {
            arrives += PERIOD;
            reader.send(number, arrives);
            assert!(matches!(
                receiver.receive(Duration::ZERO),
                Received::Frame(_)
            ));
        }
        assert_eq!(receiver.notices(Duration::ZERO), []);
        arrives += Duration::from_millis(1800);
        for number in 30..84 {
            reader.send(number, arrives);
        }
        let Received::Frame(frame) = receiver.receive(Duration::ZERO) else {
            unreachable!()
        };
        assert_eq!((frame.content, frame.captured), (83, arrives));
        assert_eq!(receiver.dropped(), 53);
        let [Notice::Gap { length, message }] = &receiver.notices(Duration::ZERO)[..] else {
            unreachable!("one gap")
        };
        assert_eq!(length.as_millis(), 1800);
        assert!(
            message.contains("1.8 s") && message.contains("54"),
            "{message}"
        );
        // Afterwards all is as before.
        arrives += PERIOD;
        reader.send(84, arrives);
        assert!(matches!(
            receiver.receive(Duration::ZERO),
            Received::Frame(_)
        ));
        assert_eq!(receiver.notices(Duration::ZERO), []);
    }

    #[test]
    fn corrupt_frames_have_numbers() {
        let (mut reader, mut receiver) = frame_channel();
        reader.send(0, Instant::now());
        reader.count_corrupt(2);
        reader.send(3, Instant::now());
        let Received::Frame(frame) = receiver.receive(Duration::ZERO) else {
            unreachable!()
        };
        assert_eq!((frame.sequence, receiver.corrupt()), (3, 2));
        let time = Duration::from_secs(1);
        let damaged = [1, 2].map(|frame| Notice::Damaged { frame, time });
        assert_eq!(receiver.notices(time), damaged);
    }
}
