//! The present of a running monitor, kept from frame to frame: what [`LiveStatus`] is made of.

use super::capture::{CaptureEvent, Change};
use hdrhistogram::Histogram;
use parseye_events::{
    event::{EyeRecord, FaceRecord},
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

/// The frame age is shown over this time: long enough for a 99th percentile at 30 frames a second,
/// short enough to show what is now.
const AGES: Duration = Duration::from_secs(5);

/// The rate is shown over this time.
const RATE: Duration = Duration::from_secs(2);

/// Significant digits of the frame age.
const AGE_DIGITS: u8 = 2;

/// Frames older than this many nanoseconds, a minute, count as that old.
const OLDEST_NS: u64 = 60_000_000_000;

/// What is kept.
#[derive(Debug)]
pub(super) struct Present {
    model: String,
    source: SourceStatus,
    last: Option<FrameReading>,
    alerts: Vec<RunningAlert>,
    /// When each frame of the last seconds was judged, and how old it was then.
    recent: VecDeque<(Duration, Duration)>,
    /// Of the whole run, in nanoseconds.
    ages: Option<Histogram<u32>>,
}

impl Present {
    pub(super) fn new(model: &str, source: &str) -> Self {
        Self {
            model: model.into(),
            source: SourceStatus {
                name: source.into(),
                format: String::new(),
                down: Some(SourceStatus::NOT_OPENED.into()),
            },
            last: None,
            alerts: Vec::new(),
            recent: VecDeque::new(),
            ages: Histogram::new_with_max(OLDEST_NS, AGE_DIGITS).ok(),
        }
    }

    /// Takes what came of a frame that was judged at `now`, `age` after its capture.
    pub(super) fn take(&mut self, judged: &FrameResult, now: Duration, age: Duration) {
        self.recent.push_back((now, age));
        if let Some(ages) = &mut self.ages {
            ages.saturating_record(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        }
        self.take_alerts(&judged.update.alerts);
        self.last = Some(judged.reading.clone());
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

    /// Takes what happened to the source.
    pub(super) fn take_notice(&mut self, event: &CaptureEvent) {
        match &event.change {
            Change::Opened { format } | Change::Reopened { format } => {
                self.source.format.clone_from(format);
                self.source.down = None;
            }
            Change::Lost(reason) | Change::Waiting(reason) => {
                self.source.down = Some(reason.words.clone());
                self.last = None;
            }
            Change::Damaged { .. } => {}
        }
    }

    /// Whether the source delivers, as far as was told.
    pub(super) fn is_down(&self) -> bool {
        self.source.down.is_some()
    }

    /// How the source delivers, as it was told last.
    pub(super) fn format(&self) -> &str {
        &self.source.format
    }

    /// Ages of all frames.
    pub(super) fn ages(&self) -> Option<Percentiles> {
        self.ages
            .as_ref()
            .filter(|ages| !ages.is_empty())
            .map(Percentiles::of)
    }

    /// The present at `now`, since the run began.
    pub(super) fn status(
        &mut self,
        now: Duration,
        tally: &RunAccumulator,
        chain: &EyeMonitor,
        lost: FrameLoss,
        checks: CheckStatus,
    ) -> LiveStatus {
        while self
            .recent
            .front()
            .is_some_and(|(judged, _)| *judged + AGES < now)
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
            source: self.source.clone(),
            face: last
                .and_then(|reading| reading.face.as_ref())
                .map(FaceRecord::from),
            left: eye(last, parseye_vision::eye_state::Eye::Left),
            right: eye(last, parseye_vision::eye_state::Eye::Right),
            blinks: BlinkCounts {
                left: tally.blinks(Laterality::Left),
                right: tally.blinks(Laterality::Right),
                both: tally.blinks(Laterality::Both),
            },
            blinks_per_minute: chain.tracker().blinks_per_minute(),
            perclos: chain.tracker().perclos_of_last_minute(),
            alerts: self.alerts.clone(),
            fps: self.rate(now),
            frame_age_ms: self.recent_ages(),
            frames: tally.frames(),
            lost,
            checks,
        }
    }

    fn rate(&self, now: Duration) -> f64 {
        let since = now.saturating_sub(RATE);
        let frames = self.recent.iter().filter(|(judged, _)| *judged >= since);
        // Of the first seconds only those count that have passed.
        let span = RATE.min(now).as_secs_f64();
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

/// The gravest first.
fn severity(kind: AlertKind) -> u8 {
    match kind {
        AlertKind::LongClosureAlarm => 0,
        AlertKind::LongClosureWarning => 1,
        AlertKind::Drowsiness => 2,
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
    fn the_gravest_alert_stands_first_and_an_ended_one_is_gone() {
        use AlertKind::{Drowsiness, LongClosureAlarm, LongClosureWarning};
        let mut present = Present::new("m", "s");
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
        let mut present = Present::new("m", "s");
        let mut tell = |change| {
            let time = Duration::ZERO;
            present.take_notice(&CaptureEvent { time, change });
            present.is_down()
        };
        let format = || "MJPG 640x480".to_owned();
        let reason = || Reason {
            fault: CameraFault::Stalled,
            words: "no picture".into(),
        };
        assert!(!tell(Change::Opened { format: format() }));
        assert!(tell(Change::Lost(reason())));
        assert!(tell(Change::Waiting(reason())));
        assert!(!tell(Change::Reopened { format: format() }));
    }
}
