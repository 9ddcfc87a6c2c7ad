//! The state of a live run from which its [`LiveStatus`] is made, kept from frame to frame.

use super::capture::SourceChange;
use hdrhistogram::Histogram;
use parseye_events::{
    event::{EyeRecord, FaceRecord, untold_message},
    metrics::{FrameLoss, Percentiles},
    rounding::{milliseconds, seconds},
    status::{CheckStatus, LiveStatus, RunningAlert, SourceStatus},
    summary::{BlinkCounts, RunAccumulator},
};
use parseye_vision::{
    eye_monitor::{EyeMonitor, FrameResult},
    reading::FrameReading,
    temporal::{Alert, AlertKind, AlertPhase, Laterality},
};
use std::{collections::VecDeque, time::Duration};

/// Time span of the frame age's percentiles: long enough for a 99th percentile at 30 frames per second,
/// short enough to show the present.
const AGE_SPAN: Duration = Duration::from_secs(5);

/// Time span of the frame rate.
const RATE_SPAN: Duration = Duration::from_secs(2);

/// Significant digits of the frame age's histogram.
const AGE_DIGITS: u8 = 2;

/// Largest frame age in the histogram, in nanoseconds; older frames count as this old.
const MAX_AGE_NS: u64 = 60_000_000_000;

/// The state.
#[derive(Debug)]
pub(super) struct Present {
    model: String,
    watching: String,
    source: SourceStatus,
    last: Option<FrameReading>,
    /// Whether the last frame's shut lids may be those of somebody who looks down.
    uncertain: bool,
    alerts: Vec<RunningAlert>,
    /// When each frame of the last seconds was processed, and its age then.
    recent: VecDeque<(Duration, Duration)>,
    /// Frame ages of the whole run, in nanoseconds.
    ages: Option<Histogram<u32>>,
}

impl Present {
    pub(super) fn new(model: &str, source: &str, watching: &str) -> Self {
        Self {
            model: model.into(),
            watching: watching.into(),
            source: SourceStatus {
                name: source.into(),
                format: String::new(),
                down: Some(SourceStatus::NOT_OPENED.into()),
            },
            last: None,
            uncertain: false,
            alerts: Vec::new(),
            recent: VecDeque::new(),
            ages: Histogram::new_with_max(MAX_AGE_NS, AGE_DIGITS).ok(),
        }
    }

    /// Takes the result of a frame that was processed at `now`, `age` after its capture.
    pub(super) fn take_frame(&mut self, result: &FrameResult, now: Duration, age: Duration) {
        self.recent.push_back((now, age));
        if let Some(ages) = &mut self.ages {
            ages.saturating_record(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        }
        self.take_alerts(&result.update.alerts);
        self.last = Some(result.reading.clone());
        self.uncertain = result.update.uncertain;
    }

    /// Takes alerts that changed.
    pub(super) fn take_alerts(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            self.alerts.retain(|running| running.kind != alert.kind);
            if matches!(alert.phase, AlertPhase::Raised | AlertPhase::Repeated) {
                self.alerts.push(RunningAlert {
                    kind: alert.kind,
                    since: seconds(alert.since),
                });
            }
        }
        self.alerts.sort_by_key(|alert| severity(alert.kind));
    }

    /// Takes a change of the source.
    pub(super) fn take_change(&mut self, change: &SourceChange) {
        match change {
            SourceChange::Opened { format } | SourceChange::Reopened { format } => {
                self.source.format.clone_from(format);
                self.source.down = None;
            }
            SourceChange::Lost(reason) | SourceChange::Waiting(reason) => {
                self.source.down = Some(reason.message.clone());
                self.last = None;
            }
            SourceChange::Damaged { .. } | SourceChange::Gap { .. } | SourceChange::Note { .. } => {
            }
        }
    }

    /// Returns whether the source delivers nothing, as far as was reported.
    pub(super) fn is_down(&self) -> bool {
        self.source.down.is_some()
    }

    /// Returns the format of the source, as it was reported last.
    pub(super) fn format(&self) -> &str {
        &self.source.format
    }

    /// Returns the percentiles of all frames' ages.
    pub(super) fn ages(&self) -> Option<Percentiles> {
        self.ages
            .as_ref()
            .filter(|ages| !ages.is_empty())
            .map(Percentiles::of)
    }

    /// Makes the status at `now`, the time since the run began.
    pub(super) fn status(
        &mut self,
        now: Duration,
        statistics: &RunAccumulator,
        eye_monitor: &EyeMonitor,
        lost: FrameLoss,
        checks: CheckStatus,
    ) -> LiveStatus {
        while self
            .recent
            .front()
            .is_some_and(|(processed, _)| *processed + AGE_SPAN < now)
        {
            self.recent.pop_front();
        }
        let eye = |reading: Option<&FrameReading>, eye| {
            reading.map(|reading| EyeRecord::from(reading.eyes.get(eye)))
        };
        let last = self.last.as_ref();
        LiveStatus {
            time: seconds(last.map_or(now, |reading| reading.time)),
            frame: last.map(|reading| reading.frame),
            model: self.model.clone(),
            watching: match statistics.person() {
                1 => self.watching.clone(),
                person => format!("{}, person {person}", self.watching),
            },
            source: self.source.clone(),
            face: last
                .and_then(|reading| reading.face.as_ref())
                .map(FaceRecord::from),
            left: eye(last, parseye_vision::eye_state::Eye::Left),
            right: eye(last, parseye_vision::eye_state::Eye::Right),
            uncertain: self.uncertain && last.is_some(),
            blinks: BlinkCounts {
                left: statistics.blinks_of_person(Laterality::Left),
                right: statistics.blinks_of_person(Laterality::Right),
                both: statistics.blinks_of_person(Laterality::Both),
            },
            events: statistics.event_counts(),
            blinks_per_minute: eye_monitor.tracker().blinks_per_minute(),
            perclos: eye_monitor.tracker().perclos_of_last_minute(),
            alerts: self.alerts.clone(),
            fps: self.rate(now),
            untold: untold(eye_monitor),
            frame_age_ms: self.recent_ages(),
            frames: statistics.frames(),
            lost,
            checks,
        }
    }

    fn rate(&self, now: Duration) -> f64 {
        let since = now.saturating_sub(RATE_SPAN);
        let frames = self
            .recent
            .iter()
            .filter(|(processed, _)| *processed >= since);
        // At the beginning only the time that has passed counts.
        let span = RATE_SPAN.min(now).as_secs_f64();
        if span > 0.0 {
            frames.count() as f64 / span
        } else {
            0.0
        }
    }

    fn recent_ages(&self) -> Option<Percentiles> {
        let mut ages: Vec<Duration> = self.recent.iter().map(|(_, age)| *age).collect();
        ages.sort_unstable();
        let last = ages.len().checked_sub(1)?;
        let at = |share: f64| {
            let age = ages[(share * last as f64).round() as usize];
            milliseconds(age)
        };
        Some(Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
        })
    }
}

/// Says what cannot be told at the present rate of frames; `None` where all can.
fn untold(eye_monitor: &EyeMonitor) -> Option<String> {
    let tracker = eye_monitor.tracker();
    let untold = tracker.untold();
    let rate = tracker.readings_per_second().unwrap_or_default();
    (!untold.is_empty()).then(|| untold_message(rate, untold))
}

/// Rank of an alert: the most severe is 0.
fn severity(kind: AlertKind) -> u8 {
    match kind {
        AlertKind::LongClosureAlarm => 0,
        AlertKind::FaceLostAsleep => 1,
        AlertKind::LongClosureWarning => 2,
        AlertKind::Drowsiness => 3,
        AlertKind::LowBlinkRate => 4,
        AlertKind::ScreenTime => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::capture::Reason, *};
    use parseye_capture::CameraFault;

    fn alert(kind: AlertKind, phase: AlertPhase) -> Alert {
        Alert {
            kind,
            phase,
            time: Duration::from_secs(9),
            since: Duration::from_secs(7),
            perclos: None,
        }
    }

    #[test]
    fn the_most_severe_alert_comes_first_and_an_ended_one_is_gone() {
        use AlertKind::{Drowsiness, LongClosureAlarm, LongClosureWarning};
        let mut present = Present::new("m", "s", "largest face");
        for kind in [Drowsiness, LongClosureWarning, LongClosureAlarm] {
            present.take_alerts(&[alert(kind, AlertPhase::Raised)]);
        }
        present.take_alerts(&[alert(LongClosureAlarm, AlertPhase::Repeated)]);
        let kinds = |present: &Present| -> Vec<AlertKind> {
            present.alerts.iter().map(|alert| alert.kind).collect()
        };
        assert_eq!(
            kinds(&present),
            [LongClosureAlarm, LongClosureWarning, Drowsiness]
        );
        present.take_alerts(&[
            alert(LongClosureAlarm, AlertPhase::Cleared),
            alert(LongClosureWarning, AlertPhase::Lost),
        ]);
        assert_eq!(kinds(&present), [Drowsiness]);
    }

    #[test]
    fn a_source_is_down_from_its_loss_to_its_return() {
        let mut present = Present::new("m", "s", "largest face");
        let mut is_down_after = |change| {
            present.take_change(&change);
            present.is_down()
        };
        let format = || "MJPG 640x480".to_owned();
        let reason = || Reason {
            fault: CameraFault::Stalled,
            message: "no frame".into(),
        };
        assert!(!is_down_after(SourceChange::Opened { format: format() }));
        assert!(is_down_after(SourceChange::Lost(reason())));
        assert!(is_down_after(SourceChange::Waiting(reason())));
        assert!(!is_down_after(SourceChange::Reopened { format: format() }));
    }
}
