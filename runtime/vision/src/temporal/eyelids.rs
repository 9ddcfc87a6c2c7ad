//! From a model's probabilities for one frame to how far the lids are open: of each eye, and of both
//! together.

use super::TemporalSettings;
use crate::{
    eye_state::{Eye, EyeState, PerEye},
    reading::EyeReading,
};

/// How far an eye is closed and open in one frame, given that it can be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LidSignal {
    /// Probability that the lids are shut, 0 to 1: apart by less than [`TemporalSettings::shut_below`] of what is usual by
    /// the model's output for the lids, and not because the eye looks down; without that output P(closed).
    pub(super) closed: f64,
    /// The same of lids as near as a blink's are, apart by less than [`TemporalSettings::blink_below`].
    pub(super) near: f64,
    /// How far the lids are apart, 0 to 1, by the model's output for it; without one P(open) and half of
    /// P(`partially_open`): 1 for an eye that is surely open, 0 for one that is surely closed.
    pub(super) openness: f64,
}

impl LidSignal {
    /// Returns the signal relative to a person whose open eyes have the openness `reference`: a narrow eye
    /// that is as open as ever counts as open, and must close further to count as closed.
    #[must_use]
    pub(super) fn relative_to(self, reference: f64) -> Self {
        let relative = |share: f64| (share / reference).clamp(0.0, 1.0);
        Self {
            closed: 1.0 - relative(1.0 - self.closed),
            near: 1.0 - relative(1.0 - self.near),
            openness: relative(self.openness),
        }
    }
}

/// A signal with the number of the frame that showed it, and whether lids that are shut in it may be those of somebody
/// who looks down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LidSample {
    pub(super) frame: u64,
    pub(super) signal: LidSignal,
    pub(super) uncertain: bool,
}

/// The lids of one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LidSignals {
    /// Each eye; `None` where it is not visible: no face, a turned head, covered.
    pub(super) eyes: PerEye<Option<LidSignal>>,
    /// Both together; `None` where neither is visible.
    pub(super) both: Option<LidSignal>,
}

impl LidSignals {
    /// The signals of a frame's readings, each eye relative to its own reference.
    pub(super) fn of(
        readings: &PerEye<EyeReading>,
        references: &PerEye<f64>,
        settings: &TemporalSettings,
    ) -> Self {
        let observations = PerEye::from_fn(|eye| {
            LidObservation::of(readings.get(eye), *references.get(eye), settings)
        });
        let eyes = PerEye::from_fn(|eye| {
            let observation = observations.get(eye).as_ref()?;
            (!observation.hidden).then_some(observation.signal)
        });
        Self {
            eyes,
            both: both(&observations, settings),
        }
    }
}

/// One eye, hidden or not.
struct LidObservation {
    signal: LidSignal,
    /// 1 - P(`not_visible`).
    visible: f64,
    hidden: bool,
}

impl LidObservation {
    fn of(reading: &EyeReading, reference: f64, settings: &TemporalSettings) -> Option<Self> {
        let EyeReading::Measured {
            probabilities,
            lids,
            ..
        } = reading
        else {
            return None;
        };
        // A state that the model has no output for adds nothing.
        let p = |state: EyeState| f64::from(probabilities[state.index()]);
        let hidden = p(EyeState::NotVisible);
        // An eye that is surely hidden has no openness; its weight is then zero too.
        let visible = (1.0 - hidden).max(f64::EPSILON);
        let signal = match lids {
            Some(lids) => {
                // A lid that follows a lowered eye is no shut one, however little of the eye it leaves.
                let below = |share: f64| {
                    lids.probability_below(share * reference) * (1.0 - f64::from(lids.looking_down))
                };
                LidSignal {
                    closed: below(settings.shut_below),
                    near: below(settings.blink_below),
                    openness: (f64::from(lids.openness) / reference).clamp(0.0, 1.0),
                }
            }
            None => {
                let closed = p(EyeState::Closed) / visible;
                let signal = LidSignal {
                    closed,
                    near: closed,
                    openness: (p(EyeState::Open) + p(EyeState::PartiallyOpen) / 2.0) / visible,
                };
                signal.relative_to(reference)
            }
        };
        Some(Self {
            signal,
            visible,
            hidden: hidden > settings.not_visible_above,
        })
    }
}

/// The mean of both eyes, weighted by how far each is visible: one hidden eye does not make both
/// unknown, for in a half turn it is the visible one that carries the blink, and a sleeper may have
/// one eye covered. While one eye is surely open, both are as open as that one, so that one shut eye and a
/// trace of doubt about the other never count as sleep.
fn both(
    observations: &PerEye<Option<LidObservation>>,
    settings: &TemporalSettings,
) -> Option<LidSignal> {
    let measured = || {
        Eye::ALL
            .into_iter()
            .filter_map(|eye| observations.get(eye).as_ref())
    };
    if measured().all(|observation| observation.hidden) {
        return None;
    }
    let whole: f64 = measured().map(|observation| observation.visible).sum();
    let mean = |part: fn(&LidSignal) -> f64| {
        let weighted =
            measured().map(|observation| observation.visible * part(&observation.signal));
        weighted.sum::<f64>() / whole
    };
    let widest = measured()
        .filter(|observation| {
            !observation.hidden && observation.signal.openness > settings.surely_open_above
        })
        .map(|observation| observation.signal)
        .max_by(|a, b| a.openness.total_cmp(&b.openness));
    let mean = LidSignal {
        closed: mean(|signal| signal.closed),
        near: mean(|signal| signal.near),
        openness: mean(|signal| signal.openness),
    };
    Some(widest.unwrap_or(mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eye_state::STATES, locate::crop::Roi, reading::Unseen};
    use proptest::prelude::*;

    fn eye(open: f32, partial: f32, closed: f32) -> EyeReading {
        let mut probabilities = [0.0; STATES];
        probabilities[EyeState::Open.index()] = open;
        probabilities[EyeState::PartiallyOpen.index()] = partial;
        probabilities[EyeState::Closed.index()] = closed;
        probabilities[EyeState::NotVisible.index()] = 1.0 - open - partial - closed;
        EyeReading::Measured {
            probabilities,
            lids: None,
            square: Roi {
                centre: [0.0; 2],
                side: 32.0,
                angle: 0.0,
            },
        }
    }

    fn signals(left: EyeReading, right: EyeReading) -> LidSignals {
        let references = PerEye {
            left: 1.0,
            right: 1.0,
        };
        LidSignals::of(
            &PerEye { left, right },
            &references,
            &TemporalSettings::default(),
        )
    }

    #[test]
    fn a_covered_eye_leaves_the_other_one_to_speak_for_both() {
        let covered = eye(0.05, 0.0, 0.0);
        let asleep = signals(covered, eye(0.02, 0.03, 0.95));
        assert_eq!(asleep.eyes.left, None);
        assert!(asleep.both.unwrap().closed > 0.85);
        assert!(
            signals(covered, eye(0.97, 0.02, 0.01))
                .both
                .unwrap()
                .openness
                > 0.9
        );
        assert_eq!(signals(covered, covered).both, None);
    }

    #[test]
    fn one_shut_eye_and_a_doubt_about_the_other_are_not_both_shut() {
        let winking = signals(eye(0.0, 0.0, 1.0), eye(0.95, 0.0, 0.05));
        assert!(winking.both.unwrap().closed < 0.1);
        // Without an open eye the mean decides: one lid often reads lower than the other.
        let blinking = signals(eye(0.0, 0.1, 0.9), eye(0.2, 0.6, 0.2));
        assert!(blinking.both.unwrap().closed > 0.5);
    }

    #[test]
    fn what_was_not_measured_is_unknown() {
        let unseen = EyeReading::Unmeasured(Unseen::NoFace);
        let nothing = signals(unseen, unseen);
        assert_eq!((nothing.eyes.left, nothing.both), (None, None));
    }

    #[test]
    fn narrow_eyes_are_open_for_their_owner_and_must_close_further() {
        let narrow = LidSignal {
            closed: 0.55,
            near: 0.55,
            openness: 0.35,
        };
        let own = narrow.relative_to(0.6);
        assert!(own.closed < 0.3 && own.openness > 0.5);
        let shut = LidSignal {
            closed: 0.97,
            near: 0.97,
            openness: 0.01,
        };
        assert!(shut.relative_to(0.6).closed > 0.9);
        assert_eq!(narrow.relative_to(1.0).openness, narrow.openness);
    }

    proptest! {
        #[test]
        fn signals_stay_between_0_and_1(
            weights in prop::collection::vec(0.001_f32..1.0, 8),
            reference in 0.5_f64..=1.0,
        ) {
            let of = |w: &[f32]| {
                let sum: f32 = w.iter().sum();
                eye(w[0] / sum, w[1] / sum, w[2] / sum)
            };
            let references = PerEye { left: reference, right: 1.0 };
            let readings = PerEye { left: of(&weights[..4]), right: of(&weights[4..]) };
            let shown = LidSignals::of(&readings, &references, &TemporalSettings::default());
            for signal in [shown.eyes.left, shown.eyes.right, shown.both].into_iter().flatten() {
                prop_assert!((0.0..=1.0 + 1e-6).contains(&signal.closed), "{:?}", signal);
                prop_assert!((0.0..=1.0 + 1e-6).contains(&signal.openness), "{:?}", signal);
            }
        }
    }
}
