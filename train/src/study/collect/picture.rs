//! Writes pictures: SVG as drawn, and PNG rendered from the very same SVG.

use crate::study::{StudyError, folder::write_text};
use resvg::{
    tiny_skia,
    usvg::{self, fontdb},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Pixels of a PNG for one of the SVG: sharp on dense screens and in print.
const ZOOM: f32 = 2.0;

/// Fonts that are known to be readable in plots, the first that is there is taken.
const FONTS: [&str; 6] = [
    "DejaVu Sans",
    "Liberation Sans",
    "Noto Sans",
    "Arial",
    "Helvetica",
    "Segoe UI",
];

/// Writes pictures into one folder.
#[derive(Debug)]
pub struct Pictures {
    folder: PathBuf,
    options: usvg::Options<'static>,
    /// What was written.
    pub written: Vec<PathBuf>,
    /// Why there are no PNG pictures, where there are none.
    pub no_png: Option<String>,
}

impl Pictures {
    /// Pictures in `folder`, with the fonts of this system.
    pub fn new(folder: &Path) -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_system_fonts();
        Self::with_fonts(folder, fonts)
    }

    fn with_fonts(folder: &Path, mut fonts: fontdb::Database) -> Self {
        let families: Vec<String> = fonts
            .faces()
            .filter_map(|face| face.families.first().map(|(name, _)| name.clone()))
            .collect();
        let known = FONTS
            .iter()
            .find(|font| families.iter().any(|name| name == *font));
        let chosen = known
            .map(|font| (*font).to_owned())
            .or_else(|| families.first().cloned());
        if let Some(family) = &chosen {
            fonts.set_sans_serif_family(family);
        }
        let no_png = chosen.is_none().then(|| {
            "this system has no font to write their labels with; install one (Debian: \
             fonts-dejavu-core) and collect again; the SVG pictures are whole"
                .to_owned()
        });
        let options = usvg::Options {
            font_family: chosen.unwrap_or_default(),
            fontdb: Arc::new(fonts),
            ..usvg::Options::default()
        };
        Self {
            folder: folder.into(),
            options,
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
    pub fn render(&self, name: &str, svg: &str) -> Result<Option<tiny_skia::Pixmap>, StudyError> {
        if self.no_png.is_some() {
            return Ok(None);
        }
        let failed = |reason: String| StudyError::Plot {
            path: self.folder.join(format!("{name}.png")),
            reason,
        };
        let tree =
            usvg::Tree::from_str(svg, &self.options).map_err(|error| failed(error.to_string()))?;
        let size = tree.size().to_int_size().scale_by(ZOOM);
        let size = size.ok_or_else(|| failed("it has no size".into()))?;
        let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
            .ok_or_else(|| failed("it is too large".into()))?;
        let zoom = tiny_skia::Transform::from_scale(ZOOM, ZOOM);
        resvg::render(&tree, zoom, &mut pixels.as_mut());
        Ok(Some(pixels))
    }

    /// Writes a file whole and remembers it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), StudyError> {
        crate::export::write_whole(&path, bytes).map_err(|error| StudyError::Write {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.written.push(path);
        Ok(())
    }

    /// Where a file of this name goes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Pixels of a PNG for one of the SVG.
    pub const fn zoom() -> u32 {
        ZOOM as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = r#"<svg width="60" height="30" viewBox="0 0 60 30" xmlns="http://www.w3.org/2000/svg"><text x="2" y="20" font-family="sans-serif" font-size="18">eye</text></svg>"#;

    #[test]
    fn without_fonts_there_is_an_svg_and_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = Pictures::with_fonts(folder.path(), fontdb::Database::new());
        pictures.write("plot", SVG).unwrap();
        assert!(folder.path().join("plot.svg").is_file());
        assert!(!folder.path().join("plot.png").exists());
        assert!(pictures.no_png.unwrap().contains("install one"));
    }

    #[test]
    fn with_fonts_the_labels_are_in_the_png() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = Pictures::new(folder.path());
        if let Some(reason) = &pictures.no_png {
            eprintln!("skipped: {reason}");
            return;
        }
        pictures.write("plot", SVG).unwrap();
        let png = image::open(folder.path().join("plot.png"))
            .unwrap()
            .to_rgba8();
        assert_eq!(png.dimensions(), (120, 60));
        assert!(
            png.pixels().any(|pixel| pixel.0[3] > 200),
            "no letter was drawn"
        );
    }
}
