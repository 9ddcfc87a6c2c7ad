//! Partial blinks: lids that approach each other and part again without meeting, as in about half of
//! all blinks. They are told apart from closures, and never counted among them.

use super::{
    TemporalSettings,
    closure::{ClosureKind, LidState, LidStep, UnnamedClosure},
    eyelids::LidSignal,
};
use std::time::Duration;

/// Follows one stream of lid signals.
#[derive(Clone, Debug)]
pub struct PartialDetector {
    open_above: f64,
    long_closure: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unknown,
    Open,
    Low {
        start: Duration,
        first_frame: u64,
        last_frame: u64,
        /// Whether the frame before was open, and no frame since has been closed.
        counts: bool,
    },
}

impl PartialDetector {
    /// Starts with nothing known.
    pub fn new(settings: &TemporalSettings) -> Self {
        Self {
            open_above: settings.open_above,
            long_closure: settings.long_closure(),
            state: State::Unknown,
        }
    }

    /// Takes the next frame after the closure detector of the same stream; gives the partial blink
    /// that it ended. LidState that stay low for longer than a blink droop, which is no event.
    pub fn step(
        &mut self,
        time: Duration,
        frame: u64,
        shown: Option<LidSignal>,
        lids: &LidStep,
    ) -> Option<UnnamedClosure> {
        if lids.until_now == LidState::Unknown {
            self.state = State::Unknown;
        }
        let shown = match shown {
            Some(shown) => shown,
            None => {
                self.state = State::Unknown;
                return None;
            }
        };
        let closed = matches!(lids.now, LidState::Closed { .. });
        let open = !closed && shown.openness > self.open_above;
        let before = self.state;
        self.state = match before {
            _ if open => State::Open,
            State::Low {
                start,
                first_frame,
                counts,
                ..
            } => State::Low {
                start,
                first_frame,
                last_frame: frame,
                counts: counts && !closed,
            },
            State::Open | State::Unknown => State::Low {
                start: time,
                first_frame: frame,
                last_frame: frame,
                counts: !closed && matches!(before, State::Open),
            },
        };
        match before {
            State::Low {
                start,
                first_frame,
                last_frame,
                counts: true,
            } if open && time.saturating_sub(start) < self.long_closure => Some(UnnamedClosure {
                kind: ClosureKind::PartialBlink,
                start,
                end: time,
                first_frame,
                last_frame,
            }),
            _ => None,
        }
    }
}
