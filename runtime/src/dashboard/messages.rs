//! Messages of the program to its user beside the events: an alarm's command that fails, a log that cannot
//! be written, a broker that cannot be reached.
//!
//! One line each, to stderr; but while a dashboard fills the terminal that stderr goes to, a line would
//! garble it. The dashboard then shows the newest, and all are written once it gives the terminal back.

use parseye_events::fanout::locked;
use parseye_vision::timed_window::{Timed, TimedWindow};
use std::{
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Lines that are held back at most. Each failure is reported once or seldom, so this is days of them;
/// beyond it the oldest are dropped.
const MAX_HELD: usize = 100;

/// A line with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Since the program started.
    pub time: Duration,
    /// One line.
    pub text: String,
}

impl Timed for Message {
    fn time(&self) -> Duration {
        self.time
    }
}

/// Writes the program's messages to stderr or holds them back; all clones are one.
#[derive(Clone)]
pub struct Messages {
    begin: Instant,
    on_terminal: bool,
    shared: Arc<Mutex<MessageBuffer>>,
}

struct MessageBuffer {
    write: Box<dyn FnMut(&str) + Send>,
    newest: Option<Message>,
    /// Messages that wait for the terminal; `None` while nothing fills that.
    held: Option<TimedWindow<Message>>,
}

impl Messages {
    /// Creates messages that `write` writes to stderr, one line a call.
    pub fn to_stderr(write: impl FnMut(&str) + Send + 'static) -> Self {
        Self::new(io::stderr().is_terminal(), write)
    }

    /// Nothing is ever held back where stderr is no terminal.
    fn new(on_terminal: bool, write: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            begin: Instant::now(),
            on_terminal,
            shared: Arc::new(Mutex::new(MessageBuffer {
                write: Box::new(write),
                newest: None,
                held: None,
            })),
        }
    }

    /// Reports something to the user, in one line.
    pub(crate) fn report(&self, line: &str) {
        let message = Message {
            time: self.begin.elapsed(),
            text: line.into(),
        };
        let mut shared = locked(&self.shared);
        match &mut shared.held {
            Some(held) => {
                held.push(message.clone());
            }
            None => (shared.write)(line),
        }
        shared.newest = Some(message);
    }

    /// Returns the newest message.
    pub(super) fn newest(&self) -> Option<Message> {
        locked(&self.shared).newest.clone()
    }

    /// Holds messages back while the terminal is filled by something else.
    #[cfg_attr(not(feature = "terminal"), allow(dead_code))]
    pub(crate) fn hold(&self) {
        if self.on_terminal {
            let held = &mut locked(&self.shared).held;
            held.get_or_insert_with(|| TimedWindow::of_last(MAX_HELD));
        }
    }

    /// Writes what was held back: the terminal is free again.
    #[cfg_attr(not(feature = "terminal"), allow(dead_code))]
    pub(crate) fn release(&self) {
        let mut shared = locked(&self.shared);
        let held = shared.held.take();
        for message in held.iter().flat_map(TimedWindow::iter) {
            let line = format!("{}: {}", clock(message.time), message.text);
            (shared.write)(&line);
        }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let newest = self.newest();
        formatter
            .debug_struct("Messages")
            .field("newest", &newest)
            .finish_non_exhaustive()
    }
}

/// Formats a time as hours, minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    let whole = time.as_secs();
    format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn messages(on_terminal: bool) -> (Messages, Receiver<String>) {
        let (sender, written) = channel();
        let messages = Messages::new(on_terminal, move |line| {
            let _ = sender.send(line.to_owned());
        });
        (messages, written)
    }

    #[test]
    fn a_filled_terminal_gets_its_lines_once_it_is_free() {
        let (messages, written) = messages(true);
        messages.report("before");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["before"]);
        messages.hold();
        messages.report("first");
        messages.report("second");
        assert_eq!(written.try_iter().count(), 0);
        assert_eq!(messages.newest().unwrap().text, "second");
        messages.release();
        let lines: Vec<_> = written.try_iter().collect();
        assert_eq!(lines, ["0:00:00: first", "0:00:00: second"]);
        messages.release();
        messages.report("after");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["after"]);
    }

    #[test]
    fn a_file_gets_its_lines_at_once() {
        let (messages, written) = messages(false);
        messages.hold();
        messages.report("now");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["now"]);
        messages.release();
        assert_eq!(written.try_iter().count(), 0);
        assert_eq!(messages.newest().unwrap().text, "now");
    }

    #[test]
    fn held_messages_are_bounded() {
        let (messages, written) = messages(true);
        messages.hold();
        for number in 0..=MAX_HELD {
            messages.report(&number.to_string());
        }
        messages.release();
        let lines: Vec<_> = written.try_iter().collect();
        assert_eq!(lines.len(), MAX_HELD);
        assert_eq!(lines[0], "0:00:00: 1", "the newest are kept");
    }
}
