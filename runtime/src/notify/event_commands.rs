//! Commands of the user on what eyes do: a blink, two in a row, a wink, a closure. So eyes can press a key.
//!
//! A reader of the monitor's events on a thread of its own, like [`super::alarm`]: no command delays the
//! monitor or another command. A command that is due again while it runs waits, and runs as often as it was
//! due, within a bound.

mod patterns;
mod settings;

pub use settings::EventCommandSettings;

use super::command::{CommandEnd, UserCommand, fields_of};
use parseye_events::{
    event::{ClosureEvent, Event},
    fanout::{Next, Subscription},
};
use parseye_vision::settings::SettingError;
pub(crate) use patterns::Pattern;
use patterns::{Found, Patterns};
use std::{
    collections::{BTreeSet, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Events that may wait for this reader; as for [`super::alarm`].
pub(crate) const CAPACITY: usize = 4096;

/// How often running commands are checked.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Events of one pattern that wait while its command runs.
const WAITING: usize = 8;

/// Begins the names of the environment's variables.
const PREFIX: &str = "PARSEYE_EVENT_";

/// Why commands cannot be run on events: one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum EventCommandError {
    /// A setting that cannot be used here.
    #[error("on_event.{0}")]
    Setting(#[from] SettingError),
    /// A thread cannot be started.
    #[error("the thread of the commands on events cannot be started: {0}; close some programs")]
    Thread(#[source] io::Error),
}

/// The running reader. Dropping it ends it at once, and commands that are still running with it.
#[derive(Debug)]
pub(crate) struct EventCommands {
    thread: Option<JoinHandle<()>>,
    leave: Arc<AtomicBool>,
}

impl EventCommands {
    /// Starts reading, where there is a command. `report` gets one line for each kind of failure, the first
    /// time.
    ///
    /// # Errors
    /// When a command is not to be found, or a thread cannot be started.
    pub(crate) fn start(
        settings: &EventCommandSettings,
        events: Subscription<Event>,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Result<Option<Self>, EventCommandError> {
        let commands = settings.prepare()?;
        if commands.is_empty() {
            return Ok(None);
        }
        let queues = commands.into_iter().map(|(pattern, command)| Queue {
            pattern,
            command,
            waiting: VecDeque::new(),
        });
        let reader = CommandReader {
            patterns: Patterns::new(settings),
            queues: queues.collect(),
            reported: BTreeSet::new(),
            report,
        };
        let leave = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&leave);
        let thread = std::thread::Builder::new()
            .name("on event".into())
            .spawn(move || reader.run(&events, &theirs))
            .map_err(EventCommandError::Thread)?;
        Ok(Some(Self {
            thread: Some(thread),
            leave,
        }))
    }

    /// Reads all events to their end and starts what they set off; a command that is still running is then
    /// ended. To be called after the end of the events.
    pub(crate) fn finish(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for EventCommands {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A command and what it is due for.
struct Queue {
    pattern: Pattern,
    command: UserCommand,
    waiting: VecDeque<(Event, ClosureEvent)>,
}

/// The thread.
struct CommandReader<R> {
    patterns: Patterns,
    queues: Vec<Queue>,
    reported: BTreeSet<String>,
    report: R,
}

impl<R: FnMut(&str)> CommandReader<R> {
    fn run(mut self, events: &Subscription<Event>, leave: &AtomicBool) {
        while !leave.load(Ordering::Relaxed) {
            match events.next(POLL_EVERY) {
                Next::Event(event) => {
                    if let Some(found) = self.patterns.take(&event) {
                        self.queue(&event, &found);
                    }
                }
                Next::Nothing => {}
                Next::Ended => {
                    self.poll();
                    return;
                }
            }
            self.poll();
        }
    }

    fn queue(&mut self, event: &Event, found: &Found<'_>) {
        for pattern in &found.patterns {
            let mine = |queue: &&mut Queue| queue.pattern == *pattern;
            let Some(queue) = self.queues.iter_mut().find(mine) else {
                continue;
            };
            if queue.waiting.len() < WAITING {
                let closure = found.closure.clone();
                queue.waiting.push_back((event.clone(), closure));
            } else {
                let line = format!(
                    "on_event.{}: its command takes so long that events came to nothing; let it put its work into the background",
                    pattern.name()
                );
                self.report_once(line);
            }
        }
    }

    fn poll(&mut self) {
        let mut failures = Vec::new();
        for queue in &mut self.queues {
            let name = queue.pattern.name();
            match queue.command.poll() {
                Some(CommandEnd::ByItself(status)) if !status.success() => failures.push(format!(
                    "on_event.{name}: its command failed with {status}; run it by hand to see why"
                )),
                Some(CommandEnd::AtItsLimit) => failures.push(format!(
                    "on_event.{name}: its command was ended at its time limit; raise on_event.command_limit_s if it needs longer"
                )),
                _ => {}
            }
            if queue.command.is_running() {
                continue;
            }
            let Some((event, closure)) = queue.waiting.pop_front() else {
                continue;
            };
            let mut fields = fields_of(&closure);
            fields.insert("kind".into(), name.into());
            if let Err(error) = queue.command.start(&event, PREFIX, fields) {
                failures.push(format!(
                    "on_event.{name}: its command cannot be started: {error}; check its permissions"
                ));
            }
        }
        for line in failures {
            self.report_once(line);
        }
    }

    fn report_once(&mut self, line: String) {
        if !self.reported.contains(&line) {
            (self.report)(&line);
            self.reported.insert(line);
        }
    }
}

#[cfg(test)]
mod tests;
