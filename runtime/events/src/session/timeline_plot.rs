//! Draws the course of a session: both eyes' states as bands, marks for blinks, closures and
//! alerts, then P(closed), PERCLOS, confidence and, where it was measured, camera SNR.
//!
//! A column of pixels shows all that its time holds: states as shares of its height, values from the
//! least to the greatest with their mean as a line. States differ by lightness and by their place in
//! the band besides colours, so that the picture can be read in gray and by the colour-blind.

mod panel;
mod rows;

use super::{
    accumulator::SPAN_ROWS,
    statistics::SessionStatistics,
    text::clock,
    timeline::{Spread, Timeline},
};
use panel::Panel;
use parseye_plot::{Canvas, GREY, PALETTE, PlotError, TEXT_SIZE, letters, svg};
use parseye_vision::{
    eye_state::{Eye, PerEye},
    temporal::TemporalSettings,
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::ops::Range;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Pixels of the picture's width, of the words left of the data, and of the data, one for each
/// column that a [`Timeline`] can have.
const WIDTH: i32 = RIGHT + 26;
const LEFT: i32 = 118;
const DATA: i32 = super::timeline::COLUMNS as i32;
const RIGHT: i32 = LEFT + DATA;

const HEADING: i32 = 86;
const BAND: i32 = 34;
const BLINK_ROW: i32 = 20;
const SPAN_ROW: i32 = 15;
const PANEL: i32 = 92;
const SPACE: i32 = 16;
const AXIS: i32 = 52;
const SMALL: i32 = TEXT_SIZE - 2;

/// Lightness falls from open to closed, so that gray prints tell them apart; not visible is striped.
const OPEN: RGBColor = RGBColor(176, 217, 242);
const PARTIALLY: RGBColor = RGBColor(230, 159, 0);
const CLOSED: RGBColor = RGBColor(16, 52, 96);
const HIDDEN: [RGBColor; 2] = [RGBColor(236, 236, 236), RGBColor(150, 150, 150)];
/// Words that stand back.
const SOFT: RGBColor = RGBColor(80, 80, 80);
/// Lines of the left and the right eye: dark and light.
const EYES: PerEye<RGBColor> = PerEye {
    left: PALETTE[0],
    right: PALETTE[5],
};

/// The picture as SVG.
///
/// # Errors
/// When the library fails, which it does on no session.
pub fn draw(
    figures: &SessionStatistics,
    timeline: &Timeline,
    settings: &TemporalSettings,
) -> Result<String, PlotError> {
    let has_snr = timeline.columns().iter().any(|column| {
        Eye::ALL
            .iter()
            .any(|eye| column.snr.get(*eye).values().is_some())
    });
    let marks = BLINK_ROW * BLINK_ROWS.len() as i32 + SPAN_ROW * SPAN_ROWS.len() as i32;
    let panels = if has_snr { 4 } else { 3 };
    let height = HEADING + 2 * (BAND + 6) + SPACE + marks + SPACE + panels * (PANEL + SPACE) + AXIS;
    svg((WIDTH as u32, height as u32), |canvas| {
        let mut course = Course {
            canvas,
            timeline,
            y: HEADING,
        };
        course.heading(figures)?;
        course.grid(HEADING..height - AXIS)?;
        for eye in Eye::ALL {
            course.band(eye)?;
        }
        course.y += SPACE;
        course.marks()?;
        course.y += SPACE;
        let percent = |value: f64| format!("{:.0}", 100.0 * value);
        let unit = |value: f64| format!("{value:.1}");
        course.panel(
            &Panel {
                name: "P(closed)",
                unit: "",
                range: 0.0..1.0,
                ticks: &[0.0, 0.5, 1.0],
                text: &unit,
                border: Some(settings.closed_above),
            },
            &|column| eyes_of(&column.closed),
        )?;
        let perclos = perclos_range(timeline, settings);
        course.panel(
            &Panel {
                name: "PERCLOS",
                unit: "% of the last minute",
                range: 0.0..perclos,
                ticks: &[0.0, perclos / 2.0, perclos],
                text: &percent,
                border: Some(settings.drowsy_above),
            },
            &|column| vec![(column.perclos, PALETTE[6])],
        )?;
        course.panel(
            &Panel {
                name: "confidence",
                unit: "of the state",
                range: 0.25..1.0,
                ticks: &[0.25, 0.5, 0.75, 1.0],
                text: &|value| format!("{value:.2}"),
                border: None,
            },
            &|column| eyes_of(&column.confidence),
        )?;
        if has_snr {
            let range = snr_range(timeline);
            let ticks = [range.start, (range.start + range.end) / 2.0, range.end];
            course.panel(
                &Panel {
                    name: "camera SNR",
                    unit: "dB",
                    range,
                    ticks: &ticks,
                    text: &|value| format!("{value:.0}"),
                    border: None,
                },
                &|column| eyes_of(&column.snr),
            )?;
        }
        course.axis()
    })
}

const BLINK_ROWS: [&str; 3] = ["blinks, left", "right", "both"];

fn eyes_of(spreads: &PerEye<Spread>) -> Vec<(Spread, RGBColor)> {
    Eye::ALL
        .into_iter()
        .map(|eye| (*spreads.get(eye), *EYES.get(eye)))
        .collect()
}

/// Up to the highest value or a little above the border of drowsiness, in steps of 10 %.
fn perclos_range(timeline: &Timeline, settings: &TemporalSettings) -> f64 {
    let highest = timeline
        .columns()
        .iter()
        .filter_map(|column| column.perclos.values())
        .map(|[_, _, high]| high)
        .fold(settings.drowsy_above, f64::max);
    ((highest * 10.0 + 0.01).ceil() / 10.0).clamp(0.1, 1.0)
}

/// All measured values, in steps of 10 dB.
fn snr_range(timeline: &Timeline) -> Range<f64> {
    let values = timeline.columns().iter().flat_map(|column| {
        Eye::ALL
            .into_iter()
            .filter_map(|eye| column.snr.get(eye).values())
            .collect::<Vec<_>>()
    });
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), [l, _, h]| {
        (low.min(l), high.max(h))
    });
    let low = (low / 10.0).floor() * 10.0;
    low..((high / 10.0).ceil() * 10.0).max(low + 10.0)
}

struct Course<'a, 'b> {
    canvas: &'a Canvas<'b>,
    timeline: &'a Timeline,
    /// Where the next row begins.
    y: i32,
}

impl Course<'_, '_> {
    /// Pixel of a time.
    fn x(&self, time: f64) -> i32 {
        let length = self.timeline.length.max(f64::MIN_POSITIVE);
        LEFT + (f64::from(DATA) * (time / length).clamp(0.0, 1.0)).round() as i32
    }

    /// Pixels of a column, at least one.
    fn pixels(&self, index: usize) -> Range<i32> {
        let width = self.timeline.width();
        let begin = self.x(index as f64 * width);
        let end = self.x((index + 1) as f64 * width);
        begin..end.max(begin + 1)
    }

    fn text(&self, text: &str, at: (i32, i32), size: i32, colour: RGBColor, how: HPos) -> Drawn {
        let style = letters(size, colour, (how, VPos::Center));
        Ok(self.canvas.draw(&Text::new(text.to_owned(), at, style))?)
    }

    fn fill(&self, x: Range<i32>, y: Range<i32>, colour: RGBColor) -> Drawn {
        let corners = [(x.start, y.start), (x.end, y.end)];
        Ok(self
            .canvas
            .draw(&Rectangle::new(corners, colour.filled()))?)
    }

    fn heading(&self, figures: &SessionStatistics) -> Drawn {
        let names: Vec<String> = figures
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
        let blinks = figures.blinks.both.count;
        let mut line = format!(
            "{}, {blinks} blinks of both eyes",
            clock(figures.duration_s)
        );
        if let Some(rate) = figures.blinks.both.per_minute {
            line += &format!(" ({rate:.1} a minute)");
        }
        if let Some(perclos) = figures.perclos {
            line += &format!(", PERCLOS {:.1} %", 100.0 * perclos);
        }
        let alerts = figures.alerts.count;
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

    /// Lines at the ticks of time and where another source begins, behind everything.
    fn grid(&self, y: Range<i32>) -> Drawn {
        for (time, _) in ticks(self.timeline.length) {
            let x = self.x(time);
            let line = vec![(x, y.start), (x, y.end)];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.10)))?;
        }
        for time in self.timeline.boundaries.iter().take(DATA as usize) {
            let x = self.x(*time);
            let line = vec![(x, y.start - 4), (x, y.end)];
            self.canvas
                .draw(&PathElement::new(line, PALETTE[3].stroke_width(1)))?;
        }
        Ok(())
    }

    fn axis(&self) -> Drawn {
        let y = self.y - SPACE + 6;
        for (time, text) in ticks(self.timeline.length) {
            let x = self.x(time);
            self.canvas
                .draw(&PathElement::new(vec![(x, y - 6), (x, y)], BLACK))?;
            self.text(&text, (x, y + 10), SMALL, BLACK, HPos::Center)?;
        }
        let name = format!("time ({})", unit_of(self.timeline.length).1);
        self.text(
            &name,
            ((LEFT + RIGHT) / 2, y + 30),
            TEXT_SIZE,
            BLACK,
            HPos::Center,
        )?;
        if !self.timeline.boundaries.is_empty() {
            let note = "upright violet lines: another source begins";
            self.text(note, (RIGHT, y + 30), SMALL - 1, SOFT, HPos::Right)?;
        }
        Ok(())
    }
}

/// Seconds of the unit that a length is shown in, and its name.
fn unit_of(length: f64) -> (f64, &'static str) {
    match length {
        seconds if seconds <= 180.0 => (1.0, "s"),
        seconds if seconds <= 3.0 * 3600.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    }
}

/// Round times with their texts, about ten.
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

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 3).collect::<String>() + "..."
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
