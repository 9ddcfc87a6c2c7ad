//! Puts logs in the order of their times.

use super::{SessionError, line::LoggedEvent, log_reader::LogReader};
use crate::{
    event::{Event, StartEvent},
    jsonl::STANDARD,
};
use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};

/// Sorts logs by their first lines: runs by their beginning, parts of a run by their number. Where a log
/// does not say when it begins, all stay in the order given.
///
/// # Errors
/// When one cannot be opened, or is given twice.
pub(super) fn in_order(logs: &[PathBuf]) -> Result<Vec<PathBuf>, SessionError> {
    let mut seen = Vec::new();
    let mut keyed = Vec::new();
    for path in logs {
        // A pipe has no other path than the one given, `-` none at all.
        let is_file = path.as_os_str() != STANDARD && path.is_file();
        let real = match is_file {
            true => path
                .canonicalize()
                .map_err(|reason| SessionError::unreadable(path, reason))?,
            false => path.clone(),
        };
        if seen.contains(&real) {
            return Err(SessionError::Twice { path: path.clone() });
        }
        // A pipe can be read once only.
        let key = match is_file {
            true => first_start(path)?.and_then(|start| Some((start.unix_time?, start.part))),
            false => None,
        };
        seen.push(real);
        keyed.push((key, path.clone()));
    }
    if keyed.iter().all(|(key, _)| key.is_some()) {
        keyed.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    }
    Ok(keyed.into_iter().map(|(_, path)| path).collect())
}

fn first_start(path: &Path) -> Result<Option<StartEvent>, SessionError> {
    let Some(Ok(LoggedEvent::Known { event, .. })) = LogReader::open(path)?.next_line()? else {
        return Ok(None);
    };
    Ok(match *event {
        Event::Start(start) => Some(start),
        _ => None,
    })
}
