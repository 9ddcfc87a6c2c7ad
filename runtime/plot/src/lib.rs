//! What all drawings share: the canvas, letters, colours that the colour-blind can tell apart, and
//! PNG made of the very same SVG. What is drawn is its owner's.

pub mod raster;

pub use raster::{NoFont, Rasterizer};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Colours that the colour-blind can tell apart: Okabe and Ito, "Color universal design" (2008),
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

/// Words and lines that stand back.
pub const GREY: RGBColor = RGBColor(140, 140, 140);

/// The family of all letters; whoever shows an SVG has one.
pub const FONT: &str = "sans-serif";

/// Size of usual text in pixels.
pub const TEXT_SIZE: i32 = 15;

/// Why a drawing failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}; please report this with what was to be drawn")]
pub struct PlotError(pub String);

/// A canvas to draw on.
pub type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Runs a drawing on a white SVG canvas of this size in pixels.
///
/// # Errors
/// When the library fails, which it does on no data that Parseye gives it.
pub fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    let failed = |reason: String| PlotError(reason);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)
            .map_err(|error| failed(error.to_string()))?;
        draw(&area).map_err(|error| failed(error.to_string()))?;
        area.present().map_err(|error| failed(error.to_string()))?;
    }
    Ok(text)
}

/// Text in this size and colour, set off its place as `at` says.
pub fn letters(size: i32, colour: RGBColor, at: (HPos, VPos)) -> TextStyle<'static> {
    TextStyle {
        font: (FONT, size).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(at.0, at.1),
    }
}
