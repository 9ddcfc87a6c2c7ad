//! Parseye beside MediaPipe's FaceMesh on the very same degraded frames: every degradation in five
//! steps, blinks by the eye-aspect ratio with a fixed threshold, the one that is best in hindsight, and
//! an adaptive one.

use super::{
    blinks_plot,
    clips::print_line,
    degrade::{self, Degradation},
    face_mesh::{FaceMesh, MeshReading, Rule, blinks},
    scored_clips::{Clip, each, score},
};
use anyhow::Context;
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::score::Score,
    eye_monitor::{EyeMonitor, VisionSettings},
    reading::FrameReading,
    seconds,
    temporal::TemporalSettings,
};
use std::path::Path;

/// The threshold that most code with the ratio has.
const USUAL: f32 = 0.21;
/// Share of the open eyes' ratio below which they are closed.
const SHARE: f32 = 0.60;

/// F1 of both at one degradation.
pub struct Row {
    /// What was done to the frames.
    pub degradation: Degradation,
    /// Parseye with its default thresholds.
    pub parseye: Score,
    /// FaceMesh by each rule of [`RULES`], then with the threshold that is best here.
    pub mesh: Vec<Score>,
    /// The threshold that is best here.
    best: f32,
    /// Shares of frames with a face, Parseye's and FaceMesh's.
    faces: [f64; 2],
}

/// FaceMesh's rules that know nothing of the degradation.
pub const RULES: [(&str, Rule); 2] = [
    ("below 0.21", Rule::Fixed(USUAL)),
    ("adaptive", Rule::Adaptive(SHARE)),
];

/// The readings of both on a degraded clip.
struct Readings {
    parseye: Vec<FrameReading>,
    mesh: Vec<MeshReading>,
}

fn readings(
    clip: &Clip,
    model: &EyeStateModel,
    degradation: Degradation,
) -> anyhow::Result<Readings> {
    let mut monitor = EyeMonitor::new(&VisionSettings::default(), model)?;
    let mut mesh = FaceMesh::start()?;
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut readings = Readings {
        parseye: Vec::new(),
        mesh: Vec::new(),
    };
    while let Some(frame) = source.next_frame()? {
        if let Some(frame) = degradation.apply(frame)? {
            readings.parseye.push(monitor.process(&frame)?.reading);
            readings.mesh.push(mesh.process(&frame)?);
        }
    }
    Ok(readings)
}

/// The thresholds of which the best is taken, 0.10 to 0.30.
fn thresholds() -> impl Iterator<Item = f32> {
    (10_u8..=30).map(|hundredths| f32::from(hundredths) / 100.0)
}

fn row(clips: &[Clip], found: &[Readings], degradation: Degradation) -> Row {
    let settings = TemporalSettings::default();
    let mesh_score = |rule| {
        let of_clip = |(clip, readings): (&Clip, &Readings)| {
            let predicted = blinks(
                &readings.mesh,
                rule,
                seconds::duration(settings.long_closure_s),
            );
            Score::of_clip(&predicted, &clip.truth)
        };
        let scores: Vec<Score> = clips.iter().zip(found).map(of_clip).collect();
        Score::total(&scores)
    };
    let of_clip =
        |(clip, readings): (&Clip, &Readings)| score(&readings.parseye, &clip.truth, &settings);
    let parseye: Vec<Score> = clips.iter().zip(found).map(of_clip).collect();
    let mut mesh: Vec<Score> = RULES.iter().map(|(_, rule)| mesh_score(*rule)).collect();
    let scored = thresholds().map(|threshold| (threshold, mesh_score(Rule::Fixed(threshold))));
    let best = scored.max_by(|(_, a), (_, b)| f1(a).total_cmp(&f1(b)));
    let (best, best_score) = best.unwrap_or((USUAL, Score::default()));
    mesh.push(best_score);
    let share = |faces: usize, frames: usize| faces as f64 / frames.max(1) as f64;
    let frames = found.iter().map(|readings| readings.mesh.len()).sum();
    let of_parseye = found.iter().flat_map(|readings| &readings.parseye);
    let of_mesh = found.iter().flat_map(|readings| &readings.mesh);
    Row {
        degradation,
        parseye: Score::total(&parseye),
        mesh,
        best,
        faces: [
            share(
                of_parseye.filter(|reading| reading.face.is_some()).count(),
                frames,
            ),
            share(
                of_mesh.filter(|reading| reading.ratio.is_some()).count(),
                frames,
            ),
        ],
    }
}

/// F1 of a score, 0 without any blink.
pub fn f1(score: &Score) -> f64 {
    score.f1.unwrap_or(0.0)
}

/// Prints the table and draws it.
pub fn run(clips: &[Clip], model: &EyeStateModel, plot: &Path) -> anyhow::Result<()> {
    let settings = TemporalSettings::default();
    print_line(&format!(
        "blink F1 of Parseye ({}) on {} clips, and by FaceMesh's eye-aspect ratio on the same frames",
        model.card().name,
        clips.len()
    ))?;
    print_line(&format!(
        "a closure of {} s or more is no blink for either; `best` is the threshold of 0.10 to 0.30 that fits each row's truth best",
        settings.long_closure_s
    ))?;
    print_line(
        "degradation                    Parseye  below 0.21  adaptive   best  (at)   face: Parseye  FaceMesh",
    )?;
    let mut rows = Vec::new();
    for degradation in degrade::steps() {
        let found = each(clips, |clip| {
            readings(clip, model, degradation).with_context(|| clip.name.clone())
        })?;
        let row = row(clips, &found, degradation);
        let [usual, adaptive, best] = row.mesh.as_slice() else {
            continue;
        };
        print_line(&format!(
            "{:30} {:7.3} {:11.3} {:9.3} {:6.3} {:5.2} {:13.1} % {:7.1} %",
            degradation.to_string(),
            f1(&row.parseye),
            f1(usual),
            f1(adaptive),
            f1(best),
            row.best,
            100.0 * row.faces[0],
            100.0 * row.faces[1]
        ))?;
        rows.push(row);
    }
    let behind: Vec<String> = rows
        .iter()
        .filter(|row| row.mesh.iter().any(|mesh| f1(mesh) > f1(&row.parseye)))
        .map(|row| row.degradation.to_string())
        .collect();
    print_line(&format!(
        "behind FaceMesh by any rule in {} of {} rows: {}",
        behind.len(),
        rows.len(),
        behind.join("; ")
    ))?;
    blinks_plot::draw(&rows, plot)
}
