//! Files that are replaced whole: what is in a run's folder is never half of something, however a
//! program ends.

use std::path::{Path, PathBuf};

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be written: {reason}; free some space or give another --out")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// The system's message.
    pub reason: String,
}

/// Writes a file whole or not at all: a reader never sees half of it.
///
/// # Errors
/// When the folder or the file cannot be written.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let write = || -> std::io::Result<()> {
        use std::io::Write;
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(|error| {
        // Best effort: the error that counts is the one being returned.
        let _ = std::fs::remove_file(&partial);
        WriteError {
            path: path.into(),
            reason: error.to_string(),
        }
    })
}
