//! What the programs that measure on real clips share: the list of them, and output line by line.

use anyhow::Context;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// The clips of a folder, by name.
pub fn videos(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "mp4"))
        .collect();
    paths.sort();
    Ok(paths)
}

/// Prints a line of a table at once: a table takes minutes.
pub fn print_line(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
