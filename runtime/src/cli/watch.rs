//! What `parseye monitor` and `parseye replay --realtime` share: a live run, and its outcome on stdout.

use super::{exit_status, print_beside};
use crate::{
    config::Settings,
    live::{LiveOptions, LiveRun, Stop},
};
use std::process::ExitCode;

/// Runs until the user stops it, the time is over, or the source ends; prints the statistics.
///
/// # Errors
/// When the run cannot start or failed, or an output is not complete.
pub fn watch(
    run: LiveRun<'_>,
    options: LiveOptions,
    settings: &Settings,
    stop: &Stop,
) -> anyhow::Result<ExitCode> {
    let report = run.run(options)?;
    let monitored = report.monitored;
    let mut line = format!("{}; {}", monitored.statistics.summary(None), monitored.lost);
    if let Some(age) = monitored.frame_age_ms {
        line += &format!(
            "; frame age {:.0} ms (p95 {:.0}, p99 {:.0})",
            age.p50, age.p95, age.p99
        );
    }
    line.push('\n');
    print_beside([&settings.report.log], &line)?;
    if let Some(trouble) = report.log_trouble {
        anyhow::bail!(trouble);
    }
    Ok(exit_status(monitored.outcome, stop))
}
