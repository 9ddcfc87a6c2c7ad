//! The sums of a session as people read them.

use super::statistics::{Listed, RunStatistics, SessionStatistics};
use crate::event::{GapReason, Mode, Outcome};
use parseye_vision::{
    eye_state::Eye,
    temporal::{AlertKind, AlertPhase, Laterality},
};
use std::fmt::Write;

/// Entries of each list that are printed; `--json` holds more.
const SHOWN: usize = 20;

/// Sources that are printed one by one.
const SOURCES_SHOWN: usize = 20;

/// Some dozens of lines.
pub fn text(figures: &SessionStatistics) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = heading(figures, &mut out)
        .and_then(|()| tables(figures, &mut out))
        .and_then(|()| lists(figures, &mut out))
        .and_then(|()| losses(figures, &mut out));
    out
}

fn heading(figures: &SessionStatistics, out: &mut String) -> std::fmt::Result {
    let share = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
    writeln!(
        out,
        "{}, {} frames, face in {:.1} %; eyes known for {}",
        clock(figures.duration_s),
        figures.frames,
        share(figures.frames_with_face, figures.frames),
        clock(figures.known_s),
    )?;
    let sources: usize = figures.runs.first.iter().map(|run| run.sources.len()).sum();
    for (run, number) in figures.runs.first.iter().zip(1..=SOURCES_SHOWN) {
        write!(out, "run {number}: ")?;
        describe(run, out)?;
        if sources <= SOURCES_SHOWN {
            for source in &run.sources {
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
                        "; frames lost: {} by the driver, {} dropped by newer ones, {} not \
                         decodable, {} damaged",
                        lost.driver, lost.latest, lost.decode, lost.corrupt
                    )?;
                }
                if let Some(age) = source.frame_age_ms {
                    write!(out, "; frame age {:.0} ms, p99 {:.0} ms", age.p50, age.p99)?;
                }
                out.push('\n');
            }
        }
    }
    more(out, figures.runs.count, SOURCES_SHOWN, "runs")
}

fn describe(run: &RunStatistics, out: &mut String) -> std::fmt::Result {
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
    out.push('\n');
    Ok(())
}

fn tables(figures: &SessionStatistics, out: &mut String) -> std::fmt::Result {
    out.push('\n');
    let names: Vec<&str> = figures.states.left.keys().copied().collect();
    let order = [
        "open",
        "partially_open",
        "closed",
        "not_visible",
        "no_face",
        "profile",
        "break",
    ];
    let names = order.into_iter().filter(|name| names.contains(name));
    let names: Vec<&str> = names.collect();
    write!(out, "{:<7}", "time")?;
    for name in &names {
        write!(out, " {:>14}", name.replace('_', " "))?;
    }
    out.push('\n');
    for eye in Eye::ALL {
        write!(out, "{:<7}", eye_name(eye.into()))?;
        for name in &names {
            let share = figures.states.get(eye).get(name).copied().unwrap_or(0.0);
            write!(out, " {:>12.1} %", 100.0 * share)?;
        }
        out.push('\n');
    }
    writeln!(
        out,
        "\n{:<7} {:>7} {:>11} {:>11} {:>11}",
        "blinks", "count", "per minute", "median", "95th perc."
    )?;
    for eye in Laterality::ALL {
        let blinks = figures.blinks.at(eye as usize);
        write!(out, "{:<7} {:>7}", eye_name(eye), blinks.count)?;
        match blinks.per_minute {
            Some(rate) => write!(out, " {rate:>11.1}")?,
            None => write!(out, " {:>11}", "-")?,
        }
        match blinks.duration_s {
            Some(seconds) => writeln!(
                out,
                " {:>8.0} ms {:>8.0} ms",
                1e3 * seconds.p50,
                1e3 * seconds.p95
            )?,
            None => writeln!(out, " {:>11} {:>11}", "-", "-")?,
        }
    }
    let partial = &figures.partial_blinks;
    writeln!(
        out,
        "partial blinks: {} left, {} right, {} both; winks: {}\n",
        partial.left, partial.right, partial.both, figures.winks
    )?;
    match figures.perclos {
        Some(perclos) => write!(out, "PERCLOS {:.1} %", 100.0 * perclos)?,
        None => out.push_str("PERCLOS unknown"),
    }
    if let Some(highest) = &figures.perclos_highest {
        write!(
            out,
            ", highest minute {:.1} % at {} of {}",
            100.0 * highest.value,
            clock(highest.time),
            highest.clip
        )?;
    }
    out.push('\n');
    for eye in Eye::ALL {
        if let Some(confidence) = figures.confidence.get(eye) {
            writeln!(
                out,
                "confidence {}: median {:.2}, 5th percentile {:.2}",
                eye_name(eye.into()),
                confidence.p50,
                confidence.p05
            )?;
        }
    }
    Ok(())
}

fn lists(figures: &SessionStatistics, out: &mut String) -> std::fmt::Result {
    let counts = &figures.long_closure_counts;
    if figures.long_closures.count > 0 {
        writeln!(
            out,
            "long closures: {} left, {} right, {} both",
            counts.left, counts.right, counts.both
        )?;
    }
    let of_both = figures.long_closures.first.iter();
    let of_both = of_both.filter(|closure| closure.eye == Laterality::Both);
    for closure in of_both.take(SHOWN) {
        writeln!(
            out,
            "  {} {}: both for {:.2} s",
            closure.clip,
            clock(closure.start),
            closure.duration
        )?;
    }
    more(out, counts.both, SHOWN, "of both")?;
    list(out, "alerts", &figures.alerts, |out, it| {
        let kind = match it.kind {
            AlertKind::LongClosureWarning => "long closure, warning",
            AlertKind::LongClosureAlarm => "long closure, alarm",
            AlertKind::Drowsiness => "drowsiness",
        };
        write!(out, "{} {}: {kind}", it.clip, clock(it.time))?;
        match (it.until, it.ended) {
            (Some(until), Some(AlertPhase::Lost)) => {
                write!(
                    out,
                    ", until the eyes were out of sight at {}",
                    clock(until)
                )
            }
            (Some(until), _) => write!(out, ", for {:.2} s", until - it.since),
            (None, _) => out.write_str(", its end is not in the log"),
        }
    })?;
    list(out, "other events", &figures.notes, |out, it| {
        if let Some(time) = it.time {
            write!(out, "{}: ", clock(time))?;
        }
        write!(out, "{} {}", it.event, it.text)
    })
}

fn losses(figures: &SessionStatistics, out: &mut String) -> std::fmt::Result {
    if figures.frames_skipped > 0 {
        writeln!(
            out,
            "frames never judged: {} (lost by the camera's driver, or newer ones came first)",
            figures.frames_skipped
        )?;
    }
    if figures.break_s > 0.0 {
        writeln!(out, "breaks in the readings: {}", clock(figures.break_s))?;
    }
    list(out, "gaps in the log", &figures.log_gaps, |out, gap| {
        let reason = match gap.reason {
            GapReason::Unwritable => "it could not be written",
            GapReason::Slow => "writing took too long",
        };
        write!(out, "{} lines, {reason}", gap.lost)?;
        if let (Some(from), Some(to)) = (gap.from, gap.to) {
            write!(out, ", {} to {}", clock(from), clock(to))?;
        }
        Ok(())
    })?;
    for log in figures.logs.iter().filter(|log| log.damaged > 0) {
        writeln!(
            out,
            "{}: {} of {} lines are damaged and left out",
            log.path.display(),
            log.damaged,
            log.lines
        )?;
        for damage in &log.damages {
            writeln!(out, "  line {}: {}", damage.line, damage.reason)?;
        }
        more(out, log.damaged, log.damages.len(), "damaged lines")?;
    }
    Ok(())
}

fn list<T>(
    out: &mut String,
    name: &str,
    list: &Listed<T>,
    mut entry: impl FnMut(&mut String, &T) -> std::fmt::Result,
) -> std::fmt::Result {
    if list.count == 0 {
        return Ok(());
    }
    writeln!(out, "{name}: {}", list.count)?;
    for item in list.first.iter().take(SHOWN) {
        out.push_str("  ");
        entry(out, item)?;
        out.push('\n');
    }
    more(out, list.count, SHOWN, name)
}

fn more(out: &mut String, count: u64, shown: usize, what: &str) -> std::fmt::Result {
    match count.saturating_sub(shown as u64) {
        0 => Ok(()),
        rest => writeln!(out, "  and {rest} more {what}; --json lists more of them"),
    }
}

fn eye_name(eye: Laterality) -> &'static str {
    match eye {
        Laterality::Left => "left",
        Laterality::Right => "right",
        Laterality::Both => "both",
    }
}

/// Seconds as `5.25 s`, `3:05.2` or `2:03:05`.
pub fn clock(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    if seconds < MINUTE {
        return format!("{seconds:.2} s");
    }
    if seconds < HOUR {
        let tenths = (seconds * 10.0).round();
        let minutes = (tenths / 600.0).floor();
        return format!("{minutes:.0}:{:04.1}", (tenths - 600.0 * minutes) / 10.0);
    }
    let whole = seconds.round();
    let hours = (whole / HOUR).floor();
    let minutes = ((whole - HOUR * hours) / MINUTE).floor();
    format!(
        "{hours:.0}:{minutes:02.0}:{:02.0}",
        whole - HOUR * hours - MINUTE * minutes
    )
}
