//! `parseye completions`: completion scripts of the command line, for packages and for users' own shell
//! settings.

use super::{PROGRAM, print};
use clap_complete::Shell;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When stdout cannot be written.
pub(super) fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    // Into memory first: a reader that has gone is no error here, but the generator would panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), PROGRAM, &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
