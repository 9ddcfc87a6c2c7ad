//! Sums over a source and over all: what `--summary` writes and what a run ends with.

use crate::metrics::Percentiles;
use hdrhistogram::Histogram;
use parseye_vision::{
    evaluate::{score::Score, truth::FrameRange},
    eye_monitor::StageTimes,
    eye_state::{Eye, EyeState, PerEye, STATES},
    reading::FrameReading,
    temporal::{
        Alert, AlertKind, AlertPhase, Closure, ClosureKind, Laterality, TemporalTracker,
        TemporalUpdate,
    },
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

const STAGES: usize = 5;

fn values_of(times: &StageTimes) -> [Duration; STAGES] {
    [
        times.decode_wait,
        times.locate,
        times.crop,
        times.classify,
        times.total,
    ]
}

/// Adds up one source.
#[derive(Clone, Debug, Default)]
pub struct RunAccumulator {
    frames: u64,
    frames_with_face: u64,
    first_time: Option<Duration>,
    last_time: Duration,
    duration: Duration,
    states: PerEye<[u64; STATES]>,
    blinks: [u64; Laterality::ALL.len()],
    partial_blinks: [u64; Laterality::ALL.len()],
    winks: PerEye<u64>,
    blinks_of_both: Vec<FrameRange>,
    /// Of the blinks of both eyes, in nanoseconds; created with the first.
    blink_durations: Option<Histogram<u32>>,
    alerts: AlertCounts,
    known: Duration,
    closed: Duration,
    /// In nanoseconds; created with the first frame.
    stages: Option<[Histogram<u32>; STAGES]>,
    busy: Duration,
}

/// Significant digits of a stage's percentiles.
const TIMING_DIGITS: u8 = 3;

/// Stages that take longer than this many nanoseconds, a minute, count as that.
const LONGEST_STAGE_NS: u64 = 60_000_000_000;

impl RunAccumulator {
    /// Takes a frame.
    pub fn add_frame(&mut self, reading: &FrameReading, times: &StageTimes) {
        self.frames += 1;
        self.frames_with_face += u64::from(reading.face.is_some());
        self.first_time.get_or_insert(reading.time);
        self.last_time = reading.time;
        for eye in Eye::ALL {
            self.states.get_mut(eye)[reading.eyes.get(eye).state().index()] += 1;
        }
        let new = || Histogram::new_with_max(LONGEST_STAGE_NS, TIMING_DIGITS).ok();
        if self.stages.is_none()
            && let (Some(a), Some(b), Some(c), Some(d), Some(e)) =
                (new(), new(), new(), new(), new())
        {
            self.stages = Some([a, b, c, d, e]);
        }
        if let Some(stages) = &mut self.stages {
            for (histogram, time) in stages.iter_mut().zip(values_of(times)) {
                histogram.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }

    /// Takes what a frame brought to an end or set off.
    pub fn add_changes(&mut self, changes: &TemporalUpdate) {
        changes
            .ended
            .iter()
            .for_each(|closure| self.add_closure(closure));
        changes
            .alerts
            .iter()
            .for_each(|alert| self.add_alert(alert));
    }

    /// Takes a closure that ended.
    pub fn add_closure(&mut self, closure: &Closure) {
        match (closure.eye, closure.wink) {
            (Laterality::Left, true) => self.winks.left += 1,
            (Laterality::Right, true) => self.winks.right += 1,
            _ => {}
        }
        match closure.kind {
            ClosureKind::Blink => self.blinks[closure.eye as usize] += 1,
            ClosureKind::PartialBlink => self.partial_blinks[closure.eye as usize] += 1,
            ClosureKind::LongClosure => {}
        }
        if closure.kind == ClosureKind::Blink && closure.eye == Laterality::Both {
            self.blinks_of_both.push(FrameRange {
                first: closure.first_frame,
                last: closure.last_frame,
            });
            if self.blink_durations.is_none() {
                self.blink_durations =
                    Histogram::new_with_max(LONGEST_STAGE_NS, TIMING_DIGITS).ok();
            }
            if let Some(durations) = &mut self.blink_durations {
                let nanos = closure.duration().as_nanos();
                durations.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
            }
        }
    }

    /// Takes an alert; only its beginning counts.
    pub fn add_alert(&mut self, alert: &Alert) {
        if alert.phase == AlertPhase::Raised {
            *self.alerts.of(alert.kind) += 1;
        }
    }

    /// Closes the source: takes its PERCLOS, and the wall time that it took.
    pub fn end(&mut self, tracker: &TemporalTracker, busy: Duration) {
        (self.known, self.closed) = tracker.known_and_closed();
        self.busy = busy;
        // The last frame is shown as long as the frames before it on average.
        let first = self.first_time.unwrap_or_default();
        let shown = self.last_time.saturating_sub(first);
        if self.frames > 1 {
            self.duration = shown.mul_f64(self.frames as f64 / (self.frames - 1) as f64);
        }
    }

    /// Number of frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Length of the source, the last frame's showing included; known once it was closed.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Frames of every blink of both eyes so far.
    pub fn blinks_of_both(&self) -> &[FrameRange] {
        &self.blinks_of_both
    }

    /// Number of blinks so far.
    pub fn blinks(&self, eye: Laterality) -> u64 {
        self.blinks[eye as usize]
    }

    /// Adds another source's sums to these.
    pub fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.frames_with_face += other.frames_with_face;
        self.duration += other.duration;
        for eye in Eye::ALL {
            for (count, more) in self
                .states
                .get_mut(eye)
                .iter_mut()
                .zip(other.states.get(eye))
            {
                *count += more;
            }
        }
        for (count, more) in self.blinks.iter_mut().zip(other.blinks) {
            *count += more;
        }
        for (count, more) in self.partial_blinks.iter_mut().zip(other.partial_blinks) {
            *count += more;
        }
        self.winks.left += other.winks.left;
        self.winks.right += other.winks.right;
        match (&mut self.blink_durations, &other.blink_durations) {
            (Some(mine), Some(others)) => {
                // Both have the same bounds, so adding cannot fail.
                let _ = mine.add(others);
            }
            (mine @ None, Some(others)) => *mine = Some(others.clone()),
            (_, None) => {}
        }
        for kind in AlertKind::ALL {
            let mut others = other.alerts;
            *self.alerts.of(kind) += *others.of(kind);
        }
        self.known += other.known;
        self.closed += other.closed;
        self.busy += other.busy;
        match (&mut self.stages, &other.stages) {
            (Some(mine), Some(others)) => {
                for (histogram, more) in mine.iter_mut().zip(others) {
                    // Both have the same bounds, so adding cannot fail.
                    let _ = histogram.add(more);
                }
            }
            (mine @ None, Some(others)) => *mine = Some(others.clone()),
            (_, None) => {}
        }
    }

    /// The sums as they are written.
    pub fn summary(&self, truth: Option<Score>) -> Summary {
        let stage = |index: usize| {
            self.stages
                .as_ref()
                .map(|stages| Percentiles::of(&stages[index]))
        };
        let counts = |eye: Eye| {
            let named = |state: EyeState| (state.name(), self.states.get(eye)[state.index()]);
            EyeState::ALL.into_iter().map(named).collect()
        };
        let busy = self.busy.as_secs_f64();
        Summary {
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            duration_s: super::event::seconds(self.duration),
            states: PerEye::from_fn(counts),
            blinks: BlinkCounts {
                left: self.blinks(Laterality::Left),
                right: self.blinks(Laterality::Right),
                both: self.blinks(Laterality::Both),
            },
            partial_blinks: BlinkCounts {
                left: self.partial_blinks[Laterality::Left as usize],
                right: self.partial_blinks[Laterality::Right as usize],
                both: self.partial_blinks[Laterality::Both as usize],
            },
            winks: self.winks,
            blinks_per_minute: (!self.known.is_zero()).then(|| {
                let rate = 60.0 * self.blinks(Laterality::Both) as f64 / self.known.as_secs_f64();
                (rate * 1e3).round() / 1e3
            }),
            blink_duration_ms: self.blink_durations.as_ref().map(Percentiles::of),
            alerts: self.alerts,
            perclos: (!self.known.is_zero())
                .then(|| self.closed.as_secs_f64() / self.known.as_secs_f64()),
            timing: Timing {
                fps: (busy > 0.0 && self.frames > 0).then(|| self.frames as f64 / busy),
                decode_wait: stage(0),
                locate: stage(1),
                crop: stage(2),
                classify: stage(3),
                total: stage(4),
            },
            truth,
        }
    }
}

/// Sums over one source or several.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Frames in which a face was found.
    pub frames_with_face: u64,
    /// Length of the recording in seconds, the last frame's showing included.
    pub duration_s: f64,
    /// Frames in each state.
    pub states: PerEye<BTreeMap<&'static str, u64>>,
    /// Blinks.
    pub blinks: BlinkCounts,
    /// Blinks in which the lids did not meet.
    pub partial_blinks: BlinkCounts,
    /// Closures of one eye while the other was open.
    pub winks: PerEye<u64>,
    /// Blinks of both eyes a minute of known time.
    pub blinks_per_minute: Option<f64>,
    /// How long the blinks of both eyes lasted.
    pub blink_duration_ms: Option<Percentiles>,
    /// Alerts that were raised.
    pub alerts: AlertCounts,
    /// Share of the known time with both eyes closed, blinks left out.
    pub perclos: Option<f64>,
    /// How fast it went.
    pub timing: Timing,
    /// Blinks of both eyes against confirmed ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<Score>,
}

/// Numbers of blinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BlinkCounts {
    /// Of the left eye.
    pub left: u64,
    /// Of the right eye.
    pub right: u64,
    /// Of both together.
    pub both: u64,
}

/// Numbers of alerts that were raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertCounts {
    /// Closures that lasted long enough for a warning.
    pub long_closure_warning: u64,
    /// Closures that lasted long enough for an alarm.
    pub long_closure_alarm: u64,
    /// Times that PERCLOS rose above its border.
    pub drowsiness: u64,
}

impl AlertCounts {
    /// Borrows the count of one kind of alert.
    pub fn of(&mut self, kind: AlertKind) -> &mut u64 {
        match kind {
            AlertKind::LongClosureWarning => &mut self.long_closure_warning,
            AlertKind::LongClosureAlarm => &mut self.long_closure_alarm,
            AlertKind::Drowsiness => &mut self.drowsiness,
        }
    }
}

/// How fast it went. Stages are in milliseconds a frame, see [`StageTimes`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// Frames per second of wall time.
    pub fps: Option<f64>,
    /// Waiting for the source.
    pub decode_wait: Option<Percentiles>,
    /// Finding the face.
    pub locate: Option<Percentiles>,
    /// Cutting and standardising both eyes.
    pub crop: Option<Percentiles>,
    /// Judging both eyes.
    pub classify: Option<Percentiles>,
    /// From the frame in hand to its reading.
    pub total: Option<Percentiles>,
}

/// The sums over all sources, and over each.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// Over all sources.
    #[serde(flatten)]
    pub all: Summary,
    /// Over each source, by name.
    pub clips: BTreeMap<String, Summary>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {:.1} s, face in {:.1} %; blinks: {} left, {} right, {} both",
            self.frames,
            self.duration_s,
            100.0 * self.frames_with_face as f64 / self.frames.max(1) as f64,
            self.blinks.left,
            self.blinks.right,
            self.blinks.both,
        )?;
        if let Some(perclos) = self.perclos {
            write!(f, "; PERCLOS {:.1} %", 100.0 * perclos)?;
        }
        if let Some(score) = &self.truth {
            write!(
                f,
                "; against the truth: {} hit, {} missed, {} false",
                score.tp, score.missed, score.fp
            )?;
            if let Some(f1) = score.f1 {
                write!(f, ", F1 {f1:.3}")?;
            }
        }
        if let (Some(fps), Some(total)) = (self.timing.fps, self.timing.total) {
            write!(
                f,
                "; {fps:.0} frames/s, {:.1} ms a frame (p95 {:.1})",
                total.p50, total.p95
            )?;
        }
        Ok(())
    }
}

impl RunSummary {
    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (clip, summary) in &self.clips {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{clip}: {summary}");
        }
        if self.clips.len() > 1 {
            let _ = writeln!(text, "all: {}", self.all);
        }
        text
    }
}

#[cfg(test)]
mod tests;
