//! A line of status now and then on stderr, for runs without a dashboard on the terminal.

use crate::channels::LatestStatus;
use parseye_command_line::printable;
use parseye_events::status::LiveStatus;
use std::{
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::Duration,
};

/// The thread that writes the line. Dropping it ends it.
#[derive(Debug)]
pub(super) struct StatusLine {
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl StatusLine {
    /// Starts to write the status each `every`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(status: LatestStatus, every: Duration) -> io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("status".into());
        let thread = thread.spawn(move || {
            let on_terminal = io::stderr().is_terminal();
            let mut was_down = false;
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let Some(status) = status.get() else {
                    continue;
                };
                // In a file a camera that is down is reported once.
                let is_down = status.source.down.is_some();
                if on_terminal || !(is_down && was_down) {
                    write_line(&status, on_terminal);
                }
                was_down = is_down;
            }
            if on_terminal {
                let _ = writeln!(io::stderr());
            }
        })?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        // The thread waits for this alone, so it is there to receive it.
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// On a terminal the line overwrites the last one.
fn write_line(status: &LiveStatus, on_terminal: bool) {
    const CLEAR_LINE: &str = "\r\x1b[K";
    let status = status.to_string();
    let status = printable(&status);
    let mut stderr = io::stderr().lock();
    // A status that nobody can read is no reason to end.
    let _ = if on_terminal {
        write!(stderr, "{CLEAR_LINE}{status}").and_then(|()| stderr.flush())
    } else {
        writeln!(stderr, "{status}")
    };
}
