//! `parseye summarize`: event logs in, a summary and a plot out.

use super::{complain, print, resolve::SummarizePlan};
use parseye_events::{
    session::{read, text},
    write_json,
};
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When a log cannot be read, or an output cannot be written.
pub(super) fn run(plan: &SummarizePlan) -> anyhow::Result<ExitCode> {
    let session = read(&plan.logs, &plan.settings.temporal)?;
    for log in session.statistics.logs.iter().filter(|log| log.damaged > 0) {
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
    #[cfg(feature = "plots")]
    if let Some(path) = &plan.plot {
        plot::write(path, &session, &plan.settings.temporal)?;
    }
    print(&text::text(&session.statistics))?;
    Ok(ExitCode::SUCCESS)
}

/// The timeline as SVG or PNG.
#[cfg(feature = "plots")]
mod plot {
    use anyhow::anyhow;
    use parseye_events::{ReportError, session::Session};
    use parseye_plot::Rasterizer;
    use parseye_vision::temporal::TemporalSettings;
    use std::{fs, path::Path};

    /// Draws the timeline into a file, as PNG unless its name ends in svg.
    pub(super) fn write(
        path: &Path,
        session: &Session,
        settings: &TemporalSettings,
    ) -> anyhow::Result<()> {
        let svg = session.plot(settings)?;
        let bytes = match is_svg(path) {
            true => svg.into_bytes(),
            false => Rasterizer::new()
                .map_err(|error| anyhow!("{error}, or give a name that ends in .svg"))?
                .png(&svg)?,
        };
        fs::write(path, bytes).map_err(|error| ReportError::File {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })?;
        Ok(())
    }

    fn is_svg(path: &Path) -> bool {
        path.extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"))
    }
}
