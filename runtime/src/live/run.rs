//! A whole live run: a source is processed, and everything that was asked for writes, shows and reports it.
//!
//! [`LiveRun`] owns all parts. Its readers are fields in the order in which they stop, so that dropping
//! them, whether at the end of a run or when starting one failed, stops them in that order.

#[cfg(target_os = "linux")]
use crate::notify::service::{self, ServiceReport};
use crate::{
    channels::{LiveChannels, Stop},
    config::Settings,
    dashboard::web::WebError,
    live::{
        MonitorOptions, Monitored, PipelineError, SelfCheckError, SelfCheckSlot, SelfCheckThread,
        WatchedSource,
        dashboards::Dashboards,
        monitor,
        remarks::{self, Remarks},
        status_line::StatusLine,
    },
    notify::{
        alarm::{self, Alarm, AlarmError},
        event_commands::{self, EventCommandError, EventCommands},
        mqtt::{self, MqttError, MqttPublisher},
    },
};
use parseye_capture::{LiveOpener, SourceError};
use parseye_events::{
    ReportError,
    clock::unix_time,
    event::{Event, Mode, StartEvent, WatchRecord},
    fanout::Fanout,
    jsonl::{EventLog, Existing, LogWriter},
};
use parseye_vision::{
    classify::{EyeStateModel, gradient::GradientModel},
    eye_monitor::{EyeMonitor, VisionError},
};
use std::{
    io,
    sync::Arc,
    time::{Duration, TryFromFloatSecsError},
};

/// What a live run processes, and how it is named.
pub struct LiveOptions {
    /// Opens the source.
    pub opener: Box<dyn LiveOpener>,
    /// The kind of run, for the log.
    pub mode: Mode,
    /// What happens to a log that exists already.
    pub existing: Existing,
    /// A source that is silent for this long is opened again; `None` for one that may be silent for any
    /// time.
    pub stall_timeout: Option<Duration>,
    /// The run ends by itself after this time.
    pub duration: Option<Duration>,
    /// The eye-state model.
    pub model: EyeStateModel,
    /// The model's gradient, for the adversarial margin of the self-check.
    pub gradient: Option<GradientModel>,
}

/// The outcome of a live run that did not fail.
#[derive(Debug)]
pub struct LiveRunReport {
    /// Statistics of the frames, and how the run ended.
    pub monitored: Monitored,
    /// One line for the user where the log is not complete to its end.
    pub log_trouble: Option<String>,
}

/// Why a live run cannot start, or failed: one line for the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveRunError {
    /// The web dashboard cannot be served.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The alarms cannot be given.
    #[error(transparent)]
    Alarm(#[from] AlarmError),
    /// The commands on events cannot be run.
    #[error(transparent)]
    EventCommands(#[from] EventCommandError),
    /// The models cannot be run.
    #[error(transparent)]
    Vision(#[from] VisionError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] ReportError),
    /// The source cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The self-check cannot start.
    #[error(transparent)]
    SelfCheck(#[from] SelfCheckError),
    /// The broker cannot be used.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    /// The interval of the status line is no time.
    #[error("report.status_every_s: {0}; give seconds from 1 to 3600")]
    StatusInterval(#[from] TryFromFloatSecsError),
    /// A signal cannot be caught.
    #[error("cannot catch a signal: {0}")]
    Signal(#[source] io::Error),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}; close other programs and try again")]
    Thread(#[source] io::Error),
    /// The run ended before its source did.
    #[error(transparent)]
    Run(#[from] PipelineError),
}

/// A live run that is about to begin.
#[derive(Debug)]
pub struct LiveRun<'a> {
    settings: &'a Settings,
    stop: &'a Stop,
    /// Writes a line to the user.
    report: fn(&str),
    channels: LiveChannels,
    self_check: Arc<SelfCheckSlot>,
    readers: Readers,
}

/// All readers of a live run, in the order in which they stop.
#[derive(Debug)]
struct Readers {
    /// First of all, since what follows may take longer than systemd's watchdog waits.
    #[cfg(target_os = "linux")]
    service: Option<AtEnd<ServiceReport>>,
    /// Ends the events and the self-check's readings: the readers below take those that wait for them,
    /// then end.
    _events: AtEnd<(Fanout<Event>, Arc<SelfCheckSlot>)>,
    remarks: Option<Remarks>,
    alarm: Option<AtEnd<Alarm>>,
    event_commands: Option<AtEnd<EventCommands>>,
    self_check: Option<AtEnd<SelfCheckThread>>,
    /// Restores the terminal, so that what is reported from here on can be read.
    dashboards: Dashboards,
    status_line: Option<StatusLine>,
    mqtt: Option<AtEnd<MqttPublisher>>,
    /// Last, so that the log has everything; its report says what is missing all the same.
    log: Option<LogWriter>,
}

impl<'a> LiveRun<'a> {
    /// Prepares a run with the readers that can refuse their settings, before any source is opened: the web
    /// dashboard listens, and the alarms are checked. `report` writes a line to the user.
    ///
    /// # Errors
    /// When the web dashboard cannot listen, an alarm's command is not to be found, or a signal cannot be
    /// caught.
    pub fn prepare(
        settings: &'a Settings,
        stop: &'a Stop,
        report: fn(&str),
    ) -> Result<Self, LiveRunError> {
        let channels = LiveChannels::new();
        let self_check = Arc::<SelfCheckSlot>::default();
        let inputs = (channels.events.clone(), Arc::clone(&self_check));
        let mut readers = Readers {
            #[cfg(target_os = "linux")]
            service: None,
            _events: AtEnd::new(inputs, |(events, readings)| {
                events.end();
                readings.end();
            }),
            remarks: None,
            alarm: None,
            event_commands: None,
            self_check: None,
            dashboards: Dashboards::listen(&channels, settings, stop, report)?,
            status_line: None,
            mqtt: None,
            log: None,
        };
        let events = channels.events.subscribe(alarm::CAPACITY);
        let alarm = Alarm::start(&settings.alarm, events, readers.dashboards.reporter())?;
        readers.alarm = Some(AtEnd::new(alarm, Alarm::finish));
        let events = channels.events.subscribe(event_commands::CAPACITY);
        let reporter = readers.dashboards.reporter();
        readers.event_commands = EventCommands::start(&settings.on_event, events, reporter)?
            .map(|commands| AtEnd::new(commands, EventCommands::finish));
        Ok(Self {
            settings,
            stop,
            report,
            channels,
            self_check,
            readers,
        })
    }

    /// Opens the source, starts all readers, and processes the source until the user stops the run, its time
    /// is over, or the source ends. All readers have stopped on return.
    ///
    /// # Errors
    /// When the source cannot be opened or failed for good, a reader cannot be started, or a frame cannot
    /// be processed.
    pub fn run(mut self, options: LiveOptions) -> Result<LiveRunReport, LiveRunError> {
        let (settings, channels) = (self.settings, &self.channels);
        let mut eye_monitor = EyeMonitor::new(&settings.vision(), &options.model)?;
        let log = self.open_log(&options)?;
        let source = WatchedSource::open(options.opener)?;
        if let Some(busy) = source.failure() {
            (self.report)(&format!("note: {busy}; waiting for it"));
        }
        self.readers.start(
            log,
            channels,
            &self.self_check,
            (&options.model, options.gradient.as_ref()),
            (settings, self.stop),
        )?;

        // All readers have subscribed before the first event.
        channels.events.publish(Event::Start(StartEvent::new(
            options.mode,
            &options.model,
            &settings.detector,
            vec![source.name().to_owned()],
            unix_time(),
        )));
        let options = MonitorOptions {
            duration: options.duration,
            stall_timeout: options.stall_timeout,
            model: options.model.card().name.clone(),
            watching: WatchRecord::from(&settings.detector).to_string(),
            self_check: self.self_check,
        };
        let monitored = monitor(source, &mut eye_monitor, channels, &options, self.stop);
        let log_trouble = self.readers.stop();
        Ok(LiveRunReport {
            monitored: monitored?,
            log_trouble,
        })
    }

    fn open_log(&self, options: &LiveOptions) -> Result<Option<EventLog>, LiveRunError> {
        let Some(path) = &self.settings.report.log else {
            return Ok(None);
        };
        let detail = self.settings.report.detail(&self.settings.temporal);
        let log = EventLog::open(path, options.existing)?.detailed(detail);
        // A recording's log is as long as the recording; a camera's has no end.
        Ok(Some(match options.mode {
            Mode::Monitor => log.rotated(self.settings.report.rotation()),
            _ => log,
        }))
    }
}

impl Readers {
    /// Starts the readers that are not running yet.
    fn start(
        &mut self,
        log: Option<EventLog>,
        channels: &LiveChannels,
        self_check: &Arc<SelfCheckSlot>,
        (model, gradient): (&EyeStateModel, Option<&GradientModel>),
        (settings, stop): (&Settings, &Stop),
    ) -> Result<(), LiveRunError> {
        let remarks = channels.events.subscribe(remarks::QUEUE);
        let remarks = Remarks::start(remarks, self.dashboards.reporter());
        self.remarks = Some(remarks.map_err(LiveRunError::Thread)?);
        if let Some(log) = log {
            let events = channels.events.subscribe(LogWriter::QUEUE);
            // As a shell ends a program that writes into a pipe without a reader.
            const SIGPIPE: usize = 13;
            let stop = stop.clone();
            let over = move || stop.request(SIGPIPE);
            let writer = LogWriter::start(events, log, self.dashboards.reporter(), over);
            self.log = Some(writer.map_err(LiveRunError::Thread)?);
        }
        let checks =
            SelfCheckThread::start(channels, self_check, model, gradient, &settings.selfcheck)?;
        self.self_check = checks.map(|checks| AtEnd::new(checks, SelfCheckThread::finish));
        check_on_signal(self_check).map_err(LiveRunError::Signal)?;
        let (events, status) = (&channels.events, &channels.status);
        let mqtt = mqtt::start(events, status, &settings.mqtt, self.dashboards.reporter())?;
        self.mqtt = mqtt.map(|mqtt| AtEnd::new(mqtt, MqttPublisher::finish));
        #[cfg(target_os = "linux")]
        {
            let service = service::start(status, self.dashboards.reporter());
            self.service = service
                .map_err(LiveRunError::Thread)?
                .map(|service| AtEnd::new(service, ServiceReport::finish));
        }
        if !self.dashboards.fill_terminal(settings, stop) {
            let every = Duration::try_from_secs_f64(settings.report.status_every_s)?;
            let line = StatusLine::start(status.clone(), every).map_err(LiveRunError::Thread)?;
            self.status_line = Some(line);
        }
        Ok(())
    }

    /// Stops all readers in their order; returns one line for the user where the log is not complete.
    fn stop(mut self) -> Option<String> {
        let log = self.log.take();
        drop(self);
        log.and_then(|log| log.finish().trouble)
    }
}

/// SIGUSR1 asks for a check of the newest frame.
fn check_on_signal(self_check: &SelfCheckSlot) -> io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(self_check.asked()))?;
    Ok(())
}

/// A part of a run with the function that ends it, which is called when this is dropped.
#[derive(Debug)]
struct AtEnd<T>(Option<T>, fn(T));

impl<T> AtEnd<T> {
    fn new(part: T, end: fn(T)) -> Self {
        Self(Some(part), end)
    }
}

impl<T> Drop for AtEnd<T> {
    fn drop(&mut self) {
        if let Some(part) = self.0.take() {
            (self.1)(part);
        }
    }
}
