//! From the monitor to the pages: takes the events since the last tick, keeps the last ten minutes for
//! pages that open later, and serialises each server-sent event once for all pages.
//!
//! A page that reads too slowly loses its place in the queue of messages and is cut off; when it
//! connects again it gets the whole history anew, so that it never shows a part of it.

use crate::{
    channels::LiveChannels,
    dashboard::history::{Change, EyeSlice, History, Session, Slice},
};
use axum::body::Bytes;
use parseye_events::{
    event::Event,
    fanout::{Next, Subscription, locked},
    rounding::thousandths,
    status::LiveStatus,
};
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// Length of the charts in seconds.
const SPAN_S: f64 = 600.0;

/// Length of a chart's slice in seconds: 1,200 slices, about one for each pixel.
const SLICE_S: f64 = 0.5;

/// Time between two reads of the monitor's status, which changes about as often.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Time between two session messages. They also show a page that the connection lives.
const SESSION_EVERY: Duration = Duration::from_secs(1);

/// Events that may wait between two ticks: ten times those of a camera at 1,000 frames a second.
const EVENTS: usize = 1024;

/// Messages that a page may be behind, some ten seconds of them.
const MESSAGES: usize = 128;

/// Frames must come at least this often; the slowest camera delivers one a second.
const STALL_TIMEOUT: Duration = Duration::from_secs(3);

/// The stream of messages to all pages.
#[derive(Debug)]
pub(super) struct Feed {
    channels: LiveChannels,
    preview: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    events: Subscription<Event>,
    history: History,
    /// `None` after the end.
    messages: Option<broadcast::Sender<Bytes>>,
    shown: Option<Arc<LiveStatus>>,
    /// Slices before this one were sent.
    next_slice: u64,
    frames: u64,
    frames_at: Instant,
    session_at: Option<Instant>,
    ended: bool,
}

/// Session statistics, and why no frames come.
#[derive(Serialize)]
struct SessionMessage<'a> {
    session: &'a Session,
    /// Why no frames come; `None` while they do.
    problem: Option<String>,
}

#[derive(Serialize)]
struct HistoryMessage {
    version: &'static str,
    preview: bool,
    span_s: f64,
    slice_s: f64,
    slices: Vec<SliceRow>,
    marks: Vec<crate::dashboard::history::Mark>,
}

/// A slice as the page reads it: begin in seconds, then for the left and the right eye the lowest
/// and highest P(closed) and the mean confidence, then PERCLOS.
type SliceRow = (f64, EyeRow, EyeRow, Option<f64>);
type EyeRow = (Option<f64>, Option<f64>, Option<f64>);

impl Feed {
    pub(super) fn new(channels: LiveChannels, preview: bool, now: Instant) -> Self {
        let state = State {
            events: channels.events.subscribe(EVENTS),
            history: History::new(SPAN_S, SLICE_S),
            messages: Some(broadcast::Sender::new(MESSAGES)),
            shown: None,
            next_slice: 0,
            frames: 0,
            frames_at: now,
            session_at: None,
            ended: false,
        };
        Self {
            channels,
            preview,
            state: Mutex::new(state),
        }
    }

    pub(super) fn channels(&self) -> &LiveChannels {
        &self.channels
    }

    /// Takes the events since the last tick and sends messages to the pages.
    pub(super) fn tick(&self, now: Instant) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(messages) = state.messages.clone() else {
            return;
        };
        // Nobody listening is no error.
        let send = |message: Bytes| drop(messages.send(message));
        let mut restarted = false;
        // No more than could wait: a flood of events must not hold up the pages.
        for _ in 0..EVENTS {
            match state.events.next(Duration::ZERO) {
                Next::Event(event) => match state.history.take(&event) {
                    Change::Mark(mark) => send(message("mark", &mark)),
                    Change::Restart => restarted = true,
                    Change::Slice | Change::None => {}
                },
                Next::Nothing => break,
                Next::Ended => {
                    state.ended = true;
                    break;
                }
            }
        }
        let status = self.channels.status.get();
        if let Some(status) = &status {
            state.history.take_status(status);
            if status.frames != state.frames {
                (state.frames, state.frames_at) = (status.frames, now);
            }
        }
        if restarted {
            state.next_slice = 0;
            send(message("history", &self.history_message(&state.history)));
        }
        let next = state.next_slice;
        for slice in state.history.complete() {
            if slice.index >= next {
                if !restarted {
                    send(message("slice", &row(slice)));
                }
                state.next_slice = slice.index + 1;
            }
        }
        if let Some(status) = status
            && !state
                .shown
                .as_ref()
                .is_some_and(|shown| Arc::ptr_eq(shown, &status))
        {
            send(message("status", &*status));
            state.shown = Some(status);
        }
        if state
            .session_at
            .is_none_or(|at| now.duration_since(at) >= SESSION_EVERY)
        {
            send(message("session", &state.session_message(now)));
            state.session_at = Some(now);
        }
        if state.ended {
            send(message("end", &()));
            state.messages = None;
        }
    }

    /// Adds a page: returns the history so far and a receiver of later messages; `None` after the end.
    pub(super) fn join(&self, now: Instant) -> Option<(Bytes, broadcast::Receiver<Bytes>)> {
        let state = self.state();
        let receiver = state.messages.as_ref()?.subscribe();
        let mut first = b"retry: 1000\n\n".to_vec();
        first.extend(message("history", &self.history_message(&state.history)));
        first.extend(message("session", &state.session_message(now)));
        if let Some(status) = &state.shown {
            first.extend(message("status", &**status));
        }
        Some((first.into(), receiver))
    }

    /// Returns the number of pages that listen.
    pub(super) fn listeners(&self) -> usize {
        self.state()
            .messages
            .as_ref()
            .map_or(0, broadcast::Sender::receiver_count)
    }

    /// Returns why no frames come; `None` while they do.
    pub(super) fn problem(&self, now: Instant) -> Option<String> {
        self.state().problem(now)
    }

    /// Sends the pages the end of the run.
    pub(super) fn close(&self) {
        self.state().ended = true;
        self.tick(Instant::now());
    }

    fn history_message(&self, history: &History) -> HistoryMessage {
        HistoryMessage {
            version: env!("CARGO_PKG_VERSION"),
            preview: self.preview,
            span_s: SPAN_S,
            slice_s: SLICE_S,
            slices: history.complete().map(row).collect(),
            marks: history.marks().copied().collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    fn problem(&self, now: Instant) -> Option<String> {
        if self.ended {
            return Some("the monitor has ended".into());
        }
        let Some(status) = &self.shown else {
            return Some("no frame yet".into());
        };
        if let Some(reason) = &status.source.down {
            return Some(reason.clone());
        }
        let silence = now.duration_since(self.frames_at);
        (silence > STALL_TIMEOUT).then(|| format!("no frame for {} s", silence.as_secs()))
    }

    fn session_message(&self, now: Instant) -> SessionMessage<'_> {
        SessionMessage {
            session: self.history.session(),
            problem: self.problem(now),
        }
    }
}

/// Converts a slice, its shares rounded to a thousandth: finer than a pixel of any chart.
fn row(slice: &Slice) -> SliceRow {
    let eye = |eye: &EyeSlice| {
        let low = eye.closed.map(|(low, _)| thousandths(low));
        let high = eye.closed.map(|(_, high)| thousandths(high));
        (low, high, eye.confidence().map(thousandths))
    };
    let begin = slice.index as f64 * SLICE_S;
    let (left, right) = (eye(&slice.eyes.left), eye(&slice.eyes.right));
    (begin, left, right, slice.perclos.map(thousandths))
}

/// Serialises a server-sent event. JSON without indentation holds no line break.
fn message(name: &str, value: &impl Serialize) -> Bytes {
    // Numbers that JSON cannot hold become null; nothing here has keys that are no text.
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    format!("event: {name}\ndata: {json}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_testkit::script;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn a_page_that_falls_behind_is_cut_off_and_can_join_again() {
        let (channels, begin) = (LiveChannels::new(), Instant::now());
        let feed = Feed::new(channels.clone(), false, begin);
        let (_, mut slow) = feed.join(begin).unwrap();
        for tick in 0..2 * MESSAGES as u32 {
            channels.status.set(script::status());
            feed.tick(begin + tick * TICK);
        }
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(_))));
        let (first, _) = feed.join(begin).unwrap();
        let first = String::from_utf8(first.to_vec()).unwrap();
        assert!(first.contains("event: history") && first.contains("event: status"));
    }

    #[test]
    fn a_stalled_source_is_reported() {
        let (channels, begin) = (LiveChannels::new(), Instant::now());
        let feed = Feed::new(channels.clone(), false, begin);
        channels.status.set(script::status());
        feed.tick(begin);
        assert_eq!(feed.problem(begin + STALL_TIMEOUT), None);
        feed.tick(begin + STALL_TIMEOUT);
        let later = begin + Duration::from_secs(7);
        assert_eq!(feed.problem(later).unwrap(), "no frame for 7 s");
        let mut status = script::status();
        status.frames += 1;
        channels.status.set(status);
        feed.tick(later);
        assert_eq!(feed.problem(later), None);
    }
}
