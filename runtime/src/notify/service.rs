//! Notifies a service manager such as systemd of a live run: that it is ready, a status line, and, as long
//! as its vision thread advances, the watchdog.
//!
//! The vision thread replaces the status all the time, also while the camera is down. A status that is
//! still the same at the next beat therefore means that the thread hangs: the watchdog is not notified, and
//! the manager restarts the program as its unit says. Without NOTIFY_SOCKET nothing is sent.
//!
//! The variables stay in the environment, since removing them is not safe once threads run. Programs
//! that the user has started (alarms, cameras behind a pipe) inherit them; systemd listens to the main
//! process alone, which is its default.

use crate::channels::LatestStatus;
use parseye_events::status::{LiveStatus, SourceStatus};
use sd_notify::NotifyState;
use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Where systemd listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// How often the status is checked until the source delivers.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Longest time between two status lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Beats within the watchdog's timeout: some may come late on a busy machine.
const BEATS: u32 = 4;

/// The thread that notifies the service manager.
#[derive(Debug)]
pub(crate) struct ServiceReport {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts notifying the service manager that started this program; `None` where none did. `report` gets a
/// line for the user, once, when a notification fails.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn start(
    status: &LatestStatus,
    report: impl FnMut(&str) + Send + 'static,
) -> io::Result<Option<ServiceReport>> {
    if std::env::var_os(SOCKET).is_none() {
        return Ok(None);
    }
    let watchdog = sd_notify::watchdog_enabled();
    ServiceReport::start(status, watchdog, sd_notify::notify, report).map(Some)
}

impl ServiceReport {
    fn start(
        status: &LatestStatus,
        watchdog: Option<Duration>,
        mut send: impl FnMut(&[NotifyState]) -> io::Result<()> + Send + 'static,
        mut report: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let status = status.clone();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("service".into());
        let thread = thread.spawn(move || {
            let mut failed = false;
            let mut send = |states: &[NotifyState]| {
                if let Err(error) = send(states)
                    && !failed
                {
                    failed = true;
                    report(&format!(
                        "the service manager cannot be notified at {SOCKET}: {error}; with a watchdog it will end the run, so check the unit's NotifyAccess"
                    ));
                }
            };
            let mut pulse = Pulse::new(watchdog);
            while ended.recv_timeout(pulse.wait()) == Err(RecvTimeoutError::Timeout) {
                if let Some(beat) = pulse.beat(status.get()) {
                    send(&beat.states(watchdog.is_some()));
                }
            }
            send(&[NotifyState::Stopping]);
        })?;
        Ok(Self { end, thread })
    }

    /// Notifies that the run is stopping, which the watchdog does not time.
    pub(crate) fn finish(self) {
        // The thread is there as long as its end is.
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

/// The notification of one beat.
#[derive(Debug, PartialEq, Eq)]
struct Beat {
    /// Whether it is the first.
    first: bool,
    line: String,
}

impl Beat {
    fn states(&self, watched: bool) -> Vec<NotifyState<'_>> {
        let mut states = vec![NotifyState::Status(&self.line)];
        if self.first {
            states.push(NotifyState::Ready);
        }
        if watched {
            states.push(NotifyState::Watchdog);
        }
        states
    }
}

/// Follows the status from beat to beat.
#[derive(Debug)]
struct Pulse {
    every: Duration,
    ready: bool,
    /// Kept, not only its address, which the next status could have again.
    last: Option<Arc<LiveStatus>>,
}

impl Pulse {
    fn new(watchdog: Option<Duration>) -> Self {
        Self {
            every: watchdog.map_or(LINE_EVERY, |limit| LINE_EVERY.min(limit / BEATS)),
            ready: false,
            last: None,
        }
    }

    /// Returns the time until the next beat.
    fn wait(&self) -> Duration {
        if self.ready { self.every } else { POLL_EVERY }
    }

    /// Returns the notification for the newest status: none before the run is ready, and none while the
    /// vision thread stands still.
    fn beat(&mut self, newest: Option<Arc<LiveStatus>>) -> Option<Beat> {
        let newest = newest?;
        if let Some(last) = &self.last
            && Arc::ptr_eq(last, &newest)
        {
            return None;
        }
        let first = !self.ready;
        self.ready |= is_ready(&newest);
        let beat = self.ready.then(|| Beat {
            first,
            line: line(&newest),
        });
        self.last = Some(newest);
        beat
    }
}

/// Returns whether the source has delivered, or is known to be waited for.
fn is_ready(status: &LiveStatus) -> bool {
    let waited_for = |why: &String| why != SourceStatus::NOT_OPENED;
    status.frames > 0 || status.source.down.as_ref().is_some_and(waited_for)
}

/// Formats the status line. It says nothing about the eyes: every user of the machine may ask for a
/// service's status.
fn line(status: &LiveStatus) -> String {
    let line = match &status.source.down {
        Some(reason) => format!("no frames: {reason}"),
        None => format!(
            "watching {}: {:.1} frames/s, {} frames processed, {}",
            status.source.name, status.fps, status.frames, status.lost
        ),
    };
    // One state ends with its line.
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_testkit::script;
    use std::{
        os::unix::net::UnixDatagram,
        sync::atomic::{AtomicBool, Ordering},
        time::Instant,
    };

    /// Longest wait for what must come.
    const SOON: Duration = Duration::from_secs(60);

    fn status(frames: u64, down: Option<&str>) -> LiveStatus {
        let mut status = script::status();
        status.frames = frames;
        status.source.down = down.map(str::to_owned);
        status
    }

    #[test]
    fn it_is_ready_with_the_first_frame_or_once_the_source_is_waited_for() {
        let ready = |frames, down| is_ready(&status(frames, down));
        assert!(!ready(0, Some(SourceStatus::NOT_OPENED)));
        assert!(!ready(0, None), "open, but nothing came yet");
        assert!(ready(1, None));
        assert!(ready(0, Some("used by another program")));
    }

    #[test]
    fn an_unchanged_status_sends_nothing() {
        let mut pulse = Pulse::new(Some(Duration::from_secs(8)));
        assert_eq!(pulse.beat(None), None);
        assert_eq!(pulse.wait(), POLL_EVERY);
        let mut beat = |status| pulse.beat(Some(status)).map(|beat| beat.first);
        let one = Arc::new(status(1, None));
        assert_eq!(beat(Arc::clone(&one)), Some(true));
        assert_eq!(beat(Arc::clone(&one)), None);
        // Equal is not the same: a camera that is down changes nothing else.
        assert_eq!(beat(Arc::new(status(1, None))), Some(false));
        assert_eq!(pulse.wait(), Duration::from_secs(2));
    }

    #[test]
    fn a_line_stays_one_line_and_keeps_the_eyes_to_itself() {
        let down = line(&status(1, Some("unplugged\nWATCHDOG=1")));
        assert_eq!(down, "no frames: unplugged WATCHDOG=1");
        let line = line(&status(90, None));
        assert!(line.contains("90 frames processed"), "{line}");
        assert!(!line.contains("left") && !line.contains("blink"), "{line}");
    }

    #[test]
    fn the_watchdog_is_notified_while_the_status_changes_and_not_once_it_stands_still() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(SOON)).unwrap();
        let listen = || {
            let mut buffer = [0; 1024];
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };

        // What the vision thread does.
        let latest = LatestStatus::default();
        let moving = Arc::new(AtomicBool::new(true));
        let (shown, moves) = (latest.clone(), Arc::clone(&moving));
        let vision = std::thread::spawn(move || {
            while moves.load(Ordering::Relaxed) {
                shown.set(status(7, None));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect(&path).unwrap();
        let send = move |states: &[NotifyState]| {
            let text: String = states.iter().map(|state| format!("{state}\n")).collect();
            sender.send(text.as_bytes()).map(drop)
        };
        let watchdog = Duration::from_millis(80);
        let report = ServiceReport::start(&latest, Some(watchdog), send, |_| ()).unwrap();
        let first = listen().unwrap();
        assert!(first.contains("READY=1\n"), "{first}");
        for _ in 0..5 {
            let next = listen().unwrap();
            assert!(next.contains("WATCHDOG=1\n"), "{next}");
            assert!(!next.contains("READY=1"), "{next}");
        }

        moving.store(false, Ordering::Relaxed);
        vision.join().unwrap();
        // Sent before it stood still; the last status may be sent once more.
        manager.set_read_timeout(Some(10 * watchdog)).unwrap();
        let stood = Instant::now();
        let late = std::iter::from_fn(listen).count();
        assert!(late <= 3, "{late} beats without a pulse");
        assert!(stood.elapsed() >= 10 * watchdog);

        manager.set_read_timeout(Some(SOON)).unwrap();
        report.finish();
        assert_eq!(listen().unwrap(), "STOPPING=1\n");
    }

    #[test]
    fn a_failing_notification_is_reported_once() {
        let latest = LatestStatus::default();
        let (sender, reported) = mpsc::channel();
        let refuse = |_: &[NotifyState]| Err(io::Error::other("gone"));
        let report_line = move |line: &str| sender.send(line.to_owned()).unwrap();
        let watchdog = Some(Duration::from_millis(20));
        let report = ServiceReport::start(&latest, watchdog, refuse, report_line).unwrap();
        let begin = Instant::now();
        let mut lines = Vec::new();
        while lines.is_empty() {
            assert!(begin.elapsed() < SOON);
            latest.set(status(1, None));
            lines.extend(reported.recv_timeout(Duration::from_millis(10)));
        }
        latest.set(status(2, None));
        report.finish();
        lines.extend(reported.iter());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("gone") && lines[0].contains(SOCKET));
    }
}
