//! Prints how many blinks survive bad pictures, on real clips with confirmed ones:
//!
//! `cargo run --release -p parseye --example clip_robustness -- PART DATA [MODEL.onnx]`
//!
//! PART is `goals` (the degradations that Parseye's goals name), `steps` (every degradation in five
//! steps), `tuning` (whether other thresholds would do better, each clip judged with those that were
//! best on the others) or `covered` (what is said of eyes behind dark lenses or a hand); DATA the
//! folder with `clips/`. Without MODEL the built-in one is judged.

#[path = "../support/clips.rs"]
mod clips;
mod covered;
mod degrade;
mod tuning;

pub use clips::say;

use anyhow::bail;
use clips::videos;
use degrade::Degradation;
use parseye::{
    classify::EyeStateModel,
    config::Settings,
    evaluate::{
        score::Score,
        truth::{ClipTruth, FrameRange, Truth},
    },
    pipeline::VisionChain,
    reading::FrameReading,
    source::{name_of, open_recording},
    temporal::{ClosureKind, EyesOverTime, TemporalSettings, Watched},
};
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, data, model @ ..] = arguments.as_slice() else {
        bail!("give PART (goals, steps, tuning, covered), DATA and perhaps MODEL.onnx");
    };
    let model = match model.first() {
        Some(path) => EyeStateModel::from_file(Path::new(path))?,
        None => EyeStateModel::built_in()?,
    };
    let clips = Clip::all(&Path::new(data).join("clips"))?;
    match part.as_str() {
        "goals" => table(&clips, &model, Degradation::GOALS),
        "steps" => table(&clips, &model, &degrade::steps()),
        "tuning" => tuning::run(&clips, &model),
        "covered" => covered::run(&clips, &model),
        other => bail!("unknown part '{other}'; give goals, steps, tuning or covered"),
    }
}

/// A clip and what is known of it.
pub struct Clip {
    path: PathBuf,
    name: String,
    truth: ClipTruth,
}

impl Clip {
    fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let truth = Truth::read(&folder.join("blinks.csv"))?;
        let clip = |path: PathBuf| {
            let name = name_of(&path);
            let truth = truth.clips.get(&name).cloned().unwrap_or_default();
            Self { path, name, truth }
        };
        Ok(videos(folder)?.into_iter().map(clip).collect())
    }
}

/// Does something with every clip, on all cores; the results come in the clips' order.
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

/// What the chain says of every frame of a degraded clip.
pub fn readings(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
) -> anyhow::Result<Vec<FrameReading>> {
    let mut chain = VisionChain::new(&Settings::default(), model)?;
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut readings = Vec::new();
    while let Some(frame) = source.next_frame()? {
        if let Some(frame) = degradation.apply(frame)? {
            readings.push(chain.judge(&frame)?.reading);
        }
    }
    Ok(readings)
}

/// The blinks of both eyes in readings, against the confirmed ones.
pub fn score(readings: &[FrameReading], truth: &ClipTruth, settings: &TemporalSettings) -> Score {
    let mut over_time = EyesOverTime::new(settings);
    let mut blinks = Vec::new();
    for reading in readings {
        for closure in over_time.step(reading).ended {
            if closure.kind == ClosureKind::Blink && closure.eye == Watched::Both {
                blinks.push(FrameRange {
                    first: closure.first_frame,
                    last: closure.last_frame,
                });
            }
        }
    }
    Score::of_clip(&blinks, truth)
}

fn table(clips: &[Clip], model: &EyeStateModel, steps: &[Degradation]) -> anyhow::Result<()> {
    say(&format!(
        "{} on {} clips, blinks of both eyes with Parseye's own locator and default thresholds",
        model.card().name,
        clips.len()
    ))?;
    say(
        "degradation                      F1   hit  miss false   face   clips below 1: hit/miss/false",
    )?;
    for step in steps {
        let of_clip = |clip: &Clip| {
            let readings = readings(clip, model, *step)?;
            let faces = readings.iter().filter(|r| r.face.is_some()).count();
            let score = score(&readings, &clip.truth, &TemporalSettings::default());
            Ok((score, faces, readings.len()))
        };
        let found = each(clips, of_clip)?;
        let total = Score::total(found.iter().map(|(score, ..)| score));
        let faces: usize = found.iter().map(|(_, faces, _)| faces).sum();
        let frames: usize = found.iter().map(|(.., frames)| frames).sum();
        let mut imperfect = Vec::new();
        for (clip, (score, ..)) in clips.iter().zip(&found) {
            if score.missed + score.fp > 0 {
                let name = clip.name.rsplit('_').next().unwrap_or(&clip.name);
                imperfect.push(format!("{name} {}/{}/{}", score.tp, score.missed, score.fp));
            }
        }
        say(&format!(
            "{:30} {:.3} {:5} {:5} {:5} {:5.1} %   {}",
            step.to_string(),
            total.f1.unwrap_or(f64::NAN),
            total.tp,
            total.missed,
            total.fp,
            100.0 * faces as f64 / frames.max(1) as f64,
            imperfect.join(", ")
        ))?;
    }
    Ok(())
}
