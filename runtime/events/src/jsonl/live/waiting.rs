//! Lines that wait to be written, bounded by the bytes they take.

use crate::event::{GapReason, LogGapEvent};
use std::collections::VecDeque;

/// A line and its place among all.
#[derive(Debug)]
struct Line {
    number: u64,
    /// Time in seconds of the frame that it is of; `None` for other events.
    time: Option<f64>,
    text: Box<[u8]>,
}

/// What a waiting line takes beside its text: its place in a queue, and what the allocator adds.
const LINE_OVERHEAD: usize = size_of::<Line>() + 8;

impl Line {
    fn size(&self) -> usize {
        self.text.len() + LINE_OVERHEAD
    }
}

/// The lines of a log in the order of their coming, in two queues so that those of frames can be dropped
/// before others.
///
/// Both grow as they are needed. A ring buffer would have to be as long as the shortest line allows,
/// more than a million places of [`MEMORY`](super::MEMORY), which are empty as long as the disk works.
#[derive(Debug)]
pub(super) struct WaitingLines {
    eyes: VecDeque<Line>,
    others: VecDeque<Line>,
    /// Most bytes that wait.
    memory: usize,
    bytes: usize,
    next_number: u64,
    dropped: u64,
    /// What was dropped since [`Self::gap_is_written`].
    gap: Option<LogGapEvent>,
}

impl WaitingLines {
    /// Creates an empty queue that holds this many bytes at most.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            eyes: VecDeque::new(),
            others: VecDeque::new(),
            memory,
            bytes: 0,
            next_number: 0,
            dropped: 0,
            gap: None,
        }
    }

    /// Bytes that wait, at most those that [`Self::new`] was given.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of lines that wait.
    pub(super) fn len(&self) -> u64 {
        (self.eyes.len() + self.others.len()) as u64
    }

    /// Number of lines that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was dropped and is not in the log yet.
    pub(super) fn gap(&self) -> Option<&LogGapEvent> {
        self.gap.as_ref()
    }

    /// Notes that the log has the gap's event.
    pub(super) fn gap_is_written(&mut self) {
        self.gap = None;
    }

    /// Adds the line of a frame at a time in seconds.
    pub(super) fn push_eyes(&mut self, time: f64, text: Vec<u8>) {
        let line = self.numbered(Some(time), text);
        self.eyes.push_back(line);
        self.drop_surplus();
    }

    /// Adds the line of another event.
    pub(super) fn push_other(&mut self, text: Vec<u8>) {
        let line = self.numbered(None, text);
        self.others.push_back(line);
        self.drop_surplus();
    }

    fn numbered(&mut self, time: Option<f64>, text: Vec<u8>) -> Line {
        let line = Line {
            number: self.next_number,
            time,
            text: text.into(),
        };
        self.next_number += 1;
        self.bytes += line.size();
        line
    }

    /// Drops the oldest frames' lines, and others once there are none, until the rest fits.
    fn drop_surplus(&mut self) {
        while self.bytes > self.memory {
            let Some(line) = self.eyes.pop_front().or_else(|| self.others.pop_front()) else {
                return;
            };
            self.bytes -= line.size();
            self.dropped += 1;
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
    }

    /// Joins the first lines up to a number of bytes, but one at least.
    pub(super) fn first_lines(&self, most_bytes: usize) -> Vec<u8> {
        let mut lines = Vec::with_capacity(most_bytes.min(self.bytes));
        for line in self.in_order() {
            if !lines.is_empty() && lines.len() + line.text.len() > most_bytes {
                break;
            }
            lines.extend_from_slice(&line.text);
        }
        lines
    }

    /// Removes the first lines, which were written.
    pub(super) fn remove_first(&mut self, mut bytes: usize) {
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
            self.bytes -= line.size();
            bytes = bytes.saturating_sub(line.text.len());
        }
    }

    /// Both queues' lines as they came.
    fn in_order(&self) -> impl Iterator<Item = &Line> {
        let mut eyes = self.eyes.iter().peekable();
        let mut others = self.others.iter().peekable();
        std::iter::from_fn(move || match (eyes.peek(), others.peek()) {
            (Some(eye), Some(other)) if eye.number < other.number => eyes.next(),
            (Some(_), None) => eyes.next(),
            _ => others.next(),
        })
    }
}
