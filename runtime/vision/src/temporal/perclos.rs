//! PERCLOS: the share of time with closed eyes, blinks left out (FHWA technical brief
//! MCRT-98-006, 1998).
//!
//! Time counts as closed when it belongs to a closure of at least
//! [`TemporalSettings::long_closure_s`]. Time with unknown eyes counts neither way.

use super::{
    TemporalSettings,
    closure::{LidState, LidStep},
};
use std::{collections::VecDeque, time::Duration};

/// Share of known time with closed eyes, over everything or over a sliding window.
#[derive(Clone, Debug)]
pub struct Perclos {
    long_closure: Duration,
    /// How far back time counts; `None` for all of it.
    window: Option<Duration>,
    last_time: Option<Duration>,
    /// Known stretches within the window in order of time, neighbours of one kind joined. Empty
    /// without a window: then stretches go straight into the sums, so memory stays bounded.
    stretches: VecDeque<Stretch>,
    sums: Sums,
    /// The running closure so far: only its end shows whether it was a blink.
    running: Option<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Duration,
    end: Duration,
    closed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    known: Duration,
    closed: Duration,
}

impl Sums {
    fn add(&mut self, stretch: &Stretch) {
        let length = stretch.end.saturating_sub(stretch.start);
        self.known += length;
        if stretch.closed {
            self.closed += length;
        }
    }
}

impl Perclos {
    /// Over all time from now on.
    pub fn of_session(settings: &TemporalSettings) -> Self {
        Self {
            long_closure: settings.long_closure(),
            window: None,
            last_time: None,
            stretches: VecDeque::new(),
            sums: Sums::default(),
            running: None,
        }
    }

    /// Over the last [`TemporalSettings::perclos_window_s`].
    pub fn of_last_minute(settings: &TemporalSettings) -> Self {
        Self {
            window: Some(settings.perclos_window()),
            ..Self::of_session(settings)
        }
    }

    /// Takes what the reading at `time` changed.
    pub fn step(&mut self, time: Duration, step: &LidStep) {
        let start = self.last_time.replace(time).unwrap_or(time);
        match step.until_now {
            LidState::Closed { since } | LidState::Reopening { since } => {
                let end = step.reopened.unwrap_or(time);
                self.running = Some(self.stretch_of_closure(since, end));
                if step.reopened.is_some() || step.now == LidState::Unknown {
                    self.settle();
                }
                self.keep_apart(end, time);
            }
            LidState::Apart => self.keep_apart(start, time),
            // A long gap hides how the running closure ended: what was seen of it is kept.
            LidState::Unknown => {
                if let (Some(running), Some(end)) = (self.running, step.reopened) {
                    self.running = Some(self.stretch_of_closure(running.start, end));
                }
                self.settle();
                if let Some(end) = step.reopened {
                    self.keep_apart(end, start);
                }
            }
        }
        self.forget_before(time);
    }

    /// The next time is of another clock: what was known so far is kept, and nothing of the time in
    /// between.
    pub fn break_off(&mut self) {
        self.settle();
        self.last_time = None;
    }

    /// Share of known time with closed eyes, 0 to 1; `None` before any time is known.
    pub fn value(&self) -> Option<f64> {
        let (known, closed) = self.known_and_closed();
        (!known.is_zero()).then(|| closed.as_secs_f64() / known.as_secs_f64())
    }

    /// Known time and the part of it that counts as closed.
    pub fn known_and_closed(&self) -> (Duration, Duration) {
        let mut sums = self.sums;
        self.stretches.iter().for_each(|stretch| sums.add(stretch));
        if let Some(mut running) = self.running {
            running.start = running.start.max(self.oldest(running.end));
            sums.add(&running);
        }
        (sums.known, sums.closed)
    }

    fn stretch_of_closure(&self, start: Duration, end: Duration) -> Stretch {
        let closed = end.saturating_sub(start) >= self.long_closure;
        Stretch { start, end, closed }
    }

    fn keep_apart(&mut self, start: Duration, end: Duration) {
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
        if self.window.is_none() {
            self.sums.add(&stretch);
            return;
        }
        match self.stretches.back_mut() {
            Some(last) if last.closed == stretch.closed && last.end == stretch.start => {
                last.end = stretch.end;
            }
            _ => self.stretches.push_back(stretch),
        }
    }

    fn oldest(&self, now: Duration) -> Duration {
        self.window
            .map_or(Duration::ZERO, |window| now.saturating_sub(window))
    }

    fn forget_before(&mut self, now: Duration) {
        let oldest = self.oldest(now);
        while self
            .stretches
            .front()
            .is_some_and(|first| first.end <= oldest)
        {
            self.stretches.pop_front();
        }
        if let Some(first) = self.stretches.front_mut() {
            first.start = first.start.max(oldest);
        }
    }
}
