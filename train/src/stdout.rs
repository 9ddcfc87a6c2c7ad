//! The one way to standard output.

use std::io::{ErrorKind, Write};

/// Writes to standard output; a reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
