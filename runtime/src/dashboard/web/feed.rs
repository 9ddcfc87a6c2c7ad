//! From the monitor to the pages: takes what happened since the last tick, keeps the last ten
//! minutes for pages that open later, and writes each message once for all pages.
//!
//! A page that reads too slowly loses its place in the queue of messages and is cut off; when it
//! connects again it gets the whole picture anew, so that it never shows half of it.

use crate::{
    channels::LiveChannels,
    dashboard::history::{Change, EyeSlice, History, Session, Slice},
};
use axum::body::Bytes;
use parseye_events::{
    event::Event,
    fanout::{Next, Subscription, locked},
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

/// Time between two looks at the monitor; the status changes about as often.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Time between two session messages. They also tell a page that the connection lives.
const SESSION_EVERY: Duration = Duration::from_secs(1);

/// Events that may wait between two ticks: ten times those of a camera at 1,000 frames a second.
const EVENTS: usize = 1024;

/// Messages that a page may be behind, some ten seconds of them.
const MESSAGES: usize = 128;

/// Frames must come at least this often; the slowest camera delivers one a second.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);

/// What the pages are fed with.
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

/// What a page shows beside the status.
#[derive(Serialize)]
struct SessionMessage<'a> {
    session: &'a Session,
    /// Why no frames come; `None` while they do.
    trouble: Option<String>,
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

/// A slice as the page takes it: begin in seconds, then for the left and the right eye the lowest
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

    /// Takes what happened since the last tick and tells the pages.
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
        let complete = state.history.slices().len().saturating_sub(1);
        let next = state.next_slice;
        for slice in state.history.slices().take(complete) {
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

    /// A new page: what has happened so far, and the messages from now on. `None` after the end.
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

    /// Number of pages that listen.
    pub(super) fn listeners(&self) -> usize {
        self.state()
            .messages
            .as_ref()
            .map_or(0, broadcast::Sender::receiver_count)
    }

    /// Why no frames come, where none do.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        self.state().trouble(now)
    }

    /// Tells the pages that no more will come.
    pub(super) fn close(&self) {
        self.state().ended = true;
        self.tick(Instant::now());
    }

    fn history_message(&self, history: &History) -> HistoryMessage {
        let complete = history.slices().len().saturating_sub(1);
        HistoryMessage {
            version: env!("CARGO_PKG_VERSION"),
            preview: self.preview,
            span_s: SPAN_S,
            slice_s: SLICE_S,
            slices: history.slices().take(complete).map(row).collect(),
            marks: history.marks().copied().collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    fn trouble(&self, now: Instant) -> Option<String> {
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
        (silence > LONGEST_SILENCE).then(|| format!("no frame for {} s", silence.as_secs()))
    }

    fn session_message(&self, now: Instant) -> SessionMessage<'_> {
        SessionMessage {
            session: self.history.session(),
            trouble: self.trouble(now),
        }
    }
}

fn row(slice: &Slice) -> SliceRow {
    let eye = |eye: &EyeSlice| {
        let low = eye.closed.map(|(low, _)| rounded(low));
        let high = eye.closed.map(|(_, high)| rounded(high));
        (low, high, eye.confidence().map(rounded))
    };
    let begin = slice.index as f64 * SLICE_S;
    let (left, right) = (eye(&slice.eyes.left), eye(&slice.eyes.right));
    (begin, left, right, slice.perclos.map(rounded))
}

/// To a thousandth, finer than a pixel of any chart.
fn rounded(share: f64) -> f64 {
    (share * 1e3).round() / 1e3
}

/// A server-sent event. JSON without indentation holds no line break.
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
    fn a_page_that_does_not_keep_up_is_told_and_can_join_again() {
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
    fn frames_that_stop_coming_are_trouble() {
        let (channels, begin) = (LiveChannels::new(), Instant::now());
        let feed = Feed::new(channels.clone(), false, begin);
        channels.status.set(script::status());
        feed.tick(begin);
        assert_eq!(feed.trouble(begin + LONGEST_SILENCE), None);
        feed.tick(begin + LONGEST_SILENCE);
        let later = begin + Duration::from_secs(7);
        assert_eq!(feed.trouble(later).unwrap(), "no frame for 7 s");
        let mut status = script::status();
        status.frames += 1;
        channels.status.set(status);
        feed.tick(later);
        assert_eq!(feed.trouble(later), None);
    }
}
