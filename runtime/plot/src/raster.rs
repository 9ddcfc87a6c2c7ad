//! Renders SVG to PNG, with the fonts of this system.

use super::PlotError;
use resvg::{
    tiny_skia,
    usvg::{self, fontdb},
};
use std::sync::Arc;

/// Pixels of a PNG for each one of the SVG: sharp on dense screens and in print.
pub const ZOOM: u32 = 2;

/// Fonts that are readable in plots; the first one installed is used, any other where none is.
const FONTS: [&str; 6] = [
    "DejaVu Sans",
    "Liberation Sans",
    "Noto Sans",
    "Arial",
    "Helvetica",
    "Segoe UI",
];

/// Renders SVG to pixels.
#[derive(Debug)]
pub struct Rasterizer {
    options: usvg::Options<'static>,
}

/// No font is installed, so that a PNG would have no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this system has no font to write the labels with; install one (Debian: fonts-dejavu-core)"
)]
pub struct NoFont;

impl Rasterizer {
    /// Creates a rasterizer with the fonts of this system.
    ///
    /// # Errors
    /// When none is installed.
    pub fn new() -> Result<Self, NoFont> {
        let mut fonts = fontdb::Database::new();
        fonts.load_system_fonts();
        Self::with_fonts(fonts)
    }

    /// Creates a rasterizer with these fonts.
    ///
    /// # Errors
    /// When there is none.
    pub fn with_fonts(mut fonts: fontdb::Database) -> Result<Self, NoFont> {
        let families: Vec<String> = fonts
            .faces()
            .filter_map(|face| face.families.first().map(|(name, _)| name.clone()))
            .collect();
        let known = FONTS
            .iter()
            .find(|font| families.iter().any(|name| name == *font));
        let chosen = known
            .map(|font| (*font).to_owned())
            .or_else(|| families.first().cloned())
            .ok_or(NoFont)?;
        fonts.set_sans_serif_family(&chosen);
        Ok(Self {
            options: usvg::Options {
                font_family: chosen,
                fontdb: Arc::new(fonts),
                ..usvg::Options::default()
            },
        })
    }

    /// Renders an SVG to pixels, [`ZOOM`] times as many as it has along each side.
    ///
    /// # Errors
    /// When it is no SVG, or has no size or too large a one.
    pub fn render(&self, svg: &str) -> Result<tiny_skia::Pixmap, PlotError> {
        let tree = usvg::Tree::from_str(svg, &self.options)
            .map_err(|error| PlotError(error.to_string()))?;
        let size = tree.size().to_int_size().scale_by(ZOOM as f32);
        let size = size.ok_or_else(|| PlotError("the SVG has no size".into()))?;
        let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
            .ok_or_else(|| PlotError("the SVG is too large".into()))?;
        let zoom = tiny_skia::Transform::from_scale(ZOOM as f32, ZOOM as f32);
        resvg::render(&tree, zoom, &mut pixels.as_mut());
        Ok(pixels)
    }

    /// Renders an SVG to the bytes of a PNG file.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn png(&self, svg: &str) -> Result<Vec<u8>, PlotError> {
        self.render(svg)?
            .encode_png()
            .map_err(|error| PlotError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_test_needs::needs;

    const SVG: &str = r#"<svg width="60" height="30" viewBox="0 0 60 30" xmlns="http://www.w3.org/2000/svg"><text x="2" y="20" font-family="sans-serif" font-size="18">eye</text></svg>"#;

    #[test]
    fn without_fonts_there_is_a_reason() {
        let error = Rasterizer::with_fonts(fontdb::Database::new()).unwrap_err();
        assert!(error.to_string().contains("install one"));
    }

    #[needs(font)]
    #[test]
    fn with_fonts_the_labels_are_in_the_png() {
        let rasterizer = Rasterizer::new().unwrap();
        let png = image::load_from_memory(&rasterizer.png(SVG).unwrap())
            .unwrap()
            .to_rgba8();
        assert_eq!(png.dimensions(), (120, 60));
        assert!(
            png.pixels().any(|pixel| pixel.0[3] > 200),
            "no letter was drawn"
        );
    }
}
