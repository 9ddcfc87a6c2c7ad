//! A gallery of perturbed crops with the predictions for them, made from the user's own data:
//! it lies with the study and is for the user's eyes, for the data's licence may forbid more.

use super::plot_writer::PlotWriter;
use crate::{
    chart::{letters, svg},
    study::{
        StudyError,
        cell::Cell,
        execute::{Perturbed, Runner},
        folder::StudyFolder,
        suite::Scale,
    },
};
use parseye_plot::PlotError;
use parseye_vision::{classify::input::USUAL_SIDE, eye_state::EyeState};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

/// Columns: an attack and its SNR in dB.
const PERTURBATIONS: [(&str, f64); 8] = [
    ("fgsm", 40.0),
    ("fgsm", 33.0),
    ("fgsm", 25.0),
    ("fgsm", 20.0),
    ("uniform", 33.0),
    ("uniform", 20.0),
    ("uniform", 10.0),
    ("uniform", 0.0),
];

/// Standard deviations from the mean that are drawn black and white.
const CONTRAST: f32 = 2.5;

/// Pixels of the PNG for each pixel of a crop.
const MAGNIFIED: u32 = 4;

/// Units of the SVG that a crop takes.
const CROP_SIZE: i32 = (PAINTED / PlotWriter::zoom()) as i32;

/// Rows and columns of the plot's pixels that a crop is painted on.
const PAINTED: u32 = USUAL_SIDE as u32 * MAGNIFIED;
const LEFT: i32 = 110;
const TOP: i32 = 88;
const STEP: (i32, i32) = (CROP_SIZE + 36, CROP_SIZE + 30);

/// Writes `gallery-GROUP.png` for a trained network; nothing where there is no font.
///
/// # Errors
/// When the model cannot be read or the gallery not written.
pub(crate) fn draw(
    cell: &Cell,
    folder: &StudyFolder,
    scale: Scale,
    runner: &mut dyn Runner,
    plots: &mut PlotWriter,
) -> Result<(), StudyError> {
    if plots.no_png.is_some() {
        return Ok(());
    }
    let model = folder.model(cell);
    let mut columns = vec![(
        "clean".to_owned(),
        runner.perturb(&model, cell.fold, scale, None)?,
    )];
    for (attack, snr_db) in PERTURBATIONS {
        let perturbed = runner.perturb(&model, cell.fold, scale, Some((attack, snr_db)))?;
        columns.push((format!("{attack} {snr_db:.0} dB"), perturbed));
    }
    let name = format!("gallery-{}", cell.group);
    let labels = labels(&format!("{}: perturbed crops", cell.group), &columns)?;
    let Some(mut pixels) = plots.render(&name, &labels)? else {
        return Ok(());
    };
    for (column, (_, perturbed)) in columns.iter().enumerate() {
        for (row, image) in perturbed.images.iter().enumerate() {
            let (x, y) = corner(column, row);
            let at = (x as u32 * PlotWriter::zoom(), y as u32 * PlotWriter::zoom());
            paint(&mut pixels, at, image);
        }
    }
    let path = plots.path(&format!("{name}.png"));
    let png = pixels.encode_png().map_err(|error| StudyError::Plot {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    plots.keep(path, &png)
}

fn corner(column: usize, row: usize) -> (i32, i32) {
    (LEFT + column as i32 * STEP.0, TOP + row as i32 * STEP.1)
}

/// Everything but the crops.
fn labels(title: &str, columns: &[(String, Perturbed)]) -> Result<String, PlotError> {
    let rows = columns.iter().map(|(_, crops)| crops.images.len()).max();
    let (right, bottom) = corner(columns.len(), rows.unwrap_or(0));
    let size = (right.unsigned_abs(), bottom.unsigned_abs() + 8);
    svg(title, size, |area| {
        let centre = (HPos::Center, VPos::Center);
        let heading = letters(18, BLACK, (HPos::Left, VPos::Center));
        area.draw(&Text::new(title.to_owned(), (16, 22), heading))?;
        let grey = letters(12, RGBColor(90, 90, 90), (HPos::Left, VPos::Center));
        let note = "below each crop: the network's prediction, orange where it is not the label";
        area.draw(&Text::new(note, (16, 44), grey))?;
        for (column, (name, crops)) in columns.iter().enumerate() {
            let x = corner(column, 0).0 + CROP_SIZE / 2;
            area.draw(&Text::new(
                name.clone(),
                (x, TOP - 14),
                letters(13, BLACK, centre),
            ))?;
            for (row, (prediction, label)) in
                crops.predictions.iter().zip(EyeState::ALL).enumerate()
            {
                let y = corner(column, row).1;
                let ink = if *prediction == label {
                    RGBColor(60, 60, 60)
                } else {
                    crate::chart::PALETTE[1]
                };
                let words = prediction.name().replace('_', " ");
                area.draw(&Text::new(
                    words,
                    (x, y + CROP_SIZE + 11),
                    letters(12, ink, centre),
                ))?;
            }
        }
        for (row, label) in EyeState::ALL.into_iter().enumerate() {
            let words = label.name().replace('_', " ");
            let at = (LEFT - 12, corner(0, row).1 + CROP_SIZE / 2);
            let style = letters(14, BLACK, (HPos::Right, VPos::Center));
            area.draw(&Text::new(words, at, style))?;
        }
        Ok(())
    })
}

/// Paints a standardised crop in gray, magnified.
fn paint(pixels: &mut resvg::tiny_skia::Pixmap, (left, top): (u32, u32), image: &[f32]) {
    let width = pixels.width();
    let canvas = pixels.pixels_mut();
    let side = image.len().isqrt() as u32;
    for (y, x) in (0..PAINTED).flat_map(|y| (0..PAINTED).map(move |x| (y, x))) {
        let nearest = y * side / PAINTED * side + x * side / PAINTED;
        let value = image.get(nearest as usize).copied().unwrap_or_default();
        let gray = ((value / CONTRAST + 1.0) / 2.0 * 255.0).clamp(0.0, 255.0) as u8;
        let colour = resvg::tiny_skia::ColorU8::from_rgba(gray, gray, gray, u8::MAX).premultiply();
        if let Some(pixel) = canvas.get_mut(((top + y) * width + left + x) as usize) {
            *pixel = colour;
        }
    }
}
