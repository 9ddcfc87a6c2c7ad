//! What it costs to look for the face less often: how far the eyes' centres are from where a look at
//! every frame finds them, and which blinks are lost.

use super::{
    GOALS,
    clips::say,
    degrade::Degradation,
    readings_with,
    scored_clips::{Clip, each, score},
};
use parseye_vision::{
    classify::EyeStateModel, evaluate::score::Score, eye_monitor::VisionSettings, eye_state::Eye,
    reading::FrameReading, temporal::TemporalSettings,
};

/// Frames between looks that are tried.
const EVERY: [u32; 3] = [2, 5, 10];

/// Distances of the eyes' centres in two readings of a frame, in percent of the eyes' distance.
fn apart(a: &FrameReading, b: &FrameReading) -> Vec<f64> {
    let (Some(a), Some(b)) = (a.face, b.face) else {
        return Vec::new();
    };
    let of_eye = |eye| {
        let ([ax, ay], [bx, by]) = (a.eyes.get(eye), b.eyes.get(eye));
        f64::from(100.0 * (ax - bx).hypot(ay - by) / b.eye_distance())
    };
    Eye::ALL.map(of_eye).to_vec()
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// Prints a row for each number of frames between looks and each degradation of the goals.
pub fn run(clips: &[Clip], model: &EyeStateModel) -> anyhow::Result<()> {
    say(&format!(
        "{} on {} clips; eyes' centres against those of a look at every frame, in % of the eyes' distance",
        model.card().name,
        clips.len()
    ))?;
    say("`looked` is the share of frames with a face for which the network was asked")?;
    say(
        "degradation                    every  looked   apart: median   p99    F1   hit  miss false",
    )?;
    for degradation in GOALS {
        let of_every = |every: u32| {
            let mut settings = VisionSettings::default();
            settings.detector.detect_every = every;
            each(clips, |clip| {
                readings_with(clip, model, *degradation, &settings)
            })
        };
        let always = of_every(1)?;
        print_row(clips, *degradation, 1, &always, &always)?;
        for every in EVERY {
            print_row(clips, *degradation, every, &always, &of_every(every)?)?;
        }
    }
    Ok(())
}

fn print_row(
    clips: &[Clip],
    degradation: Degradation,
    every: u32,
    always: &[Vec<FrameReading>],
    found: &[Vec<FrameReading>],
) -> anyhow::Result<()> {
    let pairs = || found.iter().flatten().zip(always.iter().flatten());
    let mut apart: Vec<f64> = pairs().flat_map(|(a, b)| apart(a, b)).collect();
    let (mut looked, mut faces) = (0_u32, 0_u32);
    for readings in found {
        let mut last = None;
        for reading in readings {
            // Between looks a face keeps the score that the network gave it.
            let score = reading.face.map(|face| face.confidence);
            faces += u32::from(score.is_some());
            looked += u32::from(score.is_some() && score != last);
            last = score;
        }
    }
    let looked = f64::from(looked) / f64::from(faces.max(1));
    let of_clip = |(clip, readings): (&Clip, &Vec<FrameReading>)| {
        score(readings, &clip.truth, &TemporalSettings::default())
    };
    let scores: Vec<Score> = clips.iter().zip(found).map(of_clip).collect();
    let total = Score::total(&scores);
    say(&format!(
        "{:30} {every:5} {:6.1}% {:15.2} {:5.1} {:.3} {:5} {:5} {:5}",
        degradation.to_string(),
        100.0 * looked,
        quantile(&mut apart, 0.5),
        quantile(&mut apart, 0.99),
        total.f1.unwrap_or(f64::NAN),
        total.tp,
        total.missed,
        total.fp
    ))
}
