//! A sliding window over time-stamped items, kept in a ring buffer: what blink rate, PERCLOS, headroom,
//! camera noise and drift remember.
//!
//! A window holds the items of its last [`TimedWindow::length`], at most [`TimedWindow::capacity`] of them.
//! Its owner derives the capacity from the greatest rate at which items can come ([`capacity_for`]), so
//! that it is reached by nothing but input outside the documented limits. What happens then is defined:
//! the oldest item gives way, [`TimedWindow::push`] hands it back, and [`TimedWindow::is_complete`] is
//! false for as long as that item would have been in the window, so that no statistic of a shortened window
//! passes for one of the whole. Items live in a `ringbuf` ring that grows by doubling up to the capacity.

use ringbuf::{
    HeapRb,
    traits::{Consumer, Observer, Producer},
    wrap::{Cons, Prod},
};
use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

/// Items that a ring has room for at the beginning.
const FIRST_CAPACITY: usize = 16;

/// The most items within `length` when they come at up to `rate` a second: `rate * length` rounded up, and
/// one, since both ends belong to the window.
pub fn capacity_for(rate: u32, length: Duration) -> usize {
    let nanoseconds = length.as_nanos().saturating_mul(u128::from(rate));
    usize::try_from(nanoseconds.div_ceil(1_000_000_000).saturating_add(1)).unwrap_or(usize::MAX)
}

/// An item with a time.
pub trait Timed {
    /// The time by which the item's age is counted.
    fn time(&self) -> Duration;
}

impl Timed for Duration {
    fn time(&self) -> Duration {
        *self
    }
}

impl<T> Timed for (Duration, T) {
    fn time(&self) -> Duration {
        self.0
    }
}

/// The items of the last [`Self::length`], oldest first.
///
/// Items are pushed in order of their times. Whoever meets a time before the last one (a clock that was
/// set back, another source) calls [`Self::clear`] first.
pub struct TimedWindow<T> {
    length: Duration,
    capacity: NonZeroUsize,
    ring: Ring<T>,
    /// Time of the newest item that gave way to another before its time.
    displaced: Option<Duration>,
}

impl<T: Timed> TimedWindow<T> {
    /// Creates an empty window; a `capacity` of 0 counts as 1.
    pub fn new(length: Duration, capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self {
            length,
            capacity,
            ring: Ring::new(capacity.get().min(FIRST_CAPACITY)),
            displaced: None,
        }
    }

    /// Creates an empty window of the last `count` items, whatever their age.
    pub fn of_last(count: usize) -> Self {
        Self::new(Duration::MAX, count)
    }

    /// Length of the window.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Most items that are held.
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Adds the newest item. Where the window is full of items that have not expired by the new item's time,
    /// the oldest gives way and is returned.
    pub fn push(&mut self, item: T) -> Option<T> {
        if self.len() >= self.capacity.get() {
            self.expire(item.time());
        }
        let displaced = if self.len() >= self.capacity.get() {
            self.ring.reader.try_pop()
        } else {
            None
        };
        if let Some(displaced) = &displaced {
            self.displaced = Some(displaced.time());
        }
        if self.ring.reader.is_full() {
            self.grow();
        }
        // There is room: an item was removed, or the ring has grown.
        let refused = self.ring.writer.try_push(item);
        debug_assert!(refused.is_ok(), "a ring without room for one more item");
        debug_assert!(self.len() <= self.capacity.get());
        displaced
    }

    /// Removes the items that are older than the window at `now`: those before `now - length`.
    pub fn expire(&mut self, now: Duration) {
        let oldest = self.oldest(now);
        while self.front().is_some_and(|item| item.time() < oldest) {
            let _ = self.ring.reader.try_pop();
        }
        if self.displaced.is_some_and(|time| time < oldest) {
            self.displaced = None;
        }
    }

    /// The time at which the window begins at `now`; zero where it is longer than that.
    pub fn oldest(&self, now: Duration) -> Duration {
        now.saturating_sub(self.length)
    }

    /// Whether every item that was pushed and has not expired is held. False after an item gave way to
    /// another, until it would have expired itself.
    pub fn is_complete(&self) -> bool {
        self.displaced.is_none()
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.ring.reader.clear();
        self.displaced = None;
    }

    fn grow(&mut self) {
        let room = self.ring.reader.capacity().get();
        let mut larger = Ring::new(room.saturating_mul(2).min(self.capacity.get()));
        larger.writer.push_iter(self.ring.reader.pop_iter());
        self.ring = larger;
    }
}

impl<T> TimedWindow<T> {
    /// Number of items held.
    pub fn len(&self) -> usize {
        self.ring.reader.occupied_len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.ring.reader.is_empty()
    }

    /// Items in order of time, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.ring.reader.iter()
    }

    /// The oldest item.
    pub fn front(&self) -> Option<&T> {
        self.ring.reader.first()
    }

    /// The newest item.
    pub fn back(&self) -> Option<&T> {
        self.ring.reader.last()
    }

    /// The oldest item, to change it; its time may only grow, and not beyond the next one's.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.ring.reader.first_mut()
    }

    /// The newest item, to change it; its time may only grow.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.ring.reader.last_mut()
    }
}

/// Both ends of a ring. The ring itself can only be read by its reading end.
struct Ring<T> {
    writer: Prod<Arc<HeapRb<T>>>,
    reader: Cons<Arc<HeapRb<T>>>,
}

impl<T> Ring<T> {
    fn new(room: usize) -> Self {
        let ring = Arc::new(HeapRb::new(room));
        Self {
            writer: Prod::new(Arc::clone(&ring)),
            reader: Cons::new(ring),
        }
    }
}

impl<T: Clone> Clone for TimedWindow<T> {
    fn clone(&self) -> Self {
        let mut ring = Ring::new(self.ring.reader.capacity().get());
        ring.writer.push_iter(self.iter().cloned());
        Self {
            length: self.length,
            capacity: self.capacity,
            ring,
            displaced: self.displaced,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for TimedWindow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedWindow")
            .field("length", &self.length)
            .field("capacity", &self.capacity)
            .field("displaced", &self.displaced)
            .field("items", &self.iter().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_capacity_holds_what_comes_at_the_greatest_rate() {
        assert_eq!(capacity_for(1000, SECOND), 1001);
        assert_eq!(capacity_for(3, ms(500)), 3);
        assert_eq!(capacity_for(7, Duration::ZERO), 1);
        let mut window = TimedWindow::new(SECOND, capacity_for(1000, SECOND));
        for time in 0..5000 {
            assert_eq!(window.push(ms(time)), None);
            window.expire(ms(time));
            assert!(window.is_complete());
        }
        assert_eq!(window.len(), 1001);
    }

    #[test]
    fn a_full_window_says_so_until_what_it_lost_would_have_expired() {
        let mut window = TimedWindow::new(SECOND, 3);
        for time in [0, 100, 200] {
            assert_eq!(window.push(ms(time)), None);
        }
        assert_eq!(window.push(ms(300)), Some(ms(0)));
        assert_eq!(window.push(ms(400)), Some(ms(100)));
        assert_eq!((window.len(), window.front()), (3, Some(&ms(200))));
        window.expire(ms(1100));
        assert!(!window.is_complete(), "the item of 0.1 s belongs to it");
        window.expire(ms(1101));
        assert!(window.is_complete());
        window.push(ms(1101));
        window.clear();
        assert!(window.is_empty() && window.is_complete());
    }

    #[test]
    fn the_last_few_are_held_whatever_their_age() {
        let mut window = TimedWindow::of_last(0);
        assert_eq!(
            (window.push(ms(1)), window.push(ms(2))),
            (None, Some(ms(1)))
        );
        let mut window = TimedWindow::of_last(2);
        for time in 0..9 {
            window.push(SECOND * time);
            window.expire(SECOND * time);
        }
        assert!(window.iter().eq([&(SECOND * 7), &(SECOND * 8)]));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_queue_pruned_by_hand_holds(
            steps in prop::collection::vec((0_u64..400, 1_usize..4), 0..200),
            length in 0_u64..3000,
            capacity in 1_usize..40,
        ) {
            let mut window = TimedWindow::new(ms(length), capacity);
            let mut queue: VecDeque<(Duration, usize)> = VecDeque::new();
            let mut lost: Vec<Duration> = Vec::new();
            let mut now = Duration::ZERO;
            for (pause, items) in steps {
                now += ms(pause);
                for item in 0..items {
                    let displaced = window.push((now, item));
                    if queue.len() == capacity {
                        queue.retain(|item| item.0 >= now.saturating_sub(ms(length)));
                    }
                    let expected = if queue.len() == capacity { queue.pop_front() } else { None };
                    lost.extend(expected.map(|item| item.0));
                    queue.push_back((now, item));
                    prop_assert_eq!(displaced, expected);
                }
                let oldest = now.saturating_sub(ms(length));
                window.expire(now);
                queue.retain(|item| item.0 >= oldest);
                lost.retain(|time| *time >= oldest);
                prop_assert!(window.iter().eq(queue.iter()));
                prop_assert!(window.iter().rev().eq(queue.iter().rev()));
                prop_assert_eq!(window.is_complete(), lost.is_empty());
                prop_assert_eq!((window.front(), window.back()), (queue.front(), queue.back()));
                prop_assert!(window.clone().iter().eq(queue.iter()));
                prop_assert!(window.len() <= window.capacity());
            }
        }
    }
}
