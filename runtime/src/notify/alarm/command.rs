//! The user's command: one run at a time, for a limited time, never waited for.

use super::AlarmSettings;
use parseye_events::event::{AlertEvent, Event};
use parseye_vision::settings::SettingError;
use std::{
    io::{self, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Time that a command gets to end once it was asked to.
const GRACE: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandEnd {
    /// By itself.
    ByItself(ExitStatus),
    /// It was silenced.
    Silenced,
    /// It was still running at its time limit.
    AtItsLimit,
}

/// Runs a command on alerts.
#[derive(Debug)]
pub(super) struct AlarmCommand {
    words: Vec<String>,
    limit: Duration,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    began: Instant,
    /// Since when, and why, it has been asked to end.
    asked: Option<(Instant, CommandEnd)>,
}

impl AlarmCommand {
    /// Prepares the command of the settings, where there is one.
    ///
    /// # Errors
    /// When it cannot be split into words, or its program is not to be found: better now than at
    /// the first alarm.
    pub(super) fn new(settings: &AlarmSettings) -> Result<Option<Self>, SettingError> {
        let Some(words) = settings.words()? else {
            return Ok(None);
        };
        let program = &words[0];
        if !is_there(program) {
            return Err(SettingError::new(
                "command",
                format_args!("'{program}', and there is no program of that name"),
                "a program that PATH leads to, or its whole path",
            ));
        }
        Ok(Some(Self {
            words,
            limit: settings.command_limit(),
            running: None,
        }))
    }

    /// Returns whether a run has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts a run, unless one is still running.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(super) fn start(&mut self, alert: &AlertEvent) -> io::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .envs(environment(alert))
            .stdin(Stdio::piped())
            // The terminal may be a dashboard.
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C is meant for Parseye, and what the command starts is to be ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let mut line = serde_json::to_string(&Event::Alert(alert.clone()))?;
            line.push('\n');
            // A pipe takes this much at once, so a command that does not read delays nothing; one that
            // has closed its input does not want it.
            let _ = stdin.write_all(line.as_bytes());
        }
        self.running = Some(Running {
            child,
            began: Instant::now(),
            asked: None,
        });
        Ok(())
    }

    /// Returns how the run ended once it has, and asks it to end at its limit. Never waits.
    pub(super) fn poll(&mut self) -> Option<CommandEnd> {
        let running = self.running.as_mut()?;
        if let Ok(Some(status)) = running.child.try_wait() {
            let ended = running
                .asked
                .map_or(CommandEnd::ByItself(status), |(_, ended)| ended);
            self.running = None;
            return Some(ended);
        }
        match running.asked {
            Some((since, ended)) if since.elapsed() >= GRACE => {
                self.end();
                Some(ended)
            }
            None if running.began.elapsed() >= self.limit => {
                running.ask(CommandEnd::AtItsLimit);
                None
            }
            _ => None,
        }
    }

    /// Asks the run to end.
    pub(super) fn silence(&mut self) {
        if let Some(running) = self.running.as_mut().filter(|run| run.asked.is_none()) {
            running.ask(CommandEnd::Silenced);
        }
    }

    /// Ends the run without asking.
    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            signal(&running.child, "KILL");
            // It may have ended by itself in the meantime; a killed child can be waited for.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Running {
    fn ask(&mut self, why: CommandEnd) {
        signal(&self.child, "TERM");
        self.asked = Some((Instant::now(), why));
    }
}

impl Drop for AlarmCommand {
    fn drop(&mut self) {
        self.end();
    }
}

/// Signals the command and all that it started in its group. The standard library can only kill,
/// and only the command itself; every Unix has a `kill`.
#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, "--", &format!("-{}", child.id())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(not(unix))]
fn signal(_: &Child, _: &str) {}

/// Returns the event's fields as `PARSEYE_ALERT_*`, for commands that read no JSON.
fn environment(alert: &AlertEvent) -> impl Iterator<Item = (String, String)> {
    let fields = match serde_json::to_value(alert) {
        Ok(serde_json::Value::Object(fields)) => fields,
        // An event is always an object.
        _ => serde_json::Map::new(),
    };
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let text = match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            (format!("PARSEYE_ALERT_{}", name.to_uppercase()), text)
        })
}

/// Returns whether a program is found the way the system will look for it.
fn is_there(program: &str) -> bool {
    if Path::new(program).components().count() > 1 {
        return Path::new(program).is_file();
    }
    let with_suffix = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .any(|folder| folder.join(program).is_file() || folder.join(&with_suffix).is_file())
    })
}
