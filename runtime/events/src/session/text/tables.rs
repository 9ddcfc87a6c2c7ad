//! The tables of a session: time by condition, blinks, PERCLOS and confidence.

use super::eye_name;
use crate::{
    rounding::clock,
    session::{condition::Condition, statistics::SessionStatistics},
};
use parseye_vision::{eye_state::Eye, temporal::Laterality};
use std::fmt::{self, Write};

/// Writes the tables.
pub(super) fn write(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    out.push('\n');
    conditions(session, out)?;
    out.push('\n');
    blinks(session, out)?;
    out.push('\n');
    perclos(session, out)?;
    confidence(session, out)
}

/// Writes the share of the time that each eye spent in each condition.
fn conditions(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    write!(out, "{:<7}", "time")?;
    for condition in Condition::ALL {
        write!(out, " {:>14}", condition.name().replace('_', " "))?;
    }
    out.push('\n');
    for eye in Eye::ALL {
        write!(out, "{:<7}", eye_name(eye.into()))?;
        for condition in Condition::ALL {
            let shares = session.states.get(eye);
            let share = shares.get(condition.name()).copied().unwrap_or(0.0);
            write!(out, " {:>12.1} %", 100.0 * share)?;
        }
        out.push('\n');
    }
    Ok(())
}

/// Writes numbers, rates and durations of blinks.
fn blinks(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "{:<7} {:>7} {:>11} {:>11} {:>11}",
        "blinks", "count", "per minute", "median", "95th perc."
    )?;
    for eye in Laterality::ALL {
        let blinks = session.blinks.get(eye);
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
    let partial = &session.partial_blinks;
    writeln!(
        out,
        "partial blinks: {} left, {} right, {} both; winks: {}",
        partial.left, partial.right, partial.both, session.winks
    )
}

fn perclos(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    match session.perclos {
        Some(perclos) => write!(out, "PERCLOS {:.1} %", 100.0 * perclos)?,
        None => out.push_str("PERCLOS unknown"),
    }
    if let Some(highest) = &session.perclos_highest {
        write!(
            out,
            ", highest minute {:.1} % at {} of {}",
            100.0 * highest.value,
            clock(highest.time),
            highest.clip
        )?;
    }
    out.push('\n');
    Ok(())
}

fn confidence(session: &SessionStatistics, out: &mut String) -> fmt::Result {
    for eye in Eye::ALL {
        if let Some(confidence) = session.confidence.get(eye) {
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
