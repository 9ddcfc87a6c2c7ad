//! The event log as a reader of a running monitor: a thread of its own, so that no slow disk delays
//! a frame.

use super::{Fanout, Next, Stop, Subscription};
use crate::report::{ReportError, event::Event, jsonl::EventLog};
use std::{thread::JoinHandle, time::Duration};

/// Events that may wait for the disk: half an hour's at 30 a second, some 60 MB.
const MOST_WAITING: usize = 1 << 16;

/// Longest time that a line waits in memory when nothing follows it.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A log that is being written.
#[derive(Debug)]
pub struct LogThread(JoinHandle<Result<(), ReportError>>);

impl LogThread {
    /// Writes every event from now on. When the log cannot be written any more, `stop` is asked
    /// for with `signal`, and [`Self::finish`] tells why.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn start(
        fanout: &Fanout,
        log: EventLog,
        stop: &Stop,
        signal: usize,
    ) -> std::io::Result<Self> {
        let events = fanout.subscribe(MOST_WAITING);
        let stop = stop.clone();
        let thread = std::thread::Builder::new().name("log".into());
        thread
            .spawn(move || write(&events, log).inspect_err(|_| stop.request(signal)))
            .map(Self)
    }

    /// Waits until all is written; to be called after [`Fanout::end`].
    ///
    /// # Errors
    /// When the log could not be written.
    pub fn finish(self) -> Result<(), ReportError> {
        // A thread that panicked has said so.
        self.0.join().unwrap_or(Ok(()))
    }
}

fn write(events: &Subscription, mut log: EventLog) -> Result<(), ReportError> {
    loop {
        match events.next(FLUSH_EVERY) {
            Next::Event(event) => {
                log.write(&event)?;
                // What happened to the camera is of use while it lasts.
                if matches!(event.as_ref(), Event::Camera(_) | Event::Alert(_)) {
                    log.flush()?;
                }
            }
            Next::Nothing => log.flush()?,
            Next::Ended => return log.finish(),
        }
    }
}
