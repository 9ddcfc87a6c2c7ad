//! Records a person's own eyes for training: a guided two minutes (open, closed, half closed, looking down, with
//! glasses), of which crops of the eyes alone are kept, with a manifest that `train` reads.
//!
//! Nothing is recorded unless it is asked for. Where frames come from and how the person is told is left to the
//! caller: [`Collector::take`] says what to say when.

mod steps;

pub use steps::{Round, STEPS, Step};

use image::{GrayImage, ImageError};
use parseye_vision::{
    evaluate::manifest::{Gaze, LabelKind, Manifest, Sample, Split},
    eye_state::{Eye, EyeState},
    frame::Frame,
    locate::crop::{Roi, sample_gray},
    reading::{EyeReading, FrameReading},
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Data set that the crops are called in the manifest.
pub const SOURCE: &str = "own";

/// Time before each step in which nothing is kept: to read, and to do it.
const LEAD: Duration = Duration::from_millis(2500);

/// Least time between two crops of one eye: frames that follow each other show the same.
const EVERY: Duration = Duration::from_millis(250);

/// Sides in pixels that a crop is kept in; eyes that are smaller in the frame are not kept.
const SIDES: std::ops::RangeInclusive<f32> = 16.0..=128.0;

/// Probability of the opposite state above which a crop counts as a blink or a peep.
const SURE: f32 = 0.8;

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The folder has a manifest.
    #[error("{0}: holds a manifest already; give another --out, so that nothing is overwritten")]
    Exists(PathBuf),
    /// The folder or a file cannot be written.
    #[error("{path}: cannot be written: {error}; check the folder and its permissions")]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// The system's message.
        error: io::Error,
    },
    /// A crop cannot be written.
    #[error("{path}: cannot be written: {error}")]
    Image {
        /// The file.
        path: PathBuf,
        /// The encoder's message.
        error: ImageError,
    },
    /// The name cannot be part of a file's.
    #[error("--subject '{0}': give 1 to 40 letters, digits, - or _")]
    Subject(String),
    /// No eye was seen.
    #[error(
        "no eye was seen; see that the face is lit from the front and fills a good part of the image"
    )]
    Nothing,
}

/// What a frame brings about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A step begins: this is to be told to the person.
    Begin {
        /// Its number from 1.
        number: usize,
        /// Number of all steps.
        of: usize,
        /// What to do.
        instruction: &'static str,
    },
    /// A step ended with so many crops.
    End {
        /// Crops of both eyes that are kept.
        kept: usize,
        /// Whether the eyes were to be closed, so that a sound is needed.
        closed: bool,
    },
    /// All steps are done.
    Done,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The manifest.
    pub manifest: PathBuf,
    /// Crops of the first round, to train on.
    pub train: usize,
    /// Crops of the second round, to validate on.
    pub val: usize,
    /// Steps of which there are crops.
    pub steps: usize,
}

/// A crop that waits for the end of its step.
struct Waiting {
    eye: Eye,
    image: GrayImage,
    /// Probability of the state that the step's is the opposite of.
    opposite: f32,
}

/// Keeps crops of a person who does what the steps say.
pub struct Collector {
    out: PathBuf,
    subject: String,
    steps: Vec<Step>,
    /// The step that goes on, and when it began.
    current: Option<(usize, Duration)>,
    last: Option<Duration>,
    waiting: Vec<Waiting>,
    samples: Vec<Sample>,
    done: bool,
}

impl Collector {
    /// Makes the folder; `subject` names the person in the manifest.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds a manifest.
    pub fn new(out: &Path, subject: &str, steps: &[Step]) -> Result<Self, CollectError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=40).contains(&subject.len()) || !subject.chars().all(is_plain) {
            return Err(CollectError::Subject(
                subject.chars().filter(|c| !c.is_control()).collect(),
            ));
        }
        let collector = Self {
            out: out.into(),
            subject: subject.into(),
            steps: steps.to_vec(),
            current: None,
            last: None,
            waiting: Vec::new(),
            samples: Vec::new(),
            done: false,
        };
        if collector.manifest().exists() {
            return Err(CollectError::Exists(out.into()));
        }
        for round in [Round::Train, Round::Val] {
            let folder = out.join(SOURCE).join(collector.person(round));
            std::fs::create_dir_all(&folder).map_err(|error| CollectError::Write {
                path: folder.clone(),
                error,
            })?;
        }
        Ok(collector)
    }

    fn manifest(&self) -> PathBuf {
        self.out.join("manifest.csv")
    }

    /// The person in a round: a person is in one split, and so is each of the rounds of this one.
    fn person(&self, round: Round) -> String {
        let number = match round {
            Round::Train => 1,
            Round::Val => 2,
        };
        format!("{}-{number}", self.subject)
    }

    /// Takes a frame with what was seen in it; times must not go back.
    ///
    /// # Errors
    /// When a crop cannot be written.
    pub fn take(
        &mut self,
        frame: &Frame,
        reading: &FrameReading,
    ) -> Result<Vec<Prompt>, CollectError> {
        let mut prompts = Vec::new();
        if self.done {
            return Ok(prompts);
        }
        let (index, began) = *self.current.get_or_insert((0, frame.time));
        if index == 0 && began == frame.time {
            prompts.extend(self.begin(0));
        }
        let Some(step) = self.steps.get(index).copied() else {
            self.done = true;
            return Ok(vec![Prompt::Done]);
        };
        let into = frame.time.saturating_sub(began);
        if into >= LEAD + step.length() {
            let kept = self.keep(index, &step)?;
            let closed = step.label == EyeState::Closed;
            prompts.push(Prompt::End { kept, closed });
            self.current = Some((index + 1, frame.time));
            self.last = None;
            match self.begin(index + 1) {
                Some(begin) => prompts.push(begin),
                None => {
                    self.done = true;
                    prompts.push(Prompt::Done);
                }
            }
        } else if into >= LEAD {
            self.crop(frame, reading, &step);
        }
        Ok(prompts)
    }

    fn begin(&self, index: usize) -> Option<Prompt> {
        self.steps.get(index).map(|step| Prompt::Begin {
            number: index + 1,
            of: self.steps.len(),
            instruction: step.instruction,
        })
    }

    /// Cuts both eyes, in time and where they are large enough.
    fn crop(&mut self, frame: &Frame, reading: &FrameReading, step: &Step) {
        if self
            .last
            .is_some_and(|last| frame.time.saturating_sub(last) < EVERY)
        {
            return;
        }
        for eye in Eye::ALL {
            let EyeReading::Measured {
                probabilities,
                square,
                ..
            } = reading.eyes.get(eye)
            else {
                continue;
            };
            if square.side < *SIDES.start() {
                continue;
            }
            self.last = Some(frame.time);
            let opposite = match step.label {
                EyeState::Closed => probabilities[EyeState::Open.index()],
                _ => probabilities[EyeState::Closed.index()],
            };
            self.waiting.push(Waiting {
                eye,
                image: cut(&frame.luma, square),
                opposite,
            });
        }
    }

    /// Writes the crops of a step. Blinks while the eyes are to be open, and peeps while they are to be closed, are
    /// left out; not where the model says so of most crops, since then it is the model that is wrong.
    fn keep(&mut self, index: usize, step: &Step) -> Result<usize, CollectError> {
        let waiting = std::mem::take(&mut self.waiting);
        let sure = waiting.iter().filter(|crop| crop.opposite > SURE).count();
        let trusted = 2 * sure < waiting.len();
        let mut kept = 0;
        for crop in waiting {
            if trusted && crop.opposite > SURE {
                continue;
            }
            let eye = match crop.eye {
                Eye::Left => "left",
                Eye::Right => "right",
            };
            let person = self.person(step.round);
            let name = format!("{:02}-{}-{kept:03}-{eye}.png", index + 1, step.label);
            let path = Path::new(SOURCE).join(&person).join(name);
            let file = self.out.join(&path);
            crop.image
                .save(&file)
                .map_err(|error| CollectError::Image { path: file, error })?;
            kept += 1;
            self.samples.push(Sample {
                path,
                label: step.label,
                source: SOURCE.into(),
                subject: person,
                eye: Some(crop.eye),
                split: match step.round {
                    Round::Train => Split::Train,
                    Round::Val => Split::Val,
                },
                label_kind: LabelKind::Human,
                openness: None,
                gaze: (step.note == steps::LOOKING_DOWN).then_some(Gaze::Down),
                note: step.note.into(),
            });
        }
        Ok(kept)
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Writes the manifest of what was kept; of a step that was broken off there is nothing.
    ///
    /// # Errors
    /// When nothing was kept, or the manifest cannot be written.
    pub fn finish(self) -> Result<Collected, CollectError> {
        if self.samples.is_empty() {
            return Err(CollectError::Nothing);
        }
        let manifest = self.manifest();
        Manifest::write(&manifest, &self.samples).map_err(|error| CollectError::Write {
            path: manifest.clone(),
            error,
        })?;
        let of = |split| {
            self.samples
                .iter()
                .filter(|sample| sample.split == split)
                .count()
        };
        Ok(Collected {
            train: of(Split::Train),
            val: of(Split::Val),
            steps: self.current.map_or(0, |(index, _)| index),
            manifest,
        })
    }
}

/// Cuts an eye in its own resolution, upright.
fn cut(luma: &GrayImage, square: &Roi) -> GrayImage {
    let side = square.side.round().clamp(*SIDES.start(), *SIDES.end()) as u32;
    let mut gray = vec![0.0; (side * side) as usize];
    sample_gray(luma, square, side as usize, &mut gray);
    GrayImage::from_fn(side, side, |x, y| {
        let level = gray[(y * side + x) as usize];
        image::Luma([level.round().clamp(0.0, 255.0) as u8])
    })
}

#[cfg(test)]
mod tests;
