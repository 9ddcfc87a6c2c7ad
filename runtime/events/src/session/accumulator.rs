//! Adds up the events of a session.
//!
//! # Layout
//! [`source`] follows the source that is being read, [`runs`] lists runs and their sources; [`frames`],
//! [`closures`], [`alerts`] and [`event_counts`] add up what their names say. [`SessionAccumulator`]
//! leads each event to them and to the [`Timeline`].

mod alerts;
mod closures;
mod event_counts;
mod frames;
mod runs;
mod source;

use super::{
    line::{LONGEST_EVENT, LineDefect, LoggedEvent},
    listed::Listed,
    note::SessionNote,
    record::{check_closure, check_frames, check_time},
    statistics::{LogStatistics, SCHEMA as SESSION_SCHEMA, SessionStatistics, SourceStatistics},
    timeline::{Span, SpanKind, Timeline},
};
use crate::{
    event::{
        AlertEvent, CheckEvent, ClosureEvent, EndEvent, Event, EyesEvent, FramesEvent, LogGapEvent,
        PersonEvent, SCHEMA, StartEvent,
    },
    rounding::millionths,
};
use alerts::AlertList;
use closures::ClosureAccumulator;
use event_counts::EventCounts;
pub(super) use frames::FrameAccumulator;
use parseye_vision::{
    eye_state::PerEye,
    temporal::{AlertPhase, Laterality, TemporalSettings},
};
use runs::RunList;
use serde_json::{Map, Value};
use source::Interval;
pub(super) use source::OpenSource;

/// Why an event was not added.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// It says something impossible.
    Damaged(LineDefect),
    /// It is of a later program's log.
    TooNew {
        /// Its layout.
        schema: u32,
        /// The program's version.
        version: String,
    },
}

impl From<LineDefect> for Refusal {
    fn from(defect: LineDefect) -> Self {
        Self::Damaged(defect)
    }
}

/// A measured camera SNR counts until the next one, at most this many seconds.
const SNR_HOLDS_S: f64 = 10.0;

/// The last measured camera SNR of each eye in dB, and since when in seconds of the session.
#[derive(Debug)]
struct HeldSnr {
    since: f64,
    snr_db: PerEye<Option<f64>>,
}

/// Accumulates the statistics and the timeline of a session, event by event in the order of its logs.
#[derive(Debug)]
pub(super) struct SessionAccumulator {
    settings: TemporalSettings,
    /// Where the present source begins in the session, in seconds.
    begins: f64,
    source: Option<OpenSource>,
    runs: RunList,
    frames: FrameAccumulator,
    closures: ClosureAccumulator,
    alerts: AlertList,
    log_gaps: Listed<LogGapEvent>,
    notices: Listed<SessionNote>,
    events: EventCounts,
    camera_snr: Option<HeldSnr>,
    timeline: Timeline,
}

impl SessionAccumulator {
    /// Creates an empty one; PERCLOS is followed with these settings.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            settings: settings.clone(),
            begins: 0.0,
            source: None,
            runs: RunList::default(),
            frames: FrameAccumulator::new(),
            closures: ClosureAccumulator::new(),
            alerts: AlertList::default(),
            log_gaps: Listed::default(),
            notices: Listed::default(),
            events: EventCounts::default(),
            camera_snr: None,
            timeline: Timeline::default(),
        }
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// When it says something impossible, which changes nothing, or is of a later program.
    pub(super) fn add(&mut self, event: LoggedEvent) -> Result<(), Refusal> {
        match event {
            LoggedEvent::Known { kind, event } => {
                self.add_known(kind, *event)?;
                self.events.count_known(kind);
            }
            LoggedEvent::Unknown { kind, fields } => {
                let time = fields.get("time").and_then(Value::as_f64);
                let time = time.filter(|time| check_time(*time).is_ok());
                self.notices.push(SessionNote::new(&kind, time, &fields));
                self.events.count_unknown(kind);
            }
        }
        Ok(())
    }

    fn add_known(&mut self, kind: &str, event: Event) -> Result<(), Refusal> {
        match event {
            Event::Start(start) => self.add_start(start)?,
            Event::Eyes(eyes) => {
                check_time(eyes.time)?;
                match self.runs.has_all_frames() {
                    true => self.add_eyes(&eyes),
                    false => self.add_sample(&eyes),
                }
            }
            Event::Frames(frames) => {
                check_frames(&frames)?;
                self.add_frames(&frames);
            }
            Event::Gap(gap) => self.add_notice(kind, gap.from, &Event::Gap(gap))?,
            Event::FrameRate(rate) => self.add_notice(kind, rate.time, &Event::FrameRate(rate))?,
            Event::Blink(blink) => {
                check_closure(&blink)?;
                self.timeline
                    .blink(self.session_time(blink.start), blink.eye);
                self.closures.add_blink(&blink);
            }
            Event::PartialBlink(closure) => {
                check_closure(&closure)?;
                self.closures.add_partial_blink(&closure);
            }
            Event::LongClosure(closure) => {
                check_closure(&closure)?;
                self.add_long_closure(closure);
            }
            Event::Alert(alert) => {
                check_time(alert.time)?;
                check_time(alert.since)?;
                self.add_alert(&alert);
            }
            Event::Check(check) => {
                check_time(check.time)?;
                self.add_check(&check);
            }
            Event::Baseline(baseline) => {
                self.add_notice(kind, baseline.time, &Event::Baseline(baseline))?;
            }
            Event::Person(person) => self.add_person(kind, person)?,
            Event::Camera(camera) => self.add_notice(kind, camera.time, &Event::Camera(camera))?,
            Event::Drift(drift) => {
                self.add_notice(kind, drift.drift.time, &Event::Drift(drift))?;
            }
            Event::LogGap(gap) => self.log_gaps.push(gap),
            Event::End(end) => self.add_end(end),
        }
        Ok(())
    }

    fn add_start(&mut self, start: StartEvent) -> Result<(), Refusal> {
        if start.schema > SCHEMA {
            return Err(Refusal::TooNew {
                schema: start.schema,
                version: start.version,
            });
        }
        let names = [&start.version, &start.model.name, &start.model.sha256];
        if names.into_iter().any(|name| name.len() > LONGEST_EVENT) {
            return Err(LineDefect::LongName(LONGEST_EVENT).into());
        }
        if !self.runs.continues_with(&start) {
            self.end_source(None);
            self.runs.begin(start);
        }
        Ok(())
    }

    fn add_eyes(&mut self, eyes: &EyesEvent) {
        let mut source = match self.source.take() {
            Some(source) if source.continues_with(eyes) => source,
            other => {
                self.source = other;
                self.end_source(None);
                if self.begins > 0.0 {
                    self.timeline.boundary(self.begins);
                }
                OpenSource::new(eyes, self.begins, &self.settings)
            }
        };
        if !self.runs.is_replay() {
            self.frames.add_skipped(source.skipped_before(eyes));
        }
        let before = source.add(eyes);
        self.frames.add(eyes, source.perclos());
        self.source = Some(source);
        self.hold(before);
    }

    /// Adds frames that have no lines of their own.
    fn add_frames(&mut self, frames: &FramesEvent) {
        let mut source = match self.source.take() {
            Some(source) if source.counts_on(frames) => source,
            other => {
                self.source = other;
                self.end_source(None);
                if self.begins > 0.0 {
                    self.timeline.boundary(self.begins);
                }
                OpenSource::counted(frames, self.begins, &self.settings)
            }
        };
        let times = source.count(frames);
        self.source = Some(source);
        let shares = self.frames.add_event(frames);
        let perclos = frames.perclos_highest.map(|highest| highest.value);
        self.timeline.hold_shares(times, &shares, perclos);
    }

    /// Adds the line of a frame that is counted otherwise.
    fn add_sample(&mut self, eyes: &EyesEvent) {
        self.frames.add_confidence(eyes);
        let source = self.source.as_mut();
        let before = source.and_then(|source| source.add_sample(eyes));
        if let Some(interval) = before {
            self.timeline.sample(interval.times, &interval.moment);
        }
    }

    /// Adds what held during an interval.
    fn hold(&mut self, interval: Option<Interval>) {
        let Some(interval) = interval else { return };
        self.frames.hold(&interval);
        self.timeline.hold(interval.times, &interval.moment);
    }

    fn add_long_closure(&mut self, closure: ClosureEvent) {
        if closure.eye == Laterality::Both {
            let times = self.session_time(closure.start)..self.session_time(closure.end);
            let kind = SpanKind::LongClosure;
            self.timeline.span(Span { kind, times });
        }
        self.closures.add_long_closure(closure);
    }

    fn add_alert(&mut self, alert: &AlertEvent) {
        if matches!(alert.phase, AlertPhase::Cleared | AlertPhase::Lost) {
            let times = self.session_time(alert.since)..self.session_time(alert.time);
            let kind = SpanKind::Alert(alert.kind);
            self.timeline.span(Span { kind, times });
        }
        self.alerts.add(alert);
    }

    fn add_check(&mut self, check: &CheckEvent) {
        let snr_db = PerEye {
            left: check.left.camera_snr_db,
            right: check.right.camera_snr_db,
        };
        if snr_db.left.or(snr_db.right).is_some() {
            let since = self.session_time(check.time);
            self.end_camera_snr(since);
            self.camera_snr = Some(HeldSnr { since, snr_db });
        }
    }

    /// Ends the last camera SNR at a time of the session.
    fn end_camera_snr(&mut self, until: f64) {
        if let Some(HeldSnr { since, snr_db }) = self.camera_snr.take() {
            let until = until.min(since + SNR_HOLDS_S);
            self.timeline.camera_snr(since..until, snr_db);
        }
    }

    fn add_notice(&mut self, kind: &str, time: f64, event: &Event) -> Result<(), LineDefect> {
        check_time(time)?;
        let fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(event)?)?;
        self.notices
            .push(SessionNote::new(kind, Some(time), &fields));
        Ok(())
    }

    /// Another person is watched from here on: their PERCLOS begins anew.
    fn add_person(&mut self, kind: &str, person: PersonEvent) -> Result<(), LineDefect> {
        if let Some(source) = &mut self.source
            && source.clip() == person.clip
        {
            source.start_anew();
        }
        self.add_notice(kind, person.time, &Event::Person(person))
    }

    fn add_end(&mut self, end: EndEvent) {
        if self
            .source
            .as_ref()
            .is_some_and(|source| source.clip() == end.clip)
        {
            self.end_source(Some(end));
            return;
        }
        self.end_source(None);
        self.runs.add_source(SourceStatistics {
            clip: end.clip,
            frames: 0,
            duration_s: 0.0,
            begins_s: self.begins,
            outcome: Some(end.outcome),
            error: end.error,
            lost: end.lost,
            frame_age_ms: end.frame_age_ms,
        });
    }

    /// Ends the source that is being read, with its `end` event where there is one.
    fn end_source(&mut self, end: Option<EndEvent>) {
        let Some(mut source) = self.source.take() else {
            return;
        };
        let last = source.show_last_frame();
        self.hold(last);
        self.end_camera_snr(f64::INFINITY);
        let (known, closed) = source.known_and_closed();
        self.frames.add_known(known, closed);
        let length = source.length();
        self.runs.add_source(source.statistics(end));
        self.begins += length;
    }

    /// Returns where a time of the present source stands in the session, in seconds.
    fn session_time(&self, time: f64) -> f64 {
        self.source
            .as_ref()
            .map_or(self.begins, |source| source.session_time(time))
    }

    /// Returns the statistics and the timeline.
    pub(super) fn finish(mut self, logs: Vec<LogStatistics>) -> (SessionStatistics, Timeline) {
        self.end_source(None);
        let frames = self.frames.finish(self.begins);
        let closures = self.closures.finish(frames.known_s);
        let statistics = SessionStatistics {
            schema: SESSION_SCHEMA,
            logs,
            runs: self.runs.finish(),
            frames: frames.frames,
            frames_with_face: frames.frames_with_face,
            frames_skipped: frames.frames_skipped,
            duration_s: millionths(self.begins),
            known_s: millionths(frames.known_s),
            break_s: millionths(frames.break_s),
            states: frames.states,
            blinks: closures.blinks,
            partial_blinks: closures.partial_blinks,
            winks: closures.winks,
            confidence: frames.confidence,
            perclos: frames.perclos,
            perclos_highest: frames.perclos_highest,
            long_closure_counts: closures.long_closure_counts,
            long_closures: closures.long_closures,
            alerts: self.alerts.finish(),
            log_gaps: self.log_gaps,
            notices: self.notices,
            events: self.events.finish(),
        };
        (statistics, self.timeline)
    }
}
