//! The statistics of a session as people read them.

mod lists;
mod runs;
mod tables;

use super::{listed::Listed, statistics::SessionStatistics};
use parseye_vision::temporal::Laterality;
use std::fmt::{self, Write};

/// Entries of each list that are printed; `--json` holds more.
const SHOWN: usize = 20;

impl SessionStatistics {
    /// Formats the statistics for people, in some dozens of lines.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = runs::write(self, &mut out)
            .and_then(|()| tables::write(self, &mut out))
            .and_then(|()| lists::write(self, &mut out));
        out
    }
}

/// Writes the name and the length of a list, and its first entries.
fn list<T>(
    out: &mut String,
    name: &str,
    list: &Listed<T>,
    mut entry: impl FnMut(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
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

/// Writes how many entries were not shown, where there are any.
fn more(out: &mut String, count: u64, shown: usize, what: &str) -> fmt::Result {
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
