//! A panel of values over time: from the minimum to the maximum of each column, and their mean.

use super::{
    Drawn, TimelinePlot,
    layout::{LEFT, PANEL, RIGHT, SMALL, SOFT, SPACE},
};
use crate::session::timeline::{Column, Spread};
use parseye_plot::{GREY, PALETTE};
use plotters::{prelude::*, style::text_anchor::HPos};
use std::ops::Range;

/// What a panel shows.
pub(super) struct Panel<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a str,
    pub(super) range: Range<f64>,
    pub(super) ticks: &'a [f64],
    pub(super) text: &'a dyn Fn(f64) -> String,
    /// A value that is marked by a dashed line.
    pub(super) threshold: Option<f64>,
}

impl TimelinePlot<'_, '_> {
    /// Draws a panel; `values` returns the values of a column with their colours.
    pub(super) fn panel(
        &mut self,
        panel: &Panel<'_>,
        values: &dyn Fn(&Column) -> Vec<(Spread, RGBColor)>,
    ) -> Drawn {
        let (top, bottom) = (self.y, self.y + PANEL);
        let y = |value: f64| {
            let share = (value - panel.range.start) / (panel.range.end - panel.range.start);
            bottom - (f64::from(PANEL) * share.clamp(0.0, 1.0)).round() as i32
        };
        let name = (16, top + PANEL / 2 - 9);
        self.text(panel.name, name, SMALL, BLACK, HPos::Left)?;
        if !panel.unit.is_empty() {
            for (line, text) in wrapped(panel.unit).into_iter().enumerate() {
                let at = (16, top + PANEL / 2 + 7 + 14 * line as i32);
                self.text(&text, at, SMALL - 2, SOFT, HPos::Left)?;
            }
        }
        for tick in panel.ticks {
            let text = (panel.text)(*tick);
            self.text(&text, (LEFT - 8, y(*tick)), SMALL - 1, BLACK, HPos::Right)?;
            let line = vec![(LEFT, y(*tick)), (RIGHT, y(*tick))];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.10)))?;
        }
        if let Some(threshold) = panel.threshold.filter(|it| panel.range.contains(it)) {
            let mut x = LEFT;
            while x < RIGHT {
                let dash = vec![(x, y(threshold)), ((x + 6).min(RIGHT), y(threshold))];
                self.canvas
                    .draw(&PathElement::new(dash, PALETTE[1].stroke_width(1)))?;
                x += 12;
            }
        }
        let corners = [(LEFT, top), (RIGHT, bottom)];
        self.canvas
            .draw(&Rectangle::new(corners, GREY.stroke_width(1)))?;
        let series = self
            .timeline
            .columns()
            .first()
            .map_or(0, |column| values(column).len());
        for index in 0..series {
            self.line(index, values, &y)?;
        }
        self.y = bottom + SPACE;
        Ok(())
    }

    /// Draws one series; its line ends where a column has no value.
    fn line(
        &self,
        series: usize,
        values: &dyn Fn(&Column) -> Vec<(Spread, RGBColor)>,
        y: &dyn Fn(f64) -> i32,
    ) -> Drawn {
        const ENVELOPE: f64 = 0.2;
        let mut lower = Vec::new();
        let mut upper = Vec::new();
        let mut mean = Vec::new();
        let mut colour = BLACK;
        let columns = self.timeline.columns();
        for index in 0..=columns.len() {
            let found = columns.get(index).and_then(|column| {
                let (spread, its_colour) = *values(column).get(series)?;
                colour = its_colour;
                spread.values()
            });
            if let Some([low, middle, high]) = found {
                let across = self.pixels(index);
                for x in [across.start, across.end] {
                    lower.push((x, y(low)));
                    upper.push((x, y(high)));
                    mean.push((x, y(middle)));
                }
                continue;
            }
            if mean.is_empty() {
                continue;
            }
            if lower != upper {
                let outline: Vec<(i32, i32)> =
                    lower.drain(..).chain(upper.drain(..).rev()).collect();
                self.canvas
                    .draw(&Polygon::new(outline, colour.mix(ENVELOPE)))?;
            }
            lower.clear();
            upper.clear();
            let line = PathElement::new(std::mem::take(&mut mean), colour.stroke_width(1));
            self.canvas.draw(&line)?;
        }
        Ok(())
    }
}

/// Wraps text to two lines at most.
fn wrapped(text: &str) -> Vec<String> {
    const LINE: usize = 11;
    match text
        .char_indices()
        .filter(|(_, c)| *c == ' ')
        .map(|(at, _)| at)
        .rfind(|at| *at <= LINE)
    {
        Some(at) if text.len() > LINE => vec![text[..at].into(), text[at + 1..].into()],
        _ => vec![text.into()],
    }
}
