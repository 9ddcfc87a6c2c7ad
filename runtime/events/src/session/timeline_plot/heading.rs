//! The heading of the plot: which logs, the session in one line, and what colours mean.

use super::{
    Drawn, TimelinePlot,
    layout::{CLOSED, EYES, OPEN, PARTIALLY, RIGHT, SMALL},
};
use crate::{rounding::clock, session::statistics::SessionStatistics};
use parseye_plot::{GREY, TEXT_SIZE};
use parseye_vision::eye_state::Eye;
use plotters::{prelude::*, style::text_anchor::HPos};

impl TimelinePlot<'_, '_> {
    /// Draws the heading.
    pub(super) fn heading(&self, session: &SessionStatistics) -> Drawn {
        let names: Vec<String> = session
            .logs
            .iter()
            .map(|log| {
                log.path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let name = match names.as_slice() {
            [] => "session".to_owned(),
            [one] => one.clone(),
            [first, .., last] => format!("{first} to {last}"),
        };
        self.text(
            &shortened(&name, 70),
            (16, 20),
            TEXT_SIZE + 4,
            BLACK,
            HPos::Left,
        )?;
        let blinks = session.blinks.both.count;
        let mut line = format!(
            "{}, {blinks} blinks of both eyes",
            clock(session.duration_s)
        );
        if let Some(rate) = session.blinks.both.per_minute {
            line += &format!(" ({rate:.1} a minute)");
        }
        if let Some(perclos) = session.perclos {
            line += &format!(", PERCLOS {:.1} %", 100.0 * perclos);
        }
        let alerts = session.alerts.count;
        line += &match alerts {
            0 => ", no alert".to_owned(),
            1 => ", 1 alert".to_owned(),
            _ => format!(", {alerts} alerts"),
        };
        self.text(&line, (16, 43), SMALL, BLACK, HPos::Left)?;
        self.legend((16, 66))
    }

    fn legend(&self, at: (i32, i32)) -> Drawn {
        const LETTER: i32 = 8;
        let (mut x, y) = at;
        let box_of = |x: i32| (x..x + 18, y - 7..y + 7);
        for (name, colour) in [
            ("open", Some(OPEN)),
            ("partially open", Some(PARTIALLY)),
            ("closed", Some(CLOSED)),
            ("not visible", None),
        ] {
            let (across, down) = box_of(x);
            match colour {
                Some(colour) => self.fill(across, down, colour)?,
                None => self.stripes(across, down)?,
            }
            self.text(name, (x + 24, y), SMALL, BLACK, HPos::Left)?;
            x += 24 + LETTER * name.len() as i32 + 14;
        }
        let (across, down) = box_of(x);
        let corners = [(across.start, down.start), (across.end, down.end)];
        self.canvas
            .draw(&Rectangle::new(corners, GREY.stroke_width(1)))?;
        let name = "not measured (no face, profile, break)";
        self.text(name, (x + 24, y), SMALL, BLACK, HPos::Left)?;
        x = RIGHT;
        for (eye, name) in [(Eye::Right, "right eye"), (Eye::Left, "left eye")] {
            x -= LETTER * name.len() as i32;
            self.text(name, (x, y), SMALL, BLACK, HPos::Left)?;
            let sample = vec![(x - 32, y), (x - 6, y)];
            let style = EYES.get(eye).stroke_width(3);
            self.canvas.draw(&PathElement::new(sample, style))?;
            x -= 52;
        }
        Ok(())
    }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 3).collect::<String>() + "..."
}
