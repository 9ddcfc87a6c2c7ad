//! PERCLOS: the share of time with closed eyes, blinks left out (FHWA technical brief
//! MCRT-98-006, 1998).
//!
//! Time counts as closed when it belongs to a closure of at least
//! [`TemporalSettings::long_closure_s`] that enough frames show. Time with unknown eyes counts neither way,
//! but for moments out of sight that a closure goes on through:
//!
//! ```text
//! PERCLOS = closed time / known time
//! ```

use super::{
    TemporalSettings,
    closure::{Lasting, LidChange, LidState},
};
use crate::{
    frame::MAX_FRAME_RATE,
    seconds,
    timed_window::{Timed, TimedWindow, capacity_for},
};
use std::time::Duration;

/// Share of known time with closed eyes, over everything or over a sliding window.
#[derive(Clone, Debug)]
pub(super) struct Perclos {
    long_closure: Duration,
    last_time: Option<Duration>,
    /// Known stretches within the sliding window in order of time, neighbours of one kind joined. `None`
    /// over the whole session: then stretches go straight into the totals, so memory stays bounded.
    window: Option<TimedWindow<Stretch>>,
    totals: Totals,
    /// The running closure so far: only its end shows whether it was a blink.
    running: Option<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Duration,
    end: Duration,
    closed: bool,
}

impl Timed for Stretch {
    fn time(&self) -> Duration {
        self.end
    }
}

/// Most stretches that one reading can end: a closure, and what lies before and after it.
const STRETCHES_OF_A_READING: u32 = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    known: Duration,
    closed: Duration,
}

impl Totals {
    fn add(&mut self, stretch: &Stretch) {
        let length = stretch.end.saturating_sub(stretch.start);
        self.known += length;
        if stretch.closed {
            self.closed += length;
        }
    }
}

impl Perclos {
    /// Counts all time from now on.
    pub(super) fn of_session(settings: &TemporalSettings) -> Self {
        Self {
            long_closure: seconds::duration(settings.long_closure_s),
            last_time: None,
            window: None,
            totals: Totals::default(),
            running: None,
        }
    }

    /// Counts the last [`TemporalSettings::perclos_window_s`]. Stretches beyond what the greatest frame rate
    /// can bring make the oldest time unknown, which then counts neither way.
    pub(super) fn of_last_minute(settings: &TemporalSettings) -> Self {
        let length = seconds::duration(settings.perclos_window_s);
        let capacity = capacity_for(MAX_FRAME_RATE * STRETCHES_OF_A_READING, length);
        Self {
            window: Some(TimedWindow::new(length, capacity)),
            ..Self::of_session(settings)
        }
    }

    /// Takes what the reading at `time` changed.
    pub(super) fn update(&mut self, time: Duration, change: &LidChange) {
        let start = self.last_time.replace(time).unwrap_or(time);
        match change.until_now {
            LidState::Closed(lasting) | LidState::Reopening(lasting) => {
                let end = change.reopened.unwrap_or(time);
                self.running = Some(self.stretch_of_closure(lasting, end));
                if change.reopened.is_some() || change.now == LidState::Unknown {
                    self.settle();
                }
                self.keep_not_closed(end, time);
            }
            LidState::Unseen(lasting) => match change.now {
                LidState::Unseen(_) => {}
                // Seen closed again: it was so in between.
                LidState::Closed(now) | LidState::Reopening(now) if now.since == lasting.since => {
                    self.running = Some(self.stretch_of_closure(now, time));
                }
                // What was seen of it is kept.
                _ => {
                    self.end_running(change.reopened);
                    self.settle();
                }
            },
            LidState::NotClosed => self.keep_not_closed(start, time),
            // A long gap hides how the running closure ended: what was seen of it is kept.
            LidState::Unknown => {
                self.end_running(change.reopened);
                self.settle();
                if let Some(end) = change.reopened {
                    self.keep_not_closed(end, start);
                }
            }
        }
        self.expire(time);
    }

    /// The next time is of another clock: what was known so far is kept, and nothing of the time in
    /// between.
    pub(super) fn break_off(&mut self) {
        self.settle();
        self.last_time = None;
    }

    /// Share of known time with closed eyes, 0 to 1; `None` before any time is known.
    pub(super) fn value(&self) -> Option<f64> {
        let (known, closed) = self.known_and_closed();
        (!known.is_zero()).then(|| closed.as_secs_f64() / known.as_secs_f64())
    }

    /// Known time and the part of it that counts as closed.
    pub(super) fn known_and_closed(&self) -> (Duration, Duration) {
        let mut totals = self.totals;
        if let Some(window) = &self.window {
            window.iter().for_each(|stretch| totals.add(stretch));
        }
        if let Some(mut running) = self.running {
            running.start = running.start.max(self.oldest(running.end));
            totals.add(&running);
        }
        (totals.known, totals.closed)
    }

    fn stretch_of_closure(&self, lasting: Lasting, end: Duration) -> Stretch {
        let start = lasting.surely_since.min(end);
        let closed = lasting.is_sure() && end.saturating_sub(start) >= self.long_closure;
        Stretch { start, end, closed }
    }

    /// Ends the running closure where its lids turn out to have parted before they were lost from sight.
    fn end_running(&mut self, parted: Option<Duration>) {
        if let (Some(running), Some(end)) = (&mut self.running, parted) {
            running.end = end;
            running.closed &= end.saturating_sub(running.start) >= self.long_closure;
        }
    }

    fn keep_not_closed(&mut self, start: Duration, end: Duration) {
        if start < end {
            self.keep(Stretch {
                start,
                end,
                closed: false,
            });
        }
    }

    fn settle(&mut self) {
        if let Some(stretch) = self.running.take() {
            self.keep(stretch);
        }
    }

    fn keep(&mut self, stretch: Stretch) {
        let Some(window) = &mut self.window else {
            self.totals.add(&stretch);
            return;
        };
        match window.back_mut() {
            Some(last) if last.closed == stretch.closed && last.end == stretch.start => {
                last.end = stretch.end;
            }
            _ => {
                window.push(stretch);
            }
        }
    }

    fn oldest(&self, now: Duration) -> Duration {
        let window = self.window.as_ref();
        window.map_or(Duration::ZERO, |window| window.oldest(now))
    }

    fn expire(&mut self, now: Duration) {
        let Some(window) = &mut self.window else {
            return;
        };
        window.expire(now);
        let oldest = window.oldest(now);
        if let Some(first) = window.front_mut() {
            first.start = first.start.max(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_beyond_the_greatest_frame_rate_leave_the_oldest_time_unknown() {
        let settings = TemporalSettings {
            perclos_window_s: 0.001,
            ..TemporalSettings::default()
        };
        let mut perclos = Perclos::of_last_minute(&settings);
        let capacity = perclos.window.as_ref().unwrap().capacity() as u64;
        assert_eq!(capacity, 4);
        // Known for 10 ns, unknown for 10 ns, and so on: nothing can be joined.
        for reading in 0..30 {
            let lids = if reading % 2 == 0 {
                LidState::Unknown
            } else {
                LidState::NotClosed
            };
            let change = LidChange {
                until_now: lids,
                now: LidState::NotClosed,
                reopened: None,
                ended: None,
            };
            perclos.update(Duration::from_nanos(10 * reading), &change);
        }
        let (known, closed) = perclos.known_and_closed();
        assert_eq!(known, Duration::from_nanos(10 * capacity));
        assert_eq!((closed, perclos.value()), (Duration::ZERO, Some(0.0)));
    }
}
