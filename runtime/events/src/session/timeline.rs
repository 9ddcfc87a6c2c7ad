//! The course of a session in a fixed number of columns, however long it is: when it outgrows them,
//! neighbours are joined and each is twice as wide. A column keeps the time spent in each state and
//! the least and greatest of every value in it, so nothing that happened once is averaged away.

use parseye_vision::eye_state::{Eye, PerEye, STATES};
use std::ops::Range;

/// Most columns.
pub const COLUMNS: usize = 1024;

/// Width of the first columns in seconds. Powers of two of it stay exact.
const FIRST_WIDTH: f64 = 1.0 / 1024.0;

/// What an eye can be at a moment: in a state of [`parseye_vision::eye_state::EyeState`], or not measured.
pub const KINDS: usize = STATES + 1;

/// Index of "not measured".
pub const UNMEASURED: usize = STATES;

/// The least, the greatest and the mean of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    low: f64,
    high: f64,
    sum: f64,
    weight: f64,
}

impl Spread {
    /// Takes a value that held for this long.
    pub fn add(&mut self, value: f64, weight: f64) {
        if !(weight > 0.0 && value.is_finite()) {
            return;
        }
        self.join(&Self {
            low: value,
            high: value,
            sum: value * weight,
            weight,
        });
    }

    fn join(&mut self, other: &Self) {
        if other.weight <= 0.0 {
            return;
        }
        if self.weight <= 0.0 {
            *self = *other;
            return;
        }
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.sum += other.sum;
        self.weight += other.weight;
    }

    /// Least, mean, greatest; `None` without a value.
    pub fn values(&self) -> Option<[f64; 3]> {
        (self.weight > 0.0).then(|| [self.low, self.sum / self.weight, self.high])
    }
}

/// What holds from one frame to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Kind of each eye, an index below [`KINDS`].
    pub kind: PerEye<usize>,
    /// P(closed), where measured.
    pub closed: PerEye<Option<f64>>,
    /// Confidence, where measured.
    pub confidence: PerEye<Option<f64>>,
    /// PERCLOS of the last minute.
    pub perclos: Option<f64>,
}

/// A stretch of the session.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Seconds of each kind, in the order of the states with "not measured" last.
    pub kinds: PerEye<[f64; KINDS]>,
    /// P(closed).
    pub closed: PerEye<Spread>,
    /// Confidence.
    pub confidence: PerEye<Spread>,
    /// PERCLOS of the last minute.
    pub perclos: Spread,
    /// Camera SNR in dB.
    pub snr: PerEye<Spread>,
    /// Blinks that began here: left, right, both.
    pub blinks: [u32; 3],
}

impl Column {
    fn join(&mut self, other: &Self) {
        for eye in Eye::ALL {
            let kinds = self.kinds.get_mut(eye).iter_mut();
            for (mine, theirs) in kinds.zip(other.kinds.get(eye)) {
                *mine += theirs;
            }
            self.closed.get_mut(eye).join(other.closed.get(eye));
            self.confidence.get_mut(eye).join(other.confidence.get(eye));
            self.snr.get_mut(eye).join(other.snr.get(eye));
        }
        self.perclos.join(&other.perclos);
        for (mine, theirs) in self.blinks.iter_mut().zip(other.blinks) {
            *mine += theirs;
        }
    }
}

/// A stretch with a name on its row: a long closure, an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Which row, an index.
    pub row: usize,
    /// From and until, in seconds of the session.
    pub times: Range<f64>,
}

/// The course of a session.
#[derive(Clone, Debug)]
pub struct Timeline {
    columns: Vec<Column>,
    width: f64,
    /// Seconds.
    pub length: f64,
    /// Long closures of both eyes and alerts.
    pub spans: Vec<Span>,
    /// Times at which another source or run begins, the first of them.
    pub boundaries: Vec<f64>,
}

/// Spans that are kept at most; each is drawn, and no picture shows more.
const MOST_SPANS: usize = 20_000;

/// Seams that are kept at most, likewise.
const MOST_BOUNDARIES: usize = 20_000;

impl Default for Timeline {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            width: FIRST_WIDTH,
            length: 0.0,
            spans: Vec::new(),
            boundaries: Vec::new(),
        }
    }
}

impl Timeline {
    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Seconds of a column.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Takes what held from one time to another, in seconds of the session.
    pub fn hold(&mut self, times: Range<f64>, moment: &Moment) {
        self.length = self.length.max(times.end);
        self.each(times, |column, seconds| {
            for eye in Eye::ALL {
                column.kinds.get_mut(eye)[*moment.kind.get(eye)] += seconds;
                if let Some(value) = moment.closed.get(eye) {
                    column.closed.get_mut(eye).add(*value, seconds);
                }
                if let Some(value) = moment.confidence.get(eye) {
                    column.confidence.get_mut(eye).add(*value, seconds);
                }
            }
            if let Some(value) = moment.perclos {
                column.perclos.add(value, seconds);
            }
        });
    }

    /// Takes a measured camera SNR that held from one time to another.
    pub fn snr(&mut self, times: Range<f64>, snr: PerEye<Option<f64>>) {
        self.each(times, |column, seconds| {
            for eye in Eye::ALL {
                if let Some(value) = snr.get(eye) {
                    column.snr.get_mut(eye).add(*value, seconds);
                }
            }
        });
    }

    /// Takes a blink: 0 of the left eye, 1 of the right, 2 of both.
    pub fn blink(&mut self, time: f64, eye: usize) {
        let index = self.column_at(time);
        self.columns[index].blinks[eye] += 1;
    }

    /// Takes a stretch with a name.
    pub fn span(&mut self, span: Span) {
        if self.spans.len() < MOST_SPANS {
            self.spans.push(span);
        }
    }

    /// Takes a time at which another source or run begins.
    pub fn boundary(&mut self, time: f64) {
        if self.boundaries.len() < MOST_BOUNDARIES {
            self.boundaries.push(time);
        }
    }

    /// Calls with each column of a stretch and the seconds of it that it holds.
    fn each(&mut self, times: Range<f64>, mut take: impl FnMut(&mut Column, f64)) {
        if times.end <= times.start {
            return;
        }
        let last = self.column_at(times.end);
        let first = ((times.start / self.width) as usize).min(last);
        for index in first..=last {
            let begin = times.start.max(index as f64 * self.width);
            let end = times.end.min((index + 1) as f64 * self.width);
            if end > begin {
                take(&mut self.columns[index], end - begin);
            }
        }
    }

    /// The column of a time, which is made if need be.
    fn column_at(&mut self, time: f64) -> usize {
        while time >= self.width * COLUMNS as f64 {
            self.halve();
        }
        let index = ((time / self.width).max(0.0) as usize).min(COLUMNS - 1);
        if self.columns.len() <= index {
            self.columns.resize_with(index + 1, Column::default);
        }
        index
    }

    fn halve(&mut self) {
        let mut joined = Vec::with_capacity(COLUMNS);
        for pair in self.columns.chunks(2) {
            let mut column = pair[0].clone();
            if let Some(next) = pair.get(1) {
                column.join(next);
            }
            joined.push(column);
        }
        self.columns = joined;
        self.width *= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn closed(p: f64) -> Moment {
        Moment {
            kind: PerEye {
                left: 2,
                right: UNMEASURED,
            },
            closed: PerEye {
                left: Some(p),
                right: None,
            },
            ..Moment::default()
        }
    }

    #[test]
    fn a_single_frame_of_a_long_session_is_still_there() {
        let mut timeline = Timeline::default();
        let hour = 3600.0;
        timeline.hold(0.0..hour, &closed(0.1));
        timeline.hold(hour..hour + 0.03, &closed(0.9));
        timeline.hold(hour + 0.03..10.0 * hour, &closed(0.2));
        assert!(timeline.columns().len() <= COLUMNS);
        let column = &timeline.columns()[(hour / timeline.width()) as usize];
        let [low, mean, high] = column.closed.left.values().unwrap();
        assert_eq!((low, high), (0.1, 0.9));
        assert!((0.1..0.21).contains(&mean), "{mean}");
        assert_eq!(column.closed.right.values(), None);
    }

    proptest! {
        #[test]
        fn time_is_neither_lost_nor_made(lengths in prop::collection::vec(0.001_f64..50.0, 1..200)) {
            let mut timeline = Timeline::default();
            let mut now = 0.0;
            for (index, length) in lengths.iter().enumerate() {
                let mut moment = closed(0.5);
                moment.kind.left = index % KINDS;
                timeline.hold(now..now + length, &moment);
                timeline.blink(now, 1);
                now += length;
            }
            let columns = timeline.columns();
            prop_assert!(columns.len() <= COLUMNS);
            let seconds: f64 = columns.iter().map(|column| column.kinds.left.iter().sum::<f64>()).sum();
            prop_assert!((seconds - now).abs() < 1e-6 * now);
            let blinks: u32 = columns.iter().map(|column| column.blinks[1]).sum();
            prop_assert_eq!(blinks as usize, lengths.len());
            let fullest = columns.iter().map(|column| column.kinds.left.iter().sum::<f64>()).fold(0.0, f64::max);
            prop_assert!(fullest <= timeline.width() * (1.0 + 1e-9));
        }
    }
}
