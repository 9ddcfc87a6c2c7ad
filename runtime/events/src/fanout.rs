//! Hands items from one writer to any number of readers, none of whom can make it wait.
//!
//! Each reader has a queue of its own, bounded by what that reader can hold. A full queue loses the
//! newest item for that reader alone, and the reader can ask how many it lost.

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender, TrySendError};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Hands items to readers; cheap to clone, all clones are one.
#[derive(Debug)]
pub struct Fanout<T> {
    readers: Arc<Mutex<Vec<Reader<T>>>>,
}

#[derive(Debug)]
struct Reader<T> {
    queue: Sender<Arc<T>>,
    lost: Arc<AtomicU64>,
}

/// A reader's end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription<T> {
    queue: Receiver<Arc<T>>,
    lost: Arc<AtomicU64>,
}

/// What a reader gets when it waits.
#[derive(Debug)]
pub enum Next<T> {
    /// An item.
    Event(Arc<T>),
    /// None came in time.
    Nothing,
    /// The writer has ended and all its items were read.
    Ended,
}

// Derived, these would ask the same of the items.
impl<T> Clone for Fanout<T> {
    fn clone(&self) -> Self {
        Self {
            readers: Arc::clone(&self.readers),
        }
    }
}

impl<T> Default for Fanout<T> {
    fn default() -> Self {
        Self {
            readers: Arc::default(),
        }
    }
}

impl<T> Fanout<T> {
    /// Creates a fanout without readers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reader, who gets every item from now on as long as no more than `capacity` wait.
    pub fn subscribe(&self, capacity: usize) -> Subscription<T> {
        let (sender, queue) = channel::bounded(capacity);
        let lost = Arc::new(AtomicU64::new(0));
        locked(&self.readers).push(Reader {
            queue: sender,
            lost: Arc::clone(&lost),
        });
        Subscription { queue, lost }
    }

    /// Hands an item to every reader without waiting for any.
    pub fn publish(&self, item: T) {
        let item = Arc::new(item);
        locked(&self.readers).retain(|reader| match reader.queue.try_send(Arc::clone(&item)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                reader.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    /// Ends all subscriptions: readers get what waits for them, then [`Next::Ended`].
    pub fn end(&self) {
        locked(&self.readers).clear();
    }

    /// Returns the number of readers, those that have gone since the last item included.
    pub fn readers(&self) -> usize {
        locked(&self.readers).len()
    }
}

impl<T> Subscription<T> {
    /// Waits for the next item, at most `wait`.
    pub fn next(&self, wait: Duration) -> Next<T> {
        match self.queue.recv_timeout(wait) {
            Ok(item) => Next::Event(item),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// Returns the number of items that did not fit into this reader's queue so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Locks a mutex whose content stays whole even when a thread died while it held the lock.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn number(next: Next<u64>) -> u64 {
        match next {
            Next::Event(number) => *number,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_slow_reader_loses_its_own_events_and_nobody_else_s() {
        let fanout = Fanout::new();
        let (slow, fast) = (fanout.subscribe(2), fanout.subscribe(100));
        (0..10).for_each(|number| fanout.publish(number));
        assert_eq!((slow.lost(), fast.lost()), (8, 0));
        let read: Vec<u64> = (0..10).map(|_| number(fast.next(SOON))).collect();
        assert_eq!(read, (0..10).collect::<Vec<_>>());
        assert_eq!(number(slow.next(SOON)), 0);
        fanout.publish(10);
        assert_eq!(number(slow.next(SOON)), 1);
        assert_eq!(number(slow.next(SOON)), 10);
        assert!(matches!(slow.next(Duration::ZERO), Next::Nothing));
    }

    #[test]
    fn a_reader_that_left_is_forgotten_and_the_end_reaches_the_others() {
        let fanout = Fanout::new();
        let (stays, leaves) = (fanout.subscribe(4), fanout.subscribe(4));
        drop(leaves);
        fanout.publish(1);
        assert_eq!(fanout.readers(), 1);
        fanout.clone().end();
        assert_eq!(number(stays.next(SOON)), 1);
        assert!(matches!(stays.next(SOON), Next::Ended));
    }
}
