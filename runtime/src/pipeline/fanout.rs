//! From one running monitor to any number of readers, none of whom can make it wait.
//!
//! Each reader has a queue of its own, bounded by what that reader can hold. A full queue loses the
//! newest event for that reader alone, and the reader can ask how many it lost. The newest
//! [`LiveStatus`] is kept beside the events for those who only want to show the present.

use super::{PictureSlot, SelfCheckSlot};
use crate::report::{event::Event, prometheus::FrameAges, status::LiveStatus};
use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender, TrySendError};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Hands events to readers; cheap to clone, all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Fanout {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    readers: Mutex<Vec<Reader>>,
    status: Mutex<Option<Arc<LiveStatus>>>,
    picture: PictureSlot,
    self_check: SelfCheckSlot,
    ages: FrameAges,
}

#[derive(Debug)]
struct Reader {
    queue: Sender<Arc<Event>>,
    lost: Arc<AtomicU64>,
}

/// A reader's end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: Receiver<Arc<Event>>,
    lost: Arc<AtomicU64>,
}

/// What a reader gets when it waits.
#[derive(Clone, Debug)]
pub enum Next {
    /// An event.
    Event(Arc<Event>),
    /// None came in time.
    Nothing,
    /// The monitor has ended and all its events were read.
    Ended,
}

impl Fanout {
    /// Nobody reads yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new reader, who gets every event from now on as long as no more than `capacity` wait.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        let (sender, queue) = channel::bounded(capacity);
        let lost = Arc::new(AtomicU64::new(0));
        locked(&self.shared.readers).push(Reader {
            queue: sender,
            lost: Arc::clone(&lost),
        });
        Subscription { queue, lost }
    }

    /// Hands an event to every reader without waiting for any.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        locked(&self.shared.readers).retain(|reader| {
            match reader.queue.try_send(Arc::clone(&event)) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    reader.lost.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }

    /// Where the vision thread and the self-check meet.
    pub fn self_check(&self) -> &SelfCheckSlot {
        &self.shared.self_check
    }

    /// Replaces the present.
    pub fn set_status(&self, status: LiveStatus) {
        *locked(&self.shared.status) = Some(Arc::new(status));
    }

    /// The present; `None` before the first.
    pub fn status(&self) -> Option<Arc<LiveStatus>> {
        locked(&self.shared.status).clone()
    }

    /// The newest picture, for readers that asked for one.
    pub fn picture(&self) -> &PictureSlot {
        &self.shared.picture
    }

    /// Times from capture to reading of all frames since the start.
    pub fn frame_ages(&self) -> &FrameAges {
        &self.shared.ages
    }

    /// Ends all subscriptions: readers get what waits for them, then [`Next::Ended`].
    pub fn end(&self) {
        locked(&self.shared.readers).clear();
    }

    /// Number of present readers, those that have gone since the last event included.
    pub fn readers(&self) -> usize {
        locked(&self.shared.readers).len()
    }
}

impl Subscription {
    /// Waits for the next event, at most `wait`.
    pub fn next(&self, wait: Duration) -> Next {
        match self.queue.recv_timeout(wait) {
            Ok(event) => Next::Event(event),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// Events that did not fit into this reader's queue so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A reader that died while it held a lock cannot have left it half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script::end;

    const SOON: Duration = Duration::from_secs(10);

    fn number(next: Next) -> u64 {
        match next {
            Next::Event(event) => match event.as_ref() {
                Event::End(end) => end.frames,
                other => unreachable!("{other:?}"),
            },
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_slow_reader_loses_its_own_events_and_nobody_else_s() {
        let fanout = Fanout::new();
        let (slow, fast) = (fanout.subscribe(2), fanout.subscribe(100));
        (0..10).for_each(|frames| fanout.publish(end(frames)));
        assert_eq!((slow.lost(), fast.lost()), (8, 0));
        let read: Vec<u64> = (0..10).map(|_| number(fast.next(SOON))).collect();
        assert_eq!(read, (0..10).collect::<Vec<_>>());
        assert_eq!(number(slow.next(SOON)), 0);
        fanout.publish(end(10));
        assert_eq!(number(slow.next(SOON)), 1);
        assert_eq!(number(slow.next(SOON)), 10);
        assert!(matches!(slow.next(Duration::ZERO), Next::Nothing));
    }

    #[test]
    fn a_reader_that_left_is_forgotten_and_the_end_reaches_the_others() {
        let fanout = Fanout::new();
        let (stays, leaves) = (fanout.subscribe(4), fanout.subscribe(4));
        drop(leaves);
        fanout.publish(end(1));
        assert_eq!(fanout.readers(), 1);
        fanout.clone().end();
        assert_eq!(number(stays.next(SOON)), 1);
        assert!(matches!(stays.next(SOON), Next::Ended));
    }
}
