//! Adds up the events of a session.

mod sources;

use sources::{Last, Source};

use super::{
    log_file::{EventBody, LONGEST_EVENT, LoggedEvent},
    record::{BREAK, SHARES, check_closure, check_time, kind_of, reading_of, record_of, share_of},
    statistics::{
        AlertStatistics, AtTime, BlinkStatistics, LogStatistics, PerLaterality, Quantiles,
        RunStatistics, SCHEMA as FIGURES_SCHEMA, SessionNote, SessionStatistics, SourceStatistics,
    },
    timeline::{Moment, Span, Timeline},
};
use crate::event::{
    AlertEvent, ClosureEvent, EndEvent, Event, EyesEvent, Mode, SCHEMA, StartEvent,
};
use hdrhistogram::Histogram;
use parseye_vision::{
    eye_state::{Eye, PerEye},
    temporal::{AlertKind, AlertPhase, Laterality, TemporalSettings, TemporalTracker},
};
use std::time::Duration;

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It says something impossible.
    Damaged(String),
    /// It is of a later program's log.
    TooNew {
        /// Its layout.
        schema: u64,
        /// The program's version.
        version: String,
    },
}

/// Rows of the course's spans, see [`super::course`].
pub const SPAN_ROWS: [&str; 4] = ["long closure", "warning", "alarm", "drowsy"];

/// Known seconds below which a rate per minute would be a matter of chance.
const LEAST_KNOWN_S: f64 = 10.0;

/// An unknown event's measurement counts until the next one, at most this many seconds.
const SNR_HOLDS_S: f64 = 10.0;

/// Kinds of events that are counted apart, beside those known here; further ones are counted as
/// [`FURTHER_KINDS`].
const MOST_KINDS: usize = 100;

/// Stands for what [`MOST_KINDS`] leaves out.
const FURTHER_KINDS: &str = "(further kinds)";

/// Adds up a session.
#[derive(Debug)]
pub struct SessionAccumulator {
    settings: TemporalSettings,
    figures: SessionStatistics,
    timeline: Timeline,
    run: Option<RunStatistics>,
    source: Option<Source>,
    /// Sources listed so far.
    sources: usize,
    /// Where the present source begins in the session.
    offset: f64,
    shares: PerEye<[f64; SHARES.len()]>,
    known: Duration,
    closed: Duration,
    /// In millionths of a second: left, right, both.
    blinks: [Option<Histogram<u64>>; 3],
    /// In millionths.
    confidence: PerEye<Option<Histogram<u64>>>,
    snr: Option<(f64, PerEye<Option<f64>>)>,
}

impl SessionAccumulator {
    /// Nothing yet.
    pub fn new(settings: &TemporalSettings) -> Self {
        let histogram = |most, digits| Histogram::new_with_max(most, digits).ok();
        let durations = || histogram(HOUR, 3);
        const HOUR: u64 = 3_600_000_000;
        const ONE: u64 = 1_000_000;
        Self {
            settings: settings.clone(),
            figures: SessionStatistics {
                schema: FIGURES_SCHEMA,
                ..SessionStatistics::default()
            },
            timeline: Timeline::default(),
            run: None,
            source: None,
            sources: 0,
            offset: 0.0,
            shares: PerEye::default(),
            known: Duration::ZERO,
            closed: Duration::ZERO,
            blinks: [durations(), durations(), durations()],
            confidence: PerEye::from_fn(|_| histogram(ONE, 4)),
            snr: None,
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// When it says something impossible, which changes nothing, or is of a later program.
    pub fn take(&mut self, event: LoggedEvent) -> Result<(), Refusal> {
        let LoggedEvent { kind, body } = event;
        let known = matches!(body, EventBody::Known(_));
        match body {
            EventBody::Known(event) => self.take_known(*event)?,
            EventBody::Other(fields) => self.take_other(&kind, &fields),
        }
        let events = &mut self.figures.events;
        let apart = known || events.contains_key(kind.as_ref()) || events.len() < MOST_KINDS;
        let kind = match apart {
            true => kind.into_owned(),
            false => FURTHER_KINDS.into(),
        };
        *events.entry(kind).or_default() += 1;
        Ok(())
    }

    fn take_known(&mut self, event: Event) -> Result<(), Refusal> {
        match event {
            Event::Start(start) => self.take_start(start)?,
            Event::Eyes(eyes) => {
                check_time(eyes.time)?;
                self.take_eyes(&eyes);
            }
            Event::Blink(blink) => {
                check_closure(&blink)?;
                self.take_blink(&blink);
            }
            Event::LongClosure(closure) => {
                check_closure(&closure)?;
                if closure.eye == Laterality::Both {
                    let times = self.offset_of(closure.start)..self.offset_of(closure.end);
                    self.timeline.span(Span { row: 0, times });
                }
                *self
                    .figures
                    .long_closure_counts
                    .at_mut(closure.eye as usize) += 1;
                self.figures.long_closures.push(closure);
            }
            Event::Alert(alert) => {
                check_time(alert.time)?;
                check_time(alert.since)?;
                self.take_alert(&alert);
            }
            Event::LogGap(gap) => self.figures.log_gaps.push(gap),
            Event::End(end) => self.take_end(end),
            Event::PartialBlink(closure) => {
                check_closure(&closure)?;
                *self.figures.partial_blinks.at_mut(closure.eye as usize) += 1;
            }
            // The reader leaves them to `take_other`.
            Event::Baseline(_) | Event::Camera(_) | Event::Check(_) | Event::Drift(_) => {}
        }
        Ok(())
    }

    fn take_start(&mut self, start: StartEvent) -> Result<(), Refusal> {
        if start.schema > SCHEMA {
            return Err(Refusal::TooNew {
                schema: start.schema.into(),
                version: start.version,
            });
        }
        let names = [&start.version, &start.model.name, &start.model.sha256];
        if names.into_iter().any(|name| name.len() > LONGEST_EVENT) {
            let reason = format!("a name of more than {LONGEST_EVENT} bytes");
            return Err(Refusal::Damaged(reason));
        }
        let goes_on = start.part.is_some()
            && self.run.as_ref().is_some_and(|run| {
                (run.unix_time, run.model.as_ref()) == (start.unix_time, Some(&start.model))
            });
        if goes_on {
            return Ok(());
        }
        self.close_run();
        self.run = Some(RunStatistics {
            mode: Some(start.mode),
            model: Some(start.model),
            version: Some(start.version),
            unix_time: start.unix_time,
            first_part: start.part,
            sources: Vec::new(),
        });
        Ok(())
    }

    fn take_eyes(&mut self, eyes: &EyesEvent) {
        let same = self.source.as_ref().is_some_and(|source| {
            let later = source
                .last
                .as_ref()
                .is_none_or(|last| eyes.time >= last.time);
            source.clip == eyes.clip && later
        });
        if !same {
            self.close_source(None);
            self.source = Some(Source {
                clip: eyes.clip.clone(),
                tracker: TemporalTracker::new(&self.settings),
                frames: 0,
                first: eyes.time,
                last: None,
                steps: (0.0, 0),
            });
            if self.offset > 0.0 {
                self.timeline.boundary(self.offset);
            }
        }
        let live = self
            .run
            .as_ref()
            .is_none_or(|run| run.mode != Some(Mode::Replay));
        self.figures.frames += 1;
        self.figures.frames_with_face += u64::from(eyes.face.is_some());
        let Some(mut source) = self.source.take() else {
            return;
        };
        if let Some(last) = source.last.take() {
            if live {
                self.figures.frames_skipped += eyes.frame.saturating_sub(last.frame + 1);
            }
            let step = eyes.time - last.time;
            let is_break = step > self.settings.longest_gap_s;
            if !is_break {
                source.steps = (source.steps.0 + step, source.steps.1 + 1);
            }
            self.hold(&source, &last, eyes.time, is_break);
        }
        source.frames += 1;
        source.tracker.update(&reading_of(eyes));
        let perclos = source.tracker.perclos_of_last_minute();
        let highest = &mut self.figures.perclos_highest;
        if let Some(value) = perclos
            && highest.as_ref().is_none_or(|highest| value > highest.value)
        {
            *highest = Some(AtTime {
                value,
                clip: eyes.clip.clone(),
                time: eyes.time,
            });
        }
        for eye in Eye::ALL {
            if let (Some(confidence), Some(histogram)) = (
                record_of(eyes, eye).confidence,
                self.confidence.get_mut(eye),
            ) {
                histogram.saturating_record((confidence.clamp(0.0, 1.0) * 1e6) as u64);
            }
        }
        let of = |eye| record_of(eyes, eye);
        source.last = Some(Last {
            time: eyes.time,
            frame: eyes.frame,
            moment: Moment {
                kind: PerEye::from_fn(|eye| kind_of(of(eye))),
                closed: PerEye::from_fn(|eye| of(eye).probabilities.map(|p| p.closed)),
                confidence: PerEye::from_fn(|eye| of(eye).confidence),
                perclos,
            },
            shares: PerEye::from_fn(|eye| share_of(of(eye))),
        });
        self.source = Some(source);
    }

    fn take_blink(&mut self, blink: &ClosureEvent) {
        let index = blink.eye as usize;
        if let Some(histogram) = &mut self.blinks[index] {
            histogram.saturating_record((blink.duration * 1e6).round() as u64);
        }
        self.figures.winks += u64::from(blink.wink);
        let time = self.offset_of(blink.start);
        self.timeline.blink(time, index);
    }

    fn take_alert(&mut self, alert: &AlertEvent) {
        let open = |figures: &AlertStatistics| {
            figures.until.is_none() && figures.kind == alert.kind && figures.clip == alert.clip
        };
        match alert.phase {
            AlertPhase::Raised => self.figures.alerts.push(AlertStatistics::raised(alert)),
            AlertPhase::Repeated => {}
            AlertPhase::Cleared | AlertPhase::Lost => {
                let row = match alert.kind {
                    AlertKind::LongClosureWarning => 1,
                    AlertKind::LongClosureAlarm => 2,
                    AlertKind::Drowsiness => 3,
                };
                let times = self.offset_of(alert.since)..self.offset_of(alert.time);
                self.timeline.span(Span { row, times });
                let raised = self.figures.alerts.first.iter_mut().rev();
                if let Some(figures) = raised.into_iter().find(|figures| open(figures)) {
                    figures.until = Some(alert.time);
                    figures.ended = Some(alert.phase);
                }
            }
        }
    }

    fn take_end(&mut self, end: EndEvent) {
        if self
            .source
            .as_ref()
            .is_some_and(|source| source.clip == end.clip)
        {
            self.close_source(Some(end));
            return;
        }
        self.close_source(None);
        let begins_s = self.offset;
        self.list_source(SourceStatistics {
            clip: end.clip,
            frames: 0,
            duration_s: 0.0,
            begins_s,
            outcome: Some(end.outcome),
            error: end.error,
            lost: end.lost,
            frame_age_ms: end.frame_age_ms,
        });
    }

    /// Events that this program does not sum up: their plain fields are shown, and a measured
    /// camera SNR is drawn.
    fn take_other(&mut self, kind: &str, fields: &serde_json::Value) {
        let time = fields["time"]
            .as_f64()
            .filter(|time| check_time(*time).is_ok());
        let snr = |eye: &str| fields[eye]["camera_snr_db"].as_f64();
        let snr = PerEye {
            left: snr("left"),
            right: snr("right"),
        };
        if let (Some(time), true) = (time, snr.left.or(snr.right).is_some()) {
            self.end_snr(time);
            self.snr = Some((time, snr));
            return;
        }
        let plain = fields
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| {
                let told = ["event", "time", "unix_time", "clip"].contains(&name.as_str());
                let plain = value.is_string() || value.is_number() || value.is_boolean();
                plain && !told
            });
        let words = plain.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
        let text = words.collect::<Vec<_>>().join(", ");
        self.figures.notes.push(SessionNote {
            event: kind.into(),
            time,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            unix_time: fields["unix_time"].as_f64(),
        });
    }

    fn end_snr(&mut self, time: f64) {
        if let Some((since, snr)) = self.snr.take() {
            let until = time.min(since + SNR_HOLDS_S);
            let times = self.offset_of(since)..self.offset_of(until);
            self.timeline.snr(times, snr);
        }
    }

    /// The sums and the course.
    pub fn end(mut self, logs: Vec<LogStatistics>) -> (SessionStatistics, Timeline) {
        self.close_run();
        let duration = self.offset;
        let known = self.known.as_secs_f64();
        let blinks = self.blinks.each_ref().map(|histogram| {
            let count = histogram.as_ref().map_or(0, Histogram::len);
            BlinkStatistics {
                count,
                per_minute: (known >= LEAST_KNOWN_S).then(|| rounded(60.0 * count as f64 / known)),
                duration_s: histogram.as_ref().and_then(Quantiles::of),
            }
        });
        let [left, right, both] = blinks;
        let shares = |eye: Eye| {
            let share = |seconds: f64| {
                if duration > 0.0 {
                    rounded(seconds / duration)
                } else {
                    0.0
                }
            };
            let seconds = self.shares.get(eye);
            SHARES.into_iter().zip(seconds.map(share)).collect()
        };
        let figures = SessionStatistics {
            logs,
            duration_s: rounded(duration),
            known_s: rounded(known),
            break_s: rounded(self.shares.left[BREAK]),
            states: PerEye::from_fn(shares),
            blinks: PerLaterality { left, right, both },
            confidence: PerEye::from_fn(|eye| {
                self.confidence.get(eye).as_ref().and_then(Quantiles::of)
            }),
            perclos: (known > 0.0).then(|| rounded(self.closed.as_secs_f64() / known)),
            ..self.figures
        };
        (figures, self.timeline)
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
