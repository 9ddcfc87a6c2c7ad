//! A confusion matrix: counts, and each row's shares as shades.

use crate::chart::{letters, svg};
use parseye_plot::PlotError;
use parseye_vision::{
    evaluate::metrics::Confusion,
    eye_state::{EyeState, STATES},
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

const CELL: i32 = 104;
const LEFT: i32 = 170;
const TOP: i32 = 106;
const SIZE: (u32, u32) = (
    (LEFT + CELL * STATES as i32 + 24) as u32,
    (TOP + CELL * STATES as i32 + 24) as u32,
);

/// Shares above this are dark enough to want white letters.
const DARK: f64 = 0.55;

/// The matrix as SVG: rows are the label, columns the prediction.
///
/// # Errors
/// See [`svg`].
pub(crate) fn draw(title: &str, confusion: &Confusion) -> Result<String, PlotError> {
    svg(title, SIZE, |area| {
        let text = |words: String, at: (i32, i32), size: i32, colour: RGBColor, anchor| {
            area.draw(&Text::new(words, at, letters(size, colour, anchor)))
        };
        let (centre, right) = ((HPos::Center, VPos::Center), (HPos::Right, VPos::Center));
        text(
            title.to_owned(),
            (16, 22),
            18,
            BLACK,
            (HPos::Left, VPos::Center),
        )?;
        let middle = LEFT + CELL * STATES as i32 / 2;
        text("prediction".into(), (middle, 58), 15, BLACK, centre)?;
        text("label".into(), (LEFT - 12, TOP - 18), 15, BLACK, right)?;
        for (row, label) in EyeState::ALL.into_iter().enumerate() {
            let name = label.name().replace('_', " ");
            let at = |index: usize| index as i32 * CELL + CELL / 2;
            text(name.clone(), (LEFT - 12, TOP + at(row)), 15, BLACK, right)?;
            text(name, (LEFT + at(row), TOP - 18), 15, BLACK, centre)?;
            let all: u64 = confusion.0[row].iter().sum();
            for (column, count) in confusion.0[row].into_iter().enumerate() {
                let share = if all == 0 {
                    0.0
                } else {
                    count as f64 / all as f64
                };
                let corner = (LEFT + column as i32 * CELL, TOP + row as i32 * CELL);
                let shade = |full: f64| (255.0 - share * (255.0 - full)) as u8;
                let colour = RGBColor(shade(0.0), shade(86.0), shade(140.0));
                let square = [corner, (corner.0 + CELL - 2, corner.1 + CELL - 2)];
                area.draw(&Rectangle::new(square, colour.filled()))?;
                let ink = if share > DARK { WHITE } else { BLACK };
                let (x, y) = (corner.0 + CELL / 2, corner.1 + CELL / 2);
                text(
                    format!("{:.1} %", share * 100.0),
                    (x, y - 10),
                    17,
                    ink,
                    centre,
                )?;
                text(count.to_string(), (x, y + 14), 13, ink, centre)?;
            }
        }
        Ok(())
    })
}
