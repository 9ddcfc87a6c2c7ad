//! Whether a quantity has drifted: raised after some blocks beyond a limit, cleared after some within it.

use super::{DriftPhase, DriftTuning};
use crate::selfcheck::{
    page_hinkley::{PageHinkley, Shift},
    stability::PSI_CHANGED,
};
use std::time::Duration;

/// A drift that begins or ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition {
    pub(super) phase: DriftPhase,
    pub(super) shift: Shift,
    pub(super) since: Duration,
}

/// The present state of one quantity.
#[derive(Clone, Copy, Debug, Default)]
struct RunOfBlocks {
    drifted: Option<(Shift, Duration)>,
    /// Blocks in a row beyond the limit or, once drifted, within it.
    in_a_row: usize,
}

impl RunOfBlocks {
    /// Counts a block; returns how many of this kind there have been in a row.
    fn count(&mut self, counts: bool) -> usize {
        self.in_a_row = if counts { self.in_a_row + 1 } else { 0 };
        self.in_a_row
    }

    fn raise(&mut self, shift: Shift, since: Duration) -> Transition {
        *self = Self {
            drifted: Some((shift, since)),
            in_a_row: 0,
        };
        Transition {
            phase: DriftPhase::Raised,
            shift,
            since,
        }
    }

    fn clear(&mut self, shift: Shift, since: Duration) -> Transition {
        *self = Self::default();
        Transition {
            phase: DriftPhase::Cleared,
            shift,
            since,
        }
    }
}

/// Follows the mean of a quantity by a Page-Hinkley test.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeanWatch {
    watch: RunOfBlocks,
    test: PageHinkley,
}

impl MeanWatch {
    pub(super) fn new(tuning: &DriftTuning) -> Self {
        Self {
            watch: RunOfBlocks::default(),
            test: PageHinkley::new(tuning.allowance, tuning.threshold),
        }
    }

    /// Takes a block's mean in standard deviations of the reference.
    pub(super) fn update(
        &mut self,
        z: f64,
        now: Duration,
        tuning: &DriftTuning,
    ) -> Option<Transition> {
        if let Some((shift, since)) = self.watch.drifted {
            let calm = z.abs() <= 2.0 * tuning.allowance;
            let cleared = self.watch.count(calm) >= tuning.calm_blocks;
            return cleared.then(|| self.watch.clear(shift, since));
        }
        let change = self.test.add(z)?;
        let ago = tuning.block * u32::try_from(change.values_ago).unwrap_or(u32::MAX);
        Some(self.watch.raise(change.shift, now.saturating_sub(ago)))
    }
}

/// Follows the distribution of a quantity by its population stability index.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DistributionWatch(RunOfBlocks);

impl DistributionWatch {
    /// Takes the index of a window that began at `begin`, and the direction in which it has moved.
    pub(super) fn update(
        &mut self,
        psi: f64,
        shift: Shift,
        begin: Duration,
        tuning: &DriftTuning,
    ) -> Option<Transition> {
        let changed = psi >= PSI_CHANGED;
        match self.0.drifted {
            None => {
                let raised = self.0.count(changed) >= tuning.psi_windows;
                raised.then(|| self.0.raise(shift, begin))
            }
            Some((shift, since)) => {
                let cleared = self.0.count(psi < PSI_CHANGED) >= tuning.calm_blocks;
                cleared.then(|| self.0.clear(shift, since))
            }
        }
    }
}
