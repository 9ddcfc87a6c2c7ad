//! Prints how many blinks survive bad pictures, on real clips with confirmed ones:
//!
//! `cargo run --release -p parseye-benches --bin clip_robustness -- PART DATA [MODEL.onnx]`
//!
//! PART is `goals` (the degradations that Parseye's goals name), `steps` (every degradation in five
//! steps), `tuning` (whether other thresholds would do better, each clip judged with those that were
//! best on the others), `covered` (what is said of eyes behind dark lenses or a hand) or `looks` (what it
//! costs to look for the face less often); DATA the folder with `clips/`. Without MODEL the built-in one is
//! judged.

mod covered;
mod looks;
mod tuning;

use anyhow::bail;
use clips::say;
use degrade::Degradation;
use parseye_benches::{clips, degrade, scored_clips};
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::score::Score,
    eye_monitor::{EyeMonitor, VisionSettings},
    reading::FrameReading,
    temporal::TemporalSettings,
};
use scored_clips::{Clip, each, score};
use std::path::Path;

/// The degradations that Parseye's goals name.
const GOALS: &[Degradation] = &[
    Degradation::None,
    Degradation::Noise(60.0),
    Degradation::Light(0.07),
    Degradation::Lines(120),
    Degradation::Blur(8.0),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, data, model @ ..] = arguments.as_slice() else {
        bail!("give PART (goals, steps, tuning, covered, looks), DATA and perhaps MODEL.onnx");
    };
    let model = match model.first() {
        Some(path) => EyeStateModel::from_file(Path::new(path))?,
        None => EyeStateModel::built_in()?,
    };
    let clips = Clip::all(&Path::new(data).join("clips"))?;
    match part.as_str() {
        "goals" => table(&clips, &model, GOALS),
        "steps" => table(&clips, &model, &degrade::steps()),
        "tuning" => tuning::run(&clips, &model),
        "looks" => looks::run(&clips, &model),
        "covered" => covered::run(&clips, &model),
        other => bail!("unknown part '{other}'; give goals, steps, tuning, covered or looks"),
    }
}

/// What the chain says of every frame of a degraded clip.
pub fn readings(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
) -> anyhow::Result<Vec<FrameReading>> {
    readings_with(clip, model, degradation, &VisionSettings::default())
}

/// The same with other settings.
pub fn readings_with(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
    settings: &VisionSettings,
) -> anyhow::Result<Vec<FrameReading>> {
    let mut chain = EyeMonitor::new(settings, model)?;
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut readings = Vec::new();
    while let Some(frame) = source.next_frame()? {
        if let Some(frame) = degradation.apply(frame)? {
            readings.push(chain.process(&frame)?.reading);
        }
    }
    Ok(readings)
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
