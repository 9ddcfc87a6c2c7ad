//! What an alert sets off: the terminal's bell, a command of the user, a tone, a desktop notification;
//! silenced when the eyes open.
//!
//! A reader of the monitor's events on a thread of its own. Whatever the command or the desktop does, it
//! delays neither the monitor nor the next alarm, and each failure is reported once. When to warn is
//! decided by [`parseye_vision::temporal`].

#[cfg(feature = "notifications")]
mod notification;
mod policy;
mod settings;
#[cfg(feature = "sound")]
mod sound;

pub use settings::AlarmSettings;

use super::command::{CommandEnd, UserCommand, fields_of};
use parseye_events::{
    event::{AlertEvent, Event},
    fanout::{Next, Subscription, locked},
};
use parseye_vision::settings::SettingError;
use policy::{Action, Policy};
use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Events that may wait for this reader. It never works for longer than a few milliseconds, in
/// which a camera brings one frame; this is minutes of them.
pub(crate) const CAPACITY: usize = 4096;

/// How often the command and waiting alerts are checked.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Why alarms cannot be given: one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// A setting that cannot be used here.
    #[error("alarm.{0}")]
    Setting(#[from] SettingError),
    /// A thread cannot be started.
    #[error("the thread of the alarms cannot be started: {0}; close some programs")]
    Thread(#[source] io::Error),
}

/// The running reader. Dropping it ends it at once, and a command that is still running with it.
#[derive(Debug)]
pub(crate) struct Alarm {
    thread: Option<JoinHandle<()>>,
    leave: Arc<AtomicBool>,
}

impl Alarm {
    /// Starts reading. `report` gets one line for each kind of failure, the first time.
    ///
    /// # Errors
    /// When the command is not to be found, or a thread cannot be started.
    pub(crate) fn start(
        settings: &AlarmSettings,
        events: Subscription<Event>,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, AlarmError> {
        settings.check().map_err(AlarmError::Setting)?;
        let failures = Failures::new(report);
        let reader = Reader {
            policy: Policy::new(settings),
            begin: Instant::now(),
            bell: settings
                .bell
                .then(io::stderr)
                .filter(IsTerminal::is_terminal)
                .map(|stderr| Box::new(stderr) as Box<dyn Write + Send>),
            command: settings.user_command()?,
            silence_command: settings.silence_command,
            waiting: None,
            desktop: Desktop::start(settings, &failures)?,
            failures,
        };
        let leave = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&leave);
        let thread = std::thread::Builder::new()
            .name("alarm".into())
            .spawn(move || reader.run(&events, &theirs))
            .map_err(AlarmError::Thread)?;
        Ok(Self {
            thread: Some(thread),
            leave,
        })
    }

    /// Reads all events to their end, and then ends a command that is still running. To be called
    /// after the end of the events.
    pub(crate) fn finish(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The alarm's thread.
struct Reader {
    policy: Policy,
    begin: Instant,
    /// Where the bell is written to; `None` where nothing would ring.
    bell: Option<Box<dyn Write + Send>>,
    command: Option<UserCommand>,
    silence_command: bool,
    /// The alert that the command is due for once its run before has ended.
    waiting: Option<AlertEvent>,
    desktop: Desktop,
    failures: Failures,
}

impl Reader {
    fn run(mut self, events: &Subscription<Event>, leave: &AtomicBool) {
        while !leave.load(Ordering::Relaxed) {
            let action = match events.next(POLL_EVERY) {
                Next::Event(event) => match event.as_ref() {
                    Event::Alert(alert) => self.policy.take(self.begin.elapsed(), alert),
                    _ => Action::Nothing,
                },
                Next::Nothing => Action::Nothing,
                Next::Ended => return,
            };
            self.act(action);
            let due = self.policy.poll(self.begin.elapsed());
            self.act(due);
            self.poll_command();
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Nothing => {}
            Action::Alarm(alert) => {
                if let Some(bell) = &mut self.bell {
                    const BELL: &[u8] = b"\x07";
                    // A terminal that has gone is noticed elsewhere.
                    let _ = bell.write_all(BELL).and_then(|()| bell.flush());
                }
                self.desktop.alert(&alert);
                self.waiting = Some(alert);
            }
            Action::Silence => {
                self.waiting = None;
                self.desktop.silence();
                if let Some(command) = self.command.as_mut().filter(|_| self.silence_command) {
                    command.silence();
                }
            }
        }
    }

    fn poll_command(&mut self) {
        let Some(command) = &mut self.command else {
            self.waiting = None;
            return;
        };
        match command.poll() {
            Some(CommandEnd::ByItself(status)) if !status.success() => self.failures.report_once(&format!(
                "the alarm's command failed with {status}; run it by hand to see why"
            )),
            Some(CommandEnd::AtItsLimit) => self.failures.report_once(
                "the alarm's command was ended at its time limit; raise alarm.command_limit_s if it needs longer",
            ),
            _ => {}
        }
        if !command.is_running()
            && let Some(alert) = self.waiting.take()
            && let Err(error) = command.start(
                &Event::Alert(alert.clone()),
                "PARSEYE_ALERT_",
                fields_of(&alert),
            )
        {
            self.failures.report_once(&format!(
                "the alarm's command cannot be started: {error}; check its permissions"
            ));
        }
    }
}

/// Reports each failure once; all clones are one.
#[derive(Clone)]
struct Failures {
    shared: Arc<Mutex<FailureReport>>,
}

struct FailureReport {
    lines: BTreeSet<String>,
    report: Box<dyn FnMut(&str) + Send>,
}

impl Failures {
    fn new(report: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            shared: Arc::new(Mutex::new(FailureReport {
                lines: BTreeSet::new(),
                report: Box::new(report),
            })),
        }
    }

    fn report_once(&self, line: &str) {
        let mut reported = locked(&self.shared);
        if reported.lines.insert(line.into()) {
            (reported.report)(line);
        }
    }

    /// Returns a function that reports each line once.
    #[cfg(any(feature = "sound", feature = "notifications"))]
    fn reporter(&self) -> impl Fn(&str) + Clone + Send + 'static {
        let failures = self.clone();
        move |line| failures.report_once(line)
    }
}

/// The tone and the notification, each on a thread of its own, for a desktop may not respond.
struct Desktop {
    #[cfg(feature = "sound")]
    sound: Option<sound::Sound>,
    #[cfg(feature = "notifications")]
    notification: Option<notification::Notifier>,
}

impl Desktop {
    #[cfg_attr(
        not(any(feature = "sound", feature = "notifications")),
        expect(
            unused_variables,
            clippy::unnecessary_wraps,
            reason = "a program without both has nothing to start"
        )
    )]
    fn start(settings: &AlarmSettings, failures: &Failures) -> Result<Self, AlarmError> {
        Ok(Self {
            #[cfg(feature = "sound")]
            sound: settings
                .sound
                .then(|| sound::Sound::start(failures.reporter()))
                .transpose()?,
            #[cfg(feature = "notifications")]
            notification: settings
                .notification
                .then(|| notification::Notifier::start(failures.reporter()))
                .transpose()?,
        })
    }

    #[cfg_attr(
        not(feature = "notifications"),
        expect(unused_variables, reason = "only a notification names the alert")
    )]
    fn alert(&self, alert: &AlertEvent) {
        #[cfg(feature = "sound")]
        if let Some(sound) = &self.sound {
            sound.play();
        }
        #[cfg(feature = "notifications")]
        if let Some(notification) = &self.notification {
            notification.show(alert);
        }
    }

    fn silence(&self) {
        #[cfg(feature = "sound")]
        if let Some(sound) = &self.sound {
            sound.silence();
        }
    }
}

#[cfg(test)]
mod tests;
