//! The lists of a session: long closures, alerts, notices, and what it lacks.

use super::{SHOWN, list, more};
use crate::{event::GapReason, rounding::clock, session::statistics::SessionStatistics};
use parseye_vision::temporal::{AlertKind, AlertPhase, Laterality};
use std::fmt::{self, Write};

/// Writes the lists.
pub(super) fn write(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    events(session, out)?;
    losses(session, out)
}

/// Writes long closures, alerts and notices.
fn events(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    let counts = &session.long_closure_counts;
    if session.long_closures.count > 0 {
        writeln!(
            out,
            "long closures: {} left, {} right, {} both",
            counts.left, counts.right, counts.both
        )?;
    }
    let of_both = session.long_closures.first.iter();
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
    list(out, "alerts", &session.alerts, |out, it| {
        let kind = match it.kind {
            AlertKind::LongClosureWarning => "long closure, warning",
            AlertKind::LongClosureAlarm => "long closure, alarm",
            AlertKind::FaceLostAsleep => "face lost while asleep",
            AlertKind::Drowsiness => "drowsiness",
            AlertKind::LowBlinkRate => "reminder to blink",
            AlertKind::ScreenTime => "reminder to take a break",
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
    list(out, "other events", &session.notices, |out, it| {
        if let Some(time) = it.time {
            write!(out, "{}: ", clock(time))?;
        }
        write!(out, "{} {}", it.event, it.text)
    })
}

/// Writes what the session lacks: frames, readings and lines.
fn losses(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    if session.frames_skipped > 0 {
        writeln!(
            out,
            "frames never processed: {} (lost by the camera's driver, or newer ones came first)",
            session.frames_skipped
        )?;
    }
    if session.break_s > 0.0 {
        writeln!(out, "breaks between frames: {}", clock(session.break_s))?;
    }
    list(out, "gaps in the log", &session.log_gaps, |out, gap| {
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
    for log in session.logs.iter().filter(|log| log.damaged > 0) {
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
