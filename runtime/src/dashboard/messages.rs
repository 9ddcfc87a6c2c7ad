//! What the program has to say to its user beside the events: an alarm's command that fails, a log
//! that cannot be written, a broker that is gone.
//!
//! One line each, to stderr; but while a dashboard fills the terminal that stderr goes to, a line
//! would garble it. It is then shown by the dashboard, and written once the terminal is given back.

use parseye_events::fanout::locked;
use std::{
    collections::VecDeque,
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Lines that are held back at most. Everything that fails is told once or seldom, so this is days
/// of them; beyond it the oldest are given up.
const HELD_AT_MOST: usize = 100;

/// A line, and when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Since the program started.
    pub time: Duration,
    /// One line.
    pub text: String,
}

/// Takes the program's messages; all clones are one.
#[derive(Clone)]
pub struct Messages {
    begin: Instant,
    on_terminal: bool,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    write: Box<dyn FnMut(&str) + Send>,
    newest: Option<Message>,
    /// What waits for the terminal; `None` while nothing fills that.
    held: Option<VecDeque<Message>>,
}

impl Messages {
    /// Messages that `write` writes to stderr, one line a call.
    pub fn to_stderr(write: impl FnMut(&str) + Send + 'static) -> Self {
        Self::new(io::stderr().is_terminal(), write)
    }

    /// A file has no dashboard to be garbled: nothing is ever held back from it.
    fn new(on_terminal: bool, write: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            begin: Instant::now(),
            on_terminal,
            shared: Arc::new(Mutex::new(Shared {
                write: Box::new(write),
                newest: None,
                held: None,
            })),
        }
    }

    /// Tells the user something, in one line.
    pub fn tell(&self, line: &str) {
        let message = Message {
            time: self.begin.elapsed(),
            text: line.into(),
        };
        let mut shared = locked(&self.shared);
        match &mut shared.held {
            Some(held) => {
                if held.len() == HELD_AT_MOST {
                    held.pop_front();
                }
                held.push_back(message.clone());
            }
            None => (shared.write)(line),
        }
        shared.newest = Some(message);
    }

    /// The last one told.
    pub fn newest(&self) -> Option<Message> {
        locked(&self.shared).newest.clone()
    }

    /// Holds messages back while the terminal is filled by something else.
    pub(crate) fn hold(&self) {
        if self.on_terminal {
            locked(&self.shared).held.get_or_insert_default();
        }
    }

    /// Writes what was held back: the terminal is free again.
    pub(crate) fn release(&self) {
        let mut shared = locked(&self.shared);
        for message in shared.held.take().into_iter().flatten() {
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

/// Hours, minutes and seconds.
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
        messages.tell("before");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["before"]);
        messages.hold();
        messages.tell("first");
        messages.tell("second");
        assert_eq!(written.try_iter().count(), 0);
        assert_eq!(messages.newest().unwrap().text, "second");
        messages.release();
        let lines: Vec<_> = written.try_iter().collect();
        assert_eq!(lines, ["0:00:00: first", "0:00:00: second"]);
        messages.release();
        messages.tell("after");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["after"]);
    }

    #[test]
    fn a_file_gets_its_lines_at_once() {
        let (messages, written) = messages(false);
        messages.hold();
        messages.tell("now");
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["now"]);
        messages.release();
        assert_eq!(written.try_iter().count(), 0);
        assert_eq!(messages.newest().unwrap().text, "now");
    }

    #[test]
    fn lines_without_end_take_no_memory_without_end() {
        let (messages, written) = messages(true);
        messages.hold();
        for number in 0..=HELD_AT_MOST {
            messages.tell(&number.to_string());
        }
        messages.release();
        let lines: Vec<_> = written.try_iter().collect();
        assert_eq!(lines.len(), HELD_AT_MOST);
        assert_eq!(lines[0], "0:00:00: 1", "the newest are kept");
    }
}
