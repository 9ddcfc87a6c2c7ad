//! The rows of the course: bands of states, marks of blinks, closures and alerts.

use super::{
    BAND, BLINK_ROW, BLINK_ROWS, CLOSED, Course, Drawn, EYES, HIDDEN, LEFT, OPEN, PARTIALLY, RIGHT,
    SMALL, SOFT, SPAN_ROW,
};
use crate::session::{accumulator::SPAN_ROWS, text::clock, timeline::KINDS};
use parseye_plot::{GREY, PALETTE};
use parseye_vision::eye_state::Eye;
use plotters::{prelude::*, style::text_anchor::HPos};
use std::ops::Range;

/// The kinds of [`Column::kinds`](crate::session::timeline::Column::kinds) from the bottom of a band to its top; what was not measured stays
/// white.
const STACK: [usize; KINDS - 1] = [2, 1, 0, 3];

/// Pixels of a stripe.
const STRIPE: i32 = 3;

impl Course<'_, '_> {
    /// The states of one eye.
    pub(super) fn band(&mut self, eye: Eye) -> Drawn {
        let (top, bottom) = (self.y, self.y + BAND);
        let name = match eye {
            Eye::Left => "left eye",
            Eye::Right => "right eye",
        };
        self.text(name, (LEFT - 8, top + BAND / 2), SMALL, BLACK, HPos::Right)?;
        // Neighbours with the same borders are one rectangle.
        let mut pending: Option<(Range<i32>, [i32; KINDS])> = None;
        for (index, column) in self.timeline.columns().iter().enumerate() {
            let across = self.pixels(index);
            let borders = borders(column.kinds.get(eye), top, bottom);
            match &mut pending {
                Some((before, same)) if *same == borders && before.end >= across.start => {
                    before.end = across.end;
                }
                _ => {
                    if let Some((across, borders)) = pending.replace((across, borders)) {
                        self.stack(across, &borders)?;
                    }
                }
            }
        }
        if let Some((across, borders)) = pending {
            self.stack(across, &borders)?;
        }
        let corners = [(LEFT, top), (RIGHT, bottom)];
        self.canvas
            .draw(&Rectangle::new(corners, GREY.stroke_width(1)))?;
        self.y = bottom + 6;
        Ok(())
    }

    fn stack(&self, across: Range<i32>, borders: &[i32; KINDS]) -> Drawn {
        for (place, kind) in STACK.into_iter().enumerate() {
            let down = borders[place + 1]..borders[place];
            if down.is_empty() {
                continue;
            }
            match kind {
                0 => self.fill(across.clone(), down, OPEN)?,
                1 => self.fill(across.clone(), down, PARTIALLY)?,
                2 => self.fill(across.clone(), down, CLOSED)?,
                _ => self.stripes(across.clone(), down)?,
            }
        }
        Ok(())
    }

    /// Upright stripes, aligned over the whole picture.
    pub(super) fn stripes(&self, across: Range<i32>, down: Range<i32>) -> Drawn {
        let mut x = across.start;
        while x < across.end {
            let stripe = x.div_euclid(STRIPE);
            let end = ((stripe + 1) * STRIPE).min(across.end);
            self.fill(x..end, down.clone(), HIDDEN[(stripe % 2) as usize])?;
            x = end;
        }
        Ok(())
    }

    /// Blinks and closures, a row for each kind.
    pub(super) fn marks(&mut self) -> Drawn {
        let columns = self.timeline.columns();
        let counts = columns.iter().flat_map(|column| column.blinks);
        // Where a column holds several blinks, the height of its mark says how many.
        let most = counts.max().unwrap_or(0).max(1);
        for (row, colour) in [EYES.left, EYES.right, BLACK].into_iter().enumerate() {
            let bottom = self.y + BLINK_ROW - 2;
            self.row_name(BLINK_ROWS[row], self.y + BLINK_ROW / 2)?;
            for (index, column) in columns.iter().enumerate() {
                if column.blinks[row] > 0 {
                    let height =
                        f64::from(BLINK_ROW - 4) * f64::from(column.blinks[row]) / f64::from(most);
                    let top = bottom - (height.round() as i32).max(1);
                    let across = self.pixels(index);
                    let across = across.start..across.end.max(across.start + 2);
                    self.fill(across, top..bottom, colour)?;
                }
            }
            let line = vec![(LEFT, bottom), (RIGHT, bottom)];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.2)))?;
            self.y += BLINK_ROW;
        }
        if most > 1 {
            let note = format!(
                "full height: {most} blinks in {}",
                clock(self.timeline.width())
            );
            let at = (RIGHT, self.y - BLINK_ROW * BLINK_ROWS.len() as i32 - 7);
            self.text(&note, at, SMALL - 2, SOFT, HPos::Right)?;
        }
        let top = self.y;
        for name in SPAN_ROWS {
            let middle = self.y + SPAN_ROW / 2;
            self.row_name(name, middle)?;
            let line = vec![(LEFT, middle), (RIGHT, middle)];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.08)))?;
            self.y += SPAN_ROW;
        }
        for span in &self.timeline.spans {
            let top = top + SPAN_ROW * span.row as i32;
            let (begin, end) = (self.x(span.times.start), self.x(span.times.end));
            let across = begin..end.max(begin + 2);
            self.fill(across, top + 3..top + SPAN_ROW - 3, PALETTE[1])?;
        }
        Ok(())
    }

    fn row_name(&self, name: &str, y: i32) -> Drawn {
        self.text(name, (LEFT - 8, y), SMALL - 1, BLACK, HPos::Right)
    }
}

/// Heights at which the states of a column meet, from the bottom up. A state that is there at all
/// is seen.
fn borders(kinds: &[f64; KINDS], top: i32, bottom: i32) -> [i32; KINDS] {
    let total: f64 = kinds.iter().sum();
    let mut borders = [bottom; KINDS];
    if total <= 0.0 {
        return borders;
    }
    let mut so_far = 0.0;
    for (place, kind) in STACK.into_iter().enumerate() {
        so_far += kinds[kind];
        let height = f64::from(bottom - top) * so_far / total;
        let least = i32::from(kinds[kind] > 0.0);
        borders[place + 1] = (bottom - height.round() as i32)
            .min(borders[place] - least)
            .max(top);
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_column_is_seen_and_the_band_is_full() {
        let kinds = [10.0, 0.0, 0.001, 0.0, 0.0];
        assert_eq!(borders(&kinds, 0, 30), [30, 29, 29, 0, 0]);
        // Nothing was measured for half of the time.
        assert_eq!(
            borders(&[1.0, 0.0, 0.0, 0.0, 1.0], 0, 30),
            [30, 30, 30, 15, 15]
        );
        assert_eq!(borders(&[0.0; KINDS], 0, 30), [30; KINDS]);
    }
}
