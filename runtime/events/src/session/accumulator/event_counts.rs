//! Numbers of events by kind, in bounded memory whatever names a log makes up.

use std::collections::BTreeMap;

/// Kinds of events that are counted apart, beside those known here; further ones are counted as
/// [`FURTHER_KINDS`].
const MOST_KINDS: usize = 100;

/// Stands for what [`MOST_KINDS`] leaves out.
const FURTHER_KINDS: &str = "(further kinds)";

/// Numbers of events by kind.
#[derive(Debug, Default)]
pub(super) struct EventCounts(BTreeMap<String, u64>);

impl EventCounts {
    /// Counts an event that this program knows.
    pub(super) fn count_known(&mut self, kind: &str) {
        match self.0.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(kind.into(), 1);
            }
        }
    }

    /// Counts an event of any other kind.
    pub(super) fn count_unknown(&mut self, kind: String) {
        let apart = self.0.contains_key(&kind) || self.0.len() < MOST_KINDS;
        let kind = if apart { kind } else { FURTHER_KINDS.into() };
        *self.0.entry(kind).or_default() += 1;
    }

    /// Returns the counts.
    pub(super) fn finish(self) -> BTreeMap<String, u64> {
        self.0
    }
}
