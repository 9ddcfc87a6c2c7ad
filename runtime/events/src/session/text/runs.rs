//! The heading of a session and its runs, each with its sources.

use super::more;
use crate::{
    event::{Mode, Outcome},
    rounding::clock,
    session::statistics::{RunStatistics, SessionStatistics, SourceStatistics},
};
use std::fmt::{self, Write};

/// Runs that are printed, and sources that are printed one by one.
const SOURCES_SHOWN: usize = 20;

/// Writes the length of the session and its runs.
pub(super) fn write(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    let share = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
    writeln!(
        out,
        "{}, {} frames, face in {:.1} %; eyes known for {}",
        clock(session.duration_s),
        session.frames,
        share(session.frames_with_face, session.frames),
        clock(session.known_s),
    )?;
    let runs = &session.runs;
    let sources: usize = runs.first.iter().map(|run| run.sources.len()).sum();
    for (run, number) in runs.first.iter().zip(1..=SOURCES_SHOWN) {
        write!(out, "run {number}: ")?;
        write_run(run, out)?;
        if sources <= SOURCES_SHOWN {
            for source in &run.sources {
                write_source(source, out)?;
            }
        }
    }
    more(out, runs.count, SOURCES_SHOWN, "runs")
}

fn write_run(run: &RunStatistics, out: &mut String) -> fmt::Result {
    match run.mode {
        Some(Mode::Monitor) => out.push_str("monitor"),
        Some(Mode::Replay) => out.push_str("replay"),
        Some(Mode::Realtime) => out.push_str("replay in real time"),
        None => out.push_str("without a start line"),
    }
    if let Some(version) = &run.version {
        write!(out, ", parseye {version}")?;
    }
    if let Some(model) = &run.model {
        write!(out, ", model {}", model.name)?;
    }
    if let Some(part) = run.first_part {
        write!(
            out,
            "; begins with its part {part}, name the earlier parts as well to have all of it"
        )?;
    }
    match run.log_every {
        Some(0) => out.push_str("; frames are counted by the minute"),
        Some(every) if every > 1 => {
            write!(
                out,
                "; one frame in {every} has a line, all are counted by the minute"
            )?;
        }
        _ => {}
    }
    out.push('\n');
    Ok(())
}

fn write_source(source: &SourceStatistics, out: &mut String) -> fmt::Result {
    write!(
        out,
        "  {}: {} frames, {}",
        source.clip,
        source.frames,
        clock(source.duration_s)
    )?;
    match source.outcome {
        Some(Outcome::Complete) => {}
        Some(Outcome::Interrupted) => out.push_str(", stopped by the user"),
        Some(Outcome::Failed) => out.push_str(", failed"),
        None => out.push_str(", cut off: there is no end line"),
    }
    if let Some(error) = &source.error {
        write!(out, ": {error}")?;
    }
    if let Some(lost) = source.lost.filter(|lost| lost.total() > 0) {
        write!(
            out,
            "; frames lost: {} by the driver, {} dropped for newer ones, {} not decodable, {} damaged",
            lost.driver, lost.dropped, lost.decode, lost.corrupt
        )?;
    }
    if let Some(age) = source.frame_age_ms {
        write!(out, "; frame age {:.0} ms, p99 {:.0} ms", age.p50, age.p99)?;
    }
    out.push('\n');
    Ok(())
}
