//! `parseye config --print`: the settings that `parseye monitor` would use with these flags.

use super::{args::ConfigArgs, print, resolve};
use crate::config::{
    Settings,
    effective::{Effective, Origins},
};
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When a flag's value is invalid, or stdout cannot be written.
pub(super) fn run(
    args: ConfigArgs,
    settings: Settings,
    origins: &Origins,
) -> anyhow::Result<ExitCode> {
    let plan = resolve::monitor(args.monitor, settings.clone())?;
    let effective = Effective::new(origins, &settings, &plan.settings)?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&effective.json())? + "\n",
        false => effective.toml()?,
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
