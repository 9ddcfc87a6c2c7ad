//! Looking down, closing and opening as the model sees them: P(closed), P(looking down) and openness over time, with
//! what is confirmed of each clip behind them, as one plot.

use super::scored_clips::Clip;
use anyhow::Context;
use parseye_capture::open_recording;
use parseye_plot::{Canvas, GREY, PALETTE, TEXT_SIZE, letters, svg};
use parseye_vision::{
    classify::EyeStateModel,
    evaluate::truth::TruthKind,
    eye_monitor::{EyeMonitor, VisionSettings},
    eye_state::EyeState,
    reading::EyeReading,
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::path::Path;

/// Somebody who looks down and up again, a long closure that follows on looking down, and one that does not.
const CLIPS: [(&str, &str); 3] = [
    ("clips-wild", "skyreels_2_lookdown"),
    ("clips-wild", "pyfeat_wolfganglanger_gray"),
    ("clips", "liveportrait_d14"),
];

const SIZE: (u32, u32) = (1080, 860);
const LEGEND_HEIGHT: u32 = 44;

/// One moment of a clip: means of both eyes.
struct Moment {
    time: f64,
    /// P(closed), P(looking down), openness; `None` where no eye was measured.
    values: [Option<f64>; 3],
    uncertain: bool,
}

const LINES: [&str; 3] = ["P(closed)", "P(looking down)", "openness"];

/// What is confirmed: which kinds, their colour and name.
const BANDS: [(&[TruthKind], RGBColor, &str); 3] = [
    (
        &[TruthKind::Blink, TruthKind::LongClosure],
        RGBColor(190, 205, 230),
        "closed, by eye",
    ),
    (
        &[TruthKind::GazeDown],
        RGBColor(250, 225, 180),
        "looking down, by eye",
    ),
    (
        &[TruthKind::Uncertain],
        RGBColor(228, 228, 228),
        "not to be told by eye",
    ),
];

/// Writes the plot of three clips of DATA.
pub fn run(data: &Path, model: &EyeStateModel, plot: &Path) -> anyhow::Result<()> {
    let mut traces = Vec::new();
    for (folder, name) in CLIPS {
        let clips = Clip::all(&data.join(folder))?;
        let clip = clips.into_iter().find(|clip| clip.name == name);
        let clip = clip.with_context(|| format!("{}: has no clip {name}", data.display()))?;
        let moments = moments(&clip, model)?;
        traces.push((clip, moments));
    }
    let text = svg(SIZE, |area| {
        let (top, panels) = area.split_vertically(LEGEND_HEIGHT);
        legend(&top)?;
        for ((clip, moments), area) in traces.iter().zip(panels.split_evenly((CLIPS.len(), 1))) {
            panel(&area, clip, moments)?;
        }
        Ok(())
    })?;
    std::fs::write(plot, text).with_context(|| format!("{}: cannot be written", plot.display()))
}

fn moments(clip: &Clip, model: &EyeStateModel) -> anyhow::Result<Vec<Moment>> {
    let mut monitor = EyeMonitor::new(&VisionSettings::default(), model)?;
    let mut source = open_recording(&clip.path, 30.0)?;
    let mut moments = Vec::new();
    while let Some(frame) = source.next_frame()? {
        let result = monitor.process(&frame)?;
        let eyes = &result.reading.eyes;
        let mean = |value: &dyn Fn(&EyeReading) -> Option<f32>| {
            let known: Vec<f32> = [&eyes.left, &eyes.right]
                .into_iter()
                .filter_map(value)
                .collect();
            (!known.is_empty()).then(|| f64::from(known.iter().sum::<f32>()) / known.len() as f64)
        };
        moments.push(Moment {
            time: result.reading.time.as_secs_f64(),
            values: [
                mean(&|eye| eye.probability(EyeState::Closed)),
                mean(&|eye| Some(eye.lids()?.looking_down)),
                mean(&|eye| Some(eye.lids()?.openness)),
            ],
            uncertain: result.update.uncertain,
        });
    }
    Ok(moments)
}

fn legend(area: &Canvas<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let style = letters(TEXT_SIZE, BLACK, (HPos::Left, VPos::Center));
    let mut x = 20;
    let mut entry = |name: &str, colour: RGBColor| {
        area.draw(&Rectangle::new([(x, 14), (x + 22, 30)], colour.filled()))?;
        area.draw_text(name, &style, (x + 28, 22))?;
        x += 44 + 7 * name.len() as i32;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    for (name, colour) in LINES.into_iter().zip(PALETTE) {
        entry(name, colour)?;
    }
    for (_, colour, name) in BANDS {
        entry(name, colour)?;
    }
    entry("said uncertain", BLACK)
}

fn panel(
    area: &Canvas<'_>,
    clip: &Clip,
    moments: &[Moment],
) -> Result<(), Box<dyn std::error::Error>> {
    let end = moments.last().map_or(1.0, |last| last.time);
    let mut chart = ChartBuilder::on(area)
        .caption(
            &clip.name,
            letters(TEXT_SIZE, BLACK, (HPos::Center, VPos::Top)),
        )
        .margin(8)
        .margin_right(18)
        .x_label_area_size(26)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..end, 0.0..1.05)?;
    let at = |frame: u64| {
        let moment = usize::try_from(frame).ok().and_then(|at| moments.get(at));
        moment.map_or(end, |moment| moment.time)
    };
    for (kinds, colour, _) in BANDS {
        let ranges = kinds.iter().flat_map(|kind| clip.truth.of(*kind));
        let bands = ranges.map(|range| {
            let (first, last) = (at(range.first), at(range.last.saturating_add(1)));
            Rectangle::new([(first, 0.0), (last, 1.0)], colour.filled())
        });
        chart.draw_series(bands)?;
    }
    let small = letters(TEXT_SIZE - 2, GREY, (HPos::Center, VPos::Top));
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .x_labels(12)
        .y_labels(5)
        .x_label_formatter(&|time| format!("{time:.0} s"))
        .y_label_formatter(&|share| format!("{share:.1}"))
        .label_style(small)
        .draw()?;
    for (line, colour) in PALETTE.iter().enumerate().take(LINES.len()) {
        // A line ends where no eye was measured.
        for part in moments.split(|moment| moment.values[line].is_none()) {
            let points = part
                .iter()
                .filter_map(|moment| Some((moment.time, moment.values[line]?)));
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        }
    }
    let said = moments.windows(2).filter(|pair| pair[0].uncertain);
    let marks = said
        .map(|pair| Rectangle::new([(pair[0].time, 1.02), (pair[1].time, 1.05)], BLACK.filled()));
    chart.draw_series(marks)?;
    Ok(())
}
