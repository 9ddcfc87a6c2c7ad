//! Parseye and FaceMesh against each degradation's five steps: one chart for each kind.

use super::{
    blinks::{RULES, Row, f1},
    degrade::Degradation,
};
use anyhow::Context;
use parseye_plot::{Canvas, PALETTE, TEXT_SIZE, letters, svg};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::path::Path;

const SIZE: (u32, u32) = (1080, 700);
const LEGEND_HEIGHT: u32 = 40;
const COLUMNS: usize = 3;

/// A kind of degradation: its name, and the label of a row that belongs to it.
struct Kind {
    name: &'static str,
    level: fn(Degradation) -> Option<String>,
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "Gaussian noise, gray levels",
        level: |degradation| match degradation {
            Degradation::Noise(sigma) => Some(sigma.to_string()),
            _ => None,
        },
    },
    Kind {
        name: "shot noise, electrons a gray level",
        level: |degradation| match degradation {
            Degradation::Shot(electrons) => Some(electrons.to_string()),
            _ => None,
        },
    },
    Kind {
        name: "share of the light, with noise of 4",
        level: |degradation| match degradation {
            Degradation::Light(share) => Some(share.to_string()),
            _ => None,
        },
    },
    Kind {
        name: "blur, sigma in pixels",
        level: |degradation| match degradation {
            Degradation::Blur(sigma) => Some(sigma.to_string()),
            _ => None,
        },
    },
    Kind {
        name: "quality of JPEG",
        level: |degradation| match degradation {
            Degradation::Jpeg(quality) => Some(quality.to_string()),
            _ => None,
        },
    },
    Kind {
        name: "lines",
        level: |degradation| match degradation {
            Degradation::Lines(lines) => Some(lines.to_string()),
            _ => None,
        },
    },
];

/// F1 of Parseye and of each rule, in the order of the legend.
fn f1_of_each(row: &Row) -> Vec<f64> {
    std::iter::once(&row.parseye)
        .chain(&row.mesh)
        .map(f1)
        .collect()
}

fn panel(area: &Canvas<'_>, kind: &Kind, rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let clean = rows.iter().find(|row| row.degradation == Degradation::None);
    let mut texts = vec!["none".to_owned()];
    let mut steps: Vec<&Row> = clean.into_iter().collect();
    for row in rows {
        if let Some(text) = (kind.level)(row.degradation) {
            texts.push(text);
            steps.push(row);
        }
    }
    let most = texts.len() as f64 - 1.0;
    let title = letters(TEXT_SIZE, BLACK, (HPos::Center, VPos::Top));
    let small = letters(TEXT_SIZE - 2, BLACK, (HPos::Center, VPos::Top));
    let mut chart = ChartBuilder::on(area)
        .caption(kind.name, title)
        .margin(8)
        .margin_right(18)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(-0.2..most + 0.2, 0.0..1.02)?;
    let text = |at: &f64| {
        let whole = (at - at.round()).abs() < 0.01;
        let place = at.round().max(0.0) as usize;
        let text = texts.get(place).filter(|_| whole);
        text.cloned().unwrap_or_default()
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .x_labels(texts.len() * 2)
        .y_labels(6)
        .x_label_formatter(&text)
        .y_label_formatter(&|at| format!("{at:.1}"))
        .label_style(small)
        .draw()?;
    for (index, colour) in PALETTE.iter().enumerate().take(RULES.len() + 2) {
        let points: Vec<(f64, f64)> = steps
            .iter()
            .enumerate()
            .filter_map(|(at, row)| Some((at as f64, *f1_of_each(row).get(index)?)))
            .collect();
        let width = if index == 0 { 3 } else { 2 };
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(width)))?;
        chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
    }
    Ok(())
}

/// Writes the charts as SVG.
pub fn draw(rows: &[Row], path: &Path) -> anyhow::Result<()> {
    let text = svg(SIZE, |area| {
        let (legend, charts) = area.split_vertically(LEGEND_HEIGHT);
        let names = RULES.map(|(name, _)| format!("FaceMesh, ratio {name}"));
        let names = std::iter::once("Parseye".to_owned())
            .chain(names)
            .chain(["FaceMesh, best threshold in hindsight".to_owned()]);
        let mut x = 20;
        for (name, colour) in names.zip(PALETTE) {
            legend.draw(&Circle::new((x, 20), 5, colour.filled()))?;
            let style = letters(TEXT_SIZE, BLACK, (HPos::Left, VPos::Center));
            legend.draw_text(&name, &style, (x + 12, 20))?;
            x += 50 + 8 * name.len() as i32;
        }
        let areas = charts.split_evenly((KINDS.len() / COLUMNS, COLUMNS));
        for (kind, area) in KINDS.iter().zip(&areas) {
            panel(area, kind, rows)?;
        }
        Ok(())
    })?;
    std::fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}
