//! Settings that had another name in an earlier version: the old one is still understood.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

/// Sections that have another name now: old, new.
const SECTIONS: [(&str, &str); 1] = [("locator", "detector")];

/// Keys that have another name now: section, old, new.
const KEYS: [(&str, &str, &str); 3] = [
    ("detector", "look_every", "detect_every"),
    ("selfcheck", "headroom_none_db", "headroom_exhausted_db"),
    ("temporal", "longest_parting_s", "longest_reopening_s"),
];

/// A provider of settings whose old names are read as the new ones.
pub(super) struct Renamed<P>(pub(super) P);

impl<P: Provider> Provider for Renamed<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut profiles = self.0.data()?;
        for settings in profiles.values_mut() {
            for (old, new) in SECTIONS {
                rename(settings, old, new)?;
            }
            for (section, old, new) in KEYS {
                if let Some(Value::Dict(_, keys)) = settings.get_mut(section) {
                    rename(keys, old, new).map_err(|error| error.with_path(section))?;
                }
            }
        }
        Ok(profiles)
    }
}

/// Moves what stands under the old name to the new one. Two sections are joined; the same key under both
/// names would leave open which counts.
fn rename(values: &mut Dict, old: &str, new: &str) -> Result<(), figment::Error> {
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
                    return Err(twice(&format!("{old}.{key}"), &format!("{new}.{key}")));
                }
            }
            Ok(())
        }
        (Some(_), _) => Err(twice(old, new)),
    }
}

fn twice(old: &str, new: &str) -> figment::Error {
    figment::Error::from(format!(
        "`{old}` is the old name of `{new}`, and both are given; remove `{old}`"
    ))
}
