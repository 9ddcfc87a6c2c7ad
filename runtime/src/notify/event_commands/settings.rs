//! Settings of commands on what eyes do.

use super::patterns::Pattern;
use crate::notify::command::{UserCommand, words};
use parseye_vision::{
    seconds,
    settings::{SettingError, check_seconds},
};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// Commands that are run on what eyes do in `parseye monitor`. Each is split into words as a shell does, but
/// run without a shell; none runs none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventCommandSettings {
    /// On each blink of both eyes.
    pub blink: Option<String>,
    /// On two blinks of both eyes in a row, with the second.
    pub double_blink: Option<String>,
    /// On each wink, whose eye the command is told.
    pub wink: Option<String>,
    /// On each closure of both eyes that is too long for a blink, when it ends.
    pub long_closure: Option<String>,
    /// Seconds from the end of a blink to the beginning of the next at most in two blinks in a row.
    ///
    /// 0.5: people who blink twice on purpose take 0.2 to 0.4 s between; blinks by themselves come seconds
    /// apart.
    pub double_blink_s: f64,
    /// Seconds after which a command is ended.
    pub command_limit_s: f64,
}

impl Default for EventCommandSettings {
    fn default() -> Self {
        Self {
            blink: None,
            double_blink: None,
            wink: None,
            long_closure: None,
            double_blink_s: 0.5,
            command_limit_s: 10.0,
        }
    }
}

/// Longest times accepted, in seconds.
const LONGEST_PAUSE_S: f64 = 5.0;
const LONGEST_COMMAND_S: f64 = 3600.0;

impl EventCommandSettings {
    /// Checks that every value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let pause = (Bound::Excluded(0.0), Bound::Included(LONGEST_PAUSE_S));
        check_seconds("double_blink_s", self.double_blink_s, pause)?;
        let limit = 0.1..=LONGEST_COMMAND_S;
        check_seconds("command_limit_s", self.command_limit_s, limit)?;
        for (pattern, command) in self.commands() {
            words(pattern.name(), command)?;
        }
        Ok(())
    }

    /// Sets the command of a pattern.
    pub(crate) fn set(&mut self, pattern: Pattern, command: String) {
        let place = match pattern {
            Pattern::Blink => &mut self.blink,
            Pattern::DoubleBlink => &mut self.double_blink,
            Pattern::Wink => &mut self.wink,
            Pattern::LongClosure => &mut self.long_closure,
        };
        *place = Some(command);
    }

    /// Returns whether there is any command.
    pub(crate) fn is_any(&self) -> bool {
        self.commands().next().is_some()
    }

    fn commands(&self) -> impl Iterator<Item = (Pattern, &str)> {
        let all = [
            &self.blink,
            &self.double_blink,
            &self.wink,
            &self.long_closure,
        ];
        let all = Pattern::ALL.into_iter().zip(all);
        all.filter_map(|(pattern, command)| Some((pattern, command.as_deref()?)))
    }

    /// Prepares all commands.
    ///
    /// # Errors
    /// When one cannot be run.
    pub(super) fn prepare(&self) -> Result<Vec<(Pattern, UserCommand)>, SettingError> {
        let limit = seconds::duration(self.command_limit_s);
        let prepared = self.commands().map(|(pattern, command)| {
            Ok((pattern, UserCommand::new(pattern.name(), command, limit)?))
        });
        prepared.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senseless_value_is_named() {
        assert_eq!(EventCommandSettings::default().check(), Ok(()));
        let of = |change: fn(&mut EventCommandSettings)| {
            let mut settings = EventCommandSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(of(|s| s.wink = Some("say 'it".into())).contains("wink is say 'it"));
        assert!(of(|s| s.double_blink = Some(String::new())).contains("double_blink is empty"));
        assert!(of(|s| s.double_blink_s = 0.0).contains("double_blink_s is 0"));
        assert!(of(|s| s.command_limit_s = 0.0).contains("command_limit_s is 0"));
    }
}
