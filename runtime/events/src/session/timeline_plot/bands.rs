//! The bands of the plot: the states of each eye.

use super::{
    Drawn, TimelinePlot,
    layout::{BAND, CLOSED, HIDDEN, LEFT, OPEN, PARTIALLY, RIGHT, SMALL},
};
use crate::session::condition::CONDITIONS;
use parseye_plot::GREY;
use parseye_vision::eye_state::{Eye, EyeState, STATES};
use plotters::{prelude::*, style::text_anchor::HPos};
use std::ops::Range;

/// The states from the bottom of a band to its top; what was not measured stays white.
const STACK: [EyeState; STATES] = [
    EyeState::Closed,
    EyeState::PartiallyOpen,
    EyeState::Open,
    EyeState::NotVisible,
];

/// Heights at which the states of a column meet, in pixels from the bottom up.
type Borders = [i32; STATES + 1];

/// Pixels of a stripe.
const STRIPE: i32 = 3;

impl TimelinePlot<'_, '_> {
    /// Draws the states of one eye.
    pub(super) fn band(&mut self, eye: Eye) -> Drawn {
        let (top, bottom) = (self.y, self.y + BAND);
        let name = match eye {
            Eye::Left => "left eye",
            Eye::Right => "right eye",
        };
        self.text(name, (LEFT - 8, top + BAND / 2), SMALL, BLACK, HPos::Right)?;
        // Neighbours with the same borders are one rectangle.
        let mut pending: Option<(Range<i32>, Borders)> = None;
        for (index, column) in self.timeline.columns().iter().enumerate() {
            let across = self.pixels(index);
            let borders = borders(column.seconds.get(eye), top, bottom);
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

    /// Draws the states of columns with the same borders.
    fn stack(&self, across: Range<i32>, borders: &Borders) -> Drawn {
        for (place, state) in STACK.into_iter().enumerate() {
            let down = borders[place + 1]..borders[place];
            if down.is_empty() {
                continue;
            }
            match state {
                EyeState::Open => self.fill(across.clone(), down, OPEN)?,
                EyeState::PartiallyOpen => self.fill(across.clone(), down, PARTIALLY)?,
                EyeState::Closed => self.fill(across.clone(), down, CLOSED)?,
                EyeState::NotVisible => self.stripes(across.clone(), down)?,
            }
        }
        Ok(())
    }

    /// Fills a rectangle with upright stripes, aligned over the whole plot.
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
}

/// Returns the heights at which the states of a column meet, from the bottom up. A state that is there
/// at all is seen.
fn borders(seconds: &[f64; CONDITIONS], top: i32, bottom: i32) -> Borders {
    let total: f64 = seconds.iter().sum();
    let mut borders = [bottom; STATES + 1];
    if total <= 0.0 {
        return borders;
    }
    let mut so_far = 0.0;
    for (place, state) in STACK.into_iter().enumerate() {
        so_far += seconds[state.index()];
        let height = f64::from(bottom - top) * so_far / total;
        let least = i32::from(seconds[state.index()] > 0.0);
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
        let seconds = [10.0, 0.0, 0.001, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(borders(&seconds, 0, 30), [30, 29, 29, 0, 0]);
        // Nothing was measured for half of the time.
        assert_eq!(
            borders(&[1.0, 0.0, 0.0, 0.0, 0.5, 0.25, 0.125, 0.125], 0, 30),
            [30, 30, 30, 15, 15]
        );
        assert_eq!(borders(&[0.0; CONDITIONS], 0, 30), [30; STATES + 1]);
    }
}
