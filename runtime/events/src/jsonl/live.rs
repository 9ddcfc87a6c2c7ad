//! The log of a running monitor: a thread that reads the events and loses none of them while the
//! disk is full, the log was deleted or a pipe's reader is gone.
//!
//! Lines that cannot be written wait in memory ([`waiting`]). Only when that is full are `eyes` lines
//! dropped, the oldest first, since blinks and alerts say the same in less; a `log_gap` event then says
//! how many are missing. The thread that processes frames never waits for this one.

mod waiting;

use super::{
    EventLog, FLUSH_EVERY, GATHER, LogDetail,
    file::{LineOutput, Unwritten},
    line_of,
};
use crate::{
    clock::unix_time,
    event::{Event, GapReason, LogGapEvent},
    fanout::{Next, Subscription},
};
use crossbeam::channel::{self, Receiver};
use std::{
    io,
    time::{Duration, Instant},
};
use waiting::WaitingLines;

/// Bytes of lines that wait while the log cannot be written: enough for [`LONGEST_OUTAGE_S`], and little
/// enough for a machine with 512 MB.
const MEMORY: usize = 64 << 20;

/// How long the log may be unwritable before lines are dropped, in seconds: a quarter of an hour.
const LONGEST_OUTAGE_S: usize = 15 * 60;

/// Frames per second that the bounds here are made for.
const FRAME_RATE: usize = 30;

/// Bytes of the lines of a frame, its share of the queue's own memory included.
const BYTES_PER_FRAME: usize = 2400;

const _: () = assert!(MEMORY >= LONGEST_OUTAGE_S * FRAME_RATE * BYTES_PER_FRAME);

/// How long the last lines are tried to be written after the monitor has ended.
const LAST_TRIES: Duration = Duration::from_millis(400);

/// How long [`LogWriter::finish`] waits for a disk that does not answer.
const LAST_WAIT: Duration = Duration::from_millis(900);

/// The thread that writes a monitor's log.
#[derive(Debug)]
pub struct LogWriter {
    name: String,
    outcome: Receiver<LogReport>,
}

/// How complete a log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Number of lines that are missing and named by `log_gap` events in the log.
    pub dropped: u64,
    /// Number of lines that could not be written until the end; nothing in the log says so.
    pub unwritten: u64,
    /// Message for the user where the log is not complete to its end: one line.
    pub trouble: Option<String>,
}

impl LogWriter {
    /// Events that may wait between the monitor and this thread: half a minute of a disk that does
    /// not answer, at two events a frame.
    pub const QUEUE: usize = (30 * FRAME_RATE * 2).next_power_of_two();

    /// Starts a thread that writes what `events` brings. `report` gets one line when the log cannot be
    /// written, and one when it can again; `over` is called when nobody can read it any more.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        events: Subscription<Event>,
        mut log: EventLog,
        report: impl FnMut(&str) + Send + 'static,
        over: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let name = log.name();
        let (sender, outcome) = channel::bounded(1);
        let detail = log.take_detail();
        let mut log = LiveLog::new(log, report, MEMORY);
        log.detail = detail;
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                log.follow(&events);
                if log.output.is_over() {
                    over();
                    let _ = sender.send(LogReport::default());
                    return;
                }
                // Nobody waits any more when the disk took too long.
                let _ = sender.send(log.end(LAST_TRIES));
            })?;
        Ok(Self { name, outcome })
    }

    /// Waits until the last lines are written, less than a second. Call it after the events have ended
    /// ([`Fanout::end`](crate::fanout::Fanout::end)).
    pub fn finish(self) -> LogReport {
        self.outcome
            .recv_timeout(LAST_WAIT)
            .unwrap_or_else(|_| LogReport {
                trouble: Some(format!(
                    "{}: the event log's disk does not answer; the last lines may be missing, check the disk",
                    self.name
                )),
                ..LogReport::default()
            })
    }
}

/// A log that is being written: its waiting lines, and where they go.
struct LiveLog<O, R> {
    output: O,
    report: R,
    detail: LogDetail,
    waiting: WaitingLines,
    /// Number of events that did not fit into the subscription's queue and are accounted for.
    missed: u64,
    /// [`Self::dropped`] when the log could be written last.
    dropped_before: u64,
    /// Why nothing can be written at present.
    trouble: Option<String>,
    last_flush: Instant,
}

impl<O: LineOutput, R: FnMut(&str)> LiveLog<O, R> {
    fn new(output: O, report: R, memory: usize) -> Self {
        Self {
            output,
            report,
            detail: LogDetail::all(),
            waiting: WaitingLines::new(memory),
            missed: 0,
            dropped_before: 0,
            trouble: None,
            last_flush: Instant::now(),
        }
    }

    /// Number of events that the log lacks, whether they waited here or in the subscription's queue.
    fn dropped(&self) -> u64 {
        self.waiting.dropped() + self.missed
    }

    /// Reads events until they end.
    fn follow(&mut self, events: &Subscription<Event>) {
        loop {
            let due = FLUSH_EVERY.saturating_sub(self.last_flush.elapsed());
            let next = events.next(due);
            self.miss(events.lost());
            match next {
                Next::Event(event) => self.take(&event),
                Next::Nothing => {}
                Next::Ended => return,
            }
            let much = self.waiting.bytes() >= GATHER && self.trouble.is_none();
            if much || self.last_flush.elapsed() >= FLUSH_EVERY {
                self.flush();
            }
            if self.output.is_over() {
                return;
            }
        }
    }

    /// Keeps an event, or what the log holds in its place, until it is written.
    fn take(&mut self, event: &Event) {
        let mut detail = std::mem::take(&mut self.detail);
        // Keeping cannot fail.
        let _ = detail.take::<std::convert::Infallible>(event, |event| {
            self.keep(event);
            Ok(())
        });
        self.detail = detail;
    }

    fn keep(&mut self, event: &Event) {
        if let Event::Start(start) = event {
            self.output.begin(start);
        }
        // An event of plain numbers and names always becomes a line.
        let Ok(text) = line_of(event) else { return };
        match event {
            Event::Eyes(eyes) => self.waiting.push_eyes(eyes.time, text),
            _ => self.waiting.push_other(text),
        }
    }

    /// Takes the number of events that the queue could not hold so far.
    fn miss(&mut self, lost: u64) {
        let more = lost - self.missed;
        if more > 0 {
            self.missed = lost;
            self.take(&Event::LogGap(LogGapEvent {
                lost: more,
                from: None,
                to: None,
                reason: GapReason::Slow,
                unix_time: unix_time(),
            }));
        }
    }

    /// Writes what waits, as far as possible.
    fn flush(&mut self) {
        self.last_flush = Instant::now();
        let outcome = self.write_all();
        if let Some(note) = self.output.take_note() {
            (self.report)(&note);
        }
        match outcome {
            Ok(()) => self.recovered(),
            Err(reason) => self.failed(&reason.to_string()),
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        if let Some(gap) = self.waiting.gap() {
            let line = line_of(&Event::LogGap(LogGapEvent {
                unix_time: unix_time(),
                ..gap.clone()
            }))?;
            self.output.append(&line).map_err(|error| error.reason)?;
            self.waiting.gap_is_written();
        }
        while self.waiting.bytes() > 0 {
            let lines = self.waiting.first_lines(GATHER);
            let outcome = self.output.append(&lines);
            let written = match &outcome {
                Ok(()) => lines.len(),
                Err(Unwritten { written, .. }) => *written,
            };
            self.waiting.remove_first(written);
            outcome.map_err(|error| error.reason)?;
        }
        Ok(())
    }

    fn failed(&mut self, reason: &str) {
        if self.output.is_over() {
            return;
        }
        if self.trouble.replace(reason.into()).is_none() {
            (self.report)(&format!(
                "{}: the event log cannot be written: {reason}; events are kept in memory and \
                 written as soon as it can be, free some space or check its folder",
                self.output.name()
            ));
        }
    }

    fn recovered(&mut self) {
        let dropped = self.dropped();
        let lost = dropped - self.dropped_before;
        self.dropped_before = dropped;
        let name = self.output.name();
        match (self.trouble.take(), lost) {
            (None, 0) => {}
            (Some(_), 0) => (self.report)(&format!(
                "{name}: the event log is written again, no event was lost"
            )),
            (_, lost) => (self.report)(&format!(
                "{name}: the event log is written again, but lacks {lost} lines; its log_gap \
                 events say where"
            )),
        }
    }

    /// Writes the last lines, trying for a while.
    fn end(&mut self, longest: Duration) -> LogReport {
        const PAUSE: Duration = Duration::from_millis(50);
        let begin = Instant::now();
        self.flush();
        while self.trouble.is_some() && begin.elapsed() < longest {
            std::thread::sleep(PAUSE);
            self.flush();
        }
        let unnamed = self.waiting.gap().map_or(0, |gap| gap.lost);
        let unwritten = self.waiting.len() + unnamed;
        let name = self.output.name();
        LogReport {
            dropped: self.dropped() - unnamed,
            unwritten,
            trouble: self.trouble.take().map(|reason| {
                format!(
                    "{name}: the last {unwritten} lines of the event log could not be written: \
                     {reason}; what was written before is whole, free some space"
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests;
