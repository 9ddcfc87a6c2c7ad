//! Line charts: axes with units, lines with bands, reference marks, and a legend outside of the
//! data. Lines differ by dashes and marks besides colours, so that colours need not be
//! distinguished.

use crate::estimate::Estimate;
use parseye_plot::{Canvas, FONT, PlotError, TEXT_SIZE};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

pub use parseye_plot::{GREY, PALETTE, letters};

const TITLE_SIZE: i32 = 19;
const SIZE: (u32, u32) = (960, 520);
const HEADING: u32 = 44;
const LEGEND_WIDTH: u32 = 330;
const LEGEND_ROW: i32 = 22;
const SAMPLE_WIDTH: i32 = 44;
const BAND_OPACITY: f64 = 0.13;
const LINE_WIDTH: u32 = 2;

/// Dashes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Whole.
    Solid,
    /// Dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Marks alone.
    None,
}

/// Mark at the points of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    None,
    /// A filled circle.
    Circle,
    /// A filled square.
    Square,
    /// A triangle.
    Triangle,
    /// A cross.
    Cross,
}

/// A point with its 95 % interval, where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Interval of y.
    pub band: Option<(f64, f64)>,
}

impl Point {
    /// A point without an interval.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, band: None }
    }

    /// A metric with its interval, where it has one.
    pub fn of(x: f64, metric: Estimate) -> Self {
        Self {
            x,
            y: metric.value,
            band: metric.low.zip(metric.high),
        }
    }
}

/// Marks that tell the lines of one colour, or the colours of one dash, apart.
pub(crate) const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Cross];

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<Point>,
    /// Colour.
    pub colour: RGBColor,
    /// Dashes.
    pub dash: Dash,
    /// Marks.
    pub mark: Mark,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Name of the quantity, with its unit.
    pub label: String,
    /// Its ends.
    pub range: (f64, f64),
    /// Powers of ten instead of equal steps.
    pub logarithmic: bool,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Heading.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// The lines; later ones are drawn over earlier ones.
    pub lines: Vec<Line>,
    /// Notes below the legend.
    pub notes: Vec<String>,
}

impl Axis {
    /// An axis of equal steps.
    pub fn new(label: &str, low: f64, high: f64) -> Self {
        Self {
            label: label.into(),
            range: (low, high),
            logarithmic: false,
        }
    }

    /// Position of a value: itself, or its power of ten, not below the axis' low end.
    fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            value.max(self.range.0).log10()
        } else {
            value
        }
    }

    fn places(&self) -> std::ops::Range<f64> {
        self.place(self.range.0)..self.place(self.range.1)
    }

    fn text(&self, place: f64) -> String {
        if self.logarithmic {
            format!("{:.4}", 10_f64.powf(place))
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        } else if self.range.1 - self.range.0 > 4.0 {
            format!("{place:.0}")
        } else {
            format!("{place:.2}")
        }
    }

    fn ticks(&self) -> usize {
        let places = self.places();
        if self.logarithmic {
            (places.end - places.start) as usize + 1
        } else {
            11
        }
    }
}

/// Runs a drawing on an SVG canvas of this size; `title` is named where it fails.
///
/// # Errors
/// When the plotting library fails.
pub fn svg(
    title: &str,
    size: (u32, u32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    parseye_plot::svg(size, draw).map_err(|error| PlotError(format!("{title}: {}", error.0)))
}

/// Text of the usual size that starts at its place, centred on its line.
pub fn label() -> TextStyle<'static> {
    letters(TEXT_SIZE, BLACK, (HPos::Left, VPos::Center))
}

impl Chart {
    /// The chart as SVG.
    ///
    /// # Errors
    /// See [`svg`].
    pub(crate) fn draw(&self) -> Result<String, PlotError> {
        let legend = (self.lines.len() + self.notes.len() + 3) as u32 * LEGEND_ROW.unsigned_abs();
        let size = (SIZE.0, SIZE.1.max(legend + HEADING));
        svg(&self.title, size, |area| {
            let heading = letters(TITLE_SIZE, BLACK, (HPos::Left, VPos::Top));
            area.draw(&Text::new(self.title.clone(), (16, 12), heading))?;
            let (_, below) = area.split_vertically(HEADING);
            let (data, legend) = below.split_horizontally(SIZE.0 - LEGEND_WIDTH);
            self.draw_data(&data)?;
            self.draw_legend(&legend)
        })
    }

    fn draw_data(&self, area: &Canvas<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(48)
            .y_label_area_size(62)
            .build_cartesian_2d(self.x.places(), self.y.places())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .x_labels(self.x.ticks())
            .y_labels(self.y.ticks())
            .x_label_formatter(&|place| self.x.text(*place))
            .y_label_formatter(&|place| self.y.text(*place))
            .x_desc(self.x.label.clone())
            .y_desc(self.y.label.clone())
            .label_style((FONT, TEXT_SIZE - 1))
            .axis_desc_style((FONT, TEXT_SIZE))
            .draw()?;
        let place = |x: f64, y: f64| {
            let (low, high) = self.y.range;
            (self.x.place(x), self.y.place(y.clamp(low, high)))
        };
        for line in &self.lines {
            let banded = |point: &Point| point.band.map(|band| (point.x, band));
            let bands: Vec<(f64, (f64, f64))> = line.points.iter().filter_map(banded).collect();
            if bands.len() > 1 && line.dash != Dash::None {
                let lower = bands.iter().map(|(x, (low, _))| place(*x, *low));
                let upper = bands.iter().rev().map(|(x, (_, high))| place(*x, *high));
                let outline: Vec<(f64, f64)> = lower.chain(upper).collect();
                chart.draw_series([Polygon::new(outline, line.colour.mix(BAND_OPACITY))])?;
            }
        }
        for line in &self.lines {
            let points: Vec<(f64, f64)> = line
                .points
                .iter()
                .map(|point| place(point.x, point.y))
                .collect();
            let style = line.colour.stroke_width(LINE_WIDTH);
            match line.dash.lengths() {
                _ if line.dash == Dash::None => {}
                None => {
                    chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
                }
                Some((on, off)) => {
                    let dashes = DashedLineSeries::new(points.iter().copied(), on, off, style);
                    chart.draw_series(dashes)?;
                }
            }
            let outline = line.mark.outline();
            if outline.is_empty() {
                continue;
            }
            chart.draw_series(points.into_iter().map(|point| {
                EmptyElement::at(point) + Polygon::new(outline.clone(), line.colour.filled())
            }))?;
        }
        Ok(())
    }

    fn draw_legend(&self, area: &Canvas<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let mut y = 18;
        for line in &self.lines {
            let ends = [(8, y), (8 + SAMPLE_WIDTH, y)];
            let style = line.colour.stroke_width(LINE_WIDTH);
            match line.dash.lengths() {
                _ if line.dash == Dash::None => {}
                None => area.draw(&PathElement::new(ends.to_vec(), style))?,
                Some((on, off)) => {
                    let mut x = ends[0].0;
                    while x < ends[1].0 {
                        let end = (x + on as i32).min(ends[1].0);
                        area.draw(&PathElement::new(vec![(x, y), (end, y)], style))?;
                        x += (on + off) as i32;
                    }
                }
            }
            let middle = 8 + SAMPLE_WIDTH / 2;
            let outline = line.mark.outline().into_iter();
            let outline: Vec<(i32, i32)> = outline.map(|(dx, dy)| (middle + dx, y + dy)).collect();
            if !outline.is_empty() {
                area.draw(&Polygon::new(outline, line.colour.filled()))?;
            }
            let at = (8 + SAMPLE_WIDTH + 8, y);
            area.draw(&Text::new(line.name.clone(), at, label()))?;
            y += LEGEND_ROW;
        }
        y += 8;
        for note in &self.notes {
            let style = letters(
                TEXT_SIZE - 3,
                RGBColor(90, 90, 90),
                (HPos::Left, VPos::Center),
            );
            area.draw(&Text::new(note.clone(), (8, y), style))?;
            y += LEGEND_ROW - 5;
        }
        Ok(())
    }
}

impl Dash {
    /// Pixels of a dash and of the gap after it; `None` for a whole line.
    const fn lengths(self) -> Option<(u32, u32)> {
        match self {
            Self::Solid | Self::None => None,
            Self::Dashed => Some((9, 5)),
            Self::Dotted => Some((2, 4)),
        }
    }
}

impl Mark {
    /// Its corners around its place, in pixels.
    fn outline(self) -> Vec<(i32, i32)> {
        match self {
            Self::None => Vec::new(),
            Self::Circle => vec![
                (4, 0),
                (3, 3),
                (0, 4),
                (-3, 3),
                (-4, 0),
                (-3, -3),
                (0, -4),
                (3, -3),
            ],
            Self::Square => vec![(-4, -4), (4, -4), (4, 4), (-4, 4)],
            Self::Triangle => vec![(0, -5), (5, 4), (-5, 4)],
            Self::Cross => vec![
                (-1, -5),
                (1, -5),
                (1, -1),
                (5, -1),
                (5, 1),
                (1, 1),
                (1, 5),
                (-1, 5),
                (-1, 1),
                (-5, 1),
                (-5, -1),
                (-1, -1),
            ],
        }
    }
}
