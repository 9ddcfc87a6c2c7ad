//! Draws a session over time: both eyes' states as bands, marks for blinks, long closures and
//! alerts, then P(closed), PERCLOS, confidence and, where it was measured, camera SNR.
//!
//! A column of pixels shows all that its time holds: states as shares of its height, values from the
//! minimum to the maximum with their mean as a line. States differ by lightness and by their place in
//! the band besides colours, so that the plot can be read in gray and by the colour-blind.
//!
//! # Layout
//! [`layout`] holds all sizes and colours; the rest draws from top to bottom: [`heading`], [`bands`],
//! [`marks`], [`panels`], [`time_axis`].

mod bands;
mod heading;
mod layout;
mod marks;
mod panel;
mod panels;
mod time_axis;

use super::{
    statistics::SessionStatistics,
    timeline::{SpanKind, Timeline},
};
use layout::{AXIS, BAND, BLINK_ROW, DATA, HEADING, LEFT, PANEL, SPACE, SPAN_ROW, WIDTH};
use parseye_plot::{Canvas, PlotError, letters, svg};
use parseye_vision::{
    eye_state::Eye,
    temporal::{Laterality, TemporalSettings},
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::ops::Range;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws a session as SVG.
///
/// # Errors
/// When the plotting library fails, which it does on no session.
pub(super) fn draw(
    statistics: &SessionStatistics,
    timeline: &Timeline,
    settings: &TemporalSettings,
) -> Result<String, PlotError> {
    let has_snr = timeline.columns().iter().any(|column| {
        Eye::ALL
            .iter()
            .any(|eye| column.camera_snr.get(*eye).values().is_some())
    });
    let marks = BLINK_ROW * Laterality::ALL.len() as i32 + SPAN_ROW * SpanKind::ALL.len() as i32;
    let panels = if has_snr { 4 } else { 3 };
    let height = HEADING + 2 * (BAND + 6) + SPACE + marks + SPACE + panels * (PANEL + SPACE) + AXIS;
    svg((WIDTH as u32, height as u32), |canvas| {
        let mut plot = TimelinePlot {
            canvas,
            timeline,
            y: HEADING,
        };
        plot.heading(statistics)?;
        plot.grid(HEADING..height - AXIS)?;
        for eye in Eye::ALL {
            plot.band(eye)?;
        }
        plot.y += SPACE;
        plot.blinks()?;
        plot.spans()?;
        plot.y += SPACE;
        plot.panels(settings, has_snr)?;
        plot.axis()
    })
}

/// A plot that is being drawn from top to bottom.
struct TimelinePlot<'a, 'b> {
    canvas: &'a Canvas<'b>,
    timeline: &'a Timeline,
    /// Where the next row begins, in pixels.
    y: i32,
}

impl TimelinePlot<'_, '_> {
    /// Returns the pixel of a time in seconds of the session.
    fn x(&self, time: f64) -> i32 {
        let length = self.timeline.length().max(f64::MIN_POSITIVE);
        LEFT + (f64::from(DATA) * (time / length).clamp(0.0, 1.0)).round() as i32
    }

    /// Returns the pixels of a column, at least one.
    fn pixels(&self, index: usize) -> Range<i32> {
        let width = self.timeline.width();
        let begin = self.x(index as f64 * width);
        let end = self.x((index + 1) as f64 * width);
        begin..end.max(begin + 1)
    }

    fn text(&self, text: &str, at: (i32, i32), size: i32, colour: RGBColor, how: HPos) -> Drawn {
        let style = letters(size, colour, (how, VPos::Center));
        Ok(self.canvas.draw(&Text::new(text.to_owned(), at, style))?)
    }

    fn fill(&self, x: Range<i32>, y: Range<i32>, colour: RGBColor) -> Drawn {
        let corners = [(x.start, y.start), (x.end, y.end)];
        Ok(self
            .canvas
            .draw(&Rectangle::new(corners, colour.filled()))?)
    }
}
