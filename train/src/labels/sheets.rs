//! Contact sheets: numbered crops without label, prediction or name, in a random order.

use super::{LabelError, csv_bytes, write_new};
use crate::{
    crop::Crop,
    data::{crops::CropSet, sampling::draw},
};
use parseye_plot::{Rasterizer, letters, raster::ZOOM, svg};
use parseye_vision::locate::crop::sample_gray;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use resvg::tiny_skia;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Crops beside each other and below each other on a sheet.
pub(crate) const COLUMNS: usize = 8;
/// See [`COLUMNS`].
pub(crate) const ROWS: usize = 5;

/// Pixels of a crop on the sheet: enough to see a lid's edge, few enough for 40 on a screen.
const SIDE: usize = 144;

/// Units of the SVG that a crop and the room around it take.
const TILE: i32 = SIDE as i32 / ZOOM as i32;
const STEP: (i32, i32) = (TILE + 6, TILE + 18);

/// Share of the darkest and of the brightest pixels that may lose their differences, so that dim
/// infrared images can be read.
const CLIPPED: f64 = 0.01;

/// Number of a crop on the sheets: a row of key.csv.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRow {
    /// Number on the sheets, from 1.
    pub number: usize,
    /// The crop, as the manifest names it.
    pub path: String,
}

/// Draws sheets of the crops with these paths into `folder` and writes `key.csv` beside them.
/// Returns the sheets.
///
/// # Errors
/// When a path is in neither train nor val, there is no font, or a file cannot be written.
pub(crate) fn draw_sheets(
    crops: &CropSet,
    paths: Vec<String>,
    folder: &Path,
    seed: u64,
) -> Result<Vec<PathBuf>, LabelError> {
    let by_path: HashMap<_, _> = crops
        .train
        .iter()
        .chain(&crops.val)
        .map(|crop| (crop.sample.path.to_string_lossy(), crop))
        .collect();
    let count = paths.len();
    let shuffled = draw(paths, count, &mut ChaCha8Rng::seed_from_u64(seed));
    let mut chosen = Vec::with_capacity(count);
    for path in &shuffled {
        let crop = by_path.get(path.as_str()).ok_or_else(|| {
            LabelError::Models(format!(
                "{path} is in neither the train nor the val split of this manifest; give the list made from it"
            ))
        })?;
        chosen.push(*crop);
    }
    let key: Vec<KeyRow> = (1..)
        .zip(shuffled)
        .map(|(number, path)| KeyRow { number, path })
        .collect();
    let key_path = folder.join("key.csv");
    write_new(&key_path, &csv_bytes(&key_path, &key)?)?;
    draw_numbered(&chosen, folder)
}

/// Draws sheets of these crops into `folder`, numbered in their order from 1. Returns the sheets.
///
/// # Errors
/// When there is no font, or a file is there already or cannot be written.
pub(crate) fn draw_numbered(crops: &[&Crop], folder: &Path) -> Result<Vec<PathBuf>, LabelError> {
    let rasterizer = Rasterizer::new().map_err(|error| LabelError::Models(error.to_string()))?;
    let mut sheets = Vec::new();
    for (number, crops) in crops.chunks(COLUMNS * ROWS).enumerate() {
        let path = folder.join(format!("sheet-{:03}.png", number + 1));
        let failed = |reason: String| LabelError::Write {
            path: path.clone(),
            reason,
        };
        let first = number * COLUMNS * ROWS + 1;
        let numbers = numbers(first, crops.len()).map_err(|error| failed(error.to_string()))?;
        let mut sheet = rasterizer
            .render(&numbers)
            .map_err(|error| failed(error.to_string()))?;
        for (place, crop) in crops.iter().enumerate() {
            paint(&mut sheet, place, crop);
        }
        let png = sheet
            .encode_png()
            .map_err(|error| failed(error.to_string()))?;
        write_new(&path, &png)?;
        sheets.push(path);
    }
    Ok(sheets)
}

/// Upper left corner of a place on the sheet, in units of the SVG.
fn corner(place: usize) -> (i32, i32) {
    let (column, row) = ((place % COLUMNS) as i32, (place / COLUMNS) as i32);
    (4 + column * STEP.0, 4 + row * STEP.1)
}

/// A sheet with nothing but the numbers of its crops, from `first` on.
fn numbers(first: usize, count: usize) -> Result<String, parseye_plot::PlotError> {
    let (right, bottom) = (
        4 + COLUMNS as i32 * STEP.0,
        4 + count.div_ceil(COLUMNS) as i32 * STEP.1,
    );
    svg((right.unsigned_abs(), bottom.unsigned_abs()), |area| {
        for place in 0..count {
            let (x, y) = corner(place);
            let style = letters(11, BLACK, (HPos::Center, VPos::Center));
            let at = (x + TILE / 2, y + TILE + 8);
            area.draw(&Text::new((first + place).to_string(), at, style))?;
        }
        Ok(())
    })
}

/// Paints a crop at its place, its gray levels spread over what a screen shows.
fn paint(sheet: &mut tiny_skia::Pixmap, place: usize, crop: &Crop) {
    let mut gray = vec![0.0; SIDE * SIDE];
    sample_gray(&crop.image, &crop.whole(), SIDE, &mut gray);
    let mut sorted = gray.clone();
    sorted.sort_by(f32::total_cmp);
    let clipped = (CLIPPED * sorted.len() as f64) as usize;
    let (low, high) = (sorted[clipped], sorted[sorted.len() - 1 - clipped]);
    let (x, y) = corner(place);
    let (left, top) = (x as usize * ZOOM as usize, y as usize * ZOOM as usize);
    let width = sheet.width() as usize;
    let pixels = sheet.pixels_mut();
    for (index, value) in gray.iter().enumerate() {
        let level = (value - low) / (high - low).max(1.0) * 255.0;
        let level = level.clamp(0.0, 255.0) as u8;
        let colour = tiny_skia::ColorU8::from_rgba(level, level, level, u8::MAX).premultiply();
        let at = (top + index / SIDE) * width + left + index % SIDE;
        if let Some(pixel) = pixels.get_mut(at) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::metrics::tests::sample;
    use parseye_test_needs::needs;
    use parseye_vision::eye_state::EyeState;

    #[needs(font)]
    #[test]
    fn every_crop_has_a_number_and_a_place_of_its_own() {
        let crop = |number: usize| {
            let mut sample = sample(EyeState::Open, "p");
            sample.path = format!("{number}.png").into();
            // Half dark, half light: the contrast is spread whatever the levels are.
            let image = image::GrayImage::from_fn(20, 20, |x, _| {
                image::Luma([if x < 10 { 20 } else { 40 }])
            });
            Crop { sample, image }
        };
        let crops = CropSet {
            train: (0..COLUMNS * ROWS).map(crop).collect(),
            val: vec![crop(99)],
            sha256: "hash".into(),
        };
        let all = crops.train.iter().chain(&crops.val);
        let paths: Vec<_> = all
            .map(|crop| crop.sample.path.to_string_lossy().into_owned())
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let sheets = draw_sheets(&crops, paths.clone(), folder.path(), 3).unwrap();
        assert_eq!(sheets.len(), 2);
        let mut key: Vec<KeyRow> = csv::Reader::from_path(folder.path().join("key.csv"))
            .unwrap()
            .deserialize()
            .map(Result::unwrap)
            .collect();
        assert!(
            key.windows(2)
                .all(|pair| pair[0].number + 1 == pair[1].number)
        );
        assert_ne!(key[0].path, paths[0], "not in the manifest's order");
        key.sort_by_key(|row| paths.iter().position(|path| *path == row.path));
        assert!(key.iter().map(|row| &row.path).eq(&paths));

        let sheet = image::open(&sheets[0]).unwrap().to_luma8();
        for place in 0..COLUMNS * ROWS {
            let (x, y) = corner(place);
            let at = |dx: u32| {
                let x = x.unsigned_abs() * ZOOM + dx;
                sheet.get_pixel(x, y.unsigned_abs() * ZOOM + 60)[0]
            };
            assert_eq!((at(20), at(SIDE as u32 - 20)), (0, 255), "place {place}");
        }

        let again = draw_sheets(&crops, paths, folder.path(), 3).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
    }
}
