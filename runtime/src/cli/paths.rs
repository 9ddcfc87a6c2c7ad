//! The paths of a command line: what `-` stands for, and that no output takes the place of an input.

use anyhow::{Context, anyhow, bail, ensure};
use parseye_capture::STANDARD_INPUT;
use parseye_vision::bounded::STANDARD;
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// Whether a path stands for standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// The source that a path stands for: `-` is standard input.
///
/// # Errors
/// When that is the keyboard.
pub(super) fn source_of(path: PathBuf) -> anyhow::Result<PathBuf> {
    if !is_standard(&path) {
        return Ok(path);
    }
    ensure!(
        !std::io::stdin().is_terminal(),
        "-: standard input is a terminal; give a file, or pipe a recording into it"
    );
    Ok(STANDARD_INPUT.into())
}

/// `out.mp4` for the clip `a` becomes `out-a.mp4`.
pub(super) fn with_clip(out: &Path, clip: &str) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let name = match out.extension() {
        Some(extension) => format!("{stem}-{clip}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{clip}"),
    };
    out.with_file_name(name)
}

/// Makes the folder of an event log where it is missing.
pub(super) fn make_folder_of(log: &Path) -> anyhow::Result<()> {
    let folder = log.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() || folder.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        anyhow!(
            "{}: the folder of the event log cannot be made: {error}; give another path with --log",
            folder.display()
        )
    })
}

/// Checks that no output overwrites an input or another output, and that each is writable: hours of work
/// must not end in a mistyped folder.
pub(super) fn check_paths(inputs: &[&Path], outputs: &[&Path]) -> anyhow::Result<()> {
    // Two spellings of a file that does not exist yet are compared as they are.
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut taken: Vec<(PathBuf, &Path)> =
        inputs.iter().map(|path| (resolved(path), *path)).collect();
    for (what, paths) in [("input", inputs), ("output", outputs)] {
        ensure!(
            paths
                .iter()
                .filter(|path| is_standard(path) || path.as_os_str() == STANDARD_INPUT)
                .count()
                < 2,
            "- is given twice; there is only one standard {what}"
        );
    }
    let files = || outputs.iter().filter(|path| !is_standard(path));
    for path in files() {
        let this = resolved(path);
        if let Some((_, other)) = taken.iter().find(|(known, _)| *known == this) {
            bail!(
                "{} would overwrite {}; give another path",
                path.display(),
                other.display()
            );
        }
        taken.push((this, path));
    }
    for path in files() {
        ensure!(
            !path.is_dir(),
            "{}: a folder; give a file to write to",
            path.display()
        );
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| {
                format!(
                    "{}: cannot be written; check the folder and its permissions",
                    path.display()
                )
            })
            .map_err(|error| anyhow!("{error:#}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_videos_has_its_own_name() {
        assert_eq!(
            with_clip(Path::new("a/out.mp4"), "x"),
            Path::new("a/out-x.mp4")
        );
        assert_eq!(with_clip(Path::new("out"), "x.y"), Path::new("out-x.y"));
    }

    #[test]
    fn no_output_overwrites_an_input_or_another_output() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.mp4"), folder.path().join("b.mp4"));
        std::fs::write(&a, "x").unwrap();
        let other_spelling = folder.path().join(".").join("a.mp4");
        assert!(check_paths(&[&a], &[&other_spelling]).is_err());
        assert!(check_paths(&[&a], &[&b, &b]).is_err());
        assert!(check_paths(&[&a], &[&b]).is_ok());
        assert_eq!(std::fs::read_to_string(&a).unwrap(), "x");
        assert!(check_paths(&[], &[folder.path()]).is_err());
    }
}
