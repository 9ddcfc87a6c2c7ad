//! The user's command: one run at a time, for a limited time, never waited for.

use parseye_events::event::Event;
use parseye_vision::settings::SettingError;
use serde_json::{Map, Value};
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

/// A command of the user, run on events.
#[derive(Debug)]
pub(super) struct UserCommand {
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

impl UserCommand {
    /// Prepares a command that is ended after `limit`; `key` is the setting that holds it.
    ///
    /// # Errors
    /// When it cannot be split into words, or its program is not to be found: better now than at
    /// the first event.
    pub(super) fn new(key: &str, command: &str, limit: Duration) -> Result<Self, SettingError> {
        let words = words(key, command)?;
        let program = &words[0];
        if !is_there(program) {
            return Err(SettingError::new(
                key,
                format_args!("'{program}', and there is no program of that name"),
                "a program that PATH leads to, or its whole path",
            ));
        }
        Ok(Self {
            words,
            limit,
            running: None,
        })
    }

    /// Returns whether a run has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts a run, unless one is still running. It gets the event as a line of JSON on its standard input, and
    /// `fields` in its environment under their names in capitals after `prefix`, where they are not null.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(super) fn start(
        &mut self,
        event: &Event,
        prefix: &str,
        fields: Map<String, Value>,
    ) -> io::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .envs(environment(prefix, fields))
            .stdin(Stdio::piped())
            // The terminal may be a dashboard.
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C is meant for Parseye, and what the command starts is to be ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let mut line = serde_json::to_string(event)?;
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

impl Drop for UserCommand {
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

/// The words of a command: split as a shell does, but without its expansions.
///
/// # Errors
/// When a quotation does not end, or there is no word; `key` is the setting that holds the command.
pub(super) fn words(key: &str, command: &str) -> Result<Vec<String>, SettingError> {
    match shlex::split(command) {
        None => Err(SettingError::new(
            key,
            command,
            "it a closing quotation mark, or double a backslash at its end",
        )),
        Some(words) if words.first().is_none_or(String::is_empty) => Err(SettingError::new(
            key,
            "empty",
            "a program and its arguments, or leave the key out",
        )),
        Some(words) => Ok(words),
    }
}

/// Returns the fields of an event, for commands that read no JSON.
pub(super) fn fields_of(event: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        // An event is always an object.
        _ => Map::new(),
    }
}

/// Returns fields as variables, for commands that read no JSON.
fn environment(prefix: &str, fields: Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(move |(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (format!("{prefix}{}", name.to_uppercase()), text)
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
