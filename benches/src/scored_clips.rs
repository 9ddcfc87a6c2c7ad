//! Clips with confirmed blinks: all of a folder, work on them on all cores, and scores.

use crate::clips::videos;
use anyhow::Context;
use parseye_capture::name_of;
use parseye_vision::{
    evaluate::{
        score::Score,
        truth::{ClipTruth, FrameRange, Truth},
    },
    reading::FrameReading,
    temporal::{ClosureKind, Laterality, TemporalSettings, TemporalTracker},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A clip and what is known of it.
pub struct Clip {
    /// Its file.
    pub path: PathBuf,
    /// Its name, the file's without its ending.
    pub name: String,
    /// Its confirmed blinks and what is neither hit nor false alarm.
    pub truth: ClipTruth,
}

impl Clip {
    /// All clips of a folder with their truth (`blinks.csv`), by name. Those of several people are left out, where its
    /// `faces.csv` names them: nobody has confirmed whose blinks they hold.
    pub fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let truth = Truth::read(&folder.join("blinks.csv"))?;
        let several = several_people(&folder.join("faces.csv"))?;
        let clip = |path: PathBuf| {
            let name = name_of(&path);
            let truth = truth.clips.get(&name).cloned().unwrap_or_default();
            Self { path, name, truth }
        };
        let clips = videos(folder)?.into_iter().map(clip);
        Ok(clips.filter(|clip| !several.contains(&clip.name)).collect())
    }
}

/// Names of the clips that a table of named faces lists; none where there is no such table.
fn several_people(table: &Path) -> anyhow::Result<BTreeSet<String>> {
    let text = match std::fs::read_to_string(table) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text.with_context(|| format!("{}: cannot be read", table.display()))?,
    };
    let file = |line: &str| Some(name_of(Path::new(line.split_once(',')?.0)));
    Ok(text.lines().skip(1).filter_map(file).collect())
}

/// Runs `work` on every clip, on all cores; the results come in the clips' order.
pub fn each<T: Send>(
    clips: &[Clip],
    work: impl Fn(&Clip) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(clip) = clips.get(index) else { break };
                    let result = work(clip);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Scores the blinks of both eyes in readings against the confirmed ones.
pub fn score(readings: &[FrameReading], truth: &ClipTruth, settings: &TemporalSettings) -> Score {
    let mut tracker = TemporalTracker::new(settings);
    let mut blinks = Vec::new();
    for reading in readings {
        for closure in tracker.update(reading).ended {
            if closure.kind == ClosureKind::Blink && closure.eye == Laterality::Both {
                blinks.push(FrameRange {
                    first: closure.first_frame,
                    last: closure.last_frame,
                });
            }
        }
    }
    Score::of_clip(&blinks, truth)
}
