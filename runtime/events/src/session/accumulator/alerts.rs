//! Alerts from when they were raised to their end.

use crate::{
    event::AlertEvent,
    session::{listed::Listed, statistics::AlertStatistics},
};
use parseye_vision::temporal::AlertPhase;

/// The alerts of a session.
#[derive(Debug, Default)]
pub(super) struct AlertList(Listed<AlertStatistics>);

impl AlertList {
    /// Lists an alert that is raised, and ends the last one of its kind and source that has not ended.
    pub(super) fn add(&mut self, alert: &AlertEvent) {
        match alert.phase {
            AlertPhase::Raised => self.0.push(AlertStatistics::raised(alert)),
            AlertPhase::Repeated => {}
            AlertPhase::Cleared | AlertPhase::Lost => {
                let is_open = |raised: &&mut AlertStatistics| {
                    raised.until.is_none() && raised.kind == alert.kind && raised.clip == alert.clip
                };
                if let Some(raised) = self.0.first.iter_mut().rev().find(is_open) {
                    raised.until = Some(alert.time);
                    raised.ended = Some(alert.phase);
                }
            }
        }
    }

    /// Returns the list.
    pub(super) fn finish(self) -> Listed<AlertStatistics> {
        self.0
    }
}
