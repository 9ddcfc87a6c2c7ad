//! The log of a running monitor: a thread that reads the events and loses none of them while the
//! disk is full, the log was deleted or a pipe's reader is gone.
//!
//! Lines that cannot be written wait in memory. Only when that is full are `eyes` lines given up,
//! the oldest first, since blinks and alerts say the same in less; a `log_gap` event then tells how
//! many are missing. The thread that watches is never waited for nor made to wait.

use super::{
    EventLog, FLUSH_EVERY, GATHER,
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
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

/// Bytes of lines that wait while the log cannot be written: a quarter of an hour at 30 frames a
/// second and 2.4 KB a frame with its share of the queue's own memory, and little enough for a
/// machine with 512 MB.
const MEMORY: usize = 64 << 20;

/// What a waiting line takes beside its text.
const LINE_OVERHEAD: usize = 48;

/// How long the last lines are tried to be written after the monitor has ended.
const LAST_TRIES: Duration = Duration::from_millis(400);

/// How long [`LogWriter::finish`] waits for a disk that does not answer.
const LAST_WAIT: Duration = Duration::from_millis(900);

/// The thread that writes a monitor's log.
#[derive(Debug)]
pub struct LogWriter {
    name: String,
    report: Receiver<LogReport>,
}

/// What became of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Lines that are named by `log_gap` events in the log.
    pub given_up: u64,
    /// Lines that waited in vain until the end; nothing in the log tells of them.
    pub unwritten: u64,
    /// What to tell the user where the log is not complete to its end: one line.
    pub trouble: Option<String>,
}

impl LogWriter {
    /// Events that may wait between the monitor and this thread: half a minute of a disk that does
    /// not answer, at 30 frames a second and more than one event a frame.
    pub const QUEUE: usize = 2048;

    /// Starts to write what `events` brings. `tell` gets one line when the log cannot be written,
    /// and one when it can again.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        events: Subscription<Event>,
        log: EventLog,
        tell: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let name = log.name();
        let (sender, report) = channel::bounded(1);
        let mut log = LiveLog::new(log, tell, MEMORY);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                log.follow(&events);
                // Nobody waits any more when the disk took too long.
                let _ = sender.send(log.end(LAST_TRIES));
            })?;
        Ok(Self { name, report })
    }

    /// Waits for the last lines, after [`parseye::live::Fanout::end`]; less than a second.
    pub fn finish(self) -> LogReport {
        self.report
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

/// Lines that wait, and where they go.
struct LiveLog<O, T> {
    output: O,
    tell: T,
    /// Most bytes that wait.
    memory: usize,
    eyes: VecDeque<Line>,
    others: VecDeque<Line>,
    waiting: usize,
    next: u64,
    /// What was given up and is not in the log yet.
    gap: Option<LogGapEvent>,
    /// What was given up altogether.
    given_up: u64,
    /// `given_up` when the log could be written last.
    given_up_then: u64,
    /// Events that did not fit into the subscription's queue and are accounted for.
    missed: u64,
    /// Why nothing can be written at present.
    trouble: Option<String>,
    last_flush: Instant,
}

/// A line in the order of its coming.
struct Line {
    number: u64,
    time: Option<f64>,
    text: Box<[u8]>,
}

impl Line {
    fn size(&self) -> usize {
        self.text.len() + LINE_OVERHEAD
    }
}

impl<O: LineOutput, T: FnMut(&str)> LiveLog<O, T> {
    fn new(output: O, tell: T, memory: usize) -> Self {
        Self {
            output,
            tell,
            memory,
            eyes: VecDeque::new(),
            others: VecDeque::new(),
            waiting: 0,
            next: 0,
            gap: None,
            given_up: 0,
            given_up_then: 0,
            missed: 0,
            trouble: None,
            last_flush: Instant::now(),
        }
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
            let much = self.waiting >= GATHER && self.trouble.is_none();
            if much || self.last_flush.elapsed() >= FLUSH_EVERY {
                self.flush();
            }
        }
    }

    /// Keeps an event until it is written.
    fn take(&mut self, event: &Event) {
        if let Event::Start(start) = event {
            self.output.begin(start);
        }
        // An event of plain numbers and names always becomes a line.
        let Ok(text) = line_of(event) else { return };
        let (queue, time) = match event {
            Event::Eyes(eyes) => (&mut self.eyes, Some(eyes.time)),
            _ => (&mut self.others, None),
        };
        let line = Line {
            number: self.next,
            time,
            text: text.into(),
        };
        self.next += 1;
        self.waiting += line.size();
        queue.push_back(line);
        while self.waiting > self.memory {
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        let Some(line) = self.eyes.pop_front().or_else(|| self.others.pop_front()) else {
            return;
        };
        self.waiting -= line.size();
        self.given_up += 1;
        let gap = self.gap.get_or_insert(LogGapEvent {
            lost: 0,
            from: line.time,
            to: None,
            reason: GapReason::Unwritable,
            unix_time: None,
        });
        gap.lost += 1;
        gap.to = line.time.or(gap.to);
    }

    /// Takes how many events the queue could not hold so far.
    fn miss(&mut self, lost: u64) {
        let more = lost - self.missed;
        if more > 0 {
            self.missed = lost;
            self.given_up += more;
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
        match self.write_all() {
            Ok(()) => self.recovered(),
            Err(reason) => self.failed(&reason.to_string()),
        }
    }

    fn write_all(&mut self) -> io::Result<()> {
        if let Some(gap) = &mut self.gap {
            gap.unix_time = unix_time();
            let line = line_of(&Event::LogGap(gap.clone()))?;
            self.output.append(&line).map_err(|error| error.reason)?;
            self.gap = None;
        }
        while self.waiting > 0 {
            let mut lines = Vec::with_capacity(GATHER);
            for line in in_order(&self.eyes, &self.others) {
                if !lines.is_empty() && lines.len() + line.text.len() > GATHER {
                    break;
                }
                lines.extend_from_slice(&line.text);
            }
            let outcome = self.output.append(&lines);
            let written = match &outcome {
                Ok(()) => lines.len(),
                Err(Unwritten { written, .. }) => *written,
            };
            self.forget(written);
            outcome.map_err(|error| error.reason)?;
        }
        Ok(())
    }

    /// Drops the first lines, which were written.
    fn forget(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let first = |queue: &VecDeque<Line>| queue.front().map_or(u64::MAX, |line| line.number);
            let queue = if first(&self.eyes) < first(&self.others) {
                &mut self.eyes
            } else {
                &mut self.others
            };
            let Some(line) = queue.pop_front() else {
                return;
            };
            self.waiting -= line.size();
            bytes = bytes.saturating_sub(line.text.len());
        }
    }

    fn failed(&mut self, reason: &str) {
        if self.trouble.replace(reason.into()).is_none() {
            (self.tell)(&format!(
                "{}: the event log cannot be written: {reason}; events are kept in memory and \
                 written as soon as it can be, free some space or check its folder",
                self.output.name()
            ));
        }
    }

    fn recovered(&mut self) {
        let lost = self.given_up - self.given_up_then;
        self.given_up_then = self.given_up;
        let name = self.output.name();
        match (self.trouble.take(), lost) {
            (None, 0) => {}
            (Some(_), 0) => (self.tell)(&format!(
                "{name}: the event log is written again, no event was lost"
            )),
            (_, lost) => (self.tell)(&format!(
                "{name}: the event log is written again, but lacks {lost} lines; its log_gap \
                 events tell where"
            )),
        }
    }

    /// Writes the last lines, trying for a while.
    fn end(&mut self, patience: Duration) -> LogReport {
        const PAUSE: Duration = Duration::from_millis(50);
        let begin = Instant::now();
        self.flush();
        while self.trouble.is_some() && begin.elapsed() < patience {
            std::thread::sleep(PAUSE);
            self.flush();
        }
        let left = (self.eyes.len() + self.others.len()) as u64;
        let unnamed = self.gap.as_ref().map_or(0, |gap| gap.lost);
        let unwritten = left + unnamed;
        let name = self.output.name();
        LogReport {
            given_up: self.given_up - unnamed,
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

/// Both queues' lines as they came.
fn in_order<'a>(
    eyes: &'a VecDeque<Line>,
    others: &'a VecDeque<Line>,
) -> impl Iterator<Item = &'a Line> {
    let mut eyes = eyes.iter().peekable();
    let mut others = others.iter().peekable();
    std::iter::from_fn(move || match (eyes.peek(), others.peek()) {
        (Some(eye), Some(other)) if eye.number < other.number => eyes.next(),
        (Some(_), None) => eyes.next(),
        _ => others.next(),
    })
}

#[cfg(test)]
mod tests;
