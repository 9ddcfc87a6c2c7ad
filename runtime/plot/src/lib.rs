//! What all plots of Parseye share: an SVG canvas, text styles, colours that the colour-blind can
//! distinguish, and PNG made of the same SVG. What is plotted is left to the callers.

pub mod raster;

pub use raster::{NoFont, Rasterizer};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Colours that the colour-blind can distinguish: Okabe and Ito, "Color universal design" (2008),
/// without yellow, which is too light for lines.
pub const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// Colour of text and lines of less importance.
pub const GREY: RGBColor = RGBColor(140, 140, 140);

/// Font family of all text; every viewer of SVG has one of this name.
pub const FONT: &str = "sans-serif";

/// Size of ordinary text in pixels.
pub const TEXT_SIZE: i32 = 15;

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}; please report this with the data that was to be plotted")]
pub struct PlotError(pub String);

/// An SVG canvas to draw on.
pub type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on a white canvas of this size in pixels and returns the SVG.
///
/// # Errors
/// When `draw` or the plotting library fails, which it does on no data that Parseye gives it.
pub fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)
            .map_err(|error| PlotError(error.to_string()))?;
        draw(&area).map_err(|error| PlotError(error.to_string()))?;
        area.present()
            .map_err(|error| PlotError(error.to_string()))?;
    }
    Ok(text)
}

/// Returns a text style of this size in pixels and this colour; `at` says which point of the text its
/// position is.
pub fn letters(size: i32, colour: RGBColor, at: (HPos, VPos)) -> TextStyle<'static> {
    TextStyle {
        font: (FONT, size).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(at.0, at.1),
    }
}
