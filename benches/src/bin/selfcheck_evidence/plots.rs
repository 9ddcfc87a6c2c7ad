//! The plots of the evidence, with the canvas, letters and colours of parseye-plot.

use parseye_plot::{Canvas, GREY, PALETTE, TEXT_SIZE, letters, svg};
use plotters::{
    coord::types::RangedCoordf64,
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Across, up, and which colour.
pub type Point = (f64, f64, usize);

/// One of several charts of the same axes.
pub struct Panel {
    pub title: String,
    /// The largest error allowed, marked by lines.
    pub limit: f64,
    pub points: Vec<Point>,
}

/// An axis.
struct Axis {
    label: &'static str,
    range: std::ops::Range<f64>,
    ticks: usize,
    text: fn(&f64) -> String,
}

/// Axes, a grid, and room for a heading of one line.
fn chart<'a, 'b>(
    area: &'a Canvas<'b>,
    title: &str,
    x: &Axis,
    y: &Axis,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(
            title,
            letters(TEXT_SIZE + 1, BLACK, (HPos::Center, VPos::Top)),
        )
        .margin(10)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(x.range.clone(), y.range.clone())?;
    let small = letters(TEXT_SIZE - 2, BLACK, (HPos::Center, VPos::Top));
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc(x.label)
        .y_desc(y.label)
        .x_labels(x.ticks)
        .y_labels(y.ticks)
        .x_label_formatter(&x.text)
        .y_label_formatter(&y.text)
        .label_style(small.clone())
        .axis_desc_style(small)
        .draw()?;
    Ok(chart)
}

/// What each colour means, in the top left corner.
fn legend(area: &Canvas<'_>, names: &[&str], at: (i32, i32)) -> Drawn {
    for (index, name) in names.iter().enumerate() {
        let y = at.1 + 20 * index as i32;
        area.draw(&Circle::new((at.0, y), 4, PALETTE[index].filled()))?;
        let style = letters(TEXT_SIZE - 2, BLACK, (HPos::Left, VPos::Center));
        area.draw_text(name, &style, (at.0 + 10, y))?;
    }
    Ok(())
}

fn scatter(chart: &mut Chart<'_, '_>, points: &[Point], opacity: f64) -> Drawn {
    let circles = points
        .iter()
        .map(|(x, y, colour)| Circle::new((*x, *y), 3, PALETTE[*colour].mix(opacity).filled()));
    chart.draw_series(circles)?;
    Ok(())
}

fn line(chart: &mut Chart<'_, '_>, points: &[(f64, f64)]) -> Drawn {
    chart.draw_series(DashedLineSeries::new(
        points.iter().copied(),
        5,
        4,
        GREY.stroke_width(1),
    ))?;
    Ok(())
}

/// Errors of the camera SNR over the true one: held frames and running clips. Errors beyond the axis
/// stand on its edge.
pub fn camera_snr(panels: &[Panel]) -> anyhow::Result<String> {
    const MOST: f64 = 6.0;
    let whole = |v: &f64| format!("{v:.0}");
    let x = Axis {
        label: "true camera SNR in dB",
        range: 10.0..50.0,
        ticks: 5,
        text: whole,
    };
    let y = Axis {
        label: "measured less true in dB",
        range: -MOST..MOST,
        ticks: 7,
        text: whole,
    };
    Ok(svg((900, 700), |area| {
        for (panel, cell) in panels.iter().zip(area.split_evenly((2, 2))) {
            let mut chart = chart(&cell, &panel.title, &x, &y)?;
            for level in [-panel.limit, 0.0, panel.limit] {
                line(&mut chart, &[(x.range.start, level), (x.range.end, level)])?;
            }
            let points: Vec<Point> = panel
                .points
                .iter()
                .map(|(x, y, held)| (*x, y.clamp(-MOST, MOST), *held))
                .collect();
            scatter(&mut chart, &points, 0.55)?;
            legend(&cell, &["running clip", "frame held"], (84, 50))?;
        }
        Ok(())
    })?)
}

/// First-order and drawn flip probabilities with the identity; the colours are ranges of the SNR.
pub fn calibration(points: &[Point], names: &[&str]) -> anyhow::Result<String> {
    let tenths = |v: &f64| format!("{v:.1}");
    let x = Axis {
        label: "flip probability, first order",
        range: 0.0..1.0,
        ticks: 6,
        text: tenths,
    };
    let y = Axis {
        label: "share of 1000 draws that flipped",
        range: 0.0..1.0,
        ticks: 6,
        text: tenths,
    };
    Ok(svg((560, 520), |area| {
        let mut chart = chart(
            area,
            "First-order flip probability against draws of noise",
            &x,
            &y,
        )?;
        line(&mut chart, &[(0.0, 0.0), (1.0, 1.0)])?;
        scatter(&mut chart, points, 0.7)?;
        legend(area, names, (420, 400))
    })?)
}

/// Changed predictions over the measured headroom.
pub fn headroom(points: &[(f64, f64)]) -> anyhow::Result<String> {
    const ENDS: (f64, f64) = (-20.0, 40.0);
    let whole = |v: &f64| format!("{v:.0}");
    let x = Axis {
        label: "headroom in dB (median over the clip's checks)",
        range: ENDS.0..ENDS.1,
        ticks: 7,
        text: whole,
    };
    let y = Axis {
        label: "share of changed predictions",
        range: 0.0..1.0,
        ticks: 6,
        text: |v| format!("{v:.1}"),
    };
    Ok(svg((700, 420), |area| {
        let mut chart = chart(area, "Predictions that noise changed, by headroom", &x, &y)?;
        line(&mut chart, &[(0.0, 0.0), (0.0, 1.0)])?;
        let points: Vec<Point> = points
            .iter()
            .map(|(x, y)| (x.clamp(ENDS.0, ENDS.1), *y, 0))
            .collect();
        scatter(&mut chart, &points, 0.6)
    })?)
}
