//! Adds up what a run did, frame by frame.

use super::{
    AlertCounts, BlinkCounts, EventTotals, StageHistograms, Summary, Timing, histogram_of_times,
    record,
};
use crate::{
    metrics::Percentiles,
    rounding::{seconds, thousandths},
};
use hdrhistogram::Histogram;
use parseye_vision::{
    evaluate::score::{FoundEvents, RecordingScore},
    eye_monitor::StageTimes,
    eye_state::{Eye, EyeState, PerEye, STATES},
    reading::FrameReading,
    temporal::{
        Alert, AlertKind, AlertPhase, Closure, ClosureKind, Laterality, TemporalTracker,
        TemporalUpdate, Untold,
    },
};
use std::{collections::BTreeSet, time::Duration};

/// A longer time between two frames is a leap, not the rate of a recording.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// The usual time between two frames.
#[derive(Clone, Copy, Debug, Default)]
struct UsualStep {
    /// Steps that are no leaps.
    sum: Duration,
    count: u32,
    shortest: Option<Duration>,
}

impl UsualStep {
    fn add(&mut self, step: Duration) {
        if step <= LONGEST_STEP {
            self.sum += step;
            self.count = self.count.saturating_add(1);
        }
        self.shortest = Some(self.shortest.map_or(step, |shortest| shortest.min(step)));
    }

    /// Returns the mean step, leaps left out; where all are that long, the shortest.
    fn get(&self) -> Duration {
        match self.count {
            0 => self.shortest.unwrap_or_default(),
            count => self.sum / count,
        }
    }
}

/// Accumulates the statistics of one source, or with [`Self::merge`] of several.
///
/// Call [`Self::add_frame`] and [`Self::add_changes`] for each frame, [`Self::end`] once, then
/// [`Self::summary`]. Memory does not grow with the number of frames, only with that of closures.
#[derive(Clone, Debug, Default)]
pub struct RunAccumulator {
    frames: u64,
    frames_with_face: u64,
    first_time: Option<Duration>,
    last_time: Duration,
    step: UsualStep,
    duration: Duration,
    states: PerEye<[u64; STATES]>,
    person_changes: u64,
    blinks: BlinkCounts,
    /// Blinks of all who were watched before the present person.
    blinks_of_others: BlinkCounts,
    partial_blinks: BlinkCounts,
    long_closures: BlinkCounts,
    winks: PerEye<u64>,
    faces_lost: u64,
    /// Whether the last frame showed a face.
    face_seen: bool,
    gaps: u64,
    untold: BTreeSet<Untold>,
    /// Frames a second when something could not be told, the lowest.
    lowest_rate: Option<f64>,
    found: FoundEvents,
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
    /// Adds a frame, whether its shut lids may be those of somebody who looks down
    /// ([`TemporalUpdate::uncertain`]), and how long its stages took.
    pub fn add_frame(&mut self, reading: &FrameReading, uncertain: bool, times: &StageTimes) {
        self.frames += 1;
        let face_seen = reading.face.is_some();
        self.frames_with_face += u64::from(face_seen);
        self.faces_lost += u64::from(self.face_seen && !face_seen);
        self.face_seen = face_seen;
        if self.first_time.is_some() {
            self.step.add(reading.time.saturating_sub(self.last_time));
        }
        self.first_time.get_or_insert(reading.time);
        self.last_time = reading.time;
        for eye in Eye::ALL {
            self.states.get_mut(eye)[reading.eyes.get(eye).state().index()] += 1;
        }
        let is_closed = |eye: Eye| reading.eyes.get(eye).state() == EyeState::Closed;
        if !uncertain && Eye::ALL.into_iter().all(is_closed) {
            self.found.add_closed_frame(reading.frame);
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
        self.gaps += u64::from(changes.gap.is_some());
        if let Some(change) = &changes.frame_rate
            && !change.untold.is_empty()
        {
            self.untold.extend(change.untold);
            let lowest = self.lowest_rate.unwrap_or(f64::INFINITY);
            self.lowest_rate = Some(lowest.min(change.frames_per_second));
        }
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
            ClosureKind::LongClosure => *self.long_closures.get_mut(closure.eye) += 1,
        }
        self.found.add_closure(closure);
        if closure.kind == ClosureKind::Blink && closure.eye == Laterality::Both {
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
        // The last frame is shown as long as the frames before it usually are.
        let first = self.first_time.unwrap_or_default();
        self.duration = self.last_time.saturating_sub(first) + self.step.get();
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

    /// Borrows what was found so far and can be scored.
    pub const fn found(&self) -> &FoundEvents {
        &self.found
    }

    /// Returns the numbers of events so far.
    pub fn event_counts(&self) -> EventTotals {
        EventTotals {
            blinks: self.blinks,
            partial_blinks: self.partial_blinks,
            long_closures: self.long_closures,
            winks: self.winks,
            faces_lost: self.faces_lost,
            gaps: self.gaps,
            alerts: self.alerts,
        }
    }

    /// Returns the number of blinks of the person who is watched now.
    pub fn blinks_of_person(&self, eye: Laterality) -> u64 {
        self.blinks.get(eye) - self.blinks_of_others.get(eye)
    }

    /// Returns the number of the person who is watched, from 1.
    pub fn person(&self) -> u64 {
        1 + self.person_changes
    }

    /// Adds another source's statistics, all but the frames of what was found.
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
            *self.long_closures.get_mut(eye) += other.long_closures.get(eye);
        }
        self.faces_lost += other.faces_lost;
        self.gaps += other.gaps;
        self.untold.extend(&other.untold);
        let rates = [self.lowest_rate, other.lowest_rate].into_iter().flatten();
        self.lowest_rate = rates.reduce(f64::min);
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
    pub fn summary(&self, truth: Option<RecordingScore>) -> Summary {
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
            long_closures: self.long_closures,
            winks: self.winks,
            faces_lost: self.faces_lost,
            gaps: self.gaps,
            blinks_per_minute: of_known(60.0 * self.blinks.both as f64).map(thousandths),
            blink_duration_ms: self.blink_durations.as_ref().map(Percentiles::of),
            alerts: self.alerts,
            perclos: of_known(self.closed.as_secs_f64()),
            untold: self.untold.clone(),
            frames_per_second: self.lowest_rate.map(thousandths),
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
