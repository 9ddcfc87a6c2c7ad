//! Confirmed blinks of recordings: the truth file, `BLINKS.csv`.
//!
//! Columns: `clip` (the recording's file name without ending), `start_frame`, `end_frame` (decoded
//! frames from 0, both included), `kind` (see [`TruthKind`]; others are accepted); further ones are left alone. A
//! recording without a row has no blink. What counts as a hit is [`super::score`]'s.

use super::heading::{Columns, reason_of};
use crate::{
    bounded,
    names::{self, UnknownName},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use strum::{IntoStaticStr, VariantArray};

/// Largest truth file accepted, in bytes: half a million rows.
const MOST_BYTES: u64 = 16 << 20;

const COLUMNS: Columns = Columns {
    required: &["clip", "start_frame", "end_frame", "kind"],
    optional: &[],
    trim: csv::Trim::All,
};

/// Kind of an interval of a truth file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum TruthKind {
    /// A whole blink: the lids meet.
    Blink,
    /// The lids come close but do not meet.
    Partial,
    /// Closed for longer than a blink.
    LongClosure,
    /// One eye is closed, the other is not.
    Wink,
    /// The lids are lowered by looking down, and not closed.
    GazeDown,
    /// People disagree.
    Uncertain,
    /// Any other name, of which nothing is known.
    Other,
}

impl TruthKind {
    /// Parses a kind. What is a slip away from one that is scored is no other kind.
    fn parse(name: &str) -> Result<Self, UnknownName> {
        let known = || Self::VARIANTS.iter().map(|kind| -> &str { kind.into() });
        let is_slip = |known: &str| (1..=2).contains(&strsim::osa_distance(name, known));
        match names::parse("kind", name) {
            Err(error) if name.is_empty() || known().any(is_slip) => Err(error),
            parsed => Ok(parsed.unwrap_or(Self::Other)),
        }
    }
}

/// Frames from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRange {
    /// First frame.
    pub first: u64,
    /// Last frame, at least `first`.
    pub last: u64,
}

impl FrameRange {
    /// Whether the two share a frame.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What is confirmed of one recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipTruth {
    intervals: BTreeMap<TruthKind, Vec<FrameRange>>,
}

impl ClipTruth {
    /// Adds an interval.
    pub fn add(&mut self, kind: TruthKind, range: FrameRange) {
        self.intervals.entry(kind).or_default().push(range);
    }

    /// Borrows the intervals of a kind, in the order of the file.
    pub fn of(&self, kind: TruthKind) -> &[FrameRange] {
        self.intervals.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Returns all intervals with their kinds.
    pub fn all(&self) -> impl Iterator<Item = (TruthKind, FrameRange)> {
        let ranges = self.intervals.iter();
        ranges.flat_map(|(kind, ranges)| ranges.iter().map(|range| (*kind, *range)))
    }

    /// Leaves out what ends in a frame that was never read, which is no miss.
    pub fn cut(&mut self, frames: u64) {
        for ranges in self.intervals.values_mut() {
            ranges.retain(|range| range.last < frames);
        }
    }
}

/// A checked truth file.
#[derive(Clone, Debug)]
pub struct Truth {
    /// By recording.
    pub clips: BTreeMap<String, ClipTruth>,
}

/// Why a truth file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error(
        "{path}: cannot be read: {reason}; give a CSV file with the columns clip, start_frame, end_frame, kind"
    )]
    Unreadable {
        /// The truth file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The heading is wrong.
    #[error(
        "{path}, line {line}: {reason}; the first line names the columns clip, start_frame, end_frame, kind"
    )]
    Heading {
        /// The truth file.
        path: PathBuf,
        /// Line of the heading, from 1.
        line: u64,
        /// What was wrong.
        reason: String,
    },
    /// A row is wrong.
    #[error("{path}, line {line}: {reason}; correct or remove this row")]
    Row {
        /// The truth file.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// What was wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
struct TruthRow {
    clip: String,
    start_frame: u64,
    end_frame: u64,
    kind: String,
}

impl Truth {
    /// Reads and checks a truth file.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let text = bounded::read(path, MOST_BYTES).map_err(|error| TruthError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Self::parse(&text, path)
    }

    /// Checks the text of a truth file; `path` is named in errors.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, TruthError> {
        let mut clips: BTreeMap<String, ClipTruth> = BTreeMap::new();
        // Each clip's blinks by their first frames: one look-up of the neighbours for each row, so that a
        // long file takes no longer than its length.
        let mut blinks: BTreeMap<String, BTreeMap<u64, FrameRange>> = BTreeMap::new();
        let wrong = |line: u64, reason: String| TruthError::Row {
            path: path.into(),
            line,
            reason,
        };
        let (mut reader, heading) = COLUMNS.read(text).map_err(|error| TruthError::Heading {
            path: path.into(),
            line: error.line,
            reason: error.reason,
        })?;
        for record in reader.records() {
            let record = record.map_err(|error| {
                wrong(
                    error.position().map_or(0, csv::Position::line),
                    reason_of(&error, &heading),
                )
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let row: TruthRow = record
                .deserialize(Some(&heading))
                .map_err(|error| wrong(line, reason_of(&error, &heading)))?;
            let kind =
                TruthKind::parse(&row.kind).map_err(|error| wrong(line, error.to_string()))?;
            if row.clip.is_empty() {
                return Err(wrong(line, "clip is empty".into()));
            }
            let range = FrameRange {
                first: row.start_frame,
                last: row.end_frame,
            };
            if range.last < range.first {
                return Err(wrong(
                    line,
                    format!(
                        "end_frame {} is before start_frame {}",
                        range.last, range.first
                    ),
                ));
            }
            let clip = clips.entry(row.clip.clone()).or_default();
            clip.add(kind, range);
            if kind != TruthKind::Blink {
                continue;
            }
            // None of them overlap each other, so that only the last to begin before the end can.
            let others = blinks.entry(row.clip).or_default();
            let before = others.range(..=range.last).next_back();
            if let Some((_, other)) = before.filter(|(_, other)| other.overlaps(&range)) {
                return Err(wrong(
                    line,
                    format!(
                        "blink {} to {} overlaps the blink {} to {} of the same clip",
                        range.first, range.last, other.first, other.last
                    ),
                ));
            }
            others.insert(range.first, range);
        }
        Ok(Self { clips })
    }

    /// Whether any interval is of a kind: without, nothing is known of it.
    pub fn has(&self, kind: TruthKind) -> bool {
        self.clips.values().any(|clip| !clip.of(kind).is_empty())
    }

    /// Says that a recording has no row, and which name was perhaps meant; `None` where it has one.
    pub fn missing(&self, clip: &str) -> Option<String> {
        let known = self.clips.keys().map(String::as_str);
        (!self.clips.contains_key(clip)).then(|| {
            format!(
                "no row for '{clip}'{}: every blink found in it counts as a false alarm",
                crate::nearest::hint(clip, known)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(rows: &str) -> Result<Truth, TruthError> {
        let text = format!("clip,start_frame,end_frame,kind\n{rows}");
        Truth::parse(text.as_bytes(), Path::new("blinks.csv"))
    }

    fn refused(rows: &str, words: &[&str]) {
        let error = parse(rows).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "'{error}' lacks '{word}'");
        }
        assert!(!error.contains('\n'));
    }

    #[test]
    fn every_kind_is_kept_and_others_are_accepted() {
        let truth = parse(
            "a,3,5,blink\na,4,9,partial\nb,0,0,uncertain\na,8,8,long_closure\na,10,20,gaze_down\n\
             a,30,31,wink\nb,5,9,yawn\nb,7,8,squint\n",
        )
        .unwrap();
        let (a, b) = (&truth.clips["a"], &truth.clips["b"]);
        assert_eq!(a.of(TruthKind::Blink), [FrameRange { first: 3, last: 5 }]);
        assert_eq!(a.all().count(), 5);
        assert_eq!(a.of(TruthKind::Wink).len(), 1);
        assert_eq!(
            (b.of(TruthKind::Blink).len(), b.of(TruthKind::Other).len()),
            (0, 2)
        );
        assert!(
            truth.has(TruthKind::GazeDown) && !parse("a,1,2,blink\n").unwrap().has(TruthKind::Wink)
        );
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        refused(
            "a,1,2,blnk\n",
            &["line 2", "'blnk'", "did you mean 'blink'"],
        );
        refused("a,1,2,gaze-down\n", &["did you mean 'gaze_down'"]);
        refused("a,1,2,\n", &["line 2", "kind"]);
        refused("a,1,2,blink\na,x,2,blink\n", &["line 3", "column 2"]);
        refused("a,-1,2,blink\n", &["line 2", "column 2"]);
        refused("a,5,2,blink\n", &["line 2", "end_frame 2 is before"]);
        refused("a,1\n", &["line 2", "2 columns"]);
        refused(",1,2,blink\n", &["line 2", "clip is empty"]);
        refused(
            "a,1,4,blink\na,4,6,blink\n",
            &["line 3", "overlaps the blink 1 to 4"],
        );
        let other = Truth::parse(
            b"clip,start,end_frame,kind\na,1,2,blink\n",
            Path::new("b.csv"),
        );
        let error = other.unwrap_err().to_string();
        assert!(
            error.starts_with("b.csv, line 1: ") && error.contains("no column 'start_frame'"),
            "{error}"
        );
    }

    #[test]
    fn a_table_of_a_spreadsheet_with_notes_is_read() {
        let text = "note;clip;kind;start_frame;end_frame\nmine, all mine;a;blink;3;5\n";
        let truth = Truth::parse(text.as_bytes(), Path::new("b.csv")).unwrap();
        assert_eq!(
            truth.clips["a"].of(TruthKind::Blink),
            [FrameRange { first: 3, last: 5 }]
        );
    }

    #[test]
    fn blinks_that_overlap_are_refused_in_whatever_order_they_stand() {
        for other in ["5,10", "10,10", "12,15", "5,30", "20,20", "20,25"] {
            let error = parse(&format!("a,40,50,blink\na,10,20,blink\na,{other},blink\n"));
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("line 4") && error.contains("10 to 20"),
                "{error}"
            );
        }
        let apart = "a,10,20,blink\na,21,21,blink\na,0,9,blink\nb,10,20,blink\na,12,13,partial\n";
        assert_eq!(
            parse(apart).unwrap().clips["a"].of(TruthKind::Blink).len(),
            3
        );
    }

    #[test]
    fn a_recording_without_a_row_is_told_with_the_name_that_was_perhaps_meant() {
        let truth = parse("liveportrait_d10,1,2,blink\n").unwrap();
        assert_eq!(truth.missing("liveportrait_d10"), None);
        let told = truth.missing("liveportrait_d1").unwrap();
        assert!(told.contains("did you mean 'liveportrait_d10'"), "{told}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_truth_or_one_line(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(error) = Truth::parse(&text, Path::new("x.csv")) {
                prop_assert!(error.to_string().starts_with("x.csv"));
            }
        }
    }
}
