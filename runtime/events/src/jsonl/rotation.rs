//! When a log begins a new file, what the old one is then called, and how many old ones stay.
//!
//! `LOG` is always the newest part; an older one is `LOG.DAY.N`, `DAY` being the UTC day of its
//! last line and `N` counting that day's parts from 1. Sorted by day and number they are in order,
//! also when the clock was set back: a part then takes the day of the one before it.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// When a new part begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Before a part would grow beyond this many bytes; `None` for never.
    pub bytes: Option<u64>,
    /// With each day (UTC).
    pub daily: bool,
    /// Old parts that stay; `None` for all.
    pub keep: Option<usize>,
    /// Bytes of all parts together, the newest at its longest; the oldest are removed beyond. `None` for any
    /// number.
    pub total: Option<u64>,
}

/// Old parts that were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// How many.
    pub parts: usize,
    /// Why.
    pub reason: Option<RemovalReason>,
}

/// Why old parts are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// There were more than [`Rotation::keep`].
    Number(usize),
    /// Together they were longer than [`Rotation::total`].
    Total(u64),
}

impl fmt::Display for RemovalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MB: u64 = 1_000_000;
        match self {
            Self::Number(parts) => write!(f, "of which {parts} are kept (report.keep)"),
            Self::Total(bytes) => write!(
                f,
                "so that all together stay below {} MB (report.total_mb)",
                bytes / MB
            ),
        }
    }
}

/// A day of the Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: i64,
    month: u8,
    day: u8,
}

const SECONDS_A_DAY: u64 = 86_400;

impl Day {
    /// Returns the day of a moment; the first of 1970 for all before.
    pub fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self::of_days_since_1970(seconds / SECONDS_A_DAY)
    }

    /// Turns days into a date, from a year that begins in March so that the leap day is its last: the
    /// algorithm `civil_from_days` of Howard Hinnant, "chrono-compatible low-level date
    /// algorithms" (2013).
    fn of_days_since_1970(days: u64) -> Self {
        const DAYS_OF_ERA: u64 = 146_097;
        const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
        let days = days + FROM_MARCH_OF_YEAR_0;
        let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        } as u8;
        let year = (era * 400 + year_of_era) as i64 + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Parses `2026-11-24`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| -> Option<u32> {
            let part = parts.next()?;
            let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let real = (1..=12).contains(&month) && (1..=31).contains(&day);
        (real && parts.next().is_none()).then_some(Self {
            year: year.into(),
            month: month as u8,
            day: day as u8,
        })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// An old part of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldPart {
    /// Day of its last line.
    pub day: Day,
    /// Number within the day, from 1.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// Lists the old parts of a log in order.
///
/// # Errors
/// When the folder cannot be read.
pub fn old_parts(log: &Path) -> io::Result<Vec<OldPart>> {
    let Some(name) = log.file_name().map(|name| name.to_string_lossy()) else {
        return Ok(Vec::new());
    };
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder_of(log))? {
        let path = entry?.path();
        let Some(other) = path.file_name().map(|name| name.to_string_lossy()) else {
            continue;
        };
        let rest = other
            .strip_prefix(name.as_ref())
            .and_then(|rest| rest.strip_prefix('.'));
        let parsed = rest
            .and_then(|rest| rest.rsplit_once('.'))
            .and_then(|(day, number)| Some((Day::parse(day)?, number.parse().ok()?)));
        if let Some((day, number)) = parsed {
            parts.push(OldPart { day, number, path });
        }
    }
    parts.sort();
    Ok(parts)
}

/// Renames the newest part to an old one; returns its new path.
///
/// # Errors
/// When it cannot be renamed; it then stays where it is.
pub fn put_aside(log: &Path, day: Day) -> io::Result<PathBuf> {
    let taken = old_parts(log)?;
    // An earlier day would make the newest part the first to be removed.
    let day = taken.last().map_or(day, |last| last.day.max(day));
    let last = taken.iter().rfind(|part| part.day == day);
    let number = last.map_or(1, |part| part.number + 1);
    let mut name = log.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{day}.{number}"));
    let aside = log.with_file_name(name);
    fs::rename(log, &aside)?;
    Ok(aside)
}

/// Removes the oldest parts until those that may stay are left.
///
/// # Errors
/// When one cannot be removed.
pub fn remove_oldest(log: &Path, rotation: Rotation) -> io::Result<Removed> {
    let parts = old_parts(log)?;
    let too_many = rotation
        .keep
        .map_or(0, |keep| parts.len().saturating_sub(keep));
    let too_long = match rotation.total {
        None => 0,
        Some(total) => {
            let newest = rotation.bytes.unwrap_or(0);
            let mut room = total.saturating_sub(newest);
            let stays = |part: &&OldPart| {
                let length = fs::metadata(&part.path).map_or(0, |about| about.len());
                let fits = length <= room;
                room = room.saturating_sub(length);
                fits
            };
            parts.len() - parts.iter().rev().take_while(stays).count()
        }
    };
    let surplus = too_many.max(too_long);
    for part in parts.iter().take(surplus) {
        fs::remove_file(&part.path)?;
    }
    Ok(Removed {
        parts: surplus,
        reason: match (rotation.keep, rotation.total) {
            (Some(keep), _) if too_many >= too_long => Some(RemovalReason::Number(keep)),
            (_, total) => total.map(RemovalReason::Total),
        },
    })
}

fn folder_of(log: &Path) -> &Path {
    match log.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn day(seconds: u64) -> String {
        Day::of(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (1_795_564_799, "2026-11-24"),
            (1_798_761_600, "2027-01-01"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(seconds), date);
            assert_eq!(Day::parse(date).unwrap().to_string(), date);
        }
        for wrong in [
            "2026-13-01",
            "2026-1-01",
            "2026-11",
            "2026-11-24-1",
            "+026-11-24",
        ] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parts_are_numbered_on_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let (monday, tuesday) = (
            Day::parse("2026-11-23").unwrap(),
            Day::parse("2026-11-24").unwrap(),
        );
        for (day, times) in [(monday, 2), (tuesday, 11)] {
            for _ in 0..times {
                fs::write(&log, "x\n").unwrap();
                put_aside(&log, day).unwrap();
            }
        }
        // Neither of these is a part of this log.
        for other in [
            "log.jsonl.bak.1",
            "other.jsonl.2026-11-23.1",
            "log.jsonl.2026-11-23",
        ] {
            fs::write(folder.path().join(other), "mine\n").unwrap();
        }
        let numbers = |log: &Path| -> Vec<String> {
            let names = old_parts(log).unwrap().into_iter();
            names
                .map(|part| format!("{}.{}", part.day, part.number))
                .collect()
        };
        assert_eq!(numbers(&log).len(), 13);
        let keep = Rotation {
            keep: Some(3),
            ..Rotation::default()
        };
        assert_eq!(remove_oldest(&log, keep).unwrap().parts, 10);
        assert_eq!(
            numbers(&log),
            ["2026-11-24.9", "2026-11-24.10", "2026-11-24.11"]
        );
        // The numbers go on after the removed ones.
        fs::write(&log, "x\n").unwrap();
        assert!(
            put_aside(&log, tuesday)
                .unwrap()
                .ends_with("log.jsonl.2026-11-24.12")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 7);
    }

    #[test]
    fn all_parts_together_stay_below_the_total_and_the_newest_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let day = Day::parse("2026-11-23").unwrap();
        for length in [10, 500, 100, 200, 300] {
            fs::write(&log, "x".repeat(length)).unwrap();
            put_aside(&log, day).unwrap();
        }
        let bounded = |total| Rotation {
            bytes: Some(300),
            total: Some(total),
            ..Rotation::default()
        };
        let left = |total| {
            let removed = remove_oldest(&log, bounded(total)).unwrap();
            assert!(
                removed
                    .reason
                    .unwrap()
                    .to_string()
                    .contains("report.total_mb")
            );
            old_parts(&log).unwrap().len()
        };
        assert_eq!(left(10_000), 5);
        // 300 are the newest part's own.
        assert_eq!(left(900), 3);
        assert_eq!(left(899), 2);
        assert_eq!(left(100), 0);
    }
}
