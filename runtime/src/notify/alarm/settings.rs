//! Settings of what an alert sets off.

use crate::notify::command::{UserCommand, words};
use parseye_vision::{
    seconds,
    settings::{SettingError, check_seconds},
    temporal::AlertKind,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What an alert sets off in `parseye monitor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmSettings {
    /// Alerts that set anything off.
    ///
    /// The warning of half a second is left out: blinks confirmed by eye last up to 0.56 s, and a
    /// bell that rings at blinks is soon turned off. So are reminders, which are better read than heard.
    pub on: Vec<AlertKind>,
    /// Whether the terminal's bell rings.
    pub bell: bool,
    /// A command to run; none runs none. Split into words as a shell does, but run without a shell.
    pub command: Option<String>,
    /// Seconds after which the command is ended.
    ///
    /// 10: a siren is heard by then, and a message sent.
    pub command_limit_s: f64,
    /// Whether the command is ended when the eyes open. Right for a siren; false is right for a
    /// command that sends a message and must come to its end.
    pub silence_command: bool,
    /// Least seconds between two alarms, so that flickering eyes cannot start a storm. The next
    /// alarm waits, and comes if its alert is still on.
    ///
    /// 5: the interval at which an alert that lasts is repeated.
    pub least_between_s: f64,
    /// Whether a tone sounds; needs a program built with the feature `sound`.
    pub sound: bool,
    /// Whether the desktop shows a notification; needs a program built with the feature
    /// `notifications`.
    pub notification: bool,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            on: vec![
                AlertKind::LongClosureAlarm,
                AlertKind::FaceLostAsleep,
                AlertKind::Drowsiness,
            ],
            bell: true,
            command: None,
            command_limit_s: 10.0,
            silence_command: true,
            least_between_s: 5.0,
            sound: false,
            notification: false,
        }
    }
}

/// Longest time accepted, in seconds: an hour. Beyond it a value is a mistake.
const LONGEST_S: f64 = 3600.0;

impl AlarmSettings {
    /// Checks that every value means something, and that this program can do what is asked for.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        for (key, value, least) in [
            // Shorter, and a command could not even start.
            ("command_limit_s", self.command_limit_s, 0.1),
            ("least_between_s", self.least_between_s, 0.0),
        ] {
            check_seconds(key, value, least..=LONGEST_S)?;
        }
        self.words()?;
        for (key, wanted, built_in) in [
            ("sound", self.sound, cfg!(feature = "sound")),
            (
                "notification",
                self.notification,
                cfg!(feature = "notifications"),
            ),
        ] {
            if wanted && !built_in {
                let feature = if key == "sound" { key } else { "notifications" };
                return Err(SettingError::new(
                    key,
                    "true, but this program was built without it",
                    format!("false, or use a program built with `--features {feature}`"),
                ));
            }
        }
        Ok(())
    }

    /// The words of [`Self::command`], where there is one.
    ///
    /// # Errors
    /// When a quotation does not end, or there is no word.
    fn words(&self) -> Result<Option<Vec<String>>, SettingError> {
        let command = self.command.as_deref();
        command.map(|command| words("command", command)).transpose()
    }

    /// Prepares [`Self::command`], where there is one.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) fn user_command(&self) -> Result<Option<UserCommand>, SettingError> {
        let command = self.command.as_deref();
        command
            .map(|command| UserCommand::new("command", command, self.command_limit()))
            .transpose()
    }

    /// [`Self::command_limit_s`].
    fn command_limit(&self) -> Duration {
        seconds::duration(self.command_limit_s)
    }

    /// [`Self::least_between_s`].
    pub(super) fn least_between(&self) -> Duration {
        seconds::duration(self.least_between_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senseless_value_is_named() {
        assert_eq!(AlarmSettings::default().check(), Ok(()));
        let of = |change: fn(&mut AlarmSettings)| {
            let mut settings = AlarmSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(of(|s| s.command_limit_s = 0.0).contains("command_limit_s is 0"));
        assert!(of(|s| s.least_between_s = f64::NAN).contains("least_between_s is NaN"));
        assert!(of(|s| s.command = Some(" ".into())).contains("command is empty"));
        assert!(of(|s| s.command = Some("say 'it".into())).contains("quotation"));
        if !cfg!(feature = "sound") {
            assert!(of(|s| s.sound = true).contains("--features sound"));
        }
        if !cfg!(feature = "notifications") {
            assert!(of(|s| s.notification = true).contains("--features notifications"));
        }
    }

    #[test]
    fn words_are_a_shell_s_without_its_expansions() {
        let settings = AlarmSettings {
            command: Some(r#"play "a file.wav" '$HOME' *"#.into()),
            ..AlarmSettings::default()
        };
        assert_eq!(
            settings.words().unwrap().unwrap(),
            ["play", "a file.wav", "$HOME", "*"]
        );
    }
}
