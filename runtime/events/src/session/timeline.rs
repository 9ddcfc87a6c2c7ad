//! A session over time in a fixed number of columns, however long it is: when it outgrows them,
//! neighbours are joined and each is twice as wide. A column keeps the time spent in each condition and
//! the minimum and maximum of every value in it, so nothing that happened once is averaged away.

use super::condition::{CONDITIONS, Condition};
use crate::per_laterality::PerLaterality;
use parseye_vision::{
    eye_state::{Eye, PerEye},
    temporal::{AlertKind, Laterality},
};
use std::ops::Range;

/// Most columns.
pub const MOST_COLUMNS: usize = 1024;

/// Width of the first columns in seconds. Powers of two of it stay exact.
const FIRST_WIDTH: f64 = 1.0 / 1024.0;

/// Minimum, mean and maximum of a value, weighted by how long it held.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    low: f64,
    high: f64,
    sum: f64,
    weight: f64,
}

impl Spread {
    /// Adds a value that held for this long.
    pub(super) fn add(&mut self, value: f64, weight: f64) {
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

    /// Returns minimum, mean and maximum; `None` without a value.
    pub(super) fn values(&self) -> Option<[f64; 3]> {
        (self.weight > 0.0).then(|| [self.low, self.sum / self.weight, self.high])
    }
}

/// What holds from one frame to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Condition of each eye.
    pub(super) conditions: PerEye<Condition>,
    /// P(closed), where measured.
    pub(super) closed: PerEye<Option<f64>>,
    /// Confidence, where measured.
    pub(super) confidence: PerEye<Option<f64>>,
    /// PERCLOS of the last minute.
    pub(super) perclos: Option<f64>,
}

impl Moment {
    /// What is known between frames that are too far apart: nothing.
    pub(super) const BREAK: Self = Self {
        conditions: PerEye {
            left: Condition::Break,
            right: Condition::Break,
        },
        closed: PerEye {
            left: None,
            right: None,
        },
        confidence: PerEye {
            left: None,
            right: None,
        },
        perclos: None,
    };
}

/// An interval of the session.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// Seconds in each condition, in the order of [`Condition::ALL`].
    pub(super) seconds: PerEye<[f64; CONDITIONS]>,
    /// P(closed).
    pub(super) closed: PerEye<Spread>,
    /// Confidence.
    pub(super) confidence: PerEye<Spread>,
    /// PERCLOS of the last minute.
    pub(super) perclos: Spread,
    /// Camera SNR in dB.
    pub(super) camera_snr: PerEye<Spread>,
    /// Number of blinks that began here.
    pub(super) blinks: PerLaterality<u32>,
}

impl Column {
    /// Adds P(closed) and confidence of a frame that held for so many seconds.
    fn add_values(&mut self, moment: &Moment, seconds: f64) {
        for eye in Eye::ALL {
            if let Some(value) = moment.closed.get(eye) {
                self.closed.get_mut(eye).add(*value, seconds);
            }
            if let Some(value) = moment.confidence.get(eye) {
                self.confidence.get_mut(eye).add(*value, seconds);
            }
        }
    }

    fn join(&mut self, other: &Self) {
        for eye in Eye::ALL {
            let seconds = self.seconds.get_mut(eye).iter_mut();
            for (mine, theirs) in seconds.zip(other.seconds.get(eye)) {
                *mine += theirs;
            }
            self.closed.get_mut(eye).join(other.closed.get(eye));
            self.confidence.get_mut(eye).join(other.confidence.get(eye));
            self.camera_snr.get_mut(eye).join(other.camera_snr.get(eye));
        }
        self.perclos.join(&other.perclos);
        for eye in Laterality::ALL {
            *self.blinks.get_mut(eye) += other.blinks.get(eye);
        }
    }
}

/// What a [`Span`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanKind {
    /// A long closure of both eyes.
    LongClosure,
    /// An alert.
    Alert(AlertKind),
}

impl SpanKind {
    /// Those that have a row in the plot, in their order; reminders have none.
    pub(super) const ALL: [Self; 5] = [
        Self::LongClosure,
        Self::Alert(AlertKind::LongClosureWarning),
        Self::Alert(AlertKind::LongClosureAlarm),
        Self::Alert(AlertKind::FaceLostAsleep),
        Self::Alert(AlertKind::Drowsiness),
    ];
}

/// A long closure or an alert from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// What it is.
    pub(super) kind: SpanKind,
    /// From and until, in seconds of the session.
    pub(super) times: Range<f64>,
}

/// A session over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    columns: Vec<Column>,
    width: f64,
    length: f64,
    spans: Vec<Span>,
    boundaries: Vec<f64>,
}

/// Spans that are kept at most; each is drawn, and no plot shows more.
const MOST_SPANS: usize = 20_000;

/// Source boundaries that are kept at most, likewise.
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
    /// Borrows the columns in order, at most [`MOST_COLUMNS`].
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the seconds of a column.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Returns the length of the session in seconds.
    pub fn length(&self) -> f64 {
        self.length
    }

    /// Borrows the times in seconds at which another source or run begins, the first of them.
    pub fn boundaries(&self) -> &[f64] {
        &self.boundaries
    }

    /// Borrows the long closures of both eyes and the alerts, the first of them.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Adds what held from one time to another, in seconds of the session.
    pub(super) fn hold(&mut self, times: Range<f64>, moment: &Moment) {
        self.length = self.length.max(times.end);
        self.each(times, |column, seconds| {
            for eye in Eye::ALL {
                let condition = *moment.conditions.get(eye);
                column.seconds.get_mut(eye)[condition.index()] += seconds;
            }
            column.add_values(moment, seconds);
            if let Some(value) = moment.perclos {
                column.perclos.add(value, seconds);
            }
        });
    }

    /// Adds the seconds that each eye spent in each condition at unknown times of an interval, spread evenly over
    /// it, and PERCLOS.
    pub(super) fn hold_shares(
        &mut self,
        times: Range<f64>,
        shares: &PerEye<[f64; CONDITIONS]>,
        perclos: Option<f64>,
    ) {
        self.length = self.length.max(times.end);
        let length = times.end - times.start;
        self.each(times, |column, seconds| {
            for eye in Eye::ALL {
                let sums = column.seconds.get_mut(eye).iter_mut();
                for (sum, share) in sums.zip(shares.get(eye)) {
                    *sum += share * seconds / length;
                }
            }
            if let Some(value) = perclos {
                column.perclos.add(value, seconds);
            }
        });
    }

    /// Adds the values of a frame that stands for those of an interval, but not its conditions.
    pub(super) fn sample(&mut self, times: Range<f64>, moment: &Moment) {
        self.each(times, |column, seconds| column.add_values(moment, seconds));
    }

    /// Adds a camera SNR in dB that held from one time to another.
    pub(super) fn camera_snr(&mut self, times: Range<f64>, snr: PerEye<Option<f64>>) {
        self.each(times, |column, seconds| {
            for eye in Eye::ALL {
                if let Some(value) = snr.get(eye) {
                    column.camera_snr.get_mut(eye).add(*value, seconds);
                }
            }
        });
    }

    /// Adds a blink that began at a time.
    pub(super) fn blink(&mut self, time: f64, eye: Laterality) {
        let index = self.column_at(time);
        *self.columns[index].blinks.get_mut(eye) += 1;
    }

    /// Adds a long closure or an alert, where the plot has a row for it.
    pub(super) fn span(&mut self, span: Span) {
        if self.spans.len() < MOST_SPANS && SpanKind::ALL.contains(&span.kind) {
            self.spans.push(span);
        }
    }

    /// Adds a time at which another source or run begins.
    pub(super) fn boundary(&mut self, time: f64) {
        if self.boundaries.len() < MOST_BOUNDARIES {
            self.boundaries.push(time);
        }
    }

    /// Calls `take` with each column of an interval and the seconds of it that the column holds.
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

    /// Returns the index of the column of a time, which is created where it is missing.
    fn column_at(&mut self, time: f64) -> usize {
        while time >= self.width * MOST_COLUMNS as f64 {
            self.halve();
        }
        let index = ((time / self.width).max(0.0) as usize).min(MOST_COLUMNS - 1);
        if self.columns.len() <= index {
            self.columns.resize_with(index + 1, Column::default);
        }
        index
    }

    /// Joins neighbours, so that half of the columns are left.
    fn halve(&mut self) {
        let mut joined = Vec::with_capacity(MOST_COLUMNS);
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
    use parseye_vision::eye_state::EyeState;
    use proptest::prelude::*;

    fn closed(p: f64) -> Moment {
        Moment {
            conditions: PerEye {
                left: Condition::State(EyeState::Closed),
                right: Condition::NoFace,
            },
            closed: PerEye {
                left: Some(p),
                right: None,
            },
            ..Moment::BREAK
        }
    }

    #[test]
    fn a_single_frame_of_a_long_session_is_still_there() {
        let mut timeline = Timeline::default();
        let hour = 3600.0;
        timeline.hold(0.0..hour, &closed(0.1));
        timeline.hold(hour..hour + 0.03, &closed(0.9));
        timeline.hold(hour + 0.03..10.0 * hour, &closed(0.2));
        assert!(timeline.columns().len() <= MOST_COLUMNS);
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
                moment.conditions.left = Condition::ALL[index % CONDITIONS];
                timeline.hold(now..now + length, &moment);
                timeline.blink(now, Laterality::Right);
                now += length;
            }
            let columns = timeline.columns();
            prop_assert!(columns.len() <= MOST_COLUMNS);
            let seconds: f64 = columns.iter().map(|column| column.seconds.left.iter().sum::<f64>()).sum();
            prop_assert!((seconds - now).abs() < 1e-6 * now);
            let blinks: u32 = columns.iter().map(|column| column.blinks.right).sum();
            prop_assert_eq!(blinks as usize, lengths.len());
            let fullest = columns.iter().map(|column| column.seconds.left.iter().sum::<f64>()).fold(0.0, f64::max);
            prop_assert!(fullest <= timeline.width() * (1.0 + 1e-9));
        }
    }
}
