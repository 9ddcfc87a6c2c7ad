//! Draws the course of a session: both eyes' states as bands, marks for blinks, closures and
//! alerts, then P(closed), PERCLOS, confidence and, where it was measured, camera SNR.
//!
//! A column of pixels shows all that its time holds: states as shares of its height, values from the
//! least to the greatest with their mean as a line. States differ by lightness and by their place in
//! the band besides colours, so that the picture can be read in gray and by the colour-blind.

use super::{
    figures::SessionFigures,
    tally::SPAN_ROWS,
    text::clock,
    timeline::{Column, KINDS, Spread, Timeline},
};
use crate::{
    eye_state::{Eye, PerEye},
    plot::{Canvas, GREY, PALETTE, PlotError, TEXT_SIZE, letters, svg},
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
/// Pixels of a stripe.
const STRIPE: i32 = 3;

/// Lines of the left and the right eye: dark and light.
const EYES: PerEye<RGBColor> = PerEye {
    left: PALETTE[0],
    right: PALETTE[5],
};

/// The kinds of [`Column::kinds`] from the bottom of a band to its top; what was not measured stays
/// white.
const STACK: [usize; KINDS - 1] = [2, 1, 0, 3];

/// The picture as SVG.
///
/// # Errors
/// When the library fails, which it does on no session.
pub fn draw(
    figures: &SessionFigures,
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

struct Panel<'a> {
    name: &'a str,
    unit: &'a str,
    range: Range<f64>,
    ticks: &'a [f64],
    text: &'a dyn Fn(f64) -> String,
    /// A value worth a line of its own.
    border: Option<f64>,
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

    fn heading(&self, figures: &SessionFigures) -> Drawn {
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
        for time in self.timeline.seams.iter().take(DATA as usize) {
            let x = self.x(*time);
            let line = vec![(x, y.start - 4), (x, y.end)];
            self.canvas
                .draw(&PathElement::new(line, PALETTE[3].stroke_width(1)))?;
        }
        Ok(())
    }

    /// The states of one eye.
    fn band(&mut self, eye: Eye) -> Drawn {
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
    fn stripes(&self, across: Range<i32>, down: Range<i32>) -> Drawn {
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
    fn marks(&mut self) -> Drawn {
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

    /// Values over time: from the least to the greatest of each column, and their mean.
    fn panel(
        &mut self,
        panel: &Panel<'_>,
        values: &dyn Fn(&Column) -> Vec<(Spread, RGBColor)>,
    ) -> Drawn {
        let (top, bottom) = (self.y, self.y + PANEL);
        let y = |value: f64| {
            let share = (value - panel.range.start) / (panel.range.end - panel.range.start);
            bottom - (f64::from(PANEL) * share.clamp(0.0, 1.0)).round() as i32
        };
        let name = (16, top + PANEL / 2 - 9);
        self.text(panel.name, name, SMALL, BLACK, HPos::Left)?;
        if !panel.unit.is_empty() {
            for (line, words) in wrapped(panel.unit).into_iter().enumerate() {
                let at = (16, top + PANEL / 2 + 7 + 14 * line as i32);
                self.text(&words, at, SMALL - 2, SOFT, HPos::Left)?;
            }
        }
        for tick in panel.ticks {
            let text = (panel.text)(*tick);
            self.text(&text, (LEFT - 8, y(*tick)), SMALL - 1, BLACK, HPos::Right)?;
            let line = vec![(LEFT, y(*tick)), (RIGHT, y(*tick))];
            self.canvas.draw(&PathElement::new(line, BLACK.mix(0.10)))?;
        }
        if let Some(border) = panel.border.filter(|border| panel.range.contains(border)) {
            let mut x = LEFT;
            while x < RIGHT {
                let dash = vec![(x, y(border)), ((x + 6).min(RIGHT), y(border))];
                self.canvas
                    .draw(&PathElement::new(dash, PALETTE[1].stroke_width(1)))?;
                x += 12;
            }
        }
        let corners = [(LEFT, top), (RIGHT, bottom)];
        self.canvas
            .draw(&Rectangle::new(corners, GREY.stroke_width(1)))?;
        let series = self
            .timeline
            .columns()
            .first()
            .map_or(0, |column| values(column).len());
        for index in 0..series {
            self.line(index, values, &y)?;
        }
        self.y = bottom + SPACE;
        Ok(())
    }

    /// One series: a stretch ends where a column has no value.
    fn line(
        &self,
        series: usize,
        values: &dyn Fn(&Column) -> Vec<(Spread, RGBColor)>,
        y: &dyn Fn(f64) -> i32,
    ) -> Drawn {
        const ENVELOPE: f64 = 0.2;
        let mut lower = Vec::new();
        let mut upper = Vec::new();
        let mut mean = Vec::new();
        let mut colour = BLACK;
        let columns = self.timeline.columns();
        for index in 0..=columns.len() {
            let found = columns.get(index).and_then(|column| {
                let (spread, its_colour) = *values(column).get(series)?;
                colour = its_colour;
                spread.values()
            });
            if let Some([low, middle, high]) = found {
                let across = self.pixels(index);
                for x in [across.start, across.end] {
                    lower.push((x, y(low)));
                    upper.push((x, y(high)));
                    mean.push((x, y(middle)));
                }
                continue;
            }
            if mean.is_empty() {
                continue;
            }
            if lower != upper {
                let outline: Vec<(i32, i32)> =
                    lower.drain(..).chain(upper.drain(..).rev()).collect();
                self.canvas
                    .draw(&Polygon::new(outline, colour.mix(ENVELOPE)))?;
            }
            lower.clear();
            upper.clear();
            let line = PathElement::new(std::mem::take(&mut mean), colour.stroke_width(1));
            self.canvas.draw(&line)?;
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
        if !self.timeline.seams.is_empty() {
            let note = "upright violet lines: another source begins";
            self.text(note, (RIGHT, y + 30), SMALL - 1, SOFT, HPos::Right)?;
        }
        Ok(())
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
    if !(length > 0.0) {
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

/// Two lines at most.
fn wrapped(words: &str) -> Vec<String> {
    const LINE: usize = 11;
    match words
        .char_indices()
        .filter(|(_, c)| *c == ' ')
        .map(|(at, _)| at)
        .filter(|at| *at <= LINE)
        .last()
    {
        Some(at) if words.len() > LINE => vec![words[..at].into(), words[at + 1..].into()],
        _ => vec![words.into()],
    }
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
