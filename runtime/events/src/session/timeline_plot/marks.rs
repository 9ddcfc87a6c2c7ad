//! The marks of the plot: blinks, long closures and alerts.

use super::{
    Drawn, TimelinePlot,
    layout::{BLINK_ROW, EYES, LEFT, RIGHT, SMALL, SOFT, SPAN_ROW},
};
use crate::{rounding::clock, session::timeline::SpanKind};
use parseye_plot::PALETTE;
use parseye_vision::temporal::{AlertKind, Laterality};
use plotters::{prelude::*, style::text_anchor::HPos};

impl TimelinePlot<'_, '_> {
    /// Draws the numbers of blinks, a row for each eye and for both.
    pub(super) fn blinks(&mut self) -> Drawn {
        let columns = self.timeline.columns();
        let counts = columns
            .iter()
            .flat_map(|column| Laterality::ALL.map(|eye| *column.blinks.get(eye)));
        // Where a column holds several blinks, the height of its mark says how many.
        let most = counts.max().unwrap_or(0).max(1);
        for (eye, name, colour) in [
            (Laterality::Left, "blinks, left", EYES.left),
            (Laterality::Right, "right", EYES.right),
            (Laterality::Both, "both", BLACK),
        ] {
            let bottom = self.y + BLINK_ROW - 2;
            self.row_name(name, self.y + BLINK_ROW / 2)?;
            for (index, column) in columns.iter().enumerate() {
                let count = *column.blinks.get(eye);
                if count > 0 {
                    let height = f64::from(BLINK_ROW - 4) * f64::from(count) / f64::from(most);
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
            let at = (RIGHT, self.y - BLINK_ROW * Laterality::ALL.len() as i32 - 7);
            self.text(&note, at, SMALL - 2, SOFT, HPos::Right)?;
        }
        Ok(())
    }

    /// Draws long closures and alerts, a row for each kind.
    pub(super) fn spans(&mut self) -> Drawn {
        let top = self.y;
        for kind in SpanKind::ALL {
            let middle = self.y + SPAN_ROW / 2;
            self.row_name(name_of(kind), middle)?;
            let line = vec![(LEFT, middle), (RIGHT, middle)];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.08)))?;
            self.y += SPAN_ROW;
        }
        for span in self.timeline.spans() {
            let row = SpanKind::ALL.iter().position(|kind| *kind == span.kind);
            let top = top + SPAN_ROW * row.unwrap_or_default() as i32;
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

fn name_of(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::LongClosure => "long closure",
        SpanKind::Alert(AlertKind::LongClosureWarning) => "warning",
        SpanKind::Alert(AlertKind::LongClosureAlarm) => "alarm",
        SpanKind::Alert(AlertKind::FaceLostAsleep) => "face lost",
        SpanKind::Alert(AlertKind::Drowsiness) => "drowsy",
        SpanKind::Alert(AlertKind::LowBlinkRate | AlertKind::ScreenTime) => "reminder",
    }
}
