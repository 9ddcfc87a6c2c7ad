//! A whole frame at 640x480, tracking, both eyes, one core: Parseye and FaceMesh frame by frame in turns.

use super::{
    blinks::{RULES, f1},
    clips::print_line,
    face_mesh::{FaceMesh, blinks},
    scored_clips::{Clip, score},
};
use image::{RgbImage, imageops};
use parseye_benches::statistics::quantile;
use parseye_capture::open_recording;
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::score::Score,
    eye_monitor::{EyeMonitor, VisionSettings},
    frame::Frame,
    seconds,
    temporal::TemporalSettings,
};
use std::time::Instant;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Frames of a clip that are not timed: both find the face and fill their caches.
const WARMING: usize = 30;

/// With bars rather than stretched or cut: the whole frame stays visible.
fn fitted(rgb: &RgbImage) -> RgbImage {
    let scale = (f64::from(WIDTH) / f64::from(rgb.width()))
        .min(f64::from(HEIGHT) / f64::from(rgb.height()));
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let (width, height) = (scaled(rgb.width()), scaled(rgb.height()));
    let small = imageops::resize(rgb, width, height, imageops::FilterType::Triangle);
    let mut frame = RgbImage::new(WIDTH, HEIGHT);
    let (x, y) = ((WIDTH - width) / 2, (HEIGHT - height) / 2);
    imageops::replace(&mut frame, &small, x.into(), y.into());
    frame
}

/// Prints medians and 99th percentiles, and the blinks that both find on these frames.
pub fn run(clips: &[Clip], model: &EyeStateModel) -> anyhow::Result<()> {
    let settings = TemporalSettings::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut locating, mut our_scores) = (Vec::new(), Vec::new());
    let mut their_scores = vec![Vec::new(); RULES.len()];
    for clip in clips {
        let mut monitor = EyeMonitor::new(&VisionSettings::default(), model)?;
        let mut mesh = FaceMesh::start()?;
        let mut source = open_recording(&clip.path, 30.0)?;
        let (mut readings, mut ratios) = (Vec::new(), Vec::new());
        while let Some(frame) = source.next_frame()? {
            let rgb = fitted(&frame.rgb);
            let begin = Instant::now();
            let frame = Frame::from_rgb(frame.sequence, frame.time, rgb);
            let result = monitor.process(&frame)?;
            let taken = 1000.0 * begin.elapsed().as_secs_f64();
            let reading = mesh.process(&frame)?;
            if readings.len() >= WARMING {
                ours.push(taken);
                theirs.push(reading.milliseconds);
                locating.push(1000.0 * result.times.locate.as_secs_f64());
            }
            readings.push(result.reading);
            ratios.push(reading);
        }
        our_scores.push(score(&readings, &clip.truth, &settings));
        for ((_, rule), scores) in RULES.iter().zip(&mut their_scores) {
            let predicted = blinks(&ratios, *rule, seconds::duration(settings.long_closure_s));
            scores.push(Score::of_clip(&predicted, &clip.truth));
        }
    }
    let frames = ours.len();
    let (our_median, our_p99) = median_and_p99(&mut ours);
    let (their_median, their_p99) = median_and_p99(&mut theirs);
    let (locate_median, _) = median_and_p99(&mut locating);
    let mesh: Vec<String> = RULES
        .iter()
        .zip(&their_scores)
        .map(|((name, _), scores)| format!("{:.3} ({name})", f1(&Score::total(scores))))
        .collect();
    print_line(&format!(
        "milliseconds a frame of {WIDTH}x{HEIGHT}, {frames} frames of {} clips, decoding left out",
        clips.len()
    ))?;
    print_line("                      median     p99   blink F1")?;
    let our_f1 = f1(&Score::total(&our_scores));
    print_line(&format!(
        "Parseye               {our_median:6.2} {our_p99:7.2}   {our_f1:.3}"
    ))?;
    print_line(&format!("  of it the detector  {locate_median:6.2}"))?;
    print_line(&format!(
        "FaceMesh              {their_median:6.2} {their_p99:7.2}   {}",
        mesh.join(", ")
    ))?;
    print_line(&format!(
        "Parseye/FaceMesh      {:6.2} {:7.2}",
        our_median / their_median,
        our_p99 / their_p99
    ))
}

fn median_and_p99(times: &mut [f64]) -> (f64, f64) {
    (quantile(times, 0.5), quantile(times, 0.99))
}
