//! How far apart readings come, and what can no longer be told when they come too rarely.
//!
//! A blink lasts 0.1 to 0.4 s, so that below five readings a second some fall between two of them and their
//! number says nothing. Closures that last are still seen in readings a second apart, as long as these
//! always come so far apart: a single pause hides what the eyes did in it. So readings are joined over the
//! usual distance of the last ones, whatever it is, up to [`TemporalSettings::sparse_gap_s`].

use super::TemporalSettings;
use crate::seconds;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};

/// Distances of which the usual one is the median: few, so that a camera that slows down in the dark is
/// soon followed, and more than twice as many as a pause or two.
const DISTANCES: usize = 7;

/// Distances from which on there is a usual one.
const LEAST_DISTANCES: usize = 3;

/// A reading may come later than usual by this factor and is still joined.
const JITTER: f64 = 1.5;

/// Readings a second below which blinks fall in between.
const BLINKS_FROM: f64 = 5.0;

/// Readings a second must be more than the limit by this factor before what could not be told is told
/// again.
const HYSTERESIS: f64 = 1.1;

/// A rate counts as a lasting one after this time: cameras start slowly, and a machine may be busy.
const SETTLE: Duration = Duration::from_secs(2);

/// How a reading lies after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// So close that what the last one showed holds until it.
    Close,
    /// As far as all lately, and so far that a whole blink may lie in between.
    Sparse,
    /// Too far, or there is none before it: what lies in between is unknown.
    Gap,
}

/// What readings that come too rarely cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Untold {
    /// How often somebody blinks: blinks fall between readings.
    Blinks,
    /// Whether the eyes stay closed.
    Closures,
}

/// What can be told at the present rate of readings, changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameRateChange {
    /// Time of the reading that showed it.
    pub time: Duration,
    /// Readings a second.
    pub frames_per_second: f64,
    /// What can no longer be told; empty where all can be told again.
    pub untold: &'static [Untold],
}

/// Time without a reading, of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Time of the last reading before it.
    pub from: Duration,
    /// Time of the first one after it.
    pub to: Duration,
}

/// Follows the times of readings.
#[derive(Clone, Debug)]
pub(super) struct FrameRate {
    longest_gap: Duration,
    sparse_gap: Duration,
    last: Option<Duration>,
    distances: VecDeque<Duration>,
    reported: &'static [Untold],
    /// What the rate has been too low for since then, where that is not what was reported.
    differs: Option<(&'static [Untold], Duration)>,
}

const ALL_TOLD: &[Untold] = &[];
const NO_BLINKS: &[Untold] = &[Untold::Blinks];
const NOTHING: &[Untold] = &[Untold::Blinks, Untold::Closures];

impl FrameRate {
    /// Starts without a reading.
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            longest_gap: seconds::duration(settings.longest_gap_s),
            sparse_gap: seconds::duration(settings.sparse_gap_s),
            last: None,
            distances: VecDeque::with_capacity(DISTANCES),
            reported: ALL_TOLD,
            differs: None,
        }
    }

    /// Takes the next reading's time, not earlier than the last; returns how it lies, the gap before it where
    /// that is one, and what changed in what can be told.
    pub(super) fn update(
        &mut self,
        time: Duration,
    ) -> (Spacing, Option<Gap>, Option<FrameRateChange>) {
        let Some(from) = self.last.replace(time) else {
            return (Spacing::Gap, None, None);
        };
        let distance = time.saturating_sub(from);
        if self.distances.len() == DISTANCES {
            self.distances.pop_front();
        }
        self.distances.push_back(distance);
        let usual = self.usual();
        let is_sparse = usual.is_some_and(|usual| usual > self.longest_gap);
        let spacing = match distance <= self.longest_joined(usual) {
            true if is_sparse => Spacing::Sparse,
            true => Spacing::Close,
            false => Spacing::Gap,
        };
        // The first distances may turn out to be the usual ones, and where closures cannot be told, neither
        // can they between single readings.
        let is_usual = usual.is_none() || self.reported == NOTHING;
        let gap = (spacing == Spacing::Gap && !is_usual).then_some(Gap { from, to: time });
        (spacing, gap, self.report(time, usual))
    }

    /// Takes that no reading comes any more, for a reason that is reported elsewhere.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
        self.differs = None;
    }

    /// What cannot be told at present, as it was reported.
    pub(super) fn untold(&self) -> &'static [Untold] {
        self.reported
    }

    /// Readings a second at present; `None` before the first ones.
    pub(super) fn per_second(&self) -> Option<f64> {
        let usual = self.usual()?.as_secs_f64();
        (usual > 0.0).then(|| 1.0 / usual)
    }

    /// The median of the last distances.
    fn usual(&self) -> Option<Duration> {
        if self.distances.len() < LEAST_DISTANCES {
            return None;
        }
        let mut sorted: Vec<Duration> = self.distances.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    fn longest_joined(&self, usual: Option<Duration>) -> Duration {
        let usual = usual.filter(|usual| *usual <= self.sparse_gap);
        let jittered = usual.map_or(Duration::ZERO, |usual| usual.mul_f64(JITTER));
        self.longest_gap.max(jittered)
    }

    fn report(&mut self, time: Duration, usual: Option<Duration>) -> Option<FrameRateChange> {
        let usual = usual?;
        let untold = self.untold_at(usual);
        if untold == self.reported {
            self.differs = None;
            return None;
        }
        let since = match self.differs {
            Some((same, since)) if same == untold => since,
            _ => time,
        };
        self.differs = Some((untold, since));
        if time.saturating_sub(since) < SETTLE {
            return None;
        }
        self.differs = None;
        self.reported = untold;
        Some(FrameRateChange {
            time,
            frames_per_second: 1.0 / usual.as_secs_f64().max(f64::EPSILON),
            untold,
        })
    }

    /// What readings at this distance cannot show; a limit that was passed is passed back only by more.
    fn untold_at(&self, usual: Duration) -> &'static [Untold] {
        let beyond = |limit: f64, untold: Untold| {
            let factor = match self.reported.contains(&untold) {
                true => HYSTERESIS,
                false => 1.0,
            };
            usual.as_secs_f64() * factor > limit
        };
        if beyond(self.sparse_gap.as_secs_f64(), Untold::Closures) {
            NOTHING
        } else if beyond(1.0 / BLINKS_FROM, Untold::Blinks) {
            NO_BLINKS
        } else {
            ALL_TOLD
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through runs of (seconds, distance) and returns changes as (time, what cannot be told).
    fn changes(script: &[(f64, f64)]) -> Vec<(f64, &'static [Untold])> {
        let mut rate = FrameRate::new(&TemporalSettings::default());
        let (mut time, mut until) = (0.0, 0.0);
        let mut changes = Vec::new();
        for (seconds, distance) in script {
            until += seconds;
            while time < until {
                let (.., change) = rate.update(Duration::from_secs_f64(time));
                let change = change.map(|change| (time, change.untold));
                changes.extend(change);
                time += distance;
            }
        }
        changes
    }

    #[test]
    fn what_cannot_be_told_is_told_once_and_when_it_can_be_again() {
        assert_eq!(changes(&[(60.0, 1.0 / 30.0)]), []);
        assert_eq!(changes(&[(60.0, 0.19)]), []);
        let [(at, untold)] = changes(&[(60.0, 0.25)])[..] else {
            panic!("once");
        };
        assert_eq!(untold, NO_BLINKS);
        assert!((2.5..3.1).contains(&at), "{at}");
        let all = changes(&[(20.0, 0.04), (30.0, 0.6), (60.0, 2.0), (20.0, 0.04)]);
        let untold: Vec<_> = all.iter().map(|(_, untold)| *untold).collect();
        assert_eq!(untold, [NO_BLINKS, NOTHING, ALL_TOLD], "{all:?}");
    }

    #[test]
    fn a_pause_is_no_rate_and_a_rate_at_the_limit_does_not_flicker() {
        assert_eq!(changes(&[(10.0, 0.04), (1.0, 4.0), (30.0, 0.04)]), []);
        let at_the_limit = [(5.0, 0.205), (5.0, 0.195)];
        let script: Vec<_> = std::iter::repeat_n(at_the_limit, 20).flatten().collect();
        assert_eq!(changes(&script).len(), 1);
    }

    #[test]
    fn readings_are_joined_over_their_usual_distance_and_never_over_a_pause() {
        let spacings = |distances: &[f64]| {
            let mut rate = FrameRate::new(&TemporalSettings::default());
            let mut time = Duration::ZERO;
            rate.update(time);
            let mut all = Vec::new();
            for distance in distances {
                time += Duration::from_secs_f64(*distance);
                all.push(rate.update(time).0);
            }
            all
        };
        use Spacing::{Close, Gap, Sparse};
        assert_eq!(
            spacings(&[0.55, 0.55, 0.55, 0.55, 0.7, 0.55, 1.0]),
            [Gap, Gap, Sparse, Sparse, Sparse, Sparse, Gap]
        );
        assert_eq!(
            spacings(&[0.04, 0.04, 0.04, 0.04, 0.6, 0.04]),
            [Close, Close, Close, Close, Gap, Close]
        );
        assert_eq!(spacings(&[2.0; 6]), [Gap; 6]);
    }
}
