//! `parseye summarize`: event logs in, sums and a picture out.

use super::{complain, print, resolve::SummarizePlan};
use anyhow::anyhow;
use parseye_events::{
    ReportError,
    session::{read, text, timeline_plot},
    write_json,
};
use parseye_plot::Rasterizer;
use std::{fs, path::Path, process::ExitCode};

/// Runs the command.
///
/// # Errors
/// When a log cannot be read, or an output cannot be written.
pub fn run(plan: &SummarizePlan) -> anyhow::Result<ExitCode> {
    let session = read(&plan.logs, &plan.settings.temporal)?;
    for log in session.figures.logs.iter().filter(|log| log.damaged > 0) {
        complain(&format!(
            "note: {}: {} of {} lines are damaged and left out",
            log.path.display(),
            log.damaged,
            log.lines
        ));
    }
    if let Some(path) = &plan.json {
        write_json(path, &session.figures)?;
    }
    if let Some(path) = &plan.plot {
        let svg =
            timeline_plot::draw(&session.figures, &session.timeline, &plan.settings.temporal)?;
        let bytes = match is_svg(path) {
            true => svg.into_bytes(),
            false => Rasterizer::new()
                .map_err(|error| anyhow!("{error}, or give a name that ends in .svg"))?
                .png(&svg)?,
        };
        fs::write(path, bytes).map_err(|error| ReportError::File {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    }
    print(&text::text(&session.figures))?;
    Ok(ExitCode::SUCCESS)
}

fn is_svg(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"))
}
