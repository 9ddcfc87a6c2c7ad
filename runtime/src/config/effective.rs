//! The settings in force, each with its origin: the output of `parseye config --print`.
//!
//! As TOML they are a settings file again. Secrets are left out.

use super::{
    ConfigError, Settings, one_line,
    renamed::{names_of, variable},
};
use figment::{Figment, Source};
use serde_json::{Map, Value, json};
use std::{
    fmt::{self, Write},
    path::PathBuf,
};

/// Last words of the keys whose values are never shown.
const SECRETS: [&str; 2] = ["password", "token"];

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The program's default.
    Default,
    /// A file of settings.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(&one_line(&path.display().to_string())),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// The origins of the loaded values.
#[derive(Clone, Debug)]
pub(crate) struct Origins(Figment);

impl Origins {
    pub(super) fn new(figment: Figment) -> Self {
        Self(figment)
    }

    fn of(&self, key: &[String]) -> Origin {
        let Some(metadata) = self.0.find_metadata(&key.join(".")) else {
            return Origin::Default;
        };
        match &metadata.source {
            Some(Source::File(path)) => Origin::File(path.clone()),
            // The defaults are given in code, which figment knows as a source.
            Some(_) => Origin::Default,
            None if metadata.name.contains("environment") => Origin::Environment(variable_of(key)),
            None => Origin::Default,
        }
    }
}

/// Returns the environment variable that a key was read from: the one that is set, under its present or its
/// old name.
fn variable_of(key: &[String]) -> String {
    names_of(key)
        .iter()
        .map(|name| variable(name))
        .find(|name| std::env::var_os(name).is_some())
        .unwrap_or_else(|| variable(&key.join(".")))
}

/// The settings in force with their origins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effective {
    values: Vec<Setting>,
}

/// A value in force.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    key: Vec<String>,
    /// Null for what is not set.
    value: Value,
    origin: Origin,
}

impl Setting {
    fn section(&self) -> &[String] {
        &self.key[..self.key.len() - 1]
    }

    fn name(&self) -> &str {
        self.key.last().map_or("", String::as_str)
    }

    fn secret(&self) -> bool {
        SECRETS.contains(&self.name()) && !self.value.is_null()
    }
}

impl Effective {
    /// Compares the settings as they were loaded with those that flags changed.
    ///
    /// # Errors
    /// When a path is not UTF-8, which no settings file can hold.
    pub(crate) fn new(
        origins: &Origins,
        loaded: &Settings,
        now: &Settings,
    ) -> Result<Self, ConfigError> {
        let (loaded, now) = (values(loaded)?, values(now)?);
        let mut before = Vec::new();
        flatten(&mut Vec::new(), loaded, &mut before);
        let mut after = Vec::new();
        flatten(&mut Vec::new(), now, &mut after);
        let values = after.into_iter().map(|(key, value)| {
            let unchanged = before.iter().any(|(k, v)| (k, v) == (&key, &value));
            let origin = match unchanged {
                true => origins.of(&key),
                false => Origin::CommandLine,
            };
            Setting { key, value, origin }
        });
        Ok(Self {
            values: values.collect(),
        })
    }

    /// Returns a settings file that gives the same settings again, secrets apart.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub(crate) fn toml(&self) -> Result<String, ConfigError> {
        let mut text = String::from(
            "# The settings in force and where each comes from. `parseye --config FILE` reads this \
             back.\n",
        );
        let mut section: &[String] = &[];
        let mut rows = Vec::new();
        for setting in &self.values {
            if setting.section() != section {
                write_rows(&mut text, &mut rows);
                section = setting.section();
                // Writing to a string cannot fail.
                let _ = writeln!(text, "\n[{}]", section.join("."));
            }
            let name = setting.name();
            let row = if setting.secret() {
                format!("# {name} is set and not shown")
            } else if setting.value.is_null() {
                format!("# {name} is not set")
            } else {
                format!("{name} = {}", toml_of(setting)?)
            };
            rows.push((row, setting.origin.to_string()));
        }
        write_rows(&mut text, &mut rows);
        Ok(text)
    }

    /// Returns the same for programs: each key holds `value` (null where not set or a secret), `set`,
    /// `from` (`default`, `file`, `environment`, `command_line`) and, for the middle two, `name`.
    pub(crate) fn json(&self) -> Value {
        let mut all = Value::Object(Map::new());
        for setting in &self.values {
            let mut place = &mut all;
            for part in &setting.key {
                place = &mut place[part.as_str()];
            }
            let (from, name) = match &setting.origin {
                Origin::Default => ("default", None),
                Origin::File(path) => ("file", Some(path.display().to_string())),
                Origin::Environment(name) => ("environment", Some(name.clone())),
                Origin::CommandLine => ("command_line", None),
            };
            let shown = match setting.secret() {
                true => Value::Null,
                false => setting.value.clone(),
            };
            *place = json!({ "value": shown, "set": !setting.value.is_null(), "from": from });
            if let Some(name) = name {
                place["name"] = name.into();
            }
        }
        all
    }
}

/// Returns the settings as JSON. By way of text, since only there a number of single precision keeps its
/// own digits: 0.85, not 0.8500000238418579.
fn values(settings: &Settings) -> Result<Value, ConfigError> {
    serde_json::to_string(settings)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(|error| ConfigError::Wrong {
            origin: "settings".into(),
            reason: format!("cannot be shown: {error}; give paths in UTF-8"),
        })
}

/// Collects the leaves with their keys, a table's own values before those of the tables in it.
fn flatten(key: &mut Vec<String>, value: Value, leaves: &mut Vec<(Vec<String>, Value)>) {
    let Value::Object(table) = value else {
        leaves.push((key.clone(), value));
        return;
    };
    let (tables, plain): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(_, value)| value.is_object());
    for (name, value) in plain.into_iter().chain(tables) {
        key.push(name);
        flatten(key, value, leaves);
        key.pop();
    }
}

fn toml_of(setting: &Setting) -> Result<String, ConfigError> {
    toml::Value::try_from(&setting.value)
        .map(|value| value.to_string())
        .map_err(|error| ConfigError::Wrong {
            origin: setting.key.join("."),
            reason: format!("cannot be shown: {}", one_line(&error.to_string())),
        })
}

/// Writes the rows of one section with their origins in a column.
fn write_rows(text: &mut String, rows: &mut Vec<(String, String)>) {
    const MAX_WIDTH: usize = 48;
    let widths = rows.iter().map(|(row, _)| row.chars().count());
    let width = widths
        .filter(|width| *width <= MAX_WIDTH)
        .max()
        .unwrap_or(0);
    for (row, origin) in rows.drain(..) {
        let _ = writeln!(text, "{row:width$}  # {origin}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use figment::providers::Env;

    /// Settings of a file and the environment of this test.
    fn loaded(text: &str, env: Env) -> (Settings, Origins, PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        let (settings, origins) = Settings::merge(std::slice::from_ref(&path), env).unwrap();
        (settings, origins, path, folder)
    }

    fn none() -> Env {
        Env::prefixed("PARSEYE_NONE_OF_THESE_")
    }

    #[test]
    fn each_value_has_its_origin_and_the_whole_can_be_read_back() {
        // The value of a variable that every system has.
        let env = Env::raw().only(&["PATH"]).map(|_| "report.log".into());
        let text = "[camera]\nwidth = 320\nid = \"0\"\n[eyes]\ncrop_side = 0.9\n";
        let (settings, origins, path, _folder) = loaded(text, env);
        let mut flagged = settings.clone();
        flagged.camera.id = Some("a \"name\" # with\n all".into());
        let effective = Effective::new(&origins, &settings, &flagged).unwrap();
        let toml = effective.toml().unwrap();
        let line = |begin: &str| -> &str {
            toml.lines()
                .find(|line| line.starts_with(begin))
                .unwrap_or_else(|| panic!("no {begin} in {toml}"))
        };
        assert!(line("width = 320").ends_with(&format!("# {}", path.display())));
        assert!(line("crop_side = 0.9 ").ends_with("mine.toml"));
        assert!(line("height = 480").ends_with("# default"));
        assert!(line("log = ").ends_with("# environment PARSEYE_REPORT__LOG"));
        assert!(line("# file is not set").ends_with("# default"));
        assert!(toml.contains("# command line"));
        let (again, ..) = loaded(&toml, none());
        assert_eq!(again, flagged);
        let json = effective.json();
        assert_eq!(json["camera"]["width"]["value"], 320);
        assert_eq!(json["camera"]["width"]["from"], "file");
        assert_eq!(json["report"]["log"]["name"], "PARSEYE_REPORT__LOG");
        assert_eq!(json["camera"]["id"]["from"], "command_line");
        assert_eq!(json["model"]["file"]["set"], false);
        assert_eq!(json["temporal"]["closed_above"]["from"], "default");
    }

    #[test]
    fn defaults_alone_are_the_defaults_again() {
        let (settings, origins, ..) = loaded("", none());
        let effective = Effective::new(&origins, &settings, &settings).unwrap();
        let toml = effective.toml().unwrap();
        let (again, ..) = loaded(&toml, none());
        assert_eq!(again, Settings::default());
        let comments = toml.lines().filter(|line| line.contains("  # "));
        assert!(comments.clone().count() > 20);
        assert!(
            comments.into_iter().all(|line| line.ends_with("# default")),
            "{toml}"
        );
    }
}
