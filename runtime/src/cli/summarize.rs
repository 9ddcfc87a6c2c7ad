//! `parseye summarize`: reads event logs and writes their statistics and a plot.

use super::{complain, is_standard, print_beside, resolve::SummarizePlan};
use parseye_events::{
    session::{Session, read},
    write_json, write_standard,
};
use std::{path::Path, process::ExitCode};

/// Runs the command.
///
/// # Errors
/// When a log cannot be read, or an output cannot be written.
pub fn run(plan: &SummarizePlan) -> anyhow::Result<ExitCode> {
    if plan.plot.is_some() {
        require_plots()?;
    }
    let session = read(&plan.logs, &plan.settings.temporal)?;
    let logs = &session.statistics.logs;
    for log in logs.iter().filter(|log| log.damaged > 0) {
        complain(&format!(
            "note: {}: {} of {} lines are damaged and left out",
            log.path.display(),
            log.damaged,
            log.lines
        ));
    }
    if let Some(path) = &plan.json {
        write_json(path, &session.statistics)?;
    }
    if let Some(path) = &plan.plot {
        write_plot(path, &session, plan)?;
    }
    print_beside([&plan.json, &plan.plot], &session.statistics.text())?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that the program can draw before it reads anything.
///
/// # Errors
/// When it was built without the feature `plots`.
fn require_plots() -> anyhow::Result<()> {
    anyhow::ensure!(
        cfg!(feature = "plots"),
        "--plot: this program was built without plots; build it with `--features plots`, or leave --plot out"
    );
    Ok(())
}

/// Draws the session and writes it, as SVG or PNG by the ending of the path.
#[cfg(feature = "plots")]
fn write_plot(path: &Path, session: &Session, plan: &SummarizePlan) -> anyhow::Result<()> {
    let svg = session.plot(&plan.settings.temporal)?;
    let is_svg = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    let is_svg = is_svg || is_standard(path);
    let bytes = match is_svg {
        true => svg.into_bytes(),
        false => parseye_plot::Rasterizer::new()
            .map_err(|error| anyhow::anyhow!("{error}, or give a name that ends in .svg"))?
            .png(&svg)?,
    };
    let written = match is_standard(path) {
        true => write_standard(&bytes),
        false => std::fs::write(path, bytes),
    };
    written.map_err(|reason| parseye_events::ReportError::File {
        path: path.into(),
        reason,
    })?;
    Ok(())
}

#[cfg(not(feature = "plots"))]
fn write_plot(_: &Path, _: &Session, _: &SummarizePlan) -> anyhow::Result<()> {
    require_plots()
}
