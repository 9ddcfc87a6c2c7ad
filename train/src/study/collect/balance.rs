//! Class balance of the data: crops of each state in each source, test split left out.

use crate::chart::{PALETTE, label, letters, svg};
use parseye_plot::PlotError;
use parseye_vision::{evaluate::manifest::Sample, eye_state::EyeState};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::collections::{BTreeMap, BTreeSet};

const LEFT: i32 = 150;
const BARS: i32 = 620;
const ROW: i32 = 34;
const TOP: i32 = 92;
const WIDTH: u32 = (LEFT + BARS + 190) as u32;

/// Bars of the sources as SVG.
///
/// # Errors
/// See [`svg`].
pub(crate) fn draw(samples: &[&Sample]) -> Result<String, PlotError> {
    let mut counts: BTreeMap<&str, (BTreeMap<EyeState, u64>, BTreeSet<&str>)> = BTreeMap::new();
    for sample in samples {
        let (states, people) = counts.entry(&sample.source).or_default();
        *states.entry(sample.label).or_default() += 1;
        people.insert(&sample.subject);
    }
    let longest = counts
        .values()
        .map(|(states, _)| states.values().sum::<u64>())
        .max();
    let longest = longest.unwrap_or(0).max(1);
    let height = TOP + ROW * counts.len() as i32 + 20;
    svg("balance", (WIDTH, height.unsigned_abs()), |area| {
        let text = |words: String, at: (i32, i32), style| area.draw(&Text::new(words, at, style));
        let title = letters(18, BLACK, (HPos::Left, VPos::Center));
        text(
            "Crops by source and state (without the test split)".into(),
            (16, 22),
            title,
        )?;
        for (index, state) in EyeState::ALL.into_iter().enumerate() {
            let x = LEFT + index as i32 * 160;
            let square = [(x, 50), (x + 16, 66)];
            area.draw(&Rectangle::new(square, colour(state).filled()))?;
            text(state.name().replace('_', " "), (x + 24, 58), label())?;
        }
        let right = letters(15, BLACK, (HPos::Right, VPos::Center));
        for (row, (source, (states, people))) in counts.iter().enumerate() {
            let y = TOP + row as i32 * ROW;
            let middle = y + (ROW - 10) / 2;
            text((*source).to_owned(), (LEFT - 12, middle), right.clone())?;
            let mut before = 0_u64;
            let place = |count: u64| LEFT + (count * BARS as u64 / longest) as i32;
            for state in EyeState::ALL {
                let count = states.get(&state).copied().unwrap_or(0);
                let bar = [(place(before), y), (place(before + count), y + ROW - 10)];
                area.draw(&Rectangle::new(bar, colour(state).filled()))?;
                before += count;
            }
            let words = format!("{before}, {} people", people.len());
            text(words, (place(before) + 10, middle), label())?;
        }
        Ok(())
    })
}

fn colour(state: EyeState) -> RGBColor {
    PALETTE[[4, 5, 0, 3][state.index()]]
}
