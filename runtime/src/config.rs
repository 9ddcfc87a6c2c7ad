//! Every setting: defaults, then configuration files, then the environment, then flags.
//!
//! Files are `$XDG_CONFIG_HOME/parseye/config.toml` (or `~/.config/...`) and `./parseye.toml`, of which
//! the latter overrides the former; `--config FILE` replaces both. The environment's names are
//! `PARSEYE_<SECTION>__<KEY>`, such as `PARSEYE_CAMERA__FRAME_RATE=15`. What a flag overrides is left to
//! the command line. [`effective`] shows the origin of each value, `renamed` accepts names of the last
//! version.

pub(crate) mod effective;
mod renamed;

use crate::{
    dashboard::{terminal::TerminalSettings, web::WebSettings},
    notify::{alarm::AlarmSettings, event_commands::EventCommandSettings, mqtt::MqttSettings},
};
use effective::Origins;
use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
    value::{Dict, Map},
};
use parseye_capture::{CameraSettings, MAX_RATE};
use parseye_events::jsonl::{LogDetail, Rotation};
use parseye_vision::{
    bounded,
    eye_monitor::{EyeSettings, VisionSettings},
    locate::DetectorSettings,
    nearest::hint,
    selfcheck::SelfCheckSettings,
    settings::{SettingError, check_range, check_seconds},
    temporal::TemporalSettings,
};
use renamed::Renamed;
use serde::{Deserialize, Serialize};
use std::{
    ops::Bound,
    path::{Path, PathBuf},
};

/// Settings file in the folder where the program is started.
const LOCAL_FILE: &str = "parseye.toml";

/// Largest settings file accepted, in bytes: a hundred times the documented one.
const MOST_BYTES: u64 = 1 << 20;

/// Prefix of environment settings.
const PREFIX: &str = "PARSEYE_";

/// Variables that begin with [`PREFIX`] but are no settings. The project's own scripts and tests read from
/// them where their data, a study, an image or a browser is, and which libtorch to fetch.
const NOT_SETTINGS: [&str; 6] = [
    "PARSEYE_DATA",
    "PARSEYE_STUDY",
    "PARSEYE_BENCH_IMAGE",
    "PARSEYE_BENCH_PICTURE",
    "PARSEYE_BROWSER",
    "PARSEYE_LIBTORCH",
];

/// All settings. `configs/monitor.toml` lists each with its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Camera of `parseye monitor`.
    pub camera: CameraSettings,
    /// Recordings of `parseye replay`.
    pub recording: RecordingSettings,
    /// The face detector.
    pub detector: DetectorSettings,
    /// The eye crops.
    pub eyes: EyeSettings,
    /// The eye-state model.
    pub model: ModelSettings,
    /// Blinks, long closures, PERCLOS.
    pub temporal: TemporalSettings,
    /// What alerts set off.
    pub alarm: AlarmSettings,
    /// Commands on what eyes do.
    pub on_event: EventCommandSettings,
    /// The self-check of predictions.
    pub selfcheck: SelfCheckSettings,
    /// The event log and the status line.
    pub report: ReportSettings,
    /// The terminal dashboard.
    pub terminal: TerminalSettings,
    /// The web dashboard.
    pub web: WebSettings,
    /// The MQTT broker.
    pub mqtt: MqttSettings,
}

/// Recordings of `parseye replay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingSettings {
    /// Frames per second of a folder of images, which holds no times.
    pub image_rate: f64,
}

impl RecordingSettings {
    /// Checks that the value means something.
    fn check(&self) -> Result<(), SettingError> {
        check_range(
            "image_rate",
            self.image_rate,
            (Bound::Excluded(0.0), Bound::Included(MAX_RATE)),
            format!("frames per second above 0, at most {MAX_RATE}"),
        )
    }
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { image_rate: 30.0 }
    }
}

/// The eye-state model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// File of a model made by `train`; none takes the one built in.
    pub file: Option<PathBuf>,
}

/// The event log and the status line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSettings {
    /// The event log, JSON lines; none writes no log.
    pub log: Option<PathBuf>,
    /// Least seconds between two status lines of `parseye monitor`.
    pub status_every_s: f64,
    /// Megabytes (of 1,000,000 bytes) after which a monitor's log begins a new file; 0 for never.
    ///
    /// 256: about three and a half hours at 30 frames a second, which an editor still opens.
    pub rotate_mb: u32,
    /// Whether a monitor's log begins a new file with each day (UTC), so that a day can be kept,
    /// sent or removed alone.
    pub rotate_daily: bool,
    /// Old files of the log that are kept, the oldest being removed first; 0 keeps any number of them.
    pub keep: u32,
    /// Megabytes (of 1,000,000 bytes) that all files of the log may have together, the oldest being removed
    /// first; 0 for no bound.
    ///
    /// 5000: about three days of every frame at 30 frames a second, years of events alone, and less than
    /// any disk that a monitor runs on.
    pub total_mb: u32,
    /// What has lines in the log: each frame, or events only.
    pub log_level: LogLevel,
    /// With [`LogLevel::All`], one frame in so many has a line, from 1.
    pub log_every: u32,
}

/// What has lines in an event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Events, and frames.
    #[default]
    All,
    /// Events alone; frames are counted by the minute.
    Events,
}

impl ReportSettings {
    /// Checks that every value means something.
    fn check(&self) -> Result<(), SettingError> {
        check_seconds("status_every_s", self.status_every_s, 1.0..=3600.0)?;
        check_range(
            "log_every",
            self.log_every,
            1..,
            "a number of frames, 1 or more",
        )?;
        let parts_fit = self.total_mb == 0 || self.rotate_mb <= self.total_mb;
        match parts_fit {
            true => Ok(()),
            false => Err(SettingError::new(
                "total_mb",
                self.total_mb,
                format!(
                    "0, or at least rotate_mb, which is {}: the newest file alone may have as much",
                    self.rotate_mb
                ),
            )),
        }
    }

    /// Returns which events have lines in the log; `temporal` is what the run follows eyes with.
    pub(crate) fn detail(&self, temporal: &TemporalSettings) -> LogDetail {
        match self.log_level {
            LogLevel::All => LogDetail::one_in(self.log_every.into(), temporal),
            LogLevel::Events => LogDetail::events(temporal),
        }
    }

    /// Returns when a monitor's log begins a new file.
    pub(crate) fn rotation(&self) -> Rotation {
        const MB: u64 = 1_000_000;
        Rotation {
            bytes: (self.rotate_mb > 0).then(|| u64::from(self.rotate_mb) * MB),
            daily: self.rotate_daily,
            keep: (self.keep > 0).then_some(self.keep as usize),
            total: (self.total_mb > 0).then(|| u64::from(self.total_mb) * MB),
        }
    }
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self {
            log: None,
            status_every_s: 1.0,
            rotate_mb: 256,
            rotate_daily: true,
            keep: 0,
            total_mb: 5000,
            log_level: LogLevel::All,
            log_every: 1,
        }
    }
}

/// Why the settings cannot be used: one line with the origin, the key and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that was asked for cannot be read.
    #[error("{path}: cannot be read: {reason}; check the path, or leave out --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// A file or the environment holds something wrong.
    #[error("{origin}: {reason}")]
    Wrong {
        /// The file, or `environment`.
        origin: String,
        /// What was wrong, with the key and what to do.
        reason: String,
    },
}

impl Settings {
    /// Returns the settings of an [`EyeMonitor`](parseye_vision::eye_monitor::EyeMonitor).
    pub fn vision(&self) -> VisionSettings {
        VisionSettings {
            detector: self.detector.clone(),
            eyes: self.eyes.clone(),
            temporal: self.temporal.clone(),
        }
    }

    /// Reads the settings for a command line; `explicit` is the file of `--config`.
    ///
    /// # Errors
    /// When a file cannot be read or a value is invalid.
    pub fn load(explicit: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_with_origins(explicit).map(|(settings, _)| settings)
    }

    /// Does the same and returns the origin of each value.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn load_with_origins(
        explicit: Option<&Path>,
    ) -> Result<(Self, Origins), ConfigError> {
        let files = match explicit {
            Some(path) => vec![path.to_path_buf()],
            None => user_file()
                .into_iter()
                .chain([PathBuf::from(LOCAL_FILE)])
                .filter(|path| path.is_file())
                .collect(),
        };
        let env = Env::prefixed(PREFIX).ignore(&NOT_SETTINGS.map(|name| &name[PREFIX.len()..]));
        Self::merge(&files, env.split("__"))
    }

    /// Reads the text of one settings file over the defaults, without the environment; `path` is named in
    /// errors.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let text = text.to_owned();
        let figment = Figment::from(Serialized::defaults(Self::default()));
        Self::extract(
            &figment.merge(Renamed(SettingsFile { path, text })),
            &[path.into()],
        )
    }

    fn merge(files: &[PathBuf], env: Env) -> Result<(Self, Origins), ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        for path in files {
            let bytes = bounded::read(path, MOST_BYTES);
            let text = bytes.and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8 text"))
            });
            let text = text.map_err(|error| ConfigError::Unreadable {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            figment = figment.merge(Renamed(SettingsFile { path, text }));
        }
        let figment = figment.merge(Renamed(env));
        let settings = Self::extract(&figment, files)?;
        Ok((settings, Origins::new(figment)))
    }

    fn extract(figment: &Figment, files: &[PathBuf]) -> Result<Self, ConfigError> {
        let settings: Self = figment.extract().map_err(|error| of_figment(&error))?;
        settings.check().map_err(|error| ConfigError::Wrong {
            origin: origins(files),
            reason: error.to_string(),
        })?;
        Ok(settings)
    }

    /// Checks that every value means something.
    fn check(&self) -> Result<(), SettingError> {
        for (section, checked) in [
            ("temporal", self.temporal.check()),
            ("web", self.web.check()),
            ("alarm", self.alarm.check()),
            ("on_event", self.on_event.check()),
            ("mqtt", self.mqtt.check()),
            ("selfcheck", self.selfcheck.check()),
            ("eyes", self.eyes.check()),
            ("detector", self.detector.check()),
            ("recording", self.recording.check()),
            ("report", self.report.check()),
            ("camera", self.camera.check()),
        ] {
            checked.map_err(|error| error.in_section(section))?;
        }
        Ok(())
    }
}

/// A TOML file whose errors carry its path.
struct SettingsFile<'a> {
    path: &'a Path,
    text: String,
}

impl Provider for SettingsFile<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from("settings file", self.path)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Toml::string(&self.text).data()
    }
}

fn user_file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
    Some(folder.join("parseye/config.toml"))
}

fn origins(files: &[PathBuf]) -> String {
    let mut names: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.push("environment".into());
    names.join(" or ")
}

fn of_figment(error: &figment::Error) -> ConfigError {
    let file = error
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.source.as_ref())
        .and_then(figment::Source::file_path);
    let origin = file.map_or_else(|| "environment".into(), |path| path.display().to_string());
    let key = |path: &[String]| match file {
        Some(_) => path.join("."),
        None => format!("{PREFIX}{}", path.join("__").to_uppercase()),
    };
    let reason = match &error.kind {
        Kind::UnknownField(name, known) => {
            let mut path = error.path.clone();
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            format!(
                "unknown key {}{}; known here: {}",
                key(&path),
                hint(name, known.iter().copied()),
                known.join(", ")
            )
        }
        kind if error.path.is_empty() => format!("{kind}; correct this line"),
        kind => format!(
            "{}: {kind}; configs/monitor.toml shows every key",
            key(&error.path)
        ),
    };
    ConfigError::Wrong {
        origin,
        reason: one_line(&reason),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
