//! `parseye completions`: what a shell needs to complete the command line, for packages and for
//! people's own shell settings.

use super::{args::Args, print};
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    // Into memory first: a reader that has gone is no error, and the generator would panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "parseye", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
