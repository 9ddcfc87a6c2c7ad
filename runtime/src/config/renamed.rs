//! Settings that were renamed: the names of the last version are still accepted.
//!
//! Each file, and the environment, is renamed by itself before they are merged, so that a later source
//! overrides an earlier one whichever name it uses.

use super::PREFIX;

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

/// Renamed sections: old, new.
const SECTIONS: [(&str, &str); 1] = [("locator", "detector")];

/// Renamed keys: section, old, new.
const KEYS: [(&str, &str, &str); 3] = [
    ("detector", "look_every", "detect_every"),
    ("selfcheck", "headroom_none_db", "headroom_exhausted_db"),
    ("temporal", "longest_parting_s", "longest_reopening_s"),
];

/// A provider of settings that replaces their old names by the new ones.
pub(super) struct Renamed<P>(pub(super) P);

impl<P: Provider> Provider for Renamed<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut profiles = self.0.data()?;
        // Names in errors are those that the user wrote.
        let in_file = self.0.metadata().source.is_some();
        let twice = |old: &str, new: &str| match in_file {
            true => twice(old, new),
            false => twice(&variable(old), &variable(new)),
        };
        for settings in profiles.values_mut() {
            for (old, new) in SECTIONS {
                rename(settings, old, new).map_err(|key| match key {
                    Some(key) => twice(&format!("{old}.{key}"), &format!("{new}.{key}")),
                    None => twice(old, new),
                })?;
            }
            for (section, old, new) in KEYS {
                if let Some(Value::Dict(_, keys)) = settings.get_mut(section) {
                    rename(keys, old, new).map_err(|_| {
                        twice(&format!("{section}.{old}"), &format!("{section}.{new}"))
                    })?;
                }
            }
        }
        Ok(profiles)
    }
}

/// Returns the names of a key in this version and the last, the present one first.
pub(super) fn names_of(key: &[String]) -> Vec<String> {
    let [section, keys @ ..] = key else {
        return Vec::new();
    };
    let name = keys.join(".");
    let old_sections = SECTIONS.iter().filter(|(_, new)| new == section);
    let sections: Vec<&str> = std::iter::once(section.as_str())
        .chain(old_sections.map(|(old, _)| *old))
        .collect();
    let old_names = KEYS
        .iter()
        .filter(|(of, _, new)| of == section && *new == name)
        .map(|(_, old, _)| *old);
    std::iter::once(name.as_str())
        .chain(old_names)
        .flat_map(|name| {
            let full = |section: &&str| match name {
                "" => (*section).to_owned(),
                name => format!("{section}.{name}"),
            };
            sections.iter().map(full).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Moves the value of the old name to the new one. Two sections are joined.
///
/// # Errors
/// With the key that both sections have, or `None` where both values are given: which of them counts
/// would be open.
fn rename(values: &mut Dict, old: &str, new: &str) -> Result<(), Option<String>> {
    let Some(value) = values.remove(old) else {
        return Ok(());
    };
    match (values.get_mut(new), value) {
        (None, value) => {
            values.insert(new.into(), value);
            Ok(())
        }
        (Some(Value::Dict(_, known)), Value::Dict(_, more)) => {
            for (key, value) in more {
                if known.insert(key.clone(), value).is_some() {
                    return Err(Some(key));
                }
            }
            Ok(())
        }
        (Some(_), _) => Err(None),
    }
}

fn twice(old: &str, new: &str) -> figment::Error {
    figment::Error::from(format!(
        "`{old}` is the old name of `{new}`, and both are given; remove `{old}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Settings, effective::Effective},
        *,
    };
    use figment::providers::Env;
    use std::path::PathBuf;

    /// Reads settings from a file's text and the environment.
    fn load(text: &str, env: Env) -> Result<(Settings, Effective), String> {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        let (settings, origins) =
            Settings::merge(&[path], env).map_err(|error| error.to_string())?;
        let effective = Effective::new(&origins, &settings, &settings).unwrap();
        Ok((settings, effective))
    }

    fn no_variables() -> Env {
        Env::prefixed("PARSEYE_NONE_OF_THESE_")
    }

    /// An environment with one setting, whose value is that of a variable that every system has.
    fn variable_of(key: &'static str) -> Env {
        Env::raw().only(&["PATH"]).map(move |_| key.into())
    }

    #[test]
    fn old_names_in_a_file_still_count() {
        let old = "[locator]\nlook_every = 3\n[temporal]\nlongest_parting_s = 0.3\n\
                   [selfcheck]\nheadroom_none_db = 1.5\n";
        let new = "[detector]\ndetect_every = 3\n[temporal]\nlongest_reopening_s = 0.3\n\
                   [selfcheck]\nheadroom_exhausted_db = 1.5\n";
        let (settings, effective) = load(old, no_variables()).unwrap();
        assert_eq!(settings, load(new, no_variables()).unwrap().0);
        assert_ne!(settings, Settings::default());
        // They are shown under their new names, with the file that they come from.
        let json = effective.json();
        assert_eq!(json["detector"]["detect_every"]["value"], 3);
        assert_eq!(json["detector"]["detect_every"]["from"], "file");
        assert_eq!(json["temporal"]["longest_reopening_s"]["from"], "file");
        assert_eq!(json["selfcheck"]["headroom_exhausted_db"]["from"], "file");
        let half = "[detector]\nlook_every = 3\n";
        assert_eq!(
            load(half, no_variables()).unwrap().0.detector.detect_every,
            3
        );
    }

    #[test]
    fn old_names_in_the_environment_still_count_and_override_a_file() {
        let text = "[detector]\nfile = \"of the file\"\n";
        let (settings, effective) = load(text, variable_of("locator.file")).unwrap();
        assert_ne!(settings.detector.file, Some("of the file".into()));
        assert_eq!(effective.json()["detector"]["file"]["from"], "environment");
    }

    #[test]
    fn both_names_at_once_are_refused() {
        for (text, old, new) in [
            (
                "[locator]\nlook_every = 3\n[detector]\nlook_every = 4\n",
                "`locator.look_every`",
                "`detector.look_every`",
            ),
            (
                "[detector]\nlook_every = 3\ndetect_every = 3\n",
                "`detector.look_every`",
                "`detector.detect_every`",
            ),
            (
                "[temporal]\nlongest_parting_s = 1.0\nlongest_reopening_s = 1.0\n",
                "`temporal.longest_parting_s`",
                "`temporal.longest_reopening_s`",
            ),
        ] {
            let error = load(text, no_variables()).unwrap_err();
            for part in ["settings.toml", old, new, "both are given"] {
                assert!(error.contains(part), "'{error}' lacks {part}");
            }
        }
        let both = Env::raw()
            .only(&["PATH", "HOME"])
            .map(|variable| match variable == "PATH" {
                true => "locator.file".into(),
                false => "detector.file".into(),
            });
        let error = load("", both).unwrap_err();
        assert!(error.contains("`PARSEYE_LOCATOR__FILE`"), "{error}");
        assert!(error.contains("`PARSEYE_DETECTOR__FILE`"), "{error}");
    }

    #[test]
    fn a_key_has_all_its_names() {
        let key = ["detector".to_owned(), "detect_every".to_owned()];
        let names = names_of(&key);
        assert_eq!(names[0], "detector.detect_every");
        for old in [
            "locator.detect_every",
            "detector.look_every",
            "locator.look_every",
        ] {
            assert!(names.iter().any(|name| name == old), "{names:?}");
        }
        assert_eq!(names_of(&["report".into(), "log".into()]), ["report.log"]);
        assert_eq!(
            variable("locator.look_every"),
            "PARSEYE_LOCATOR__LOOK_EVERY"
        );
    }
}
