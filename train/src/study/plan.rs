//! The plan of a suite: its cells, their order and their amount of work.

use super::{
    cell::{Cell, Work},
    suite::Suite,
};
use std::fmt::Write;

/// Level of a cell: 0 where it needs no other, else one more than the cells it needs. `find` returns a cell
/// by its id; one that it does not know counts as done.
pub fn level<'a>(id: &str, find: &impl Fn(&str) -> Option<&'a Cell>) -> usize {
    let needs = find(id).map(Cell::needs).unwrap_or_default();
    let below = needs.into_iter().map(|needed| level(needed, find) + 1);
    below.max().unwrap_or(0)
}

/// The positions of the cells by level, lowest first: those of one level need nothing of each
/// other and may be done at the same time.
pub fn levels(cells: &[Cell]) -> Vec<Vec<usize>> {
    let ids: Vec<String> = cells.iter().map(Cell::id).collect();
    let find = |id: &str| {
        let position = ids.iter().position(|other| other == id)?;
        cells.get(position)
    };
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for (position, id) in ids.iter().enumerate() {
        let level = level(id, &find);
        if levels.len() <= level {
            levels.resize_with(level + 1, Vec::new);
        }
        levels[level].push(position);
    }
    levels
}

/// The list that `plan` prints: number, state, images to train and name of each cell, and the sum
/// of what is left. `is_done` takes an id.
pub(crate) fn listing(suite: Suite, cells: &[Cell], is_done: impl Fn(&str) -> bool) -> String {
    let mut text = format!("{suite}: {}\n", suite.title());
    let (mut left, mut trainings, mut evaluations) = (0, 0, 0);
    for (number, cell) in cells.iter().enumerate() {
        let id = cell.id();
        let done = is_done(&id);
        if !done {
            left += cell.images();
            match cell.work {
                Work::Train { .. } => trainings += 1,
                Work::Evaluate { .. } => evaluations += 1,
            }
        }
        let (what, amount) = match &cell.work {
            Work::Train { .. } => ("train", in_thousands(cell.images())),
            Work::Evaluate { .. } => ("evaluate", String::new()),
        };
        let state = if done { "done" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{number:>5}  {what:<8} {amount:>10}  {state:<4}  {id}"
        );
    }
    let _ = writeln!(
        text,
        "left: {trainings} trainings of {} images in all, {evaluations} evaluations, of {} cells",
        in_thousands(left),
        cells.len()
    );
    text
}

/// A count of images in thousands, such as `300k`.
fn in_thousands(images: u64) -> String {
    format!("{}k", images.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::suite::Scale;

    #[test]
    fn a_level_needs_only_lower_ones() {
        let scale = Scale {
            folds: 2,
            quick: true,
            seed: 0,
        };
        let cells = Suite::Added.cells(scale);
        let levels = levels(&cells);
        // Clean trainings; added ones and the clean evaluations; evaluations of the added ones.
        assert_eq!(levels.len(), 3);
        assert_eq!(levels[0].len(), 2);
        assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), cells.len());
        for (number, level) in levels.iter().enumerate() {
            for position in level {
                for needed in cells[*position].needs() {
                    let at = cells.iter().position(|cell| cell.id() == needed).unwrap();
                    assert!(levels[..number].iter().flatten().any(|lower| *lower == at));
                }
            }
        }
    }

    #[test]
    fn the_list_counts_what_is_left() {
        let scale = Scale {
            folds: 2,
            quick: true,
            seed: 0,
        };
        let cells = Suite::Noise.cells(scale);
        let all = listing(Suite::Noise, &cells, |_| false);
        assert!(all.contains("16 trainings of 1280k images"), "{all}");
        let first = cells[0].id();
        let rest = listing(Suite::Noise, &cells, |id| id == first);
        assert!(rest.contains("15 trainings of 1200k images"), "{rest}");
        assert!(rest.lines().nth(1).unwrap().contains("done"));
    }
}
