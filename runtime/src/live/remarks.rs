//! What a source reports beside its frames (gaps, remarks), as lines for the user of a live run.

use parseye_events::{
    event::{CameraEvent, CameraEventKind, Event},
    fanout::{Next, Subscription},
};
use std::{io, thread::JoinHandle, time::Duration};

/// Events that may wait for the thread; it only forgets remarks when thousands come at once.
pub(super) const QUEUE: usize = 1000;

/// The thread that writes the lines. It ends with the events; dropping it waits for that.
#[derive(Debug)]
pub(super) struct Remarks(Option<JoinHandle<()>>);

impl Remarks {
    /// Starts to report what the source remarks.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(
        events: Subscription<Event>,
        mut report: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        const WAIT: Duration = Duration::from_secs(3600);
        let work = move || {
            loop {
                match events.next(WAIT) {
                    Next::Event(event) => {
                        if let Some(line) = line_of(&event) {
                            report(&line);
                        }
                    }
                    Next::Nothing => {}
                    Next::Ended => break,
                }
            }
        };
        let thread = std::thread::Builder::new().name("remarks".into());
        Ok(Self(Some(thread.spawn(work)?)))
    }
}

impl Drop for Remarks {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // How it ended makes no difference any more.
            let _ = thread.join();
        }
    }
}

fn line_of(event: &Event) -> Option<String> {
    match event {
        Event::Camera(CameraEvent {
            kind: CameraEventKind::Gap | CameraEventKind::Note,
            message: Some(message),
            time,
            ..
        }) => Some(format!("note: {message} (at {time:.1} s)")),
        _ => None,
    }
}
