//! Partial blinks: lids that approach each other and open again without meeting, as in about half of
//! all blinks. They are kept apart from closures, and never counted among them.

use super::{
    TemporalSettings,
    closure::{ClosureKind, LidChange, LidState, UnnamedClosure},
    eyelids::LidSample,
    frame_rate::Spacing,
};
use crate::seconds;
use std::time::Duration;

/// Follows one stream of lid signals.
#[derive(Clone, Debug)]
pub(super) struct PartialDetector {
    open_above: f64,
    long_closure: Duration,
    state: PartialState,
}

#[derive(Clone, Copy, Debug)]
enum PartialState {
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
    pub(super) fn new(settings: &TemporalSettings) -> Self {
        Self {
            open_above: settings.open_above,
            long_closure: seconds::duration(settings.long_closure_s),
            state: PartialState::Unknown,
        }
    }

    /// Takes the same lids as the closure detector of this stream, after it, with what they changed there, and whether they
    /// are as near as a blink's;
    /// returns the partial blink that they ended. Lids that stay low for longer than a blink droop, which is
    /// no event; nor is anything in frames so far apart that whole blinks fall between them.
    pub(super) fn update(
        &mut self,
        time: Duration,
        lids: Option<LidSample>,
        change: &LidChange,
        near: bool,
        spacing: Spacing,
    ) -> Option<UnnamedClosure> {
        if spacing != Spacing::Close || change.until_now == LidState::Unknown {
            self.state = PartialState::Unknown;
        }
        let Some(LidSample { frame, signal, .. }) = lids else {
            self.state = PartialState::Unknown;
            return None;
        };
        let closed = near || matches!(change.now, LidState::Closed(_));
        let open = !closed && signal.openness > self.open_above;
        let before = self.state;
        self.state = match before {
            _ if open => PartialState::Open,
            PartialState::Low {
                start,
                first_frame,
                counts,
                ..
            } => PartialState::Low {
                start,
                first_frame,
                last_frame: frame,
                counts: counts && !closed,
            },
            PartialState::Open | PartialState::Unknown => PartialState::Low {
                start: time,
                first_frame: frame,
                last_frame: frame,
                counts: !closed && matches!(before, PartialState::Open),
            },
        };
        match before {
            PartialState::Low {
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
                unseen: Duration::ZERO,
            }),
            _ => None,
        }
    }
}
