//! Adds up what a run did, frame by frame.

use super::{
    AlertCounts, BlinkCounts, StageHistograms, Summary, Timing, histogram_of_times, record,
};
use crate::{
    metrics::Percentiles,
    rounding::{seconds, thousandths},
};
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
use std::time::Duration;

/// Accumulates the statistics of one source, or with [`Self::merge`] of several.
///
/// Call [`Self::add_frame`] and [`Self::add_changes`] for each frame, [`Self::end`] once, then
/// [`Self::summary`]. Memory does not grow with the number of frames, only with that of blinks.
#[derive(Clone, Debug, Default)]
pub struct RunAccumulator {
    frames: u64,
    frames_with_face: u64,
    first_time: Option<Duration>,
    last_time: Duration,
    duration: Duration,
    states: PerEye<[u64; STATES]>,
    person_changes: u64,
    blinks: BlinkCounts,
    /// Blinks of all who were watched before the present person.
    blinks_of_others: BlinkCounts,
    partial_blinks: BlinkCounts,
    winks: PerEye<u64>,
    blinks_of_both: Vec<FrameRange>,
    /// Of the blinks of both eyes; created with the first.
    blink_durations: Option<Histogram<u32>>,
    alerts: AlertCounts,
    known: Duration,
    closed: Duration,
    /// Created with the first frame.
    stages: Option<StageHistograms>,
    busy: Duration,
}

impl RunAccumulator {
    /// Adds a frame and how long its stages took.
    pub fn add_frame(&mut self, reading: &FrameReading, times: &StageTimes) {
        self.frames += 1;
        self.frames_with_face += u64::from(reading.face.is_some());
        self.first_time.get_or_insert(reading.time);
        self.last_time = reading.time;
        for eye in Eye::ALL {
            self.states.get_mut(eye)[reading.eyes.get(eye).state().index()] += 1;
        }
        if self.stages.is_none() {
            self.stages = StageHistograms::new();
        }
        if let Some(stages) = &mut self.stages {
            stages.record(times);
        }
    }

    /// Takes that another person is watched from the next frame on, which is not added yet.
    pub fn begin_person(&mut self) {
        self.person_changes += 1;
        self.blinks_of_others = self.blinks;
    }

    /// Adds what a frame brought to an end or set off.
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

    fn add_closure(&mut self, closure: &Closure) {
        match (closure.eye, closure.wink) {
            (Laterality::Left, true) => self.winks.left += 1,
            (Laterality::Right, true) => self.winks.right += 1,
            _ => {}
        }
        match closure.kind {
            ClosureKind::Blink => *self.blinks.get_mut(closure.eye) += 1,
            ClosureKind::PartialBlink => *self.partial_blinks.get_mut(closure.eye) += 1,
            ClosureKind::LongClosure => {}
        }
        if closure.kind == ClosureKind::Blink && closure.eye == Laterality::Both {
            self.blinks_of_both.push(FrameRange {
                first: closure.first_frame,
                last: closure.last_frame,
            });
            if self.blink_durations.is_none() {
                self.blink_durations = histogram_of_times();
            }
            if let Some(durations) = &mut self.blink_durations {
                record(durations, closure.duration());
            }
        }
    }

    /// Counts an alert when it is raised; what becomes of it later is not counted.
    fn add_alert(&mut self, alert: &Alert) {
        if alert.phase == AlertPhase::Raised {
            *self.alerts.get_mut(alert.kind) += 1;
        }
    }

    /// Ends the source: takes the known and closed time from its tracker, and the wall time that it took.
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

    /// Returns the number of frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the length of the source, the last frame's display time included; zero before
    /// [`Self::end`].
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Borrows the frames of every blink of both eyes so far.
    pub fn blinks_of_both(&self) -> &[FrameRange] {
        &self.blinks_of_both
    }

    /// Returns the number of blinks of the person who is watched now.
    pub fn blinks_of_person(&self, eye: Laterality) -> u64 {
        self.blinks.get(eye) - self.blinks_of_others.get(eye)
    }

    /// Returns the number of the person who is watched, from 1.
    pub fn person(&self) -> u64 {
        1 + self.person_changes
    }

    /// Adds another source's statistics, all but the frames of its blinks.
    pub fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.frames_with_face += other.frames_with_face;
        self.person_changes += other.person_changes;
        self.duration += other.duration;
        for eye in Eye::ALL {
            let counts = self.states.get_mut(eye).iter_mut();
            for (count, more) in counts.zip(other.states.get(eye)) {
                *count += more;
            }
        }
        for eye in Laterality::ALL {
            *self.blinks.get_mut(eye) += other.blinks.get(eye);
            *self.partial_blinks.get_mut(eye) += other.partial_blinks.get(eye);
        }
        self.winks.left += other.winks.left;
        self.winks.right += other.winks.right;
        match (&mut self.blink_durations, &other.blink_durations) {
            (Some(mine), Some(others)) => {
                // Both have the same bounds, so adding cannot fail.
                let _ = mine.add(others);
            }
            (mine @ None, others) => mine.clone_from(others),
            (Some(_), None) => {}
        }
        for kind in AlertKind::ALL {
            *self.alerts.get_mut(kind) += other.alerts.get(kind);
        }
        self.known += other.known;
        self.closed += other.closed;
        self.busy += other.busy;
        match (&mut self.stages, &other.stages) {
            (Some(mine), Some(others)) => mine.merge(others),
            (mine @ None, others) => mine.clone_from(others),
            (Some(_), None) => {}
        }
    }

    /// Returns the statistics as they are written, with a score where confirmed blinks are known.
    pub fn summary(&self, truth: Option<Score>) -> Summary {
        let counts = |eye: Eye| {
            let named = |state: EyeState| (state.name(), self.states.get(eye)[state.index()]);
            EyeState::ALL.into_iter().map(named).collect()
        };
        let known = self.known.as_secs_f64();
        let of_known = |value: f64| (!self.known.is_zero()).then(|| value / known);
        Summary {
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            duration_s: seconds(self.duration),
            states: PerEye::from_fn(counts),
            person_changes: self.person_changes,
            blinks: self.blinks,
            partial_blinks: self.partial_blinks,
            winks: self.winks,
            blinks_per_minute: of_known(60.0 * self.blinks.both as f64).map(thousandths),
            blink_duration_ms: self.blink_durations.as_ref().map(Percentiles::of),
            alerts: self.alerts,
            perclos: of_known(self.closed.as_secs_f64()),
            timing: self.timing(),
            truth,
        }
    }

    fn timing(&self) -> Timing {
        let busy = self.busy.as_secs_f64();
        let stage = |get: fn(&StageHistograms) -> &Histogram<u32>| {
            self.stages
                .as_ref()
                .map(|stages| Percentiles::of(get(stages)))
        };
        Timing {
            fps: (busy > 0.0 && self.frames > 0).then(|| self.frames as f64 / busy),
            decode_wait: stage(|stages| &stages.decode_wait),
            locate: stage(|stages| &stages.locate),
            crop: stage(|stages| &stages.crop),
            classify: stage(|stages| &stages.classify),
            total: stage(|stages| &stages.total),
        }
    }
}
