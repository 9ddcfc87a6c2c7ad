//! Prints how many blinks are still found on degraded frames, on real clips with confirmed blinks:
//!
//! `cargo run --release -p parseye-benches --bin clip_robustness -- PART DATA [MODEL.onnx]`

mod covered;
mod detection_interval;
mod lids;
mod tuning;

use clap::{Parser, ValueEnum};
use clips::print_line;
use degrade::Degradation;
use parseye_benches::{arguments, clips, degrade, scored_clips};
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::score::Score,
    eye_monitor::{EyeMonitor, VisionSettings},
    reading::FrameReading,
    temporal::TemporalSettings,
};
use scored_clips::{Clip, each, score};
use std::path::PathBuf;

/// Prints how many blinks are still found on degraded frames of clips with confirmed blinks
#[derive(Parser)]
#[command(name = "clip_robustness")]
struct ClipArguments {
    /// What to measure
    part: ClipPart,
    /// Folder with clips/ and clips-wild/
    data: PathBuf,
    /// The model to evaluate; without it the built-in one
    #[arg(value_name = "MODEL.onnx")]
    model: Option<PathBuf>,
    /// Folder of DATA with the clips and their blinks.csv
    #[arg(long, default_value = "clips")]
    clips: PathBuf,
    /// Plot that `lids` writes
    #[arg(
        long,
        value_name = "FILE.svg",
        default_value = "docs/results/plots/lids.svg"
    )]
    plot: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum ClipPart {
    /// The degradations that Parseye's goals name
    Goals,
    /// Every degradation in five steps
    Steps,
    /// Whether other thresholds would do better, each clip evaluated with those that were best on the others
    Tuning,
    /// Predictions for eyes behind dark lenses or a hand
    Covered,
    /// What it costs to run the face detector less often
    #[value(alias = "looks")]
    DetectionInterval,
    /// Plot P(closed), P(looking down) and openness of three clips over time
    Lids,
}

/// The degradations that Parseye's goals name.
const GOALS: &[Degradation] = &[
    Degradation::None,
    Degradation::Noise(60.0),
    Degradation::Light(0.07),
    Degradation::Lines(120),
    Degradation::Blur(8.0),
];

fn main() -> anyhow::Result<()> {
    let arguments: ClipArguments = arguments::parse();
    let model = match &arguments.model {
        Some(path) => EyeStateModel::from_file(path)?,
        None => EyeStateModel::built_in()?,
    };
    let clips = || Clip::all(&arguments.data.join(&arguments.clips));
    match arguments.part {
        ClipPart::Goals => table(&clips()?, &model, GOALS),
        ClipPart::Steps => table(&clips()?, &model, &degrade::steps()),
        ClipPart::Tuning => tuning::run(&clips()?, &model),
        ClipPart::Covered => covered::run(&clips()?, &model),
        ClipPart::DetectionInterval => detection_interval::run(&clips()?, &model),
        ClipPart::Lids => lids::run(&arguments.data, &model, &arguments.plot),
    }
}

/// The reading of every frame of a degraded clip, with the default settings.
pub fn readings(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
) -> anyhow::Result<Vec<FrameReading>> {
    readings_with(clip, model, degradation, &VisionSettings::default())
}

/// The reading of every frame of a degraded clip.
pub fn readings_with(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
    settings: &VisionSettings,
) -> anyhow::Result<Vec<FrameReading>> {
    let mut monitor = EyeMonitor::new(settings, model)?;
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut readings = Vec::new();
    while let Some(frame) = source.next_frame()? {
        if let Some(frame) = degradation.apply(frame)? {
            readings.push(monitor.process(&frame)?.reading);
        }
    }
    Ok(readings)
}

fn table(clips: &[Clip], model: &EyeStateModel, steps: &[Degradation]) -> anyhow::Result<()> {
    print_line(&format!(
        "{} on {} clips, blinks of both eyes with Parseye's own face detector and default thresholds",
        model.card().name,
        clips.len()
    ))?;
    print_line(
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
        print_line(&format!(
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
