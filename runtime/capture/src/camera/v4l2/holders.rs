//! Which processes have a device open, as far as the system tells this user.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Most processes that are named.
const NAMED: usize = 3;

/// Returns the processes that have a device open, such as `cheese (process 4711)`; `None` where the system
/// names none, as it does for those of other users.
pub(super) fn of(device: &Path) -> Option<String> {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(id) = id.filter(|id: &u32| *id != own) else {
            continue;
        };
        if holds(&entry.path(), device) {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push(match name.trim() {
                "" => format!("process {id}"),
                name => format!("{name} (process {id})"),
            });
        }
    }
    let others = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    match (found.is_empty(), others) {
        (true, _) => None,
        (false, 0) => Some(found.join(", ")),
        (false, others) => Some(format!("{} and {others} others", found.join(", "))),
    }
}

/// Tells whether a process has the device open, by whatever name.
fn holds(process: &Path, device: &Path) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let same = |file: PathBuf| {
        let (Ok(file), Ok(device)) = (fs::metadata(file), fs::metadata(device)) else {
            return false;
        };
        // A device's number is 0 for files that are none.
        (file.rdev() != 0 && file.rdev() == device.rdev())
            || (file.dev(), file.ino()) == (device.dev(), device.ino())
    };
    files.flatten().any(|file| same(file.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_process_that_has_a_device_open_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        fs::write(&path, "").unwrap();
        assert_eq!(of(&path), None);
        let file = fs::File::open(&path).unwrap();
        // This process itself is not another program.
        assert_eq!(of(&path), None);
        let mut child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::from(file))
            .spawn()
            .unwrap();
        let found = of(&path);
        child.kill().unwrap();
        child.wait().unwrap();
        // Until it has become the other program, it has the name of this one.
        let id = child.id();
        assert!(
            found
                .as_ref()
                .is_some_and(|found| found.ends_with(&format!("(process {id})"))),
            "{found:?}"
        );
        assert_eq!(of(&path), None);
    }
}
