//! Writes plots: SVG as drawn, and PNG rendered from the very same SVG.

use crate::study::{StudyError, folder::write_text};
use parseye_plot::{NoFont, Rasterizer, raster::ZOOM};
use resvg::tiny_skia;
use std::path::{Path, PathBuf};

/// Writes plots into one folder.
#[derive(Debug)]
pub struct PlotWriter {
    folder: PathBuf,
    rasterizer: Option<Rasterizer>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
    /// Why there are no PNG plots, where there are none.
    pub no_png: Option<String>,
}

impl PlotWriter {
    /// Creates a writer into `folder`, with the fonts of this system.
    pub fn new(folder: &Path) -> Self {
        Self::with(folder, Rasterizer::new())
    }

    fn with(folder: &Path, rasterizer: Result<Rasterizer, NoFont>) -> Self {
        let (rasterizer, no_png) = match rasterizer {
            Ok(rasterizer) => (Some(rasterizer), None),
            Err(reason) => (
                None,
                Some(format!(
                    "{reason}; then collect again, the SVG plots are complete"
                )),
            ),
        };
        Self {
            folder: folder.into(),
            rasterizer,
            written: Vec::new(),
            no_png,
        }
    }

    /// Writes `NAME.svg` and, where there is a font, `NAME.png`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&mut self, name: &str, svg: &str) -> Result<(), StudyError> {
        let path = self.folder.join(format!("{name}.svg"));
        write_text(&path, svg)?;
        self.written.push(path);
        let Some(pixels) = self.render(name, svg)? else {
            return Ok(());
        };
        let path = self.folder.join(format!("{name}.png"));
        let png = pixels.encode_png().map_err(|error| StudyError::Plot {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.keep(path, &png)
    }

    /// The pixels of an SVG; `None` where there is no font.
    ///
    /// # Errors
    /// When it is no SVG.
    pub(crate) fn render(
        &self,
        name: &str,
        svg: &str,
    ) -> Result<Option<tiny_skia::Pixmap>, StudyError> {
        let Some(rasterizer) = &self.rasterizer else {
            return Ok(None);
        };
        let pixels = rasterizer.render(svg).map_err(|error| StudyError::Plot {
            path: self.folder.join(format!("{name}.png")),
            reason: error.0,
        })?;
        Ok(Some(pixels))
    }

    /// Writes a file whole and remembers it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), StudyError> {
        crate::files::write_atomically(&path, bytes).map_err(|error| StudyError::Write {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.written.push(path);
        Ok(())
    }

    /// Path of a file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Pixels of a PNG for one of the SVG.
    pub(crate) const fn zoom() -> u32 {
        ZOOM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = r#"<svg width="60" height="30" viewBox="0 0 60 30" xmlns="http://www.w3.org/2000/svg"><text x="2" y="20" font-family="sans-serif" font-size="18">eye</text></svg>"#;

    #[test]
    fn without_fonts_there_is_an_svg_and_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let mut plots = PlotWriter::with(folder.path(), Err(NoFont));
        plots.write("plot", SVG).unwrap();
        assert!(folder.path().join("plot.svg").is_file());
        assert!(!folder.path().join("plot.png").exists());
        assert!(plots.no_png.unwrap().contains("install one"));
    }
}
