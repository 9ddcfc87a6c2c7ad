//! What `parseye monitor` and `parseye replay --realtime` share: a live source in, events to every
//! reader out.

use super::{complain, dashboards::Dashboards, exit_status, load_gradient, load_model, print};
#[cfg(target_os = "linux")]
use crate::notify::service;
use crate::{
    config::Settings,
    live::{
        Fanout, SelfCheckThread, Stop,
        monitor::{MonitorOptions, monitor},
    },
    notify::{alarm::Alarm, mqtt},
};
use parseye_capture::{CameraFault, LiveOpener};
use parseye_events::{
    clock::unix_time,
    event::{Event, Mode, StartEvent},
    jsonl::{EventLog, Existing, LogWriter},
    status::LiveStatus,
};
use parseye_vision::eye_monitor::EyeMonitor;
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What is watched, and how.
pub struct LiveInput {
    /// Opens the source.
    pub opener: Box<dyn LiveOpener>,
    /// What the log calls it.
    pub mode: Mode,
    /// What happens to a log that is there already.
    pub existing: Existing,
    /// A source that has been silent for this long is opened again.
    pub silence: Option<Duration>,
    /// Ends by itself after this long.
    pub duration: Option<Duration>,
}

/// Watches until the user stops it, the time is over, or the source ends.
///
/// # Errors
/// When the source cannot be opened, or an output failed.
pub fn watch(
    mut watched: LiveInput,
    settings: &Settings,
    stop: &Stop,
    mut dashboards: Dashboards,
    alarm: Alarm,
) -> anyhow::Result<ExitCode> {
    let model = load_model(settings)?;
    let mut chain = EyeMonitor::new(&settings.vision(), &model)?;
    let log = match &settings.report.log {
        Some(path) => {
            let log = EventLog::open(path, watched.existing)?;
            // A recording's log is as long as the recording; a camera's has no end.
            Some(match watched.mode {
                Mode::Monitor => log.rotated(settings.report.rotation()),
                _ => log,
            })
        }
        None => None,
    };
    // A camera that another program is using is waited for; all else is the user's mistake.
    let first = match watched.opener.open() {
        Err(error) if error.fault() == Some(CameraFault::Busy) => {
            complain(&format!("note: {error}; waiting for it"));
            Err(error)
        }
        Err(error) => return Err(error.into()),
        Ok(source) => Ok(source),
    };

    // Every reader subscribes before the first event.
    let fanout = dashboards.fanout().clone();
    let log = match log {
        Some(log) => {
            let events = fanout.subscribe(LogWriter::QUEUE);
            Some(LogWriter::start(events, log, dashboards.reporter())?)
        }
        None => None,
    };
    let gradient = load_gradient(settings, &model)?;
    let checks = SelfCheckThread::start(&fanout, &model, gradient.as_ref(), &settings.selfcheck)?;
    ask_on_signal(&fanout)?;
    let mqtt = mqtt::start(&fanout, &settings.mqtt, dashboards.reporter())?;
    #[cfg(target_os = "linux")]
    let service = service::start(&fanout, dashboards.reporter())?;
    let status = match dashboards.fill_terminal(settings, stop) {
        true => None,
        false => Some(StatusLine::start(&fanout, settings.report.status_every_s)?),
    };

    fanout.publish(Event::Start(StartEvent::new(
        watched.mode,
        &model,
        vec![watched.opener.name().to_owned()],
        unix_time(),
    )));
    let options = MonitorOptions {
        duration: watched.duration,
        silence: watched.silence,
        model: model.card().name.clone(),
    };
    let monitored = monitor(watched.opener, first, &mut chain, &fanout, &options, stop);
    // First of all: what follows may take longer than a watchdog waits.
    #[cfg(target_os = "linux")]
    if let Some(service) = service {
        service.finish();
    }
    fanout.end();
    alarm.finish();
    if let Some(checks) = checks {
        checks.finish();
    }
    drop(dashboards);
    if let Some(status) = status {
        status.finish();
    }
    if let Some(mqtt) = mqtt {
        mqtt.finish();
    }
    let trouble = log.and_then(|log| log.finish().trouble);
    let monitored = monitored?;
    let mut line = format!("{}; {}", monitored.tally.summary(None), monitored.lost);
    if let Some(age) = monitored.frame_age_ms {
        line += &format!(
            "; frames {:.0} ms old when judged (p95 {:.0}, p99 {:.0})",
            age.p50, age.p95, age.p99
        );
    }
    line.push('\n');
    print(&line)?;
    if let Some(trouble) = trouble {
        anyhow::bail!(trouble);
    }
    Ok(exit_status(monitored.outcome, stop))
}

/// SIGUSR1 asks for a check of the newest frame.
fn ask_on_signal(fanout: &Fanout) -> io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(
        signal_hook::consts::SIGUSR1,
        Arc::clone(fanout.self_check().asked()),
    )?;
    Ok(())
}

/// A line of status now and then, on stderr.
struct StatusLine {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl StatusLine {
    fn start(fanout: &Fanout, every_s: f64) -> anyhow::Result<Self> {
        let every = Duration::try_from_secs_f64(every_s)?;
        let fanout = fanout.clone();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("status".into());
        let thread = thread.spawn(move || {
            let on_terminal = io::stderr().is_terminal();
            let mut down = false;
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let Some(status) = fanout.status() else {
                    continue;
                };
                // In a file a camera that is down is told once.
                let is_down = status.source.down.is_some();
                if on_terminal || !(is_down && down) {
                    show(&status, on_terminal);
                }
                down = is_down;
            }
            if on_terminal {
                let _ = writeln!(io::stderr());
            }
        })?;
        Ok(Self { end, thread })
    }

    fn finish(self) {
        // The thread is there as long as its end is.
        let _ = self.end.send(());
        let _ = self.thread.join();
    }
}

/// On a terminal the line is written over the last one.
fn show(status: &LiveStatus, on_terminal: bool) {
    const CLEAR_LINE: &str = "\r\x1b[K";
    let mut stderr = io::stderr().lock();
    // A status that nobody can read is not worth ending for.
    let _ = if on_terminal {
        write!(stderr, "{CLEAR_LINE}{status}").and_then(|()| stderr.flush())
    } else {
        writeln!(stderr, "{status}")
    };
}
