//! The axis of time and its grid.

use super::{
    Drawn, TimelinePlot,
    layout::{DATA, LEFT, RIGHT, SMALL, SOFT, SPACE},
};
use parseye_plot::{PALETTE, TEXT_SIZE};
use plotters::{prelude::*, style::text_anchor::HPos};
use std::ops::Range;

impl TimelinePlot<'_, '_> {
    /// Draws lines at the ticks of time and where another source begins, behind everything.
    pub(super) fn grid(&self, y: Range<i32>) -> Drawn {
        for (time, _) in ticks(self.timeline.length()) {
            let x = self.x(time);
            let line = vec![(x, y.start), (x, y.end)];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.10)))?;
        }
        for time in self.timeline.boundaries().iter().take(DATA as usize) {
            let x = self.x(*time);
            let line = vec![(x, y.start - 4), (x, y.end)];
            self.canvas
                .draw(&PathElement::new(line, PALETTE[3].stroke_width(1)))?;
        }
        Ok(())
    }

    /// Draws the axis.
    pub(super) fn axis(&self) -> Drawn {
        let y = self.y - SPACE + 6;
        for (time, text) in ticks(self.timeline.length()) {
            let x = self.x(time);
            self.canvas
                .draw(&PathElement::new(vec![(x, y - 6), (x, y)], BLACK))?;
            self.text(&text, (x, y + 10), SMALL, BLACK, HPos::Center)?;
        }
        let name = format!("time ({})", unit_of(self.timeline.length()).1);
        self.text(
            &name,
            ((LEFT + RIGHT) / 2, y + 30),
            TEXT_SIZE,
            BLACK,
            HPos::Center,
        )?;
        if !self.timeline.boundaries().is_empty() {
            let note = "upright violet lines: another source begins";
            self.text(note, (RIGHT, y + 30), SMALL - 1, SOFT, HPos::Right)?;
        }
        Ok(())
    }
}

/// Returns the seconds of the unit that a length is shown in, and its name.
fn unit_of(length: f64) -> (f64, &'static str) {
    match length {
        seconds if seconds <= 180.0 => (1.0, "s"),
        seconds if seconds <= 3.0 * 3600.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    }
}

/// Returns about ten round times in seconds with their texts.
fn ticks(length: f64) -> Vec<(f64, String)> {
    let (unit, _) = unit_of(length);
    let length = length / unit;
    if length <= 0.0 {
        return vec![(0.0, "0".into())];
    }
    let power = 10_f64.powf((length / 10.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| length / step <= 14.0)
        .unwrap_or(length);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    (0..)
        .map(|index| f64::from(index) * step)
        .take_while(|value| *value <= length * (1.0 + 1e-9))
        .map(|value| (value * unit, format!("{value:.decimals$}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let texts = |length| {
            ticks(length)
                .into_iter()
                .map(|(_, text)| text)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            texts(5.0),
            [
                "0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5", "5.0"
            ]
        );
        assert_eq!(
            texts(600.0),
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
        );
        assert_eq!(texts(36_000.0).len(), 11);
        assert_eq!(texts(0.0), ["0"]);
        for length in [0.033, 1.0, 59.0, 181.0, 7000.0, 1e6] {
            assert!(
                (4..=15).contains(&texts(length).len()),
                "{length}: {:?}",
                texts(length)
            );
        }
    }
}
