//! The dashboard as text: a pure function of the status, the recent past and the size.
//!
//! At 80x24 everything stands in frames; down to 60x16 the frames are left out, and below that only
//! what matters most is shown. Missing values are said to be missing.

mod check;

use super::theme::{Theme, label, symbol};
use crate::dashboard::{
    history::History,
    messages::{Message, clock},
};
use check::check_row;
use parseye_events::{
    event::EyeRecord,
    metrics::FrameLoss,
    status::{LiveStatus, RunningAlert},
};
use parseye_vision::{
    evaluate::manifest::Gaze,
    eye_state::{Eye, EyeState},
    reading::Unseen,
    temporal::AlertKind,
};
use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    symbols::border,
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};
use std::time::Duration;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The newest status; `None` before the first frame.
    pub status: Option<&'a LiveStatus>,
    /// The last minutes.
    pub history: &'a History,
    /// What the terminal can show.
    pub theme: Theme,
    /// Where the web dashboard is, if it is served.
    pub web: Option<&'a str>,
    /// The program's newest message.
    pub message: Option<&'a Message>,
}

/// Sizes from which on there are frames, and the full list without them.
const FRAMED: (u16, u16) = (80, 24);
const LISTED: (u16, u16) = (60, 16);

/// Characters of a row's heading.
const HEADING: usize = 11;

/// Characters of a bar's heading and of its value.
const BAR_HEADING: usize = 11;
const BAR_VALUE: usize = 5;

/// Lowest confidence that the most likely of four states can have; sparklines begin there.
const LOWEST_CONFIDENCE: f64 = 0.25;

/// Rows of an eye: state, four bars, confidence.
const EYE_ROWS: u16 = 6;

impl View<'_> {
    /// Draws on the whole screen.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let fits = |(width, height)| area.width >= width && area.height >= height;
        let framed = fits(FRAMED);
        let mut rows = Rows { area, next: 0 };
        rows.line(frame, self.title(area.width));
        rows.line(frame, self.alert_line());
        self.rows_of_status(frame, &mut rows, framed, fits(LISTED));
        if let Some(message) = self.message {
            rows.last(frame, self.message_line(message, area.width));
        }
    }

    fn rows_of_status(&self, frame: &mut Frame<'_>, rows: &mut Rows, framed: bool, listed: bool) {
        let area = rows.area;
        let Some(status) = self.status else {
            rows.line(frame, Line::from(" Waiting for the first frame. q quits."));
            return;
        };
        if !framed && !listed {
            for eye in Eye::ALL {
                rows.line(frame, self.state_line(short_name(eye), of(status, eye)));
            }
            rows.line(frame, perclos_row(status, self.theme, 10));
            rows.line(frame, blinks_row(status));
            return;
        }
        let border = u16::from(framed);
        let eyes = rows.take(EYE_ROWS + 2 * border);
        let half = area.width / 2;
        for (eye, x, width) in [(Eye::Left, 0, half), (Eye::Right, half, area.width - half)] {
            let place = Rect::new(x, eyes.y, width, eyes.height);
            let inner = if framed {
                self.framed(frame, place, eye_name(eye))
            } else {
                place
            };
            let name = if framed { "" } else { short_name(eye) };
            let lines = self.eye_lines(name, eye, of(status, eye), usize::from(inner.width));
            frame.render_widget(Paragraph::new(lines), inner);
        }
        let width = usize::from(area.width) - 2 * usize::from(border);
        let minute = vec![
            perclos_row(
                status,
                self.theme,
                width.saturating_sub(HEADING + 36).min(40),
            ),
            blinks_row(status),
            self.closures_row(),
        ];
        let camera = vec![
            frames_row(status),
            age_row(status),
            lost_row(&status.lost),
            row("Format", dash(&status.source.format)),
        ];
        let checks = [
            check_row(&status.checks, width),
            row(
                "Model",
                match framed {
                    true => format!("{}; watches the {}", status.model, status.watching),
                    // There is no row left for it.
                    false => format!("{}; {}   (q quits)", status.model, status.watching),
                },
            ),
        ];
        if framed {
            for (title, lines) in [("Last minute", minute), ("Camera", camera)] {
                let place = rows.take(lines.len() as u16 + 2);
                let inner = self.framed(frame, place, title);
                frame.render_widget(Paragraph::new(lines), inner);
            }
            // In line with what stands in frames.
            for mut line in checks {
                line.spans.insert(0, Span::raw(" "));
                rows.line(frame, line);
            }
            rows.line(frame, self.footer());
        } else {
            let listed = minute.into_iter().take(2).chain(camera).chain(checks);
            for line in listed {
                rows.line(frame, line);
            }
        }
    }

    fn title(&self, width: u16) -> Line<'static> {
        let (source, elapsed) = match self.status {
            Some(status) => (
                status.source.name.clone(),
                clock(Duration::try_from_secs_f64(status.time).unwrap_or_default()),
            ),
            None => (String::new(), String::new()),
        };
        let left = format!(" Parseye  {source}");
        let right = format!("{elapsed} ");
        let room = usize::from(width).saturating_sub(right.chars().count() + 1);
        let left: String = left.chars().take(room).collect();
        let gap = usize::from(width).saturating_sub(left.chars().count() + right.chars().count());
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        Line::styled(format!("{left}{}{right}", " ".repeat(gap)), style)
    }

    /// Returns what is wrong, the most severe first: the camera, then alerts, then a missing face.
    fn alert_line(&self) -> Line<'static> {
        let Some(status) = self.status else {
            return Line::default();
        };
        if let Some(reason) = &status.source.down {
            return Line::styled(format!(" !! NO FRAMES: {reason} "), self.theme.alarm());
        }
        match most_severe(&status.alerts) {
            Some(alert) => Line::styled(
                format!(" !! {} ", alert_text(alert, status.time)),
                self.theme.alarm(),
            ),
            None if status.face.is_none() => Line::from(" No face in the frame."),
            None => match &status.untold {
                Some(untold) => Line::styled(format!(" ! {untold} "), self.theme.alarm()),
                None => Line::styled(" No alert.", self.theme.quiet()),
            },
        }
    }

    fn framed(&self, frame: &mut Frame<'_>, place: Rect, title: &'static str) -> Rect {
        let plain = border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        };
        let block = Block::bordered()
            .title(format!(" {title} "))
            .border_set(if self.theme.unicode {
                border::PLAIN
            } else {
                plain
            })
            .border_style(self.theme.quiet())
            .title_style(Style::new().add_modifier(Modifier::BOLD));
        let inner = block.inner(place);
        frame.render_widget(block, place);
        inner
    }

    fn state_line(&self, name: &str, eye: Option<&EyeRecord>) -> Line<'static> {
        let name = match name {
            "" => String::new(),
            name => format!("{name} "),
        };
        let Some(eye) = eye else {
            return Line::from(format!(" {name}(?) NO READING"));
        };
        let bold = self.theme.of_state(eye.state).add_modifier(Modifier::BOLD);
        let why = match eye.reason {
            Some(Unseen::NoFace) => "  no face".into(),
            Some(Unseen::Profile) => "  head turned".into(),
            Some(Unseen::TooSmall) => "  too small".into(),
            None => eye
                .confidence
                .map(|confidence| match name.is_empty() {
                    true => format!("  {confidence:.2} confidence"),
                    // The longest state leaves no room for the word.
                    false => format!("  {confidence:.2}"),
                })
                .unwrap_or_default(),
        };
        let down = eye.lids.is_some_and(|lids| lids.gaze == Some(Gaze::Down));
        Line::from(vec![
            Span::raw(format!(" {name}")),
            Span::styled(format!("{} {}", symbol(eye.state), label(eye.state)), bold),
            Span::raw(why),
            Span::raw(match (self.status, down) {
                (Some(status), _) if status.uncertain => " or down?",
                (_, true) => " down",
                _ => "",
            }),
        ])
    }

    fn eye_lines(
        &self,
        name: &str,
        eye: Eye,
        record: Option<&EyeRecord>,
        width: usize,
    ) -> Vec<Line<'static>> {
        let mut lines = vec![self.state_line(name, record)];
        let room = width.saturating_sub(BAR_HEADING + BAR_VALUE + 3);
        for state in EyeState::ALL {
            let heading = match state {
                EyeState::Open => "open",
                EyeState::PartiallyOpen => "partly",
                EyeState::Closed => "closed",
                EyeState::NotVisible => "hidden",
            };
            let share = record
                .and_then(|record| record.probabilities.as_ref())
                .and_then(|probabilities| probabilities.of(state));
            let value = share.map_or_else(|| "-".into(), |share| format!("{share:.2}"));
            let bar = self.theme.bar(share.unwrap_or(0.0), room);
            lines.push(Line::from(vec![
                Span::raw(format!(" {heading:BAR_HEADING$}")),
                Span::styled(bar, self.theme.of_state(state)),
                Span::raw(format!(" {value:>BAR_VALUE$}")),
            ]));
        }
        let confidences: Vec<Option<f64>> = self.confidences(eye, room);
        let line = self.theme.sparkline(confidences.into_iter());
        lines.push(Line::from(vec![
            Span::raw(format!(" {:BAR_HEADING$}", "confidence")),
            Span::raw(format!("{line:>room$}")),
        ]));
        lines
    }

    /// Mean confidence of the last seconds, the newest last, scaled from its possible range to 0..1.
    fn confidences(&self, eye: Eye, most: usize) -> Vec<Option<f64>> {
        let Some(newest) = self.history.newest() else {
            return Vec::new();
        };
        let oldest = (newest.index + 1).saturating_sub(most as u64);
        let mut shown = vec![None; (newest.index + 1 - oldest) as usize];
        for slice in self.history.slices().filter(|slice| slice.index >= oldest) {
            shown[(slice.index - oldest) as usize] = slice
                .eyes
                .get(eye)
                .confidence()
                .map(|confidence| (confidence - LOWEST_CONFIDENCE) / (1.0 - LOWEST_CONFIDENCE));
        }
        shown
    }

    fn closures_row(&self) -> Line<'static> {
        let session = self.history.session();
        let alerts = &session.alerts;
        row(
            "Since start",
            format!(
                "long closures {}, alarms {}, drowsy {}; longest closure {}",
                session.long_closures,
                alerts.long_closure_alarm,
                alerts.drowsiness,
                session
                    .longest_closure_s
                    .map_or_else(|| "-".into(), |seconds| format!("{seconds:.2} s")),
            ),
        )
    }

    fn footer(&self) -> Line<'static> {
        let web = match self.web {
            Some(address) => format!("   web page: {address}"),
            None => String::new(),
        };
        Line::styled(format!("  q quits{web}"), self.theme.quiet())
    }

    /// The whole message is written when the terminal is given back, so it may be truncated here.
    fn message_line(&self, message: &Message, width: u16) -> Line<'static> {
        const ELLIPSIS: &str = "...";
        const QUITS: &str = "  (q quits)";
        let text = format!(" {} {}", clock(message.time), message.text);
        let room = usize::from(width).saturating_sub(QUITS.len());
        let text = match text.chars().count() > room {
            true => {
                text.chars()
                    .take(room.saturating_sub(ELLIPSIS.len()))
                    .collect::<String>()
                    + ELLIPSIS
            }
            false => text,
        };
        Line::from(vec![
            Span::styled(text, Style::new().add_modifier(Modifier::BOLD)),
            Span::styled(QUITS, self.theme.quiet()),
        ])
    }
}

/// Hands out the rows of a screen from the top; what does not fit is left out.
struct Rows {
    area: Rect,
    next: u16,
}

impl Rows {
    fn take(&mut self, height: u16) -> Rect {
        let y = self.next.min(self.area.height);
        let height = height.min(self.area.height - y);
        self.next = y + height;
        Rect::new(0, y, self.area.width, height)
    }

    fn line(&mut self, frame: &mut Frame<'_>, line: Line<'static>) {
        let place = self.take(1);
        if place.height > 0 {
            frame.render_widget(line, place);
        }
    }

    /// Draws a line below all others, or instead of the last where no row is left.
    fn last(&mut self, frame: &mut Frame<'_>, line: Line<'static>) {
        self.next = self.next.min(self.area.height.saturating_sub(1));
        let place = self.take(1);
        frame.render_widget(Clear, place);
        frame.render_widget(line, place);
    }
}

fn row(heading: &str, text: String) -> Line<'static> {
    let heading = Span::styled(
        format!(" {heading:HEADING$} "),
        Style::new().add_modifier(Modifier::BOLD),
    );
    Line::from(vec![heading, Span::raw(text)])
}

fn perclos_row(status: &LiveStatus, theme: Theme, bar: usize) -> Line<'static> {
    match status.perclos {
        Some(share) => row(
            "PERCLOS",
            format!(
                "{} {:.1} % of the last minute",
                theme.bar(share, bar),
                100.0 * share
            ),
        ),
        None => row("PERCLOS", "not known yet".into()),
    }
}

fn blinks_row(status: &LiveStatus) -> Line<'static> {
    let rate = match status.blinks_per_minute {
        Some(rate) => format!("{rate:.1} a minute"),
        None => "rate not known".into(),
    };
    let blinks = &status.blinks;
    row(
        "Blinks",
        format!(
            "{rate}; {} in all (left {}, right {})",
            blinks.both, blinks.left, blinks.right
        ),
    )
}

fn frames_row(status: &LiveStatus) -> Line<'static> {
    let state = match status.source.down {
        Some(_) => "NO FRAMES",
        None => "delivering",
    };
    row(
        "Frames",
        format!(
            "{:.1} a second; {} processed; {state}",
            status.fps, status.frames
        ),
    )
}

fn age_row(status: &LiveStatus) -> Line<'static> {
    let age = match &status.frame_age_ms {
        Some(age) => format!(
            "{:.0} ms p50, {:.0} p95, {:.0} p99",
            age.p50, age.p95, age.p99
        ),
        None => "not known".into(),
    };
    row("Frame age", age)
}

fn lost_row(lost: &FrameLoss) -> Line<'static> {
    let text = format!(
        "{}: driver {}, dropped {}, decode {}, corrupt {}",
        lost.total(),
        lost.driver,
        lost.dropped,
        lost.decode,
        lost.corrupt
    );
    row("Lost", text)
}

fn of(status: &LiveStatus, eye: Eye) -> Option<&EyeRecord> {
    match eye {
        Eye::Left => status.left.as_ref(),
        Eye::Right => status.right.as_ref(),
    }
}

const fn eye_name(eye: Eye) -> &'static str {
    match eye {
        Eye::Left => "Left eye",
        Eye::Right => "Right eye",
    }
}

const fn short_name(eye: Eye) -> &'static str {
    match eye {
        Eye::Left => "Left",
        Eye::Right => "Right",
    }
}

/// The status lists the most severe first.
fn most_severe(alerts: &[RunningAlert]) -> Option<&RunningAlert> {
    alerts.first()
}

fn alert_text(alert: &RunningAlert, now: f64) -> String {
    let lasted = (now - alert.since).max(0.0);
    match alert.kind {
        AlertKind::LongClosureAlarm => format!("ALARM: eyes closed for {lasted:.1} s"),
        AlertKind::LongClosureWarning => format!("WARNING: eyes closed for {lasted:.1} s"),
        AlertKind::FaceLostAsleep => format!("ALARM: asleep and out of sight for {lasted:.0} s"),
        AlertKind::Drowsiness => format!("DROWSY for {lasted:.0} s"),
        AlertKind::LowBlinkRate => format!("Blink: few blinks for {lasted:.0} s"),
        AlertKind::ScreenTime => format!("Take a break: {:.0} min without one", lasted / 60.0),
    }
}

fn dash(text: &str) -> String {
    match text {
        "" => "unknown".into(),
        text => text.into(),
    }
}

#[cfg(test)]
mod tests;
