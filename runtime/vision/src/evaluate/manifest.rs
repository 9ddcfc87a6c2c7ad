//! The list of labelled eye crops that training and evaluation read: `manifest.csv`.
//!
//! Columns: `path` (relative to the manifest's folder), `label`, `source`, `subject`, `eye`,
//! `split`, `label_kind`, `openness`, `gaze`, `note`. Splits are by subject, never by image: a subject in
//! two splits is an error, for it would let a network be tested on people it was trained on.

use super::heading::{Columns, reason_of};
use crate::{
    bounded,
    eye_state::{Eye, EyeState},
    names::{self, UnknownName},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Component, Path, PathBuf},
    str::FromStr,
};
use strum::{Display, IntoStaticStr, VariantArray};

/// Largest manifest accepted, in bytes: two million rows.
const MOST_BYTES: u64 = 256 << 20;

const COLUMNS: Columns = Columns {
    required: &["path", "label", "source", "subject", "split", "label_kind"],
    optional: &["eye", "openness", "gaze", "note"],
    // What is written is read again as it was.
    trim: csv::Trim::Headers,
};

/// Part of the data for which a subject's crops are set aside.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    Display,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Split {
    /// Fitted on.
    Train,
    /// Choices are made on it.
    Val,
    /// Only measured on.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = names::all(Self::VARIANTS);

    /// Name in the manifest.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl FromStr for Split {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        names::parse("split", name)
    }
}

/// Origin of a crop's label.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LabelKind {
    /// A person.
    Human,
    /// A landmark model.
    Pseudo,
    /// The way the crop was cut.
    Geometric,
}

impl LabelKind {
    /// All kinds.
    pub const ALL: [Self; 3] = names::all(Self::VARIANTS);

    /// Name in the manifest.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Where the eye looks, as graders saw it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Gaze {
    /// Downwards: the upper lid follows the eye and covers much of it.
    Down,
    /// Straight ahead, or to a side.
    Forward,
    /// Upwards.
    Up,
}

impl Gaze {
    /// Name in the manifest.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads the item `gaze=...` of a note whose items are parted by semicolons; anything else there is free text.
    fn of_note(note: &str) -> Option<Self> {
        let items = note.split(';').map(str::trim);
        let gaze = items.filter_map(|item| item.strip_prefix("gaze=")).next()?;
        names::parse("gaze", gaze).ok()
    }
}

/// One labelled eye crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Image, relative to [`Manifest::folder`].
    pub path: PathBuf,
    /// What it shows.
    pub label: EyeState,
    /// Data set it comes from.
    pub source: String,
    /// Person it shows.
    pub subject: String,
    /// Which eye, where known.
    pub eye: Option<Eye>,
    /// Use it is set aside for.
    pub split: Split,
    /// Who labelled it.
    pub label_kind: LabelKind,
    /// Lid gap over eye width by a landmark model, where known; not truth.
    pub openness: Option<f32>,
    /// Where it looks, where known: the column `gaze`, or the item `gaze=...` of the note.
    pub gaze: Option<Gaze>,
    /// Free text.
    pub note: String,
}

/// A checked list of samples.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Folder that the samples' paths are relative to.
    pub folder: PathBuf,
    /// In the order of the file.
    pub samples: Vec<Sample>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error(
        "{path}: cannot be read: {reason}; give a manifest.csv (columns path, label, source, subject, eye, split, label_kind, openness, gaze, note), or make one with `train import`"
    )]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The heading is wrong.
    #[error(
        "{path}, line {line}: {reason}; the first line names the columns path, label, source, subject, eye, split, label_kind, openness, gaze, note"
    )]
    Heading {
        /// The manifest.
        path: PathBuf,
        /// Line of the heading, from 1.
        line: u64,
        /// What was wrong.
        reason: String,
    },
    /// A row is wrong.
    #[error("{path}, line {line}: {reason}; correct or remove this row")]
    Row {
        /// The manifest.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// What was wrong.
        reason: String,
    },
    /// One person is in two splits.
    #[error(
        "{path}, line {line}: subject '{subject}' is in {split} here and in {other} before; move all pictures of a person to one split"
    )]
    SubjectInTwoSplits {
        /// The manifest.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// The person.
        subject: String,
        /// Split of this row.
        split: Split,
        /// Split of an earlier row.
        other: Split,
    },
    /// Nothing to work on.
    #[error("{path}: no sample{of_split}; check the manifest's split column")]
    Empty {
        /// The manifest.
        path: PathBuf,
        /// ` of split NAME`, or nothing.
        of_split: String,
    },
}

/// A row as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    path: String,
    label: String,
    source: String,
    subject: String,
    #[serde(default)]
    eye: String,
    split: String,
    label_kind: String,
    #[serde(default)]
    openness: String,
    #[serde(default)]
    gaze: String,
    #[serde(default)]
    note: String,
}

impl Manifest {
    /// Reads and checks a manifest. Every image it names must exist.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = bounded::read(path, MOST_BYTES).map_err(|error| ManifestError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        })?;
        let (manifest, lines) = Self::parse_lines(&text, path)?;
        for (sample, line) in manifest.samples.iter().zip(lines) {
            let picture = manifest.folder.join(&sample.path);
            if !picture.is_file() {
                return Err(ManifestError::Row {
                    path: path.into(),
                    line,
                    reason: format!("picture {} is missing", picture.display()),
                });
            }
        }
        Ok(manifest)
    }

    /// Checks the text of a manifest, but not whether its images exist; `path` is the file,
    /// and is named in errors.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, ManifestError> {
        Self::parse_lines(text, path).map(|(manifest, _)| manifest)
    }

    /// The manifest, and the line on which each sample begins.
    fn parse_lines(text: &[u8], path: &Path) -> Result<(Self, Vec<u64>), ManifestError> {
        let wrong = |line: u64, reason: String| ManifestError::Row {
            path: path.into(),
            line,
            reason,
        };
        let (mut reader, heading) = COLUMNS.read(text).map_err(|error| ManifestError::Heading {
            path: path.into(),
            line: error.line,
            reason: error.reason,
        })?;
        let of_csv = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            wrong(line, reason_of(&error, &heading))
        };
        let (mut samples, mut lines) = (Vec::new(), Vec::new());
        let mut split_of: HashMap<String, Split> = HashMap::new();
        let mut seen = HashSet::new();
        for record in reader.records() {
            let record = record.map_err(of_csv)?;
            // Not the number of samples: a quoted field may span several lines.
            let line = record.position().map_or(1, csv::Position::line);
            let row: Row = record.deserialize(Some(&heading)).map_err(of_csv)?;
            let sample = row.check().map_err(|reason| wrong(line, reason))?;
            if !seen.insert(sample.path.clone()) {
                let reason = format!("{} is listed twice", sample.path.display());
                return Err(wrong(line, reason));
            }
            let other = *split_of
                .entry(sample.subject.clone())
                .or_insert(sample.split);
            if other != sample.split {
                return Err(ManifestError::SubjectInTwoSplits {
                    path: path.into(),
                    line,
                    subject: sample.subject,
                    split: sample.split,
                    other,
                });
            }
            samples.push(sample);
            lines.push(line);
        }
        if samples.is_empty() {
            return Err(ManifestError::Empty {
                path: path.into(),
                of_split: String::new(),
            });
        }
        let manifest = Self {
            folder: path.parent().unwrap_or(Path::new("")).into(),
            samples,
        };
        Ok((manifest, lines))
    }

    /// Writes samples as a manifest.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(path: &Path, samples: &[Sample]) -> io::Result<()> {
        Self::write_to(std::fs::File::create(path)?, samples)
    }

    /// Writes samples as the text of a manifest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_to(output: impl io::Write, samples: &[Sample]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(output);
        for sample in samples {
            writer.serialize(Row::from(sample))?;
        }
        writer.flush()
    }

    /// The samples of one split, in the order of the file.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_split(&self, split: Split) -> Result<Vec<&Sample>, ManifestError> {
        let samples: Vec<_> = self.samples.iter().filter(|s| s.split == split).collect();
        if samples.is_empty() {
            return Err(ManifestError::Empty {
                path: self.folder.join("manifest.csv"),
                of_split: format!(" of split {split}"),
            });
        }
        Ok(samples)
    }
}

impl Row {
    fn check(self) -> Result<Sample, String> {
        let path = PathBuf::from(&self.path);
        let inside = !self.path.is_empty()
            && path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(format!(
                "path '{}' is not below the manifest's folder",
                self.path
            ));
        }
        if self.subject.is_empty() || self.source.is_empty() {
            return Err("subject or source is empty".into());
        }
        let eye = match self.eye.as_str() {
            "" => None,
            "left" => Some(Eye::Left),
            "right" => Some(Eye::Right),
            other => {
                return Err(format!(
                    "unknown eye '{other}'; known: left, right, or empty"
                ));
            }
        };
        let openness = match self.openness.as_str() {
            "" => None,
            text => match text.parse::<f32>() {
                Ok(value) if value.is_finite() => Some(value),
                _ => return Err(format!("openness '{text}' is not a number")),
            },
        };
        let unknown = |error: UnknownName| error.to_string();
        let gaze = match self.gaze.as_str() {
            "" => Gaze::of_note(&self.note),
            name => Some(names::parse("gaze", name).map_err(unknown)?),
        };
        Ok(Sample {
            path,
            label: self.label.parse().map_err(unknown)?,
            source: self.source,
            subject: self.subject,
            eye,
            split: self.split.parse().map_err(unknown)?,
            label_kind: names::parse("label kind", &self.label_kind).map_err(unknown)?,
            openness,
            gaze,
            note: self.note,
        })
    }
}

impl From<&Sample> for Row {
    fn from(sample: &Sample) -> Self {
        Self {
            path: sample.path.to_string_lossy().into_owned(),
            label: sample.label.name().into(),
            source: sample.source.clone(),
            subject: sample.subject.clone(),
            eye: match sample.eye {
                None => "",
                Some(Eye::Left) => "left",
                Some(Eye::Right) => "right",
            }
            .into(),
            split: sample.split.name().into(),
            label_kind: sample.label_kind.name().into(),
            openness: sample
                .openness
                .map_or_else(String::new, |value| value.to_string()),
            gaze: sample.gaze.map_or("", Gaze::name).into(),
            note: sample.note.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "path,label,source,subject,eye,split,label_kind,openness,note\n";

    fn read(rows: &str) -> Result<Manifest, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png"] {
            image::GrayImage::new(4, 4)
                .save(folder.path().join(name))
                .unwrap();
        }
        let path = folder.path().join("manifest.csv");
        std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
        Manifest::read(&path)
    }

    fn refused(rows: &str, words: &[&str]) {
        let error = read(rows).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "'{error}' lacks '{word}'");
        }
    }

    #[test]
    fn a_good_manifest_round_trips() {
        let manifest =
            read("a.png,open,s,p,left,train,human,0.3,x\nb.png,closed,s,q,,test,pseudo,,\n")
                .unwrap();
        let mut text = Vec::new();
        Manifest::write_to(&mut text, &manifest.samples).unwrap();
        let again = Manifest::parse(&text, Path::new("manifest.csv")).unwrap();
        assert_eq!(again.samples, manifest.samples);
        assert_eq!(manifest.of_split(Split::Test).unwrap().len(), 1);
        assert!(manifest.of_split(Split::Val).is_err());
    }

    #[test]
    fn gaze_is_read_from_its_column_and_from_the_note() {
        let text = "path,label,source,subject,split,label_kind,gaze,note\n\
                    a.png,open,s,p,train,human,up,gaze=down\n\
                    b.png,open,s,p,train,human,,graded; gaze=down;pitch=3\n\
                    c.png,open,s,p,train,human,,gaze=unknown\n";
        let manifest = Manifest::parse(text.as_bytes(), Path::new("m.csv")).unwrap();
        let gaze: Vec<_> = manifest.samples.iter().map(|s| s.gaze).collect();
        assert_eq!(gaze, [Some(Gaze::Up), Some(Gaze::Down), None]);
        let slip = text.replace("up,", "dwon,");
        let error = Manifest::parse(slip.as_bytes(), Path::new("m.csv")).unwrap_err();
        assert!(error.to_string().contains("did you mean 'down'"), "{error}");
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        refused(
            "a.png,opne,s,p,,train,human,,\n",
            &["line 2", "'opne'", "did you mean 'open'"],
        );
        refused(
            "a.png,open,s,p,,trian,human,,\n",
            &["line 2", "did you mean 'train'"],
        );
        refused("a.png,open,s,p,,train,humna,,\n", &["did you mean 'human'"]);
        refused(
            "a.png,open,s,p,middle,train,human,,\n",
            &["unknown eye 'middle'"],
        );
        refused("a.png,open,s,p,,train,human,wide,\n", &["openness 'wide'"]);
        refused("a.png,open,s,,,train,human,,\n", &["subject"]);
        refused(
            "c.png,open,s,p,,train,human,,\n",
            &["line 2", "c.png is missing"],
        );
        // A row may span several lines.
        refused(
            "a.png,open,s,p,,train,human,,\"two\nlines\"\nc.png,open,s,p,,train,human,,\n",
            &["line 4", "c.png is missing"],
        );
        refused(
            "a.png,open,s,p,,train,human,,\"two\nlines\"\nb.png,opne,s,p,,train,human,,\n",
            &["line 4", "'opne'"],
        );
        refused("../a.png,open,s,p,,train,human,,\n", &["not below"]);
        refused("a.png,open\n", &["line 2"]);
        refused("", &["no sample"]);
        let headless = Manifest::parse(b"path,label\n", Path::new("m.csv")).unwrap_err();
        let headless = headless.to_string();
        assert!(
            headless.starts_with("m.csv, line 1: ") && headless.contains("no column 'source'"),
            "{headless}"
        );
        refused(
            "a.png,open,s,p,,train,human,,\na.png,open,s,p,,train,human,,\n",
            &["line 3", "twice"],
        );
        refused(
            "a.png,open,s,p,,train,human,,\nb.png,open,s,p,,test,human,,\n",
            &["line 3", "'p'", "test here", "train before"],
        );
    }
}
