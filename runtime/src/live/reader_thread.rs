//! Threads that read a source and may hang in it, with the value that they end with.

use crossbeam::channel::{self, Receiver, RecvTimeoutError};
use std::{io, thread::JoinHandle, time::Duration};

/// How long the end of a run waits for its source to be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A thread that reads a source.
#[derive(Debug)]
pub(crate) struct ReaderThread<T> {
    result: Receiver<T>,
    thread: JoinHandle<()>,
}

/// How a reader thread ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReaderEnd<T> {
    /// With this value, after all that it used was closed.
    Finished(T),
    /// By a panic.
    Panicked,
    /// Not yet: it hangs in its source and ends with the program, or when the source answers.
    Hangs,
}

impl<T: Send + 'static> ReaderThread<T> {
    /// Starts a thread.
    ///
    /// # Errors
    /// When the system refuses one.
    pub(crate) fn start(name: &str, read: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, result) = channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                // What `read` owns is closed when it returns, before its value is sent.
                let value = read();
                let _ = sender.send(value);
            })?;
        Ok(Self { result, thread })
    }

    /// Waits for the end of the thread, half a second at most.
    pub(crate) fn join(self) -> ReaderEnd<T> {
        match self.result.recv_timeout(CLOSE_TIMEOUT) {
            Ok(value) => {
                // It has nothing left to do.
                let _ = self.thread.join();
                ReaderEnd::Finished(value)
            }
            Err(RecvTimeoutError::Disconnected) => ReaderEnd::Panicked,
            Err(RecvTimeoutError::Timeout) => ReaderEnd::Hangs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ends_with_its_value_or_is_left_behind() {
        let finishes = ReaderThread::start("finishes", || 7).unwrap();
        assert_eq!(finishes.join(), ReaderEnd::Finished(7));
        let panics = ReaderThread::start("panics", || {
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert_eq!(panics.unwrap().join(), ReaderEnd::Panicked);
        let (release, released) = channel::bounded::<()>(0);
        let hangs = ReaderThread::start("hangs", move || released.recv().is_ok()).unwrap();
        assert_eq!(hangs.join(), ReaderEnd::Hangs);
        drop(release);
    }
}
