//! What it costs to run the face detector less often: how far the eyes' centres are from where detection in
//! every frame finds them, and which blinks are lost.

use super::{
    GOALS,
    clips::print_line,
    degrade::Degradation,
    readings_with,
    scored_clips::{Clip, each, score},
};
use parseye_benches::statistics::quantile;
use parseye_vision::{
    classify::EyeStateModel, evaluate::score::Score, eye_monitor::VisionSettings, eye_state::Eye,
    reading::FrameReading, temporal::TemporalSettings,
};

/// Detection intervals in frames that are tried.
const INTERVALS: [u32; 3] = [2, 5, 10];

/// Distances of the eyes' centres in two readings of a frame, in percent of the eyes' distance.
fn eye_distances(a: &FrameReading, b: &FrameReading) -> Vec<f64> {
    let (Some(a), Some(b)) = (a.face, b.face) else {
        return Vec::new();
    };
    let of_eye = |eye| {
        let ([ax, ay], [bx, by]) = (a.eyes.get(eye), b.eyes.get(eye));
        f64::from(100.0 * (ax - bx).hypot(ay - by) / b.eye_distance())
    };
    Eye::ALL.map(of_eye).to_vec()
}

/// Prints a row for each detection interval and each degradation of the goals.
pub fn run(clips: &[Clip], model: &EyeStateModel) -> anyhow::Result<()> {
    print_line(&format!(
        "{} on {} clips; eyes' centres against those of a detection in every frame, in % of the eyes' distance",
        model.card().name,
        clips.len()
    ))?;
    print_line("`detected` is the share of frames with a face in which the network ran")?;
    print_line(
        "degradation                    every detected  apart: median   p99    F1   hit  miss false",
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
        for every in INTERVALS {
            print_row(clips, *degradation, every, &always, &of_every(every)?)?;
        }
    }
    Ok(())
}

/// The share of frames with a face in which the network ran.
fn detected_share(clips: &[Vec<FrameReading>]) -> f64 {
    let (mut detected, mut faces) = (0_u32, 0_u32);
    for readings in clips {
        let mut last = None;
        for reading in readings {
            // Between detections a face keeps the confidence that the network gave it.
            let confidence = reading.face.map(|face| face.confidence);
            faces += u32::from(confidence.is_some());
            detected += u32::from(confidence.is_some() && confidence != last);
            last = confidence;
        }
    }
    f64::from(detected) / f64::from(faces.max(1))
}

fn print_row(
    clips: &[Clip],
    degradation: Degradation,
    every: u32,
    always: &[Vec<FrameReading>],
    found: &[Vec<FrameReading>],
) -> anyhow::Result<()> {
    let pairs = || found.iter().flatten().zip(always.iter().flatten());
    let mut apart: Vec<f64> = pairs().flat_map(|(a, b)| eye_distances(a, b)).collect();
    let detected = detected_share(found);
    let of_clip = |(clip, readings): (&Clip, &Vec<FrameReading>)| {
        score(readings, &clip.truth, &TemporalSettings::default())
    };
    let scores: Vec<Score> = clips.iter().zip(found).map(of_clip).collect();
    let total = Score::total(&scores);
    print_line(&format!(
        "{:30} {every:5} {:6.1}% {:15.2} {:5.1} {:.3} {:5} {:5} {:5}",
        degradation.to_string(),
        100.0 * detected,
        quantile(&mut apart, 0.5),
        quantile(&mut apart, 0.99),
        total.f1.unwrap_or(f64::NAN),
        total.tp,
        total.missed,
        total.fp
    ))
}
