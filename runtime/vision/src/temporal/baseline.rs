//! How open an eye is when its owner is awake: a baseline of one minute, so that narrow eyes are not
//! taken for closing ones.
//!
//! It must never learn from a sleeper. So closed frames do not enter; an upper quantile counts, which
//! a minute with a few seconds of open eyes already has; later minutes only raise it; and what it may
//! change is bounded.

use super::{TemporalSettings, eyelids::LidSignal};
use crate::{eye_state::Eye, seconds};
use std::time::Duration;

/// Bins of openness.
const BINS: usize = 200;

/// A later minute must be wider by this much to count, so that noise makes no events.
const LEAST_RISE: f64 = 0.02;

/// A personal baseline that was found or raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaselineChange {
    /// Which eye.
    pub eye: Eye,
    /// Time of the reading that completed the minute.
    pub time: Duration,
    /// Openness that the eye reached in a fifth of the minute, 0 to 1: P(open) and half of
    /// P(`partially_open`).
    pub openness: f64,
    /// The part of it that counts: at least [`TemporalSettings::baseline_least`].
    pub reference: f64,
    /// P(closed) above which this eye counts as closed from now on.
    pub closed_above: f64,
}

/// Learns the baseline of one eye.
#[derive(Clone, Debug)]
pub(super) struct Baseline {
    window: Duration,
    forget_after: Duration,
    least: f64,
    quantile: f64,
    closed_above: f64,
    /// Time at each openness in the present minute.
    times: [Duration; BINS],
    known: Duration,
    last: Option<(Duration, usize)>,
    last_seen: Option<Duration>,
    openness: Option<f64>,
}

impl Baseline {
    /// Starts with the average eye, whose reference is 1.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            window: seconds::duration(settings.baseline_window_s),
            forget_after: seconds::duration(settings.baseline_forget_s),
            least: settings.baseline_least,
            quantile: settings.baseline_quantile,
            closed_above: settings.closed_above,
            times: [Duration::ZERO; BINS],
            known: Duration::ZERO,
            last: None,
            last_seen: None,
            openness: None,
        }
    }

    /// The openness that this eye's is divided by, 0 to 1: 1 until a minute is known.
    pub(super) fn reference(&self) -> f64 {
        self.openness
            .map_or(1.0, |openness| openness.clamp(self.least, 1.0))
    }

    /// Takes an eye's signal, not yet relative to its reference; `None` where it is hidden or closed.
    /// `followed` says whether the reading before still counts until this one.
    pub(super) fn update(
        &mut self,
        eye: Eye,
        time: Duration,
        signal: Option<LidSignal>,
        followed: bool,
    ) -> Option<BaselineChange> {
        if let Some((since, bin)) = self.last.take() {
            let held = time.saturating_sub(since);
            if followed {
                self.times[bin] += held;
                self.known += held;
            }
        }
        let signal = signal?;
        self.last = Some((time, bin_of(signal.openness)));
        if self.known < self.window {
            return None;
        }
        let openness = self.quantile_of_minute();
        self.times = [Duration::ZERO; BINS];
        self.known = Duration::ZERO;
        if self
            .openness
            .is_some_and(|before| openness < before + LEAST_RISE)
        {
            return None;
        }
        self.openness = Some(openness);
        let reference = self.reference();
        Some(BaselineChange {
            eye,
            time,
            openness,
            reference,
            closed_above: 1.0 - (1.0 - self.closed_above) * reference,
        })
    }

    /// Takes whether the eye was seen at all, closed or not: after a long absence it may be another
    /// person's.
    pub(super) fn seen(&mut self, time: Duration, seen: bool) {
        let absent = self.last_seen.map(|last| time.saturating_sub(last));
        if seen {
            self.last_seen = Some(time);
        }
        if absent.is_some_and(|absent| absent >= self.forget_after) {
            self.times = [Duration::ZERO; BINS];
            self.known = Duration::ZERO;
            self.last = None;
            self.openness = None;
        }
    }

    /// Openness that a share of the minute stays below.
    fn quantile_of_minute(&self) -> f64 {
        let border = self.known.mul_f64(self.quantile);
        let mut below = Duration::ZERO;
        for (bin, time) in self.times.iter().enumerate() {
            below += *time;
            if below > border {
                return (bin as f64 + 0.5) / BINS as f64;
            }
        }
        1.0
    }
}

fn bin_of(openness: f64) -> usize {
    ((openness * BINS as f64) as usize).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Steps through runs of (seconds, openness, or `None` for closed) at 10 readings a second.
    fn learn(script: &[(f64, Option<f64>)]) -> (Baseline, Vec<BaselineChange>) {
        let mut baseline = Baseline::new(&TemporalSettings::default());
        let mut changes = Vec::new();
        let mut tenth = 0_u32;
        for (seconds, openness) in script {
            for _ in 0..(seconds * 10.0).round() as u32 {
                let time = Duration::from_millis(100) * tenth;
                baseline.seen(time, true);
                let signal = openness.map(|openness| LidSignal {
                    near: 0.0,
                    closed: 0.0,
                    openness,
                });
                changes.extend(baseline.update(Eye::Left, time, signal, true));
                tenth += 1;
            }
        }
        (baseline, changes)
    }

    #[test]
    fn a_narrow_eye_is_known_after_a_minute_and_reported_once() {
        let (baseline, changes) = learn(&[(150.0, Some(0.703))]);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].time, Duration::from_secs(60));
        assert!((changes[0].openness - 0.7025).abs() < 1e-9);
        assert!((changes[0].closed_above - 0.64875).abs() < 1e-9);
        assert!((baseline.reference() - 0.7025).abs() < 1e-9);
    }

    #[test]
    fn closed_time_does_not_count_towards_the_minute() {
        let (_, changes) = learn(&[(40.0, Some(0.9)), (300.0, None), (21.0, Some(0.9))]);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].time > Duration::from_secs(359));
    }

    #[test]
    fn a_sleeper_with_half_open_lids_lowers_nothing_that_is_known_and_little_that_is_not() {
        let (baseline, changes) = learn(&[(61.0, Some(1.0)), (600.0, Some(0.3))]);
        assert_eq!(changes.len(), 1);
        assert!(baseline.reference() > 0.99);
        let (baseline, _) = learn(&[(61.0, Some(0.1))]);
        assert_eq!(
            baseline.reference(),
            TemporalSettings::default().baseline_least
        );
        let (baseline, changes) = learn(&[(61.0, Some(0.1)), (61.0, Some(0.95))]);
        assert_eq!(changes.len(), 2);
        assert!(baseline.reference() > 0.9, "awake again");
    }

    #[test]
    fn drowsy_for_most_of_the_minute_still_shows_the_open_eye() {
        let (baseline, _) = learn(&[(45.0, Some(0.4)), (16.0, Some(0.97))]);
        assert!(baseline.reference() > 0.9);
    }

    #[test]
    fn after_a_long_absence_it_is_somebody_else() {
        let (mut baseline, _) = learn(&[(61.0, Some(0.7))]);
        baseline.seen(Duration::from_secs(70), false);
        assert!(baseline.reference() < 0.8);
        baseline.seen(Duration::from_secs(100), true);
        assert_eq!(baseline.reference(), 1.0);
    }

    proptest! {
        #[test]
        fn the_reference_stays_in_its_bounds_and_never_falls(
            steps in prop::collection::vec((1.0_f64..90.0, prop::option::of(0.0_f64..=1.0)), 1..12),
        ) {
            let (baseline, changes) = learn(&steps);
            let least = TemporalSettings::default().baseline_least;
            prop_assert!((least..=1.0).contains(&baseline.reference()));
            for pair in changes.windows(2) {
                prop_assert!(pair[1].openness > pair[0].openness);
                prop_assert!(pair[1].time - pair[0].time >= Duration::from_secs(60));
            }
        }
    }
}
