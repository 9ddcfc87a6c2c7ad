//! The heading of a CSV file: which columns there are, and what separates them.
//!
//! Spreadsheets write semicolons or tabs as well as commas, and people keep columns of their own beside
//! those that are asked for: both are read. What is missing is named with the line of the heading.

use crate::nearest::{hint, nearest};
use csv::{Position, Reader, ReaderBuilder, StringRecord, Trim};

/// What may separate columns.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The columns of a file of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// Those that must be there.
    pub(super) required: &'static [&'static str],
    /// Those that may be missing.
    pub(super) optional: &'static [&'static str],
    /// Where spaces around a field do not count.
    pub(super) trim: Trim,
}

/// Why a heading cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct HeadingError {
    /// Its line, from 1.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Columns {
    /// Reads the heading; the reader's rows follow it.
    ///
    /// # Errors
    /// When a column is missing, there twice, or misspelt.
    pub(super) fn read<'a>(
        &self,
        text: &'a [u8],
    ) -> Result<(Reader<&'a [u8]>, StringRecord), HeadingError> {
        let readings = SEPARATORS.map(|separator| {
            let mut reader = ReaderBuilder::new()
                .trim(self.trim)
                .delimiter(separator)
                .from_reader(text);
            let heading = reader.headers().cloned();
            (reader, heading)
        });
        let mut best: Option<((usize, usize), Reader<&[u8]>, StringRecord)> = None;
        for (reader, heading) in readings {
            let heading = heading.map_err(|error| HeadingError {
                line: error.position().map_or(1, Position::line),
                reason: reason_of(&error, &StringRecord::new()),
            })?;
            let found = self.all().filter(|name| count(&heading, name) > 0).count();
            let rank = (found, heading.len());
            if best.as_ref().is_none_or(|(most, ..)| rank > *most) {
                best = Some((rank, reader, heading));
            }
        }
        let Some((_, reader, heading)) = best else {
            return Err(HeadingError {
                line: 1,
                reason: "there is no heading".into(),
            });
        };
        self.check(&heading).map_err(|reason| HeadingError {
            line: line_of_heading(text),
            reason,
        })?;
        Ok((reader, heading))
    }

    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }

    fn check(&self, heading: &StringRecord) -> Result<(), String> {
        let is_known = |name: &str| self.all().any(|known| known == name);
        let extra = || heading.iter().filter(|name| !is_known(name));
        for name in self.all() {
            match count(heading, name) {
                0 if self.required.contains(&name) => {
                    return Err(format!(
                        "the heading has no column '{name}'{}; it is {}",
                        hint(name, extra()),
                        heading.iter().collect::<Vec<_>>().join(", ")
                    ));
                }
                0 => {
                    if let Some(misspelt) = nearest(name, extra()) {
                        return Err(format!(
                            "the heading has a column '{misspelt}'; did you mean '{name}'?"
                        ));
                    }
                }
                1 => {}
                _ => return Err(format!("the heading has the column '{name}' twice")),
            }
        }
        Ok(())
    }
}

fn count(heading: &StringRecord, name: &str) -> usize {
    heading.iter().filter(|column| *column == name).count()
}

/// The first line that is not empty, from 1.
fn line_of_heading(text: &[u8]) -> u64 {
    let blank = |line: &&[u8]| line.iter().all(u8::is_ascii_whitespace);
    let before = text.split(|byte| *byte == b'\n').take_while(blank).count();
    before as u64 + 1
}

/// The csv crate's message without its own position, which the caller gives; a column with its name.
pub(super) fn reason_of(error: &csv::Error, heading: &StringRecord) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(field) => {
                let name = usize::try_from(field).ok().and_then(|at| heading.get(at));
                let name = name.map_or_else(String::new, |name| format!(" ({name})"));
                format!("column {}{name}: {}", field + 1, err.kind())
            }
            None => err.kind().to_string(),
        },
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("{len} columns where the heading has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns = Columns {
        required: &["clip", "kind"],
        optional: &["note"],
        trim: Trim::All,
    };

    fn rows(text: &str) -> Vec<Vec<String>> {
        let (mut reader, _) = COLUMNS.read(text.as_bytes()).unwrap();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            row.iter().map(str::to_owned).collect()
        });
        rows.collect()
    }

    fn refused(text: &str) -> (u64, String) {
        let error = COLUMNS.read(text.as_bytes()).unwrap_err();
        (error.line, error.reason)
    }

    #[test]
    fn commas_semicolons_tabs_and_columns_of_ones_own_are_read() {
        for text in [
            "clip,kind,mine\na,b,c\n",
            "clip;kind;mine\na;b;c\n",
            "clip\tkind\tmine\r\na\tb\tc\r\n",
            "\u{feff}clip,kind,mine\na,b,c\n",
            "mine, kind ,clip\nc,b,a\n",
        ] {
            let mut row = rows(text).remove(0);
            row.sort();
            assert_eq!(row, ["a", "b", "c"], "{text}");
        }
        // A comma in a text column does not decide.
        assert_eq!(
            rows("clip;kind;note\na;b;one, two, three\n")[0][2],
            "one, two, three"
        );
    }

    #[test]
    fn what_is_wrong_with_a_heading_is_named_with_its_line() {
        let (line, reason) = refused("clip,kid\na,b\n");
        assert_eq!(line, 1);
        assert!(reason.contains("no column 'kind'") && reason.contains("did you mean 'kid'"));
        let (line, reason) = refused("\n\nclip;start\n");
        assert_eq!(line, 3);
        assert!(reason.ends_with("it is clip, start"), "{reason}");
        assert!(
            refused("clip,kind,nota\n")
                .1
                .contains("did you mean 'note'")
        );
        assert!(refused("clip,kind,clip\n").1.contains("'clip' twice"));
        assert!(refused("").1.contains("no column 'clip'"));
    }
}
